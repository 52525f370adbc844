"""Levels of factors: how they are written, in which order they stand, and what may be wrong with them."""
