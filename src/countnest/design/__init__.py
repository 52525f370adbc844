"""Designs: from a sample sheet and a formula to a model matrix with names."""
