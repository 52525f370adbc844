"""Variances that share information between genes: a scaled-F prior, and the t and F tests that use it."""
