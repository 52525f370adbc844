"""Shrinkage of estimated effects."""
