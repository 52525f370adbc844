"""limma's steps as functions: R's numbers through the labels, tables, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import ContrastError, CountnestWarning, DesignError, MissingStepError, OptionError
from exact import read_exactly
from unit.stats.limma_reference import FOLDER, case

RELEASE = "bioc3.20"
TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture(scope="module")
def study():
    return case("sparse")


@pytest.fixture(scope="module")
def dds(study):
    samples = study.samples
    sheet = pd.DataFrame(
        {"b": np.tile(["1", "2"], 6), "g": samples["group"].to_numpy(), "pair": [f"p{k}" for k in samples["block"]]},
        index=samples["sample"],
    )
    counts = pd.DataFrame(study.counts.astype(int), [f"gene{k}" for k in range(len(study.counts))], sheet.index)
    return cn.DESeqDataSet(counts, sheet, design="~ b + g", quiet=True)


@pytest.fixture(scope="module")
def voomed(dds):
    return cn.voom(dds, compat=RELEASE)


def same(found, expected):
    np.testing.assert_allclose(found, np.asarray(expected, dtype=float), **TOLERANCE)


def test_voom_and_statistics_are_those_of_r(study, dds, voomed):
    table, rows = study.table("voom_weights")
    same(voomed.E.to_numpy()[rows], table.iloc[:, 1:13])
    same(voomed.weights.to_numpy()[rows], table.iloc[:, 13:])
    assert list(voomed.E.columns) == list(dds.samples.index)
    same(voomed.library, study.library)
    fit = cn.e_bayes(cn.lm_fit(voomed), trend=True, robust=True, compat=RELEASE)
    table, rows = study.table("voom")
    for name, values in {
        "logFC": fit.coefficients.iloc[:, -1], "stdev_unscaled": fit.stdev_unscaled.iloc[:, -1], "sigma": fit.sigma,
        "ave_expr": fit.ave_expr, "s2post_11": fit.s2_post, "t_11": fit.t.iloc[:, -1], "p_11": fit.p_value.iloc[:, -1],
        "lods_11": fit.lods.iloc[:, -1], "F_11": fit.f, "Fp_11": fit.f_p_value,
    }.items():  # fmt: skip
        same(values.iloc[rows], table[name])
    assert (fit.df_residual == 8).all()
    same(fit.df_total, np.minimum(fit.df_prior + 8, 8 * 488))
    assert fit.s2_prior.nunique() > 10
    exact = cn.e_bayes(cn.lm_fit(voomed), trend=True, robust=True)
    assert np.abs(exact.f / fit.f - 1).max() > 1e-3
    treated = cn.treat(cn.lm_fit(voomed), 0.5)
    same(treated.p_value.iloc[rows, -1], table["p_treat"])


def test_contrasts_are_those_of_r(study, voomed):
    fit = cn.lm_fit(voomed)
    name = {"last": {"g_C_vs_A": 1, "g_B_vs_A": -1}, "second": [0, 1, 0, 0]}
    table, rows = study.table("contrasts")
    for approx, word in ((True, "approx"), (False, "exact")):
        found = cn.e_bayes(cn.contrasts_fit(fit, name, approx=approx), compat=RELEASE)
        same(found.coefficients["last"].iloc[rows], table["logFC"])
        same(found.stdev_unscaled["last"].iloc[rows], table[f"su_{word}"])
        same(found.p_value["last"].iloc[rows], table[f"p_{word}"])
        if approx:
            same(found.f.iloc[rows], table["F_approx"])
            same(found.f_p_value.iloc[rows], table["Fp_approx"])
    frame = pd.DataFrame({"last": [0, 0, -1, 1]}, index=fit.names)
    for other in (frame, frame.to_numpy(), frame.to_numpy()[:, 0]):
        same(cn.contrasts_fit(fit, other).coefficients.iloc[:, 0], found.coefficients["last"])


def test_sample_weights_and_blocks_are_those_of_r(study, dds, voomed):
    samples = study.samples
    same(cn.array_weights(voomed), samples["aw_gene_by_gene"])
    same(cn.array_weights(voomed.E, dds), samples["aw_reml"])
    quality = cn.voom_with_quality_weights(dds, compat=RELEASE)
    same(quality.sample_weights, samples["vwqw_sample_weight"])
    within = cn.DESeqDataSet(dds.counts(), dds.samples, design="~ g", quiet=True)
    voomed = cn.voom(within, compat=RELEASE)
    found = cn.duplicate_correlation(voomed, block=within.samples["pair"])
    same(found.consensus, study.info["dupcor_consensus"])
    assert len(found.atanh) == 488
    fit = cn.e_bayes(cn.lm_fit(voomed, block=within.samples["pair"], correlation=found.consensus))
    table, rows = study.table("voomlmfit")
    same(fit.p_value.iloc[rows, -1], table["gls_p"])
    whole = cn.voom_lm_fit(within, sample_weights=True, block="pair", compat=RELEASE)
    same(whole.correlation, study.info["voomlmfit_block_correlation"])
    same(whole.sample_weights, samples["vlf_block_sample_weight"])


def test_models_of_sample_variances_are_those_of_r(dds, voomed):
    expected = read_exactly(FOLDER / "sparse" / "options_samples.csv.gz")
    sheet = dds.samples.assign(z=np.linspace(-1.0, 1.0, 12) ** 2)
    wide = cn.DESeqDataSet(dds.counts(), sheet, design="~ b + g", quiet=True)
    matrix = pd.DataFrame({"one": 1.0, "b": (sheet["b"] == "2").astype(float), "z": sheet["z"]})[::-1]
    for model in ("~ b + z", matrix, matrix[::-1].to_numpy()):
        same(cn.array_weights(cn.voom(wide, compat=RELEASE), var_design=model), expected["var_design"])
        same(cn.array_weights(voomed.E, wide, var_design=model), expected["var_design_reml"])
        quality = cn.voom_with_quality_weights(wide, var_design=model, compat=RELEASE)
        same(quality.sample_weights, expected["quality_design"])
        cn.limma(wide, filter=False, quality_weights=model, name="modelled", compat=RELEASE, quiet=True)
        same(wide._fits["modelled"].sample_weights, expected["quality_design"])
    for group in ("g", sheet["g"][::-1], sheet["g"].to_numpy()):
        same(cn.array_weights(voomed, var_group=group), expected["var_group"])
        quality = cn.voom_with_quality_weights(dds, var_group=group, compat=RELEASE)
        same(quality.sample_weights, expected["quality_group"])
    weights = cn.voom_lm_fit(dds, sample_weights="g").sample_weights
    assert weights.groupby(sheet["g"].astype(str)).nunique().eq(1).all()
    assert weights.nunique() == 3


def test_options_of_limma_have_its_numbers(study, dds, voomed):
    table, rows = study.table("options")
    assert (rows == np.arange(488)).all()
    within = cn.DESeqDataSet(dds.counts(), dds.samples, design="~ g", quiet=True)
    weights = cn.voom(within, block="pair", correlation=0.3, compat=RELEASE).weights
    same(weights.iloc[:, [0, -1]], table[["block_w_first", "block_w_last"]])
    fit = cn.lm_fit(voomed)
    same(cn.e_bayes(fit, proportion=0.2).lods.iloc[:, -1], table["lods"])
    same(cn.treat(fit, fc=1.5).p_value.iloc[:, -1], table["p_treat"])
    same(cn.treat(fit, lfc=np.log2(1.5)).p_value, cn.treat(fit, fc=1.5).p_value)
    last = cn.contrasts_fit(fit, {"b": [0, 0, 1, 0], "c": [0, 0, 0, 1]})
    separate = cn.decide_tests(cn.e_bayes(last), p_value=0.1)
    together = cn.decide_tests(cn.e_bayes(last), method="global", p_value=0.1, lfc=0.5)
    for found, prefix in ((separate, "separate"), (together, "global")):
        assert (found.to_numpy() == table[[f"{prefix}_b", f"{prefix}_c"]].to_numpy()).all()
        assert set(np.unique(found)) == {-1, 0, 1}
    covariate = pd.Series(np.sqrt(np.arange(1, 489) % 37), fit.genes)
    for robust, word in ((False, "plain"), (True, "robust")):
        for given in (covariate[::-1], covariate.to_numpy()):
            found = cn.e_bayes(fit, trend=given, robust=robust, compat="bioc3.16")
            same(found.s2_post, table[f"s2post_{word}"])
            same(found.df_prior, table[f"df_prior_{word}"])
    same(cn.treat(fit, trend=fit.ave_expr).s2_post, cn.treat(fit, trend=True).s2_post)


def test_covariates_of_the_prior_are_those_of_the_genes_that_are_fitted(dds):
    covariate = pd.Series(np.sqrt(np.arange(488.0) % 37), dds.gene_names)
    keep = np.arange(488) % 3 > 0
    cn.limma(dds, filter=keep, trend=covariate.where(keep)[::-1], name="given", quiet=True)
    own = cn.voom(dds[keep])
    expected = cn.e_bayes(cn.lm_fit(own), trend=covariate[keep])
    same(dds._fits["given"].moderated.variance, expected.s2_post)
    cn.limma(dds, filter=keep, trend=True, name="mean", quiet=True)
    assert np.abs(dds._fits["mean"].moderated.variance / expected.s2_post.to_numpy() - 1).max() > 1e-3


def test_batches_are_removed_as_by_r(study, voomed):
    batch = np.resize([1, 1, 2], 12)
    table, rows = study.table("remove_batch")
    design = voomed.design.iloc[:, [0, 3]]
    same(cn.remove_batch_effect(voomed.E, batch, design=design).to_numpy()[rows], table.iloc[:, 1:])
    numbers = np.arange(12.0)
    one = cn.remove_batch_effect(voomed.E, covariates=numbers)
    other = cn.remove_batch_effect(voomed.E, design=np.ones((12, 1)), covariates=pd.DataFrame({"x": 2 * numbers + 1}))
    same(one, other)
    assert np.abs((one - one.mean(axis=1).to_numpy()[:, None]) @ (numbers - numbers.mean())).max() < 1e-9


def test_batches_are_removed_from_voom_beside_the_mean_alone_and_with_its_weights(dds, voomed):
    y, w = voomed.E.to_numpy(), voomed.weights.to_numpy()
    batch = np.where(dds.samples["b"] == "1", 1.0, -1.0)  # which is in the design of voom
    for design, kept in ((None, np.ones((12, 1))), (dds.with_design("~ g"), dds.with_design("~ g").design.matrix)):
        found = cn.remove_batch_effect(voomed, batch="b", design=design).to_numpy()
        for gene in (0, 100, 487):
            root = np.sqrt(w[gene])[:, None]
            beta = np.linalg.lstsq(np.column_stack([kept, batch]) * root, y[gene] * root[:, 0], rcond=None)[0]
            same(found[gene], y[gene] - beta[-1] * batch)
        same(found, cn.remove_batch_effect(voomed.E, batch=batch, design=kept, weights=voomed.weights))
        assert np.abs(found - y).max() > 0.1
    plain = cn.remove_batch_effect(voomed, batch="b", weights=np.ones(12))
    same(plain, cn.remove_batch_effect(voomed.E, batch=batch))
    assert np.abs(plain - cn.remove_batch_effect(voomed, batch="b")).max().max() > 1e-4


def test_what_the_design_holds_cannot_be_removed(dds, voomed):
    for given in ({"batch": "b"}, {"batch": "pair", "batch2": "b"}, {"covariates": np.tile([1.0, 2.0], 6)}):
        with pytest.raises(OptionError, match=r"holds all that (batch|batch2|covariates)= is to remove.*with_design"):
            cn.remove_batch_effect(voomed, **given, design=dds)


def test_tables_have_the_columns_and_the_order_of_limma(voomed):
    fit = cn.e_bayes(cn.lm_fit(voomed))
    table = cn.top_table(fit, "g_C_vs_A", number=None, confint=0.95)
    assert list(table.columns) == ["logFC", "CI.L", "CI.R", "AveExpr", "t", "P.Value", "adj.P.Val", "B"]
    assert (np.diff(table["B"]) <= 0).all()
    same(table["logFC"], fit.coefficients["g_C_vs_A"].loc[table.index])
    assert ((table["CI.L"] > 0) | (table["CI.R"] < 0)).equals(table["P.Value"] < 0.05)
    few = cn.top_table(fit, 3, number=None, p_value=0.1, lfc=1, sort_by="p", confint=0.95)
    pd.testing.assert_frame_equal(
        few.sort_index(), table[(table["adj.P.Val"] <= 0.1) & (table["logFC"].abs() >= 1)].sort_index()
    )
    assert 0 < len(few) < len(table)
    several = cn.top_table(fit)
    assert list(several.columns) == [*fit.names[1:], "AveExpr", "F", "P.Value", "adj.P.Val"]
    assert len(several) == 10
    assert (np.diff(several["F"]) <= 0).all()
    treated = cn.top_table(cn.treat(cn.lm_fit(voomed), 1.0), "g_C_vs_A")
    assert list(treated.columns) == ["logFC", "AveExpr", "t", "P.Value", "adj.P.Val"]
    assert (np.diff(treated["P.Value"]) >= 0).all()
    for by in ("logFC", "AveExpr", "t", "none"):
        assert len(cn.top_table(fit, "g_C_vs_A", sort_by=by)) == 10
    with pytest.raises(OptionError, match="no column"):
        cn.top_table(fit, "g_C_vs_A", sort_by="F")
    with pytest.raises(OptionError, match="of one coefficient"):
        cn.top_table(fit, confint=0.9)
    pd.testing.assert_frame_equal(cn.top_table(fit, 3, confint=True), cn.top_table(fit, 3, confint=0.95))


def test_plain_tables_and_missing_values_are_fitted():
    values = np.random.default_rng(0).normal(size=(6, 5))
    values[0, 0] = np.nan
    design = np.column_stack([np.ones(5), [0.0, 0, 1, 1, 1]])
    fit = cn.lm_fit(values, design, weights=np.array([1.0, 1, 0, 1, 1]))
    assert fit.df_residual.tolist() == [1, 2, 2, 2, 2, 2]
    assert fit.names == ("x1", "x2")
    with pytest.warns(CountnestWarning, match="combinations of earlier ones are dropped: 'c'"):
        fit = cn.lm_fit(values, pd.DataFrame(np.column_stack([design, design[:, 1] * 2]), columns=list("abc")))
    assert fit.names == ("a", "b")
    assert "LinearModel: 6 genes" in repr(fit)


def test_what_cannot_be_used_is_refused(dds, voomed):
    fit = cn.lm_fit(voomed)
    pair = dds.samples["pair"]
    for wrong, kind, message in (
        (lambda: cn.lm_fit(voomed.E), OptionError, "design= is needed"),
        (lambda: cn.lm_fit([[1, 2]], dds), OptionError, "log values"),
        (lambda: cn.lm_fit(voomed.E.replace(voomed.E.iloc[0, 0], np.inf), dds), OptionError, "finite"),
        (lambda: cn.lm_fit(voomed, np.ones((3, 1))), DesignError, "a row for each of the 12"),
        (lambda: cn.lm_fit(voomed, weights=-voomed.weights), OptionError, "not negative"),
        (lambda: cn.lm_fit(voomed, weights=np.ones(3)), OptionError, "for each of the 12 samples"),
        (lambda: cn.lm_fit(voomed, block=pair), OptionError, "belong together"),
        (lambda: cn.lm_fit(voomed, block=pair, correlation=-1.0), OptionError, "above -1"),
        (lambda: cn.lm_fit(voomed, block=pair, correlation=1.0), OptionError, "correlation=1.0 must be below 1"),
        (lambda: cn.lm_fit(voomed, block=pair, correlation=np.nan), OptionError, "correlation=nan must be below 1"),
        (lambda: cn.lm_fit(voomed, block=pair, correlation="0.3"), OptionError, "must be a number"),
        (lambda: cn.voom(dds, block="pair", correlation=2), OptionError, "correlation=2 must be below 1"),
        (lambda: cn.lm_fit(voomed.E, voomed.design, block="pair", correlation=0.1), OptionError, "no sample sheet"),
        (lambda: cn.lm_fit(voomed, block=pair.where(pair != "p2"), correlation=0.1), OptionError, "missing for 2 samp"),
        (lambda: cn.lm_fit(voomed, weights=voomed.weights * np.nan), OptionError, "not negative; 5856 of 5856"),
        (lambda: cn.lm_fit(voomed, weights=voomed.weights * np.inf), OptionError, "finite and not negative"),
        (lambda: cn.array_weights(voomed, var_design="~ b", var_group="g"), OptionError, "not both"),
        (lambda: cn.array_weights(voomed.E, voomed.design, var_design="~ b"), OptionError, "no sample sheet"),
        (lambda: cn.array_weights(voomed, var_design=np.ones((3, 1))), DesignError, "a row for each of the 12"),
        (lambda: cn.array_weights(voomed, var_design=np.ones((12, 1))), OptionError, "same for all samples"),
        (lambda: cn.array_weights(voomed, var_group=["a"] * 12), OptionError, "same for all samples"),
        (lambda: cn.limma(dds, quality_weights=1.0), OptionError, "quality_weights=1.0 must be True or False"),
        (lambda: cn.voom_lm_fit(dds, sample_weights="G"), OptionError, "Did you mean 'g'"),
        (lambda: cn.e_bayes(fit, trend=[1.0, 2.0]), OptionError, "one number for each of the 488 genes"),
        (
            lambda: cn.e_bayes(fit, trend=fit.ave_expr.where(fit.ave_expr < fit.ave_expr.max())),
            OptionError,
            "trend= must be finite",
        ),
        (lambda: cn.e_bayes(fit, trend="mean"), OptionError, "trend='mean' must be True or False"),
        (lambda: cn.e_bayes(fit, proportion=1.0), OptionError, "between 0 and 1"),
        (lambda: cn.e_bayes(fit, compat="bioc4"), OptionError, "compat='bioc4'"),
        (lambda: cn.treat(fit, 1.0, fc=2.0), OptionError, "not both"),
        (lambda: cn.treat(fit, fc=0.5), OptionError, "fc=0.5"),
        (lambda: cn.decide_tests(fit), MissingStepError, "e_bayes"),
        (lambda: cn.decide_tests(cn.e_bayes(fit), method="nested"), OptionError, "method='nested'"),
        (lambda: cn.duplicate_correlation(voomed, block=["a"] * 12), OptionError, "one block"),
        (lambda: cn.duplicate_correlation(voomed, block=["a"]), OptionError, "one value for each"),
        (lambda: cn.contrasts_fit(fit, {"x": {"g_D": 1}}), ContrastError, "'g_D'"),
        (lambda: cn.contrasts_fit(fit, {"x": [1, 2]}), ContrastError, "a weight for each of the 4"),
        (lambda: cn.contrasts_fit(fit, np.zeros(4)), ContrastError, "not all zero"),
        (lambda: cn.contrasts_fit(cn.contrasts_fit(fit, np.eye(4)), np.eye(4)), OptionError, "contrasts already"),
        (lambda: cn.e_bayes(voomed), OptionError, "needs what cn.lm_fit"),
        (lambda: cn.top_table(voomed), OptionError, "needs what cn.e_bayes"),
        (lambda: cn.top_table(fit), MissingStepError, "e_bayes"),
        (lambda: fit.t, MissingStepError, "e_bayes"),
        (lambda: cn.treat(fit).lods, MissingStepError, "not after"),
        (lambda: cn.top_table(cn.e_bayes(fit), "g_D"), ContrastError, "coef='g_D'"),
        (lambda: cn.top_table(cn.e_bayes(fit), [9]), ContrastError, "coef="),
        (lambda: cn.remove_batch_effect(voomed), OptionError, "what is to be removed"),
        (lambda: cn.voom(voomed), OptionError, "needs a DESeqDataSet"),
        (lambda: cn.e_bayes(cn.lm_fit(np.ones((2, 2)), np.eye(2))), OptionError, "no replicates"),
    ):
        with pytest.raises(kind, match=message):
            wrong()


def test_blocks_that_tell_nothing_give_no_correlation(dds, voomed):
    for block in (dds.samples["g"], range(12)):
        with pytest.warns(CountnestWarning, match="it is 0"):
            found = cn.duplicate_correlation(voomed, block=block)
        assert found.consensus == 0
        assert found.atanh.isna().all()


def test_genes_that_do_not_vary_tell_nothing_of_blocks_and_samples(dds, voomed):
    constant = voomed.E * 0.0
    with pytest.raises(OptionError, match="no gene has values enough that vary"):
        cn.duplicate_correlation(constant, dds, block="pair")
    with pytest.raises(OptionError, match="no gene has values enough"):
        cn.duplicate_correlation(voomed.E * np.nan, dds, block="pair")
    assert (cn.array_weights(constant, dds) == 1).all()
    some = voomed.E.copy()
    some.iloc[:10] = 3.0
    found = cn.duplicate_correlation(some, dds, block="pair")
    assert found.atanh.iloc[:10].isna().all()
    same(found.atanh.iloc[10:], cn.duplicate_correlation(voomed.E, dds, block="pair").atanh.iloc[10:])
    fit = cn.lm_fit(voomed, weights=voomed.weights * (np.arange(488) > 0)[:, None])
    assert cn.e_bayes(fit).p_value.iloc[0].isna().all()
    assert cn.e_bayes(fit).p_value.iloc[1:].notna().all(axis=None)
    with pytest.raises(OptionError, match="no replicates"):
        cn.e_bayes(cn.lm_fit(voomed, weights=voomed.weights * 0.0))


def test_without_replicates_weights_are_one(dds):
    alone = cn.DESeqDataSet(dds.counts().iloc[:, [0, 1]], dds.samples.iloc[[0, 1]], design="~ b", quiet=True)
    with pytest.warns(CountnestWarning, match="no replicates"):
        assert (cn.voom(alone).weights == 1).all(axis=None)


def test_names_of_limma_are_answered():
    for name, answer in (("lmFit", "lm_fit"), ("topTable", "cn.top_table"), ("makeContrasts", "cn.contrasts_fit")):
        with pytest.raises(AttributeError, match=f"Here it is {answer}"):
            getattr(cn, name)


def test_symbols_go_through_voom_to_tables_and_gene_sets(dds):
    symbols = [f"sym{k}" for k in range(488)]
    own = dds.copy()
    own.gene_info = pd.DataFrame({"symbol": symbols}, own.gene_names)
    v = cn.voom(own)
    for fit in (cn.lm_fit(v), cn.voom_lm_fit(own), cn.contrasts_fit(cn.lm_fit(v), {"c": {"g_B_vs_A": 1}})):
        table = cn.top_table(cn.e_bayes(fit), number=20)
        assert table.columns[0] == "symbol"
        assert list(table["symbol"]) == [f"sym{gene.removeprefix('gene')}" for gene in table.index]
    sets = {"some": symbols[:40], "others": symbols[100:130]}
    by_label = {name: [f"gene{each.removeprefix('sym')}" for each in members] for name, members in sets.items()}
    pd.testing.assert_frame_equal(cn.camera(v, sets, ids="symbol"), cn.camera(v, by_label))
    with pytest.raises(OptionError, match="ids='symbol' is no column: nothing is known of the genes"):
        cn.camera(cn.voom(dds), sets, ids="symbol")
