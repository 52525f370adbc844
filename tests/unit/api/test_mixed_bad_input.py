"""What mixed models say to input that they cannot use: what is wrong, which, what to do."""

import re

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each
from countnest.errors import (
    ContrastError,
    CountnestWarning,
    CountsError,
    DesignError,
    FormulaError,
    MissingStepError,
    OptionError,
    SamplesError,
)
from countnest.queries.contrasts import contrast_query
from countnest.queries.strata import between_message

FORMULA = "~ treat1*treat2 + (1 | family)"


@pytest.fixture(scope="module")
def study():
    return cn.simulate.nested(genes=20, families=4, rng=4)


def made(study, formula=FORMULA, samples=None, counts=None, **options):
    """A data set with the references of those variables that the formula has."""
    reference = {name: level for name, level in {"treat1": "A", "treat2": "None"}.items() if name in formula}
    return cn.DESeqDataSet(
        study.counts if counts is None else counts, study.samples if samples is None else samples, design=formula,
        reference=reference, quiet=True, **options,
    )  # fmt: skip


def holed(study, column, rows):
    """The sample sheet with missing values in some rows of a column."""
    sheet = study.samples.astype({column: object})
    sheet.iloc[rows, sheet.columns.get_loc(column)] = np.nan
    return sheet


@each(
    ("formula", "words"),
    [
        ("~ treat1 + (1|family", r"'~ treat1 \+ \(1\|family' cannot be read: the parentheses do not match"),
        ("~ treat1 + 1|family)", "the parentheses do not match"),
        ("~ treat1*(treat2 + (1|family)", "the parentheses do not match"),
        ("~ treat1|family", r"has '\|' outside of parentheses; write '\(treat1\|family\)' \(at character 3\)"),
        ("~ treat1*(1|family)", r"'\|' inside of 'treat1\*\(1\|family\)'; random terms are added to the others"),
        ("~ treat1 + treat2:(1|family)", r"inside of 'treat2:\(1\|family\)'.*\(at character 12\)"),
        ("~ log(1|family)", r"inside of 'log\(1\|family\)'.*cannot be part of a product or a function"),
    ],
)
def test_formulas_that_cannot_be_read_are_shown_with_the_place(study, formula, words):
    with pytest.raises(FormulaError, match=words):
        made(study, formula)


def test_a_random_factor_with_one_level_is_named(study):
    with pytest.raises(DesignError, match=r"'\(1 \| family\)' needs two levels of 'family' or more, and all samples"):
        made(study, samples=study.samples.assign(family="f1"))


def test_a_level_for_each_sample_is_refused_for_log_counts_and_warned_of_for_counts(study):
    dds = made(study, "~ treat1*treat2 + (1 | one)", study.samples.assign(one=[f"o{i}" for i in range(32)]))
    with pytest.raises(DesignError, match="has 32 levels of 'one' in 32 samples: its variance cannot be told from"):
        cn.lmm(dds, quiet=True)
    with pytest.warns(CountnestWarning, match="its variance is confounded with the dispersion"):
        cn.glmm(dds, quiet=True)


def test_a_formula_with_only_random_terms_has_an_intercept_and_no_comparisons(study):
    dds = made(study, "~ (1 | family)")
    assert dds.results_names() == ["Intercept"]
    cn.glmm(cn.lmm(dds, filter=False, quiet=True), quiet=True)
    for fit in ("lmm", "glmm"):
        table = dds.contrast("Intercept").test(fit=fit).table
        assert np.corrcoef(table["log2FoldChange"], np.log2(table["baseMean"]))[0, 1] > 0.95
    with pytest.raises(ContrastError, match=r"'treat1' is not in the design.*no variables but the intercept"):
        dds.effect("treat1")
    with pytest.raises(DesignError, match=r"the fixed part of the design '~ 0 .* has no columns; write '~ 1'"):
        made(study, "~ 0 + (1 | family)")


def test_missing_groups_are_refused_with_their_samples(study):
    with pytest.raises(SamplesError, match=r"'family' has no value in 2 of 32 samples \('s003', 's005'\)"):
        made(study, samples=holed(study, "family", [3, 5]))


def test_a_level_none_that_was_read_as_missing_is_explained(study):
    for column in ("treat2", "family"):
        rows = np.flatnonzero(study.samples["treat2"] == "None")
        with pytest.raises(SamplesError, match=r"words such as None or NA: pandas reads them as missing, cn\.read_sam"):
            made(study, samples=holed(study, column, rows))


@each(
    ("factor", "words"),
    [
        (1.0, "values are counts, and a linear mixed model needs them on a logarithmic scale"),
        (1.5, r"values reach \S+, more than the logarithm of any count.*take their logarithms"),
    ],
)
def test_counts_are_refused_by_linear_models(study, factor, words):
    with pytest.raises(OptionError, match=words):
        cn.lmm(made(study), values=study.counts * factor, quiet=True)


def test_logarithms_are_refused_as_counts(study):
    logs = np.log2(study.counts + 0.5)
    with pytest.raises(CountsError, match="Or are these logarithms\\? No value reaches 60"):
        made(study, counts=logs.clip(lower=0.0))
    with pytest.raises(CountsError, match="Give raw counts, not log or batch-corrected values"):
        made(study, counts=logs - 10.0)
    with pytest.raises(TypeError, match=r"glmm\(\) has no argument 'values'"):
        cn.glmm(made(study), values=logs)


@pytest.fixture(scope="module")
def weighted(study):
    """Values and weights of one, to be changed."""
    return np.log2(study.counts + 0.5), pd.DataFrame(1.0, study.counts.index, study.counts.columns)


def test_weights_of_zero_leave_samples_out_of_a_gene_and_end_in_a_code(study, weighted):
    values, weights = weighted
    some = weights.copy()
    some.iloc[0, :8] = 0.0  # group A
    some.iloc[1] = 0.0
    some.iloc[2, ::9] = 0.0
    dds = cn.lmm(made(study), values=values, weights=some, filter=False, quiet=True)
    table = dds.effect("treat2", levels=("E", "None")).test(fit="lmm").table
    assert table["code"].iloc[[0, 1]].tolist() == [9.0, 9.0]
    assert table["pvalue"].iloc[[0, 1]].isna().all()
    assert table["pvalue"].iloc[2:].notna().all()
    left = values.copy()
    left.iloc[2, ::9] = 100.0 / 7.0  # what has no weight does not count
    again = cn.lmm(made(study), values=left, weights=some, filter=False, quiet=True)
    other = again.effect("treat2", levels=("E", "None")).test(fit="lmm").table
    np.testing.assert_allclose(other["pvalue"], table["pvalue"], rtol=1e-9)


@each(
    ("change", "words"),
    [
        (lambda weights: weights * 0.0, "all weights are zero.*give positive weights"),
        (lambda weights: -weights, "must be finite numbers that are not negative; a weight of 0 leaves a sample out"),
        (lambda weights: weights.mask(weights > 0.0), "must be finite numbers that are not negative"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(study, weighted, change, words):
    values, weights = weighted
    with pytest.raises(OptionError, match=words):
        cn.lmm(made(study), values=values, weights=change(weights), filter=False, quiet=True)


def test_genes_without_variation_or_counts_have_a_code_and_no_error(study):
    counts = study.counts.copy()
    counts.iloc[0] = 0
    counts.iloc[1] = 7
    dds = made(study, counts=counts, size_factors=np.ones(32))
    cn.glmm(cn.lmm(dds, filter=False, quiet=True), quiet=True)
    tables = {fit: dds.effect("treat1", levels=("B", "A")).test(fit=fit).table for fit in ("lmm", "glmm")}
    for table in tables.values():
        assert table["padj_reason"].iloc[0] == "all_zero"
        assert table["pvalue"].isna().iloc[0]
        assert table["pvalue"].iloc[2:].notna().all()
    assert tables["lmm"]["code"].iloc[1] == 8.0
    assert tables["lmm"]["padj_reason"].iloc[1] == "not_estimated"
    assert tables["glmm"]["code"].iloc[1] in (1.0, 6.0)  # less variation than that of sampling
    assert tables["glmm"]["pvalue"].iloc[1] == pytest.approx(1.0)


def test_values_that_are_constant_or_not_finite_have_a_code(study, weighted):
    values = weighted[0].copy()
    values.iloc[0] = 3.0
    values.iloc[1, 2] = np.nan
    values.iloc[2, 2] = np.inf
    dds = cn.lmm(made(study), values=values, filter=False, quiet=True)
    table = dds.effect("treat1", levels=("B", "A")).test(fit="lmm").table
    assert table["code"].iloc[:3].tolist() == [8.0, 10.0, 10.0]
    assert table["pvalue"].iloc[:3].isna().all()
    assert table["pvalue"].iloc[3:].notna().all()


def test_a_data_set_without_a_mixed_model_says_which_call_fits_one(study):
    dds = made(study)
    for fit in (None, "lmm"):
        with pytest.raises(MissingStepError, match=r"no fit yet: .* has random terms, so fit a mixed model, cn\.lmm"):
            dds.effect("treat1").test(fit=fit)
    cn.lmm(dds, quiet=True)
    with pytest.raises(MissingStepError, match=r"no fit by DESeq2's method.*test\(fit=\.\.\.\) with 'lmm'"):
        dds.effect("treat1").test()
    with pytest.raises(
        OptionError, match=r"fit='glmm' is not known; this data set has 'lmm'\. cn\.glmm\(dds\) makes it"
    ):
        dds.effect("treat1").test(fit="glmm")
    for part in (dds[:10], dds.with_design("~ treat1 + (1 | family)")):
        with pytest.raises(MissingStepError, match=r"no fit yet: the design .* has random terms"):
            part.effect("treat1").test(fit="lmm")


@each(
    ("reduced", "options", "error", "words"),
    [
        (
            {"values": "vst"},
            {},
            OptionError,
            "they were fitted to different values: log2 normalized",
        ),
        ({"bounded": False}, {}, OptionError, r"cannot be compared: variances may be negative in one of them only"),
        ({"filter": True}, {}, OptionError, r"cannot be compared: \d+ genes? were fitted in one of them only"),
        ("~ treat1*treat2 + (1 | ind)", {}, DesignError, r"\(1 \| ind\)"),
        ("~ treat1 + (1 | family)", {"refit": False}, OptionError, r"\(REML\) is one of other data.*Take refit=True"),
        (3, {}, OptionError, "must be the formula of the smaller model"),
    ],
)
@pytest.mark.filterwarnings("ignore::countnest.errors.CountnestWarning")
def test_likelihoods_that_cannot_be_compared_are_refused_by_name(study, reduced, options, error, words):
    counts = study.counts.copy()
    counts.iloc[0] = [0, 1] * 16
    dds = cn.lmm(made(study, counts=counts), filter=False, quiet=True)
    if isinstance(reduced, dict):
        smaller = made(study, "~ treat1 + treat2 + (1 | family)", counts=counts)
        reduced = cn.lmm(smaller, quiet=True, **{"filter": False, **reduced})
    with pytest.raises(error, match=words):
        cn.likelihood_ratio(dds, reduced, **options)


def test_a_design_that_explains_every_sample_is_refused_for_logarithms_and_told_for_counts(study):
    n = len(study.samples)
    lonely = study.samples.assign(family=[f"f{place}" for place in range(n - 1)] + [f"f{n - 2}"])
    dds = made(study, "~ treat2 + (1 | family)", samples=lonely)
    with pytest.raises(DesignError, match=r"and '\(1 \| family\)' explain every sample.* variance of the residuals"):
        cn.lmm(dds, quiet=True)
    with pytest.warns(CountnestWarning, match="explain every sample, .* confounded with the dispersion"):
        cn.glmm(dds, quiet=True)


@pytest.mark.filterwarnings("ignore::countnest.errors.CountnestWarning")
def test_dispersions_without_a_trend_are_told_in_the_words_of_mixed_models(study):
    slopes = study.samples.assign(time=np.linspace(-1.0, 1.0, len(study.samples)))
    with pytest.raises(OptionError, match=r"which method='posterior' takes too, .* other effects than intercepts"):
        cn.glmm(made(study, "~ time + (0 + time | family)", samples=slopes), method="posterior", quiet=True)
    flat = pd.DataFrame(20, index=study.counts.index, columns=study.counts.columns)
    with pytest.raises(OptionError, match="no dispersions to shrink to: use family='poisson'"):
        cn.glmm(made(study, counts=flat), dispersion="shrunken", quiet=True)


def test_advice_after_a_refusal_can_be_followed(study):
    fixed = made(study, "~ family + treat1*treat2")
    advice = r"mixed = cn\.lmm\(dds\.with_design\('~ treat1\*treat2 \+ \(1 \| family\)'\)\), then the same query"
    assert re.search(advice, between_message(fixed.design, ["treat1[B - A]"]))
    for asked in ({"contrast": ("treat1", "B", "A")}, {"name": "treat1_B_vs_A"}):
        with pytest.raises(ContrastError, match=advice):
            contrast_query(fixed.design, **asked)
    mixed = cn.lmm(fixed.with_design("~ treat1*treat2 + (1 | family)"), quiet=True)
    assert mixed.effect("treat1", levels=("B", "A")).test(fit="lmm").pvalue.notna().any()


def test_a_copy_with_another_design_says_that_the_original_keeps_its_fits(study, caplog):
    dds = cn.lmm(made(study), quiet=True)
    with caplog.at_level("INFO", logger="countnest"):
        dds.with_design("~ treat1 + (1 | family)")
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "not the dispersions and the fits, which stay in the original: lmm" in said
    assert "dropped" not in said
    assert list(dds.fits) == ["lmm"]
