"""Tests of gene sets: camera, on estimates or ranks, and fry, on the effects and residuals of every gene."""
