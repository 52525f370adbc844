"""Analyses: steps of `stats` in their order, on arrays."""
