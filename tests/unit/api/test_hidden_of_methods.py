"""Hidden factors and the scaled null of fits by edgeR's and limma's methods."""

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import OptionError
from countnest.simulate import HiddenFactor

pytestmark = pytest.mark.filterwarnings("ignore:a hidden factor is confounded")

FITS = {
    "edger": lambda dds, **options: cn.edger(dds, quiet=True, name="edger", **options),
    "ratio": lambda dds, **options: cn.edger(dds, test="lrt", quiet=True, name="ratio", **options),
    "limma": lambda dds, **options: cn.limma(dds, quality_weights=True, trend=True, quiet=True, **options),
}


@pytest.fixture(scope="module")
def study():
    factor = HiddenFactor(sd=0.5, correlation=0.5)
    return cn.simulate.groups(genes=2000, sizes=(10, 10), base=(20, 2000), hidden=factor, rng=5)


def data_set(study, samples, design="~ group"):
    return cn.DESeqDataSet(study.counts, samples, design=design, reference=study.reference, quiet=True)


@pytest.fixture(scope="module")
def dds(study):
    made = data_set(study, study.samples)
    for fit in FITS.values():
        fit(made)
    return made


def test_answers_are_those_of_a_design_with_the_factors_as_columns(study, dds):
    kept, query = cn.filter_by_expr(dds), dds.effect("group")
    for name, fit in FITS.items():
        found = query.test(fit=name, hidden_factors="auto")
        assert found.info.hidden.n_factors == 1
        assert found.info.formula == "~ group + hidden1"
        other = data_set(study, study.samples.join(found.info.hidden.columns), "~ group + hidden1")
        expected = fit(other, filter=kept).effect("group").test(fit=name)
        for column in ("log2FoldChange", "lfcSE", "stat"):
            np.testing.assert_allclose(found[column], expected[column], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(np.log(found.pvalue), np.log(expected.pvalue), rtol=1e-5, atol=1e-7)
        assert (found.info.compat, found.info.estimate) == (expected.info.compat, expected.info.estimate)
        beyond, expected = (
            asked.test(fit=name, lfc_threshold=0.3, **options)
            for asked, options in ((query, {"hidden_factors": "auto"}), (other.effect("group"), {}))
        )
        np.testing.assert_allclose(beyond.pvalue, expected.pvalue, rtol=1e-5, atol=1e-9)


def test_they_repair_what_a_hidden_batch_does(study, dds):
    null, query = study.truth["null_group"].to_numpy(), dds.effect("group")
    for name in FITS:
        plain, out, scaled = (
            query.test(fit=name, **options) for options in ({}, {"hidden_factors": "auto"}, {"null": "scaled"})
        )
        before, after = (null[(each.padj < 0.1).to_numpy()].mean() for each in (plain, out))
        assert before > 0.4
        assert after < 0.2
        assert plain.info.null_scale > 1.3
        assert out.info.null_scale < 1.15
        assert scaled.info.null_divisor == pytest.approx(plain.info.null_scale / 1.1)
        assert (scaled.pvalue.dropna() >= plain.pvalue.dropna()).all()
        assert "hidden_factors='auto' takes hidden factors out" in str(plain.summary())


def test_options_and_dispersions_of_the_fit_are_kept(study):
    made = data_set(study, study.samples)
    found = cn.estimate_disp(made, compat="bioc3.20")
    cn.edger(made, filter=False, dispersion=found, robust=True, compat="bioc3.20", quiet=True)
    res = made.effect("group").test(fit="edger", hidden_factors=1)
    other = data_set(study, study.samples.join(res.info.hidden.columns), "~ group + hidden1")
    again = cn.estimate_disp(other, compat="bioc3.20")
    cn.edger(other, filter=False, dispersion=again, robust=True, compat="bioc3.20", quiet=True)
    expected = other.effect("group").test(fit="edger").pvalue
    np.testing.assert_allclose(np.log(res.pvalue), np.log(expected), rtol=1e-5, atol=1e-7)
    assert res.info.compat == "bioc3.20"


def test_files_hold_what_hidden_factors_need(dds, tmp_path):
    cn.save(dds, tmp_path / "study.countnest")
    again = cn.load(tmp_path / "study.countnest")
    for name in FITS:
        tables = [each.effect("group").test(fit=name, hidden_factors=1).table for each in (dds, again)]
        pd.testing.assert_frame_equal(*tables)


def test_what_cannot_be_made_again_says_what_to_do(study, dds):
    blocks = np.tile(["p", "q", "r", "s"], 5)
    made = cn.limma(data_set(study, study.samples), block=blocks, quiet=True)
    with pytest.raises(OptionError, match=r"correlated in this fit.*Put the blocks into the design"):
        made.effect("group").test(fit="limma", hidden_factors=1)
    with pytest.raises(OptionError, match="at most 4"):
        dds.effect("group").test(fit="edger", hidden_factors=9)
    few = cn.limma(dds[:150], filter=False, quiet=True)
    with pytest.raises(OptionError, match="200 are needed"):
        few.effect("group").test(fit="limma", hidden_factors=1)
