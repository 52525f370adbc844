"""Labelled tables: the counts at the door, the fits, the results."""
