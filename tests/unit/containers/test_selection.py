"""Genes and samples are chosen as in pandas and AnnData."""

import numpy as np
import pandas as pd
import pytest

from countnest.containers.counts import count_data
from countnest.containers.matrix import Chosen, InMemory
from countnest.containers.selection import chosen_places, select
from countnest.errors import CountsError, SamplesError

LABELS = pd.Index([f"g{i}" for i in range(6)])
TRUTH = np.array([True, False, False, True, False, True])


def test_every_way_to_choose():
    for chosen, expected in (
        ("g2", [2]),
        (["g4", "g1"], [4, 1]),
        (("g4", "g1"), [4, 1]),
        (pd.Index(["g4", "g1"]), [4, 1]),
        (pd.Series(["g4", "g1"], index=[7, 8]), [4, 1]),
        (pd.Categorical(["g4", "g1"]), [4, 1]),
        (np.array(["g4", "g1"]), [4, 1]),
        ((label for label in ("g4", "g1")), [4, 1]),
        (3, [3]),
        (-1, [5]),
        (np.int64(3), [3]),
        ([5, 0, -2], [5, 0, 4]),
        (range(2), [0, 1]),
        (pd.Series([1, 2], dtype="Int64"), [1, 2]),
        (TRUTH, [0, 3, 5]),
        (list(TRUTH), [0, 3, 5]),
        (pd.array(TRUTH, dtype="boolean"), [0, 3, 5]),
        (pd.Series(TRUTH), [0, 3, 5]),
        (pd.Series(TRUTH, index=LABELS), [0, 3, 5]),
        (pd.Series(TRUTH, index=LABELS).iloc[::-1], [0, 3, 5]),
        (pd.Series(TRUTH, index=LABELS, dtype="boolean"), [0, 3, 5]),
        (pd.Series([*TRUTH, True], index=[*LABELS, "another"]), [0, 3, 5]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, 2), [0, 2, 4]),
        (slice(None, None, -1), [5, 4, 3, 2, 1, 0]),
        (slice("g1", "g3"), [1, 2, 3]),
        (slice("g4", None), [4, 5]),
        (slice(-2, None), [4, 5]),
    ):
        np.testing.assert_array_equal(chosen_places(chosen, LABELS, "gene"), expected, err_msg=repr(chosen))
    assert chosen_places(slice(None), LABELS, "gene") is None
    assert chosen_places(slice(0, 99), LABELS, "gene") is None


REFUSED = [
    ("G3x", "1 gene not in the data set: 'G3x'. Did you mean 'g3'"),
    (["g1", "x", "y"], "2 genes not in the data set: 'x', 'y'"),
    (slice("g1", "x"), "1 gene not in the data set: 'x'"),
    (slice(0.5, 2), "no slice of genes"),
    (slice(1, 2, 0), "no slice of genes"),
    (6, "positions, from 0 to 5; not among them: '6'"),
    ([1, -7], "not among them: '-7'"),
    (["g1", "g1"], "1 gene chosen more than once: 'g1'"),
    ([1, -5], "1 gene chosen more than once: 'g1'"),
    ([], "no gene is chosen"),
    (np.zeros(6, bool), "no gene is chosen"),
    (slice(3, 3), "no gene is chosen"),
    (TRUTH[:5], "5 truth values cannot choose among 6 genes"),
    (pd.Series(TRUTH[:5], index=LABELS[:5]), "whose index lacks 1 gene: 'g5'"),
    (pd.Series([*TRUTH, True], index=[*LABELS, "g0"]), "has labels more than once"),
    (pd.Series([True, None] * 3, index=LABELS, dtype="boolean"), "got .* values"),
    (None, "genes are chosen by a label, .*; got None"),
    (True, "got a bool"),
    (1.0, "got a float"),
    ([1.0, 2.0], "got floating values, such as 1.0"),
    ({"g1"}, "got a set"),
    ({"g1": 1}, "got a dict"),
    (["g1", 2], "got mixed-integer values"),
]


def test_what_is_refused():
    for chosen, message in REFUSED:
        with pytest.raises(CountsError, match=message):
            chosen_places(chosen, LABELS, "gene")
    with pytest.raises(SamplesError, match="1 sample not in the data set: 'x'"):
        chosen_places("x", LABELS, "sample")


def test_among_many_genes_only_the_same_identifier_is_suggested():
    labels = pd.Index([f"ENSG{i:011d}.4" for i in range(50_000)])
    for name, told in (("ENSG00000000007", r"\. Did you mean 'ENSG00000000007\.4'\?$"), ("ENSG00000099999", r"'\.$")):
        with pytest.raises(CountsError, match=told):
            chosen_places(name, labels, "gene")


def test_counts_in_memory_and_elsewhere_are_the_same(monkeypatch):
    rng = np.random.default_rng(1)
    counts = pd.DataFrame(rng.poisson(1, (40, 6)), index=[f"g{i}" for i in range(40)], columns=list("abcdef"))
    data = count_data(
        counts, pd.DataFrame({"x": range(6)}, index=list("abcdef")), gene_info=pd.Series(range(40), counts.index)
    )
    monkeypatch.setattr(InMemory, "gathered_cells", 20)  # several blocks
    for genes in (None, np.array([3, 1, 30]), np.arange(4, 9), rng.permutation(40)):
        for samples in (None, np.array([4, 0]), np.arange(1, 4)):
            expected = counts.iloc[slice(None) if genes is None else genes, slice(None) if samples is None else samples]
            part = select(data, genes, samples)
            chosen = Chosen(data.matrix, genes, samples)
            np.testing.assert_array_equal(part.counts, expected)
            np.testing.assert_array_equal(chosen.whole(), expected)
            np.testing.assert_array_equal(part.counted, (expected > 0).any(axis=1))
            assert chosen.shape == part.shape == expected.shape
            assert list(part.genes) == list(part.gene_info.index) == list(expected.index)
            assert list(part.samples) == list(part.sheet.index) == list(expected.columns)
            assert list(part.gene_info.iloc[:, 0]) == [int(label[1:]) for label in expected.index]
            rows, mask = np.arange(len(expected))[1:], np.arange(expected.shape[1]) > 0
            np.testing.assert_array_equal(chosen.read(rows, mask), expected.iloc[1:, 1:])
            np.testing.assert_array_equal(chosen.read(slice(1, 3), slice(0, 1)), expected.iloc[1:3, :1])
            assert chosen.read(rows).flags.c_contiguous
    assert Chosen(data.matrix, None, None).gathered_cells == 20
