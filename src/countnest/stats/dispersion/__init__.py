"""Dispersions: gene-wise estimates, their trend over the mean, the prior around it, and the shrunken values."""
