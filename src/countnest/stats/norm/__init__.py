"""Normalization for sequencing depth."""
