"""Queries: what can be asked of a design, as contrasts of its coefficients."""
