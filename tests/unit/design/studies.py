"""Sample sheets for the tests of queries."""

import warnings

import numpy as np
import pandas as pd

from countnest.design.build import build_design


def sheet(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=[f"s{i}" for i in range(n)])


def families():
    """Three families in A, two in B, two sibs each, one of them treated."""
    return sheet(
        family=[f"f{i // 2 + 1}" for i in range(10)],
        ind=[str(i) for i in (1, 1, 2, 2, 3, 3, 1, 1, 2, 2)],
        group=list("AAAAAABBBB"),
        treat=["None", "E"] * 5,
        age=np.sin(np.arange(10.0)),
    )


def design(formula, frame=None, **options):
    frame = families() if frame is None else frame
    reference = {"treat": "None"} if "treat" in frame and "treat" in str(formula) else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build_design(formula, frame, reference=reference, **options)


SIMPLE = "~ family + group*treat"
NESTED = "~ group + group:ind + group:treat"
