"""The code in docs/from_lme4.md runs."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import OptionError
from countnest.mixed_names import ARGUMENTS, NAMES, WORDS

PAGE = (Path(__file__).parents[2] / "docs" / "from_lme4.md").read_text(encoding="utf-8")
ROWS = [
    line.replace(r"\|", "\0") for line in PAGE.splitlines() if line.startswith("| ") and line != "| R | countnest |"
]
SIDES = [[side.replace("\0", "|") for side in row.split(" | ", 1)] for row in ROWS]
CODE = [code for _, right in SIDES for code in re.findall(r"`([^`]+)`", right) if re.search(r"\w\(|\[", code)]
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
# Functions of R that the page is to name.
FUNCTIONS = """
    lmer glmer contest KRmodcomp SATmodcomp ranova VarCorr ranef fixef isSingular lme gls glmmTMB glmmPQL dream
    voomWithDreamWeights fitExtractVarPartModel
"""


def studies():
    """Return the names that the code of the page uses."""
    nested = cn.simulate.nested(genes=40, rng=6)
    rng = np.random.default_rng(4)
    sheet = pd.DataFrame(
        {"site": np.repeat([f"p{i}" for i in range(8)], 5), "time": np.tile(np.arange(5.0), 8) + 0.5},
        index=[f"s{i}" for i in range(40)],
    )
    slope = np.repeat(rng.normal(0.0, 0.3, (10, 8)), 5, axis=1) * sheet["time"].to_numpy()
    counts = pd.DataFrame(rng.poisson(200.0 * np.exp(slope)), [f"g{i}" for i in range(10)], sheet.index)
    sites = cn.DESeqDataSet(counts, sheet, design="~ time + (time | site)", size_factors=np.ones(40), quiet=True)
    shape = nested.counts.shape
    return {
        "cn": cn, "counts": nested.counts, "samples": nested.samples, "sites": sites,
        "cells": cn.datasets.cells(), "area": np.zeros(200),
        "w": np.ones(shape), "values": np.log2(nested.counts + 0.5),
        "new_samples": nested.samples.drop_duplicates(["treat1", "treat2"])[["treat1", "treat2"]],
        "one": cn.single_response("counts ~ RNAi + (1 | slide)", cn.datasets.cells(), quiet=True),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore::countnest.CountnestWarning")
def test_code_of_the_page_runs():
    found = studies()
    for number, block in enumerate(BLOCKS, start=1):
        exec(compile(block, f"from_lme4.md, Python block {number}", "exec"), found)
    assert len(CODE) > 35
    for code in CODE:
        own = {**found, "dds": found["dds"].copy(), "one": found["one"].copy(), "sites": found["sites"].copy()}
        try:
            eval(code, own)
        except Exception as error:
            raise AssertionError(code) from error


def test_functions_of_r_are_on_the_page_and_answered():
    left = "\n".join(side for side, _ in SIDES)
    for function in FUNCTIONS.split():
        assert re.search(rf"\b{function}\b", left), function
    for function in (*FUNCTIONS.split(), *NAMES):
        with pytest.raises(AttributeError, match=r"Here it is \S"):
            getattr(cn, function)


def test_arguments_and_words_of_r_are_answered():
    dds = studies()["sites"]
    for name in ARGUMENTS:
        with pytest.raises(TypeError, match=f"has no argument '{name}'.*{re.escape(ARGUMENTS[name])}"):
            cn.glmm(dds, **{name: 1})
    with pytest.raises(OptionError, match="family='nbinom2' is 'negbin' here; use one of 'negbin', 'poisson'"):
        cn.glmm(dds, family="nbinom2")
    for word in ("Kenward-Roger", "Satterthwaite"):
        with pytest.raises(OptionError, match=f"df='{word}' is '{WORDS[word]}' here; use one of"):
            cn.lmm(dds, df=word)
