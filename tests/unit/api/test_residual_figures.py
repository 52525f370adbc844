import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import MissingStepError, OptionError
from countnest.plots.figure import new_axes
from countnest.plots.quantiles import draw_gene_quantiles, gene_quantiles

N = 16


@pytest.fixture(scope="module")
def study():
    """Return counts of 150 genes with an effect of a batch that is not in the design, and the sample sheet."""
    rng = np.random.default_rng(5)
    sheet = pd.DataFrame(
        {
            "group": np.repeat(["a", "b"], 8), "batch": np.tile([*"xxyy"], 4), "chance": [*"uvvuuvuvvuuvvuvu"],
            "age": np.arange(16.0) % 7, "site": ["one"] * 16, "partial": [*"pq" * 7, None, "p"],
            "own": [f"o{i}" for i in range(16)],
        },
        index=[f"s{i}" for i in range(N)],
    )  # fmt: skip
    mean = np.exp(rng.normal(5.0, 1.0, 150))[:, None] * np.exp(
        rng.normal(0.0, 0.5, 150)[:, None] * (sheet["batch"] == "y").to_numpy()
    )
    counts = rng.negative_binomial(10.0, 10.0 / (10.0 + mean))
    counts[7] = 0
    return pd.DataFrame(counts, index=[f"g{i}" for i in range(150)], columns=sheet.index), sheet


@pytest.fixture(scope="module")
def dds(study):
    return cn.DESeqDataSet(*study, design="~ group", quiet=True).deseq(quiet=True, fit_type="mean")


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_residuals_of_some_genes_are_those_among_all(dds):
    for kind in ("raw", "pearson", "deviance", "quantile"):
        for seed in (3, None):
            whole = cn.residuals(dds, kind, seed=seed)
            for genes in (["g9", "g2", "g9"], "g4", ["g7"]):
                found = cn.residuals(dds, kind, seed=seed, genes=genes)
                pd.testing.assert_frame_equal(found, whole.loc[[genes] if isinstance(genes, str) else genes])
    with pytest.raises(OptionError, match="no gene 'g999'"):
        cn.residuals(dds, genes=["g1", "g999"])


def test_a_gene_is_drawn_from_its_lowest_residual_to_its_highest(dds):
    data = cn.plot_quantiles(dds, "g3", return_data=True)
    expected = cn.residuals(dds, "quantile", genes="g3").iloc[0] / np.sqrt(1.0 - 1.0 / 8.0)
    np.testing.assert_allclose(data["residual"], np.sort(expected))
    np.testing.assert_allclose(expected[data["sample"]], data["residual"])
    assert data["normal"].is_monotonic_increasing
    np.testing.assert_allclose(data["normal"].sum(), 0.0, atol=1e-12)
    assert (data["low"] < data["normal"]).all()
    assert (data["high"] > data["normal"]).all()


def test_the_band_holds_as_many_residuals_as_it_says(dds):
    inside = []
    for gene in dds.gene_names[:60].drop("g7"):
        data = cn.plot_quantiles(dds, gene, return_data=True)
        inside.append(data["residual"].between(data["low"], data["high"]).mean())
    assert np.mean(inside) > 0.85


def test_samples_outside_the_band_are_named():
    residuals = pd.Series([0.3, -0.8, 7.0, 0.1, -0.2, 1.0, -1.2, 0.6], index=[f"s{i}" for i in range(8)])
    data = gene_quantiles(residuals, np.full(8, 0.25), np.kron(np.eye(2), np.ones((4, 1))))
    ax = draw_gene_quantiles(data, "gene", None).axes[0]
    assert [text.get_text() for text in ax.texts] == ["s2"]
    assert {"samples: 7", "outside: 1"} <= set(labels(ax))
    assert ax.get_ylim()[1] > 7.0


def test_quantiles_of_all_genes_are_drawn_by_sample(dds):
    data = cn.plot_quantiles(dds, return_data=True)
    assert data["sample"].unique().tolist() == list(dds.samples.index)
    values = cn.residuals(dds, "quantile").drop(index="g7") / np.sqrt(1.0 - 1.0 / 8.0)
    one = data[data["sample"] == "s4"]
    middle = one.loc[one["normal"].abs().idxmin(), "residual"]
    np.testing.assert_allclose(middle, values["s4"].median())
    assert {f"samples: {N}", "as the model says"} <= set(labels(cn.plot_quantiles(dds).axes[0]))


def test_a_noisy_sample_is_named_in_the_figure_of_all_genes(study):
    counts, sheet = study
    rng = np.random.default_rng(1)
    counts = counts.assign(s2=(counts["s2"] * np.exp(rng.normal(0.0, 1.2, 150))).astype(int))
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", quiet=True)
    dds.deseq(quiet=True, fit_type="mean", min_replicates_for_replace=100)
    assert "s2" in labels(cn.plot_quantiles(dds).axes[0])


def test_many_genes_are_thinned_with_a_seed(dds, monkeypatch):
    monkeypatch.setattr("countnest.api.residual_figures._GENES", 50)
    one, again, other = (cn.plot_quantiles(dds, seed=seed, return_data=True) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert not np.allclose(one["residual"], other["residual"])
    assert cn.plot_quantiles(dds).axes[0].get_title(loc="left") == "Quantile residuals of 50 genes"


def test_samples_that_are_fitted_exactly_have_no_residual(study):
    counts, sheet = study
    sheet = sheet.assign(group=["a", *["b"] * 8, *["c"] * 7])
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", quiet=True).deseq(quiet=True, fit_type="mean")
    assert "s0" not in cn.plot_quantiles(dds, "g3", return_data=True)["sample"].to_list()
    assert "s0" not in cn.plot_quantiles(dds, return_data=True)["sample"].to_list()
    assert len(cn.plot_residuals(dds, "batch", return_data=True)) == N


def test_mixed_models_have_quantile_plots():
    nested = cn.simulate.nested(genes=60, rng=3)
    dds = cn.DESeqDataSet(nested.counts, nested.samples, design="~ treat1 + (1 | family)", quiet=True)
    cn.lmm(dds, quiet=True)
    data = cn.plot_quantiles(dds, "g00004", fit="lmm", return_data=True)
    expected = cn.residuals(dds, "pearson", fit="lmm", random=False).loc["g00004"]
    np.testing.assert_allclose(data["residual"], np.sort(expected))
    assert len(cn.plot_quantiles(dds, fit="lmm").axes[0].lines) == 49
    with pytest.raises(MissingStepError, match=r"give fit='lmm'"):
        cn.plot_quantiles(dds)


def test_a_column_that_the_design_lacks_is_found_to_matter(dds):
    data = cn.plot_residuals(dds, "batch", return_data=True)
    found = data.attrs["explained"]
    assert found.p_value == 0.001
    assert found.share > 3 * found.expected
    assert (data["median"] > 0.15).all()
    assert data["batch"].to_list() == ["x"] * 8 + ["y"] * 8
    assert (data["low"] < data["q1"]).all()
    ax = cn.plot_residuals(dds, "batch").axes[0]
    assert ax.get_title(loc="left") == data.attrs["reading"]
    assert ax.get_title(loc="left").startswith("batch matters: it explains ")
    assert labels(ax) == ["batch x", "batch y"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == data.index.to_list()


def test_one_that_does_not_matter_is_not(dds):
    data = cn.plot_residuals(dds, "chance", return_data=True)
    assert data.attrs["explained"].p_value > 0.1
    assert data.attrs["reading"].startswith("chance is not seen to matter")
    assert (data["median"].abs() < 0.2).all()


def test_numbers_are_drawn_at_their_places(dds):
    figure = cn.plot_residuals(dds, "age")
    ax = figure.axes[0]
    data = cn.plot_residuals(dds, "age", return_data=True)
    assert data["age"].is_monotonic_increasing
    assert data.attrs["explained"].df == 1
    dots = next(np.asarray(c.get_offsets()) for c in ax.collections if len(c.get_offsets()) == N)
    np.testing.assert_allclose(dots[:, 0], data["age"])


def test_many_samples_have_the_names_of_levels_on_the_axis(dds, monkeypatch):
    monkeypatch.setattr("countnest.plots.residuals._NAMED", 10)
    ax = cn.plot_residuals(dds, "batch").axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["x", "y"]


def test_given_axes_are_used(dds):
    for draw in (
        lambda ax: cn.plot_quantiles(dds, ax=ax),
        lambda ax: cn.plot_quantiles(dds, "g3", ax=ax),
        lambda ax: cn.plot_residuals(dds, "batch", ax=ax),
        lambda ax: cn.plot_residuals(dds, "age", ax=ax),
    ):
        ax = new_axes()
        assert draw(ax) is ax.figure


def test_what_cannot_be_drawn_is_named(dds, study):
    counts, sheet = study
    for column, error, words in (
        ("bach", OptionError, r"column='bach'.* sample sheet.* Did you mean 'batch'"),
        (3, OptionError, "column=3.* sample sheet"),
        ("site", OptionError, "has the same value in all samples"),
        ("partial", OptionError, "has no value for the samples 's14'"),
        ("group", OptionError, "is in the design '~ group' already"),
        ("own", MissingStepError, "takes 14 of the 14 residual degrees of freedom"),
    ):
        with pytest.raises(error, match=words):
            cn.plot_residuals(dds, column)
    with pytest.raises(OptionError, match=r"no gene 'g333'. Did you mean"):
        cn.plot_quantiles(dds, "g333")
    with pytest.raises(MissingStepError, match="gene 'g7' has no residuals"):
        cn.plot_quantiles(dds, "g7")
    with pytest.raises(OptionError, match="plot_quantiles"):
        cn.plot_quantiles(counts)
    fresh = cn.DESeqDataSet(counts, sheet, design="~ group", quiet=True)
    for draw in (lambda: cn.plot_quantiles(fresh), lambda: cn.plot_residuals(fresh, "batch")):
        with pytest.raises(MissingStepError):
            draw()
