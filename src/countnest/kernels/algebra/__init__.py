"""Sums over a model matrix and its normal equations, sparse and dense."""
