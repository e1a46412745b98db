"""From fields to solids."""
