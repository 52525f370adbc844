"""The stored reference is whole and consistent with itself."""

import numpy as np
import pytest
import reference

from cases import each


@each("name", reference.NAMES)
def test_the_mean_of_the_counts_is_the_stored_mean(name):
    truth = reference.load(name)
    if "replace" in truth.genes or truth.weights is not None:
        pytest.skip("the stored mean is that of replaced or weighted counts")
    factors = truth.size_factors if truth.normalization_factors is None else truth.normalization_factors
    mean = (truth.counts[truth.samples.index] / factors).mean(axis=1)
    np.testing.assert_allclose(mean, truth.genes["baseMean"], rtol=1e-12)
    assert np.array_equal(truth.counts.sum(axis=1) == 0, truth.genes["allZero"])


@each("name", reference.NAMES)
def test_tables_have_the_samples_and_genes_of_the_counts(name):
    truth = reference.load(name)
    assert list(truth.design_matrix.index) == list(truth.samples.index) == list(truth.counts.columns)
    assert len(truth.coefficients) == truth.design_matrix.shape[1] <= np.linalg.matrix_rank(truth.design_matrix)
    assert {column for column in truth.genes if column.startswith("SE_")} == {f"SE_{c}" for c in truth.coefficients}
    for label, table in truth.tables.items():
        if label.startswith(("vst", "rlog")):
            assert len(table) == 1000
            assert table.index.isin(truth.counts.index).all()
            assert list(table.columns) == list(truth.counts.columns)
        else:
            assert table.index.equals(truth.counts.index)


@each("name", reference.NAMES)
def test_missing_values_are_where_deseq2_puts_them(name):
    truth = reference.load(name)
    replaced = truth.genes["replace"] == 1 if "replace" in truth.genes else np.zeros(len(truth.genes), dtype=bool)
    assert np.array_equal(truth.genes["dispersion"].isna()[~replaced], truth.genes["allZero"][~replaced])
    for table in truth.tables.values():
        if "padj" in table:
            assert not (table["padj"].notna() & table["pvalue"].isna()).any()


def test_the_index_of_columns_is_what_is_loaded():
    truth, columns = reference.load("factorial_12"), reference.table_columns("factorial_12")
    assert {name: list(table) for name, table in truth.tables.items()} == {name: columns[name] for name in truth.tables}
    assert list(truth.genes) == columns["genes"]
