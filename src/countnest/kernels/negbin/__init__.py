"""The negative binomial: special functions, density, coefficients, dispersions, and what follows from a fit."""
