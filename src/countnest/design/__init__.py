"""Designs: from a sample sheet and a formula to a model matrix with names, and comparisons of its coefficients."""

from __future__ import annotations

from countnest.design.contrast import Contrast, default_contrast, resolve_contrast
from countnest.design.model import Design, build_design, check_residual_df

__all__ = ["Contrast", "Design", "build_design", "check_residual_df", "default_contrast", "resolve_contrast"]
