"""Levels of factors: their text, their order, and checks for misspellings."""
