"""Labelled tables: counts, fits and results."""
