import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from countnest.errors import OptionError
from countnest.plots.figure import new_axes
from countnest.plots.sparsity import plot_sparsity


@pytest.fixture
def counts():
    rows = {
        "even": [100.0, 100.0, 100.0, 100.0],
        "sparse": [0.0, 950.0, 30.0, 20.0],
        "few": [0.0, 0.0, 100.0, 0.0],  # its sum does not exceed 100
        "ninety": [900.0, 100.0, 0.0, 0.0],  # its share does not exceed 90 %
        "none": [0.0, 0.0, 0.0, 0.0],
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def offsets(ax):
    return [np.asarray(collection.get_offsets()) for collection in ax.collections]


def test_share_of_the_largest_count_against_the_sum(counts):
    figure = plot_sparsity(counts)
    assert isinstance(figure, Figure)
    ax = figure.axes[0]
    plain, sparse = offsets(ax)
    np.testing.assert_allclose(plain, [[400.0, 0.25], [100.0, 1.0], [1000.0, 0.9]])
    np.testing.assert_allclose(sparse, [[1000.0, 0.95]])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("sum of counts over samples", "largest count / sum")


def test_legend_counts_the_sparse_genes(counts):
    legend = plot_sparsity(counts).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "over 90 % in one sample and sum above 100: 1",
        "equal in all samples",
    ]


def test_line_where_all_samples_are_equal(counts):
    (line,) = plot_sparsity(counts).axes[0].lines
    assert set(line.get_ydata()) == {0.25}


def test_one_sample_alone_is_not_sparse(counts):
    plain, sparse = offsets(plot_sparsity(counts[[1]]).axes[0])
    assert (len(plain), len(sparse)) == (3, 0)


def test_axes_of_sparsity_can_be_given_and_saved(counts, tmp_path):
    ax = new_axes()
    assert plot_sparsity(counts, ax=ax) is ax.figure
    ax.figure.savefig(tmp_path / "sparsity.pdf")
    assert (tmp_path / "sparsity.pdf").stat().st_size > 1000


def test_no_gene_with_counts(counts, tmp_path):
    plot_sparsity(counts.loc[["none"]]).savefig(tmp_path / "sparsity.png")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.ones((3, 2)), "must be a DataFrame, genes x samples, not ndarray"),
        (pd.DataFrame(index=["g1"]), "no samples"),
        (pd.DataFrame({"s1": ["a", "b"]}), "are not numbers"),
        (pd.DataFrame({"s1": [1.0, np.nan]}), "missing, infinite or negative"),
        (pd.DataFrame({"s1": [1.0, -1.0]}), "missing, infinite or negative"),
    ],
)
def test_what_is_no_table_of_counts_is_refused(given, words):
    with pytest.raises(OptionError, match=words):
        plot_sparsity(given)
