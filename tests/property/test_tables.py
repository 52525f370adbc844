"""What holds for any table of counts, and for any table that is written and read again."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from countnest.containers.counts import count_data
from countnest.containers.table_file import write_table
from countnest.errors import CountsError
from countnest.io.tables import read_counts, read_samples

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@st.composite
def studies(draw):
    """Counts, genes by samples, and a sheet in the same order; no sample is all zero and not all are equal."""
    n, g = draw(st.integers(2, 6)), draw(st.integers(7, 12))
    values = draw(hnp.arrays(np.int64, (g, n), elements=st.integers(0, 2**40)))
    values[0] = np.arange(1, n + 1)
    labels = draw(st.lists(text.filter(str.strip), min_size=n, max_size=n, unique=True))
    counts = pd.DataFrame(values, index=[f"gene-{i}\n" for i in range(g)], columns=labels)
    return counts, pd.DataFrame({"x": np.arange(n), "label": labels}, index=labels)


@quick
@given(studies(), st.data())
def test_order_of_the_sheet_and_orientation_do_not_matter(study, data):
    counts, sheet = study
    expected = count_data(counts, sheet)
    np.testing.assert_array_equal(expected.counts, counts)
    order = data.draw(st.permutations(range(len(sheet))))
    turn = data.draw(st.booleans())
    found = count_data(counts.T if turn else counts, sheet.iloc[order])
    np.testing.assert_array_equal(found.counts, expected.counts)
    assert list(found.genes) == list(expected.genes)
    pd.testing.assert_frame_equal(found.sheet, expected.sheet)


@quick
@given(studies(), st.data())
def test_order_of_the_counts_is_followed(study, data):
    counts, sheet = study
    order = list(data.draw(st.permutations(range(len(sheet)))))
    found = count_data(counts.iloc[:, order], sheet)
    np.testing.assert_array_equal(found.counts, counts.to_numpy()[:, order])
    assert list(found.sheet["label"]) == list(found.samples) == list(counts.columns[order])


@quick
@given(studies(), st.booleans(), st.sampled_from([np.asarray, sparse.csr_matrix, sparse.csc_array]))
def test_arrays_give_what_frames_give(study, turn, convert):
    counts, sheet = study
    values = counts.to_numpy()
    found = count_data(convert(values.T if turn else values), sheet, genes=counts.index)
    expected = count_data(counts, sheet)
    np.testing.assert_array_equal(found.counts, expected.counts)
    assert list(found.genes) == list(expected.genes)
    assert list(found.samples) == list(expected.samples)


@quick
@given(
    studies(),
    st.data(),
    st.one_of(
        st.just((np.nan, "missing")),
        st.just((np.inf, "infinite")),
        st.integers(-(2**40), -1).map(lambda value: (value, "negative")),
        st.floats(0, 2**40).filter(lambda value: value % 1 != 0).map(lambda value: (value, "not whole")),
    ),
)
def test_a_bad_cell_is_always_found_and_named(study, data, bad):
    counts, sheet = study
    value, word = bad
    row, column = data.draw(st.integers(0, counts.shape[0] - 1)), data.draw(st.integers(0, counts.shape[1] - 1))
    spoilt = counts.astype(float)
    spoilt.iloc[row, column] = value
    cell = f"gene {counts.index[row]!r}, sample {counts.columns[column]!r}"
    with pytest.raises(CountsError, match=f"(?s)^1 count is {word}.*{re.escape(cell)}"):
        count_data(spoilt.T if data.draw(st.booleans()) else spoilt, sheet)


finite = st.floats(allow_nan=True, allow_infinity=False)


@quick
@given(st.data(), st.sampled_from(["a.csv", "a.tsv", "a.csv.gz", "a.txt"]))
def test_counts_survive_writing_and_reading(data, name):
    width, height = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
    name_text = text.filter(lambda name: name.strip() and not name.startswith(("#", "\ufeff")))
    names = data.draw(st.lists(name_text, min_size=width + 1, max_size=width + 1, unique=True))
    labels = data.draw(st.lists(text, min_size=height, max_size=height))
    kind = data.draw(st.sampled_from([np.int64, np.float64]))
    cells = finite if kind is np.float64 else st.integers(-(2**63), 2**63 - 1)
    values = data.draw(hnp.arrays(kind, (height, width), elements=cells))
    frame = pd.DataFrame(values, index=pd.Index(labels, name=names[0]), columns=names[1:])
    with tempfile.TemporaryDirectory() as folder:
        write_table(frame, Path(folder) / name)
        found = read_counts(Path(folder) / name)
    pd.testing.assert_frame_equal(found, frame, check_exact=True, check_dtype=kind is np.int64)


@quick
@given(st.data())
def test_sample_sheets_survive_writing_and_reading(data):
    height = data.draw(st.integers(1, 6))
    labels = data.draw(st.lists(text, min_size=height, max_size=height, unique=True))
    levels = data.draw(st.lists(st.sampled_from(["None", "NA", "a", "007", "x,y"]), min_size=height, max_size=height))
    numbers = data.draw(st.lists(finite, min_size=height, max_size=height).filter(lambda v: not np.isnan(v).all()))
    sheet = pd.DataFrame({"level": levels, "dose": numbers}, index=pd.Index(labels, name="sample"))
    with tempfile.TemporaryDirectory() as folder:
        write_table(sheet, Path(folder) / "s.csv")
        found = read_samples(Path(folder) / "s.csv")
    pd.testing.assert_frame_equal(found, sheet, check_exact=True, check_dtype=False)
