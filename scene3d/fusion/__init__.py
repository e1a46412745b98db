"""From fields and depth images to solids."""
