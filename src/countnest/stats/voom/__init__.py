"""Log counts with precision weights: voom, weights of samples, correlation within blocks."""
