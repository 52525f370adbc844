"""Queries: contrasts of the coefficients of a design, and the ways to describe them."""
