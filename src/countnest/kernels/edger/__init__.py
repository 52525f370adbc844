"""Negative binomial fits whose iterations end where those of edgeR end."""
