"""R's model matrices (formulas.R) and DESeq2's coefficient names against ours."""

import gzip
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countnest.design.build import build_design, choose_coding, formula_coders
from countnest.design.formula import parse_formula
from countnest.design.rank import find_dependence
from countnest.design.samples import prepare_samples

FOLDER = Path(__file__).parent / "data" / "formulas"
IDENTICAL = 1e-12  # the stored values have 6 decimals, and are exact: the numbers of samples.csv have 3
# Formulas whose columns are R's; where R's are dependent; where R's are independent but span less than the model.
R_CODING, R_DEPENDENT, R_TOO_SMALL = 796, 350, 230


def load(name):
    return json.loads(gzip.decompress((FOLDER / name).read_bytes()))


@pytest.fixture(scope="module")
def sheet():
    return pd.read_csv(FOLDER / "samples.csv")


@pytest.fixture(scope="module")
def matrices():
    return load("model_matrices.json.gz")


@pytest.fixture(scope="module")
def designs():
    return load("designs.json.gz")


def code(formula, sheet):
    parsed = parse_formula(formula, sheet.columns)
    coders, rows = formula_coders(parsed, prepare_samples(sheet, parsed.variables), sheet)
    return [coder.code(rows) for coder in coders]


@pytest.fixture(scope="module")
def coded(sheet, matrices):
    """R's coding and the one of full rank for each formula, with R's own columns as an array."""
    return [(entry, values_of(entry), *code(entry["formula"], sheet)) for entry in matrices]


def values_of(entry):
    return np.array(entry["values_by_column"], dtype=float).reshape(len(entry["columns"]), -1).T


def test_model_matrix_is_that_of_r(coded):
    assert len(coded) == 1376
    for entry, expected, ours, _ in coded:
        assert ours.columns == tuple(entry["columns"]), entry["formula"]
        np.testing.assert_allclose(ours.matrix, expected, rtol=0, atol=IDENTICAL, err_msg=entry["formula"])
        assert find_dependence(ours.matrix).rank == entry["rank"], entry["formula"]


def test_coding_is_that_of_r_or_of_full_rank(coded):
    counts = {"r": 0, "dependent": 0, "too small": 0}
    for entry, expected, ours, full_rank in coded:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chosen, coding, _ = choose_coding(ours, full_rank)
        dependent = entry["rank"] < len(entry["columns"])
        rank = find_dependence(chosen.matrix).rank
        assert rank == len(chosen.columns), entry["formula"]
        assert find_dependence(np.column_stack([chosen.matrix, expected])).rank == rank, "R's columns are in our space"
        if coding == "r":
            counts["r"] += 1
            assert chosen is ours
            assert not dependent
        else:
            counts["dependent" if dependent else "too small"] += 1
            assert dependent or rank > entry["rank"]
    assert counts == {"r": R_CODING, "dependent": R_DEPENDENT, "too small": R_TOO_SMALL}


def test_designs_have_the_chosen_columns(coded, sheet):
    for entry, _, ours, full_rank in coded[::60]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            design = build_design(entry["formula"], sheet)
        expected = ours if design.coding == "r" else full_rank
        assert design.columns == expected.columns
        np.testing.assert_array_equal(design.matrix, expected.matrix)


def test_fallback_spans_what_formulaic_spans(coded, sheet):
    formulaic = pytest.importorskip("formulaic")
    for entry, _, _, full_rank in coded[::8]:
        theirs = np.asarray(formulaic.model_matrix(entry["formula"], sheet), dtype=float)
        rank = np.linalg.matrix_rank(theirs)
        assert full_rank.matrix.shape[1] == theirs.shape[1] == rank
        assert np.linalg.matrix_rank(np.column_stack([full_rank.matrix, theirs])) == rank


NAMES = [
    "airway", "continuous_14", "factorial_12", "nested_unbalanced_22", "no_intercept_9", "normfactors_8", "pasilla",
    "replace_20", "replace_batch_32", "sparse_poscounts_30", "study48", "study94", "two_group_12", "two_group_3",
    "two_group_4", "weights_10",
]  # fmt: skip


REDUCED = ["airway", "continuous_14", "factorial_12", "nested_unbalanced_22", "pasilla", "study48", "study94"]


def test_every_reference_design_is_tested(designs):
    assert sorted(designs) == NAMES
    assert sorted(name for name, entry in designs.items() if entry.get("reduced")) == REDUCED


@pytest.mark.parametrize(
    ("name", "part"), [*((name, "full") for name in NAMES), *((name, "reduced") for name in REDUCED)]
)
def test_reference_designs(name, part, designs):
    entry = designs[name]
    expected = entry if part == "full" else entry["reduced"]
    sheet = pd.DataFrame(entry["samples"], index=entry["labels"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = build_design(expected["formula"], sheet, reference=entry["reference"])
    assert design.coding == "r"
    assert design.columns == tuple(expected["columns"])
    np.testing.assert_allclose(design.matrix, np.array(expected["rows"]), rtol=0, atol=IDENTICAL)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"airway", "pasilla", "study48", "study94"}])
def test_names_are_those_of_deseq2(name, designs):
    entry = designs[name]
    sheet = pd.DataFrame(entry["samples"], index=entry["labels"])
    given = entry["formula"]
    if name == "nested_unbalanced_22":  # DESeq2 got the matrix
        given = pd.DataFrame(entry["rows"], index=entry["labels"], columns=entry["columns"])
    design = build_design(given, sheet)
    assert list(design.names) == entry["names"]
