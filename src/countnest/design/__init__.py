"""Designs and questions: from a sample sheet and a formula to a model matrix, and what can be asked of it."""

from __future__ import annotations

from countnest.design.coefficient import coefficients
from countnest.design.contrast import Contrast, default_contrast, resolve_contrast
from countnest.design.grammar import parse_query
from countnest.design.guard import between_message, require_within
from countnest.design.identifier import renest
from countnest.design.model import Design, build_design, check_residual_df, encode
from countnest.design.query import Query
from countnest.design.question import cell, effect, interaction, means

__all__ = [
    "Contrast",
    "Design",
    "Query",
    "between_message",
    "build_design",
    "cell",
    "check_residual_df",
    "coefficients",
    "default_contrast",
    "effect",
    "encode",
    "interaction",
    "means",
    "parse_query",
    "renest",
    "require_within",
    "resolve_contrast",
]
