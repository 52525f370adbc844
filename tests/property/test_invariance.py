"""What must not matter: threads, blocks, the order of genes and samples, the form of the table, the coding of factors.

Named tolerances, each with its reason: EXACT where every gene is computed from its own data in the same order; TREND
where sums over genes run in another order, which moves the dispersion trend and all that follows by the last bits;
SAMPLES where sums over samples run in another order: searches compare values that agree in all digits, so that a last
bit may decide where they stop, for few genes as early as the fourth digit (RARE).
"""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.containers.matrix import InMemory
from countnest.design.build import build_design
from countnest.methods.deseq2.analysis import replace_outliers, with_dispersions, with_fit
from countnest.methods.deseq2.averaged import averaging
from countnest.methods.deseq2.outliers import ReplacementRule
from countnest.methods.deseq2.steps import Model
from countnest.methods.normalized import normalize
from countnest.parallel.run import Engine
from countnest.stats.glm.layout import Layout

EXACT, TREND, SAMPLES, RARE = 0.0, 1e-8, 1e-6, 1e-3
N_GENES, N = 300, 12
DESIGNS = ["~ batch + condition", "~ batch * condition"]  # means by the GLM, and by projection
# Columns that belong to a gene alone, and do not depend on the dispersion trend.
OWN = ["baseMean", "baseVar", "allZero", "dispGeneEst", "dispGeneIter"]


@pytest.fixture(scope="module")
def study():
    """Counts, genes by samples, and the sheet: with empty genes, empty conditions, sparse genes and outliers."""
    rng = np.random.default_rng(1)
    samples = [f"s{j}" for j in range(N)]
    sheet = pd.DataFrame(
        {"batch": np.tile(["a", "b"], N // 2), "condition": np.repeat(["ctrl", "trt"], N // 2)}, index=samples
    )
    base = np.exp(rng.uniform(0.0, 8.0, N_GENES))
    change = np.where(rng.random(N_GENES) < 0.3, rng.normal(0.0, 1.5, N_GENES), 0.0)
    shift = rng.normal(0.0, 0.3, N_GENES)
    eta = np.outer(shift, sheet["batch"] == "b") + np.outer(change, sheet["condition"] == "trt")
    mu = base[:, None] * np.exp(eta) * rng.uniform(0.6, 1.6, N)
    alpha = (0.05 + 2.0 / base) * np.exp(rng.normal(0.0, 0.5, N_GENES))
    counts = rng.negative_binomial(1.0 / alpha[:, None], 1.0 / (1.0 + alpha[:, None] * mu))
    counts[5:, 0] += counts[5:].sum(axis=1) == 0
    counts[:5] = 0
    counts[5:8, N // 2 :] = 0
    counts[15, 3] += 50_000
    counts[16:20, 3] += 1000
    counts[20:23] = 0
    counts[20:23, [2, 9]] = [[1, 0], [40, 1], [400, 0]]
    return pd.DataFrame(counts, index=[f"g{i}" for i in range(N_GENES)], columns=samples), sheet


def fit(counts, sheet, design, **options):
    threads = options.pop("n_threads", 1)
    dds = cn.DESeqDataSet(counts, sheet, design=design, **options)
    return dds.deseq(min_replicates_for_replace=3, n_threads=threads, quiet=True)


@pytest.fixture(scope="module", params=DESIGNS)
def fitted(request, study):
    """The design, and the study fitted on one thread."""
    return request.param, fit(*study, request.param)


def tables(dds):
    """Return everything that a user can see of the numbers, each a DataFrame by gene."""
    result = dds.results(independent_filtering=False).table
    found = {"genes": dds.genes, "results": result.drop(columns="padj_reason"), "padj": dds.results().table[["padj"]]}
    averaged = dds.results(test="averaged", confint=0.9, independent_filtering=False).table
    found |= {"averaged": averaged[["log2FoldChange", "lfcSE", "ciLower", "ciUpper", "stat", "pvalue", "padj"]]}
    found |= {"coef": dds.coef(), "se": dds.coef(se=True), "cooks": dds.cooks(), "mu": dds.mu()}
    return found | {"normalized": dds.counts(normalized=True), "replaced": dds.counts(replaced=True)}


def assert_same_tables(found, expected, tolerance, *, exact=()):
    """Compare gene by gene, sample by sample; missing values must be the same."""
    found, expected = tables(found), tables(expected)
    for name, table in expected.items():
        other = found[name].loc[table.index, table.columns]
        for column in table.columns:
            x, y = (frame[column].to_numpy(dtype=float, na_value=np.nan) for frame in (other, table))
            allowed = EXACT if column in exact else RARE if tolerance == SAMPLES else tolerance
            np.testing.assert_allclose(x, y, rtol=allowed, atol=allowed * 1e-3, err_msg=f"{name} {column}")
            near = np.isclose(x, y, rtol=tolerance, atol=tolerance * 1e-3, equal_nan=True)
            assert near.mean() > 0.98, f"{name} {column}"


def test_the_study_takes_every_road(study, fitted):
    _, dds = fitted
    genes = dds.genes
    assert genes["allZero"].sum() == 6  # one of them after its only count was replaced
    assert 0 < genes["replace"].sum() < 20
    assert genes["dispOutlier"].any()
    assert ((genes["dispGeneEst"] < 1e-7) & ~genes["allZero"]).any()
    assert (dds.counts() == study[0]).all(axis=None)


@pytest.mark.parametrize("n_threads", [2, 3, 6, None])
def test_threads(study, fitted, n_threads):
    design, expected = fitted
    assert_same_tables(fit(*study, design, n_threads=n_threads), expected, EXACT)


def test_a_second_run(study, fitted):
    design, expected = fitted
    again = fit(*study, design)
    assert_same_tables(again, expected, EXACT)
    assert_same_tables(again.deseq(min_replicates_for_replace=3, quiet=True), expected, EXACT)


@pytest.mark.parametrize(("n_threads", "chunk_size"), [(1, 1), (1, 300), (2, 7), (3, 64), (4, 1)])
def test_chunks(study, n_threads, chunk_size):
    counts, sheet = study
    values = InMemory(np.ascontiguousarray(counts, dtype=np.float64))
    full, null = (Layout.of(build_design(text, sheet).matrix) for text in ("~ batch + condition", "~ batch"))
    model = Model(full, null, "~ batch", "LRT")

    def analyse(engine):
        state = normalize(values, None, "ratio", engine)
        state = with_dispersions(state, values, full, fit_type="parametric", min_mu=0.5, engine=engine)
        state = with_fit(state, values, model, engine)
        return state, replace_outliers(state, values, model, ReplacementRule(3), engine)

    (first, expected), (early, found) = analyse(Engine(n_threads=1)), analyse(Engine(n_threads, chunk_size))
    assert first.fit.optimized.any()  # genes that IRLS gave up
    compare_records(early.fit, first.fit)
    for record in ("moments", "dispersions", "fit", "replacement"):
        compare_records(getattr(found, record), getattr(expected, record))
    compare_records(found.fit.reduced, expected.fit.reduced)
    assert found.dispersions.trend == expected.dispersions.trend
    for one, other in zip(*(averaged(state, values, full, engine) for state, engine in (
        (found, Engine(n_threads, chunk_size)), (expected, Engine(n_threads=1)),
    )), strict=True):  # fmt: skip
        np.testing.assert_array_equal(one, other)


def averaged(state, values, layout, engine):
    """Return what the averaged test gives for the last coefficient: tests, variances, intervals."""
    posterior, contrast = averaging(state.counts_used(values), state, layout, engine), np.eye(3)[-1]
    joint = posterior.joint(np.eye(3)[1:])
    sides = [posterior.single(contrast, 0.5, "greaterAbs"), posterior.single(contrast, 0.0, "greaterAbs")]
    ends = posterior.reach(contrast[None], 0.9)
    return *sides[0], *sides[1], joint.statistic, joint.p_value, posterior.variances(contrast[None]), ends


def compare_records(found, expected):
    names = [name for name in expected.__slots__ if isinstance(getattr(expected, name), np.ndarray)]
    assert names
    for name in names:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_order_of_genes(study, fitted):
    design, expected = fitted
    counts, sheet = study
    order = np.random.default_rng(2).permutation(N_GENES)
    found = fit(counts.iloc[order], sheet, design)
    assert list(found.gene_names) == [f"g{i}" for i in order]
    flagged = expected.genes["replace"]
    assert_same_tables(found, expected, TREND, exact=["baseMean", "baseVar", "allZero"])
    pd.testing.assert_frame_equal(
        found.genes.loc[~flagged, OWN].sort_index(), expected.genes.loc[~flagged, OWN].sort_index(), check_exact=True
    )
    pd.testing.assert_series_equal(found.size_factors, expected.size_factors, check_exact=True)


def test_order_of_samples(study, fitted):
    design, expected = fitted
    counts, sheet = study
    order = np.random.default_rng(3).permutation(N)
    found = fit(counts.iloc[:, order], sheet.iloc[order], design)
    assert list(found.samples.index) == [f"s{j}" for j in order]
    assert_same_tables(found, expected, SAMPLES)


def test_order_of_the_sheet(study, fitted):
    design, expected = fitted
    counts, sheet = study
    assert_same_tables(fit(counts, sheet.iloc[::-1], design), expected, EXACT)


@pytest.mark.parametrize(
    "turn",
    [
        lambda counts: counts.T,
        lambda counts: counts.astype(np.float32),
        lambda counts: pd.DataFrame(np.asfortranarray(counts), counts.index, counts.columns),
        lambda counts: counts.astype("Int64"),
    ],
    ids=["samples by genes", "float32", "Fortran order", "nullable"],
)
def test_the_form_of_the_table(study, fitted, turn):
    design, expected = fitted
    counts, sheet = study
    assert_same_tables(fit(turn(counts), sheet, design), expected, EXACT)


def test_size_factors_given_again(study, fitted):
    design, expected = fitted
    assert_same_tables(fit(*study, design, size_factors=expected.size_factors), expected, EXACT)


def test_normalization_factors_with_equal_rows_are_size_factors(study, fitted):
    design, expected = fitted
    counts, sheet = study
    factors = pd.DataFrame(np.tile(expected.size_factors, (N_GENES, 1)), counts.index, counts.columns)
    found = fit(counts, sheet, design, normalization_factors=factors)
    # a mean of 300 equal factors differs from them in the last bit, and with it the start of the line search
    assert_same_tables(found, expected, SAMPLES, exact=["baseMean", "baseVar", "allZero"])


@pytest.mark.parametrize("place", [0, 150, N_GENES])
def test_a_gene_without_counts_changes_no_other(study, fitted, place):
    design, expected = fitted
    counts, sheet = study
    empty = pd.DataFrame(0, index=["empty"], columns=counts.columns)
    found = fit(pd.concat([counts.iloc[:place], empty, counts.iloc[place:]]), sheet, design)
    other = found.genes.drop(index="empty")
    pd.testing.assert_frame_equal(other, expected.genes.copy(), check_exact=True)
    row = found.genes.loc["empty"]
    assert row["allZero"]
    assert row.drop(["baseMean", "baseVar", "allZero", "replace", "baseMeanBeforeReplace"]).isna().all()
    # independent filtering is another matter: its cutoffs are quantiles over all genes
    table, before = (dds.results(independent_filtering=False).table for dds in (found, expected))
    pd.testing.assert_frame_equal(table.drop(index="empty"), before, check_exact=True)
    assert table.loc["empty", "padj_reason"] == "all_zero"


def test_names_of_levels_that_keep_their_order(study, fitted):
    design, expected = fitted
    counts, sheet = study
    renamed = sheet.assign(condition=sheet["condition"].map({"ctrl": "A1", "trt": "B2"}))
    found = fit(counts, renamed, design)
    assert found.results_names()[2] == "condition_B2_vs_A1"
    np.testing.assert_array_equal(found.coef(), expected.coef())


# ---- another coding of the same model ----


def compare_changes(found, expected, genes, tolerance, share=1.0):
    """Compare fold changes and standard errors of a `share` of the genes, in units of their standard errors."""
    x, y = found.table[genes], expected.table[genes]
    for column in ("log2FoldChange", "lfcSE"):
        assert ((x[column] - y[column]).abs() <= tolerance * y["lfcSE"]).mean() >= share


@pytest.mark.parametrize("reference", [{"condition": "trt"}, {"batch": "b"}, {"condition": "trt", "batch": "b"}])
def test_reference_levels(study, reference):
    counts, sheet = study
    ask = {"contrast": ("condition", "trt", "ctrl")}
    expected = fit(counts, sheet, DESIGNS[0])
    found = fit(counts, sheet, DESIGNS[0], reference=reference)
    assert ("condition_trt_vs_ctrl" in found.results_names()) == ("condition" not in reference)
    first, second = (dds.results(**ask) for dds in (found, expected))
    # where a condition is empty, only the ridge of 1e-6 holds its coefficient, and it holds another one
    full = counts.to_numpy().reshape(N_GENES, 2, N // 2).any(axis=2).all(axis=1) & ~expected.genes["replace"]
    # IRLS stops when the deviance changes by 1e-8 of about 100, that is by less than (1e-3 standard errors)^2 ...
    compare_changes(first, second, full, 1e-3)
    # ... but mostly much nearer to the optimum
    compare_changes(first, second, full, 1e-5, share=0.95)
    turned = found.results(contrast=("condition", "ctrl", "trt")).table
    np.testing.assert_array_equal(turned["log2FoldChange"], -first.table["log2FoldChange"])
    np.testing.assert_array_equal(turned["pvalue"], first.table["pvalue"])


def test_a_model_matrix_is_as_good_as_a_formula(study, fitted):
    _, expected = fitted
    counts, sheet = study
    described = expected.design
    matrix = pd.DataFrame(described.matrix, index=sheet.index, columns=described.columns)
    found = fit(counts, sheet, matrix)
    np.testing.assert_array_equal(found.coef(), expected.coef())
    np.testing.assert_array_equal(found.genes["dispersion"], expected.genes["dispersion"])


def test_cell_means_give_the_same_comparison(study):
    counts, sheet = study
    joint = sheet.assign(cell=sheet["batch"] + sheet["condition"])
    crossed = fit(counts, joint, "~ batch * condition")
    cells = fit(counts, joint, "~ 0 + cell")
    in_a = crossed.results(name="condition_trt_vs_ctrl")
    same = cells.results(contrast=("cell", "atrt", "actrl"))
    full = (counts.to_numpy().reshape(N_GENES, 2, 3, 2) > 0).any(axis=2).all(axis=(1, 2))
    assert full.sum() > 200
    compare_changes(same, in_a, full, 1e-3)
    compare_changes(same, in_a, full, 1e-5, share=0.95)
    np.testing.assert_allclose(cells.genes["dispGeneEst"], crossed.genes["dispGeneEst"], rtol=RARE, atol=1e-6)
