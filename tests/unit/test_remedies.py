"""Remedies are in the terms of who reads them."""

import pandas as pd
import pytest

from countnest.datasets import load
from countnest.design.build import build_design
from countnest.errors import ContrastError, OptionError, SamplesError
from countnest.queries.contrasts import contrast_query
from countnest.remedies import advised, as_factor, given, in_the_shell, level_order, option, reference_level

SHEET = pd.DataFrame(
    {"donor": ["d1", "d1", "d2", "d2", "d3", "d3"], "hour": [0.0, 1.5, 0.0, 1.5, 0.0, 1.5]}, index=list("abcdef")
)


def test_the_same_remedy_in_both_terms():
    said = {
        (lambda: option("fit_type", "local")): ("fit_type='local'", "--fit-type local"),
        (lambda: option("name", "a b")): ("name='a b'", "--name 'a b'"),
        (lambda: option("cooks_cutoff")): ("cooks_cutoff=", "--cooks-cutoff"),
        (lambda: option("use_t", True)): ("use_t=True", "--use-t"),
        (lambda: option("independent_filtering", False)): (
            "independent_filtering=False",
            "--no-independent-filtering",
        ),
        (lambda: reference_level("cell line", "a b")): (
            "reference={'cell line': 'a b'}",
            "--reference 'cell line=a b'",
        ),
        (lambda: level_order("f")): ("levels={'f': [...]}", "--levels f=level,level,..."),
        (lambda: advised("dds", "")): ("dds", ""),
        (lambda: given("lfc_threshold", -1.0)): ("lfc_threshold=-1.0", "--lfc-threshold -1.0"),
        (lambda: given("STUDY", "airwy")): ("STUDY='airwy'", "STUDY='airwy'"),
    }
    for say, (python, shell) in said.items():
        assert say() == python
        with in_the_shell():
            assert say() == shell
        assert say() == python
    assert as_factor("f") == "samples['f'] = samples['f'].astype(str)"


def test_the_shell_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), in_the_shell():
        raise ZeroDivisionError
    assert option("minmu") == "minmu="


def test_messages_of_the_package_follow():
    with in_the_shell():
        with pytest.raises(SamplesError, match=r"--levels hour=0,1\.5, or write 'C\(hour\)'") as number:
            build_design("~ donor + hour", SHEET, reference={"hour": "0"})
        design = build_design("~ donor + hour", SHEET)
        with pytest.raises(ContrastError, match=r"use --name hour.*--levels hour=0,1\.5, or 'C") as numeric:
            contrast_query(design, ("hour", "1.5", "0"), None)
        with pytest.raises(SamplesError, match="--reference donor=d4: no sample") as absent:
            build_design("~ donor", SHEET, reference={"donor": "d4"})
        with pytest.raises(OptionError, match="STUDY='airwy' is not known") as study:
            load("airwy")
    for said in (number.value, numeric.value, absent.value, study.value):
        assert "astype" not in str(said)
        assert "={" not in str(said)
        assert "name='" not in str(said)
