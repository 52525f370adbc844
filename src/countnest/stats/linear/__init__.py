"""Weighted least squares for every gene, with missing values and correlated blocks, and contrasts of the estimates."""
