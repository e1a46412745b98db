"""Operators: each a schema with a plain PyTorch reference, which compiled kernels may take over."""
