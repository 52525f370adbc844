"""Tests of one gene, and what testing many genes asks for."""
