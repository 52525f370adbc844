"""Posterior modes of coefficients under a Cauchy prior and under normal priors."""
