"""Depth of a view by matching it with others whose place is known: no network, no training, images alone."""
