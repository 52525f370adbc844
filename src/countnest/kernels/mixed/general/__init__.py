"""Linear mixed models with any random terms, one gene after the other."""
