"""The methods paragraph and the record of a table of results."""

import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest

import countnest as cn
from countnest.cli.main import main
from countnest.containers.info import ResultsInfo
from countnest.containers.methods_text import methods_text
from countnest.containers.references import REFERENCES
from countnest.containers.results import Results

REFERENCE = {"condition": "untreated", "type": "paired-end"}


@pytest.fixture(scope="module")
def dds():
    study = cn.datasets.load("pasilla")
    counts = study.counts[study.counts.sum(axis=1) > 50].iloc[:400]
    found = cn.DESeqDataSet(counts, study.samples, design="~ type + condition", reference=REFERENCE, quiet=True)
    return cn.DESeq(found, quiet=True)


def test_the_paragraph_of_a_wald_test_has_design_versions_thresholds_and_dois(dds):
    res = cn.results(dds, alpha=0.05)
    text = str(res.methods())
    for part in (
        f"countnest {cn.__version__}", "400 genes in 7 samples", "~ type + condition", "median of ratios",
        "parametric trend", "Wald tests", "false discovery rate of 0.05", "Benjamini and Hochberg",
        "No gene was left out by independent filtering", f"above {res.info.cooks_cutoff:.3g}",
        "doi:10.1186/s13059-014-0550-8", "doi:10.1073/pnas.0914005107",
    ):  # fmt: skip
        assert part in text, part


def test_paragraphs_say_what_differs_between_methods_and_options(dds):
    query = dds.effect("condition")
    shrunken = cn.lfc_shrink(dds, coef="condition_treated_vs_untreated", type="apeglm", quiet=True)
    own = dds.copy()
    own.size_factors = np.ones(7)
    told = {
        "likelihood ratio tests against the model without": query.test("lrt"),
        "averaged likelihood ratio tests": query.test("averaged"),
        "quasi-likelihood F tests (Lund": query.test("ql"),
        "for a log2 fold change beyond 1 in absolute value": cn.results(dds, lfc_threshold=1.0),
        "shrunken by apeglm (Zhu et al. 2019), with a Cauchy prior of scale": shrunken,
        "adjusted for multiple testing by the method 'holm'": cn.results(dds, p_adjust="holm"),
        "Intervals have a level of 90 %": cn.results(dds, confint=0.9),
        "set before the analysis": cn.results(cn.DESeq(own, quiet=True)),
    }
    for words, res in told.items():
        assert words in res.methods().paragraph, (words, res.methods().paragraph)
    assert "independent filtering" not in cn.results(dds, independent_filtering=False).methods().paragraph
    assert "The comparison 'condition[treated - untreated]' was tested by" in query.test("ql").methods().paragraph
    filtered = replace(query.test().info, filter_theta=0.2, filter_threshold=4.5)
    assert "below 4.5 were left out by independent filtering" in methods_text(filtered).paragraph
    assert "Cook's distance above" not in cn.results(dds, cooks_cutoff=False).methods().paragraph


def test_paragraphs_of_edger_and_limma_name_the_release_and_the_papers(dds):
    both = dds.copy()
    cn.edger(both, compat="bioc3.20")
    cn.limma(both)
    query = both.effect("condition")
    first, second = (query.test(fit=name) for name in ("edger", "limma"))
    assert "Numbers are those of bioc3.20." in first.methods().paragraph
    assert "doi:10.1093/nar/gkaf018" in str(first.methods())
    assert "voom (Law et al. 2014)" in second.methods().paragraph
    assert "moderated t tests (Smyth 2004)" in second.methods().paragraph
    assert second.record()["fit"]["genes_fitted"] == int((second["padj_reason"] != "low_count").sum())
    assert "shrunken by a prior count" in first.methods().paragraph


def test_paragraphs_of_mixed_models_cite_their_degrees_of_freedom():
    info = ResultsInfo(
        label="B vs A",
        method="linear mixed model",
        test="Kenward-Roger t",
        formula="~ a + (1 | b)",
        estimate="REML of x",
    )
    text = methods_text(info)
    assert "linear mixed model (Bates et al. 2015) with the design '~ a + (1 | b)'" in text.paragraph
    assert any("10.2307/2533558" in each for each in text.references)


def test_records_of_mixed_models_have_what_the_fit_was_made_with():
    study = cn.simulate.nested(genes=60, families=3, rng=1)
    formula, reference = "~ treat1 * treat2 + (1 | family)", {"treat1": "A", "treat2": "None"}
    dds = cn.DESeqDataSet(study.counts, study.samples, design=formula, reference=reference, quiet=True)
    cn.lmm(dds, quiet=True)
    cn.glmm(dds, quiet=True)
    cn.glmm(dds, method="pql", name="pql", quiet=True)
    cn.glmm(dds, method="posterior", name="posterior", quiet=True)
    query = dds.effect("treat2", at={"treat1": "A"})
    linear, counts, quasi, posterior = (query.test(fit=name) for name in ("lmm", "glmm", "pql", "posterior"))
    known = linear.record()["fit"]
    np.testing.assert_allclose(known["size_factors"], counts.record()["fit"]["size_factors"])
    assert (known["values"], known["df"]) == ("log2 normalized counts", "kenward-roger")
    assert known["random"] == counts.record()["fit"]["random"] == ["1 | family"]
    assert known["genes_fitted"] == int((linear["padj_reason"] != "low_count").sum())
    assert "The model is one of log2 normalized counts." in linear.methods().paragraph
    told = {
        "Dispersions were estimated gene by gene.": counts,
        "penalised quasi-likelihood (Breslow and Clayton 1993)": quasi,
        "judged by its posterior distribution": posterior,
        "Dispersions were shrunken towards a trend over the mean.": posterior,
        "normalized by size factors": counts,
    }
    for words, res in told.items():
        assert words in res.methods().paragraph, (words, res.methods().paragraph)


def test_several_contrasts_have_one_paragraph_and_a_record_each(tmp_path):
    study = cn.simulate.nested(genes=300, families=3, rng=1)
    formula, reference = "~ treat1 + treat1:ind + treat1:treat2", {"treat1": "A", "treat2": "None"}
    dds = cn.DESeq(cn.DESeqDataSet(study.counts, study.samples, design=formula, reference=reference, quiet=True))
    found = dds.effect("treat2", by="treat1").test()
    paragraph = found.methods().paragraph
    assert all(f"'{label}'" in paragraph for label in found)
    assert "were tested by Wald tests" in paragraph
    assert paragraph.count("Benjamini and Hochberg (") == paragraph.count("Negative binomial models") == 1
    first = replace(found[0].info, filter_theta=0.1)
    other = methods_text(first, replace(first, label="other", filter_threshold=10 * first.filter_threshold))
    assert (
        f"below a cutoff of {first.filter_threshold:.3g} to {10 * first.filter_threshold:.3g} were" in other.paragraph
    )
    found.to_csv(tmp_path / "table.csv", record=True)
    record = json.loads((tmp_path / "table.csv.json").read_text())
    assert record == {label: part.record() for label, part in found.items()}


def test_paragraphs_name_hidden_factors_the_scaled_null_thresholds_and_ashr():
    factor = cn.simulate.HiddenFactor(sd=0.6, correlation=0.1)
    study = cn.simulate.groups(genes=900, sizes=(8, 8), base=(20, 2000), hidden=factor, rng=3)
    dds = cn.DESeqDataSet(study.counts, study.samples, design="~ group", reference=study.reference, quiet=True)
    cn.limma(cn.DESeq(dds, quiet=True), quiet=True)
    comparison = ("group", "B", "A")
    plain = dds.results(contrast=comparison)
    told = {
        "The model included 1 hidden factor found in the residuals": dds.results(contrast=comparison, hidden_factors=1),
        "The z-values were divided by": dds.results(contrast=comparison, null="scaled"),
        "shrunken by adaptive shrinkage (Stephens 2017)": cn.lfc_shrink(dds, type="ashr", res=plain, quiet=True),
        "beyond 1 in absolute value (McCarthy and Smyth 2009)": dds.effect("group").test(fit="limma", lfc_threshold=1),
    }
    for words, res in told.items():
        assert words in res.methods().paragraph, (words, res.methods().paragraph)


def test_every_citation_has_a_doi_and_only_cited_papers_are_listed(dds):
    assert all(re.search(r"doi:10\.\d{4,}/\S+$", text) for text in REFERENCES.values())
    text = cn.results(dds).methods()
    assert len(text.references) == len(re.findall(r"\bdoi:", str(text)))
    assert not any("Zhu" in each for each in text.references)


def test_the_record_is_json_and_has_what_the_table_was_made_of(dds, tmp_path):
    res = cn.results(dds)
    res.to_csv(tmp_path / "table.csv", record=True)
    record = json.loads((tmp_path / "table.csv.json").read_text())
    assert record == res.record()
    np.testing.assert_array_equal(record["contrasts"], res.info.contrasts)
    assert record["coefficients"] == dds.results_names()
    assert (record["formula"], record["filter_threshold"]) == ("~ type + condition", res.info.filter_threshold)
    np.testing.assert_array_equal(record["fit"]["size_factors"], dds.size_factors)
    assert record["data"]["samples"] == list(dds.samples.index)
    counts = np.ascontiguousarray(dds.counts(), dtype="<f8")
    assert record["data"]["counts_sha256"] == hashlib.sha256(counts.tobytes()).hexdigest()
    cn.results(dds).to_csv(tmp_path / "alone.csv")
    assert not (tmp_path / "alone.csv.json").exists()


def test_the_checksum_tells_other_counts(dds):
    other = cn.DESeq(dds[dds.gene_names[:399]], quiet=True)
    assert cn.results(other).record()["data"]["counts_sha256"] != cn.results(dds).record()["data"]["counts_sha256"]


def test_a_table_made_by_hand_has_a_paragraph_and_a_record():
    info = ResultsInfo(label="x", independent_filtering=False)
    assert "Love et al. 2014" in methods_text(info).paragraph
    table = cn.datasets.load("pasilla").counts.iloc[:2, :1].set_axis(["baseMean"], axis=1)
    assert Results(table, info).record()["data"] is None


def test_runs_write_the_paragraphs_and_the_records_of_their_tables(tmp_path):
    with pytest.raises(SystemExit) as left:
        main(["run", "pasilla", "--out", str(tmp_path / "out"), "--quiet"])
    assert left.value.code == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    own = record["comparisons"][0]["record"]
    assert own["methods"] in (tmp_path / "out" / "methods.txt").read_text(encoding="utf-8")
    assert own["label"] == record["comparison"]["label"]
