"""Tests of contrasts, and corrections for testing many genes."""
