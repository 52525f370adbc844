"""The averaged likelihood ratio test: tests at several dispersions, averaged with posterior weights."""
