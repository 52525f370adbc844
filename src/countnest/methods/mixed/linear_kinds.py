"""The kinds of test of linear mixed models, and the rules for their degrees of freedom."""

from __future__ import annotations

from collections.abc import Mapping

from countnest.methods.fit import TestKind
from countnest.options import DfRule

__all__ = ["DF_NAMES", "DfRule", "kinds_of"]

DF_NAMES: Mapping[str, str] = {
    "kenward-roger": "Kenward-Roger",
    "satterthwaite": "Satterthwaite",
    "containment": "containment",
    "residual": "residual",
    "infinite": "normal",
}


def kinds_of(rule: str) -> Mapping[str, TestKind]:
    """Return the kinds of test by a rule for degrees of freedom."""
    name = DF_NAMES[rule]
    row, joint = ("Wald", "Wald") if rule == "infinite" else (f"{name} t", f"{name} F")
    return {
        "t": TestKind(row, has_threshold=True, is_filtered=True, joint_label=joint),
        "lrt": TestKind("LRT", null="", is_filtered=True),
        "strata": TestKind(
            "moderated t by strata", has_threshold=True, is_filtered=True, joint_label="moderated F by strata"
        ),
        "dream": TestKind(
            "moderated t (dream)", has_threshold=True, is_filtered=True, joint_label="moderated F (dream)"
        ),
        "averaged": TestKind(
            "averaged moderated t", has_threshold=True, is_filtered=True, joint_label="averaged moderated F"
        ),
    }
