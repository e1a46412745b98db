"""Typed nouns that cross floors: what readers make, methods eat, and evaluation and pictures get."""
