"""Tables of results of the same question, compared; and what is said of those of different questions."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import countnest as cn
from cases import each
from countnest.errors import ContrastError, OptionError


@pytest.fixture(scope="module")
def dds():
    study = cn.simulate.groups(genes=600, sizes=(4, 4, 4), levels=("A", "B", "C"), fraction=0.3, rng=7)
    counts = study.counts.copy()
    info = pd.DataFrame({"symbol": [f"sym{k}" for k in range(600)]}, index=counts.index)
    dds = cn.DESeqDataSet(
        counts, study.samples, design="~ group", reference=study.reference, gene_info=info, quiet=True
    )
    dds = cn.DESeq(dds, quiet=True)
    return cn.edger(cn.limma(dds, quiet=True), quiet=True)


def tables(dds, levels=("B", "A"), **options):
    query = dds.effect("group", levels=levels)
    options = {"alpha": 0.05, **options}
    return {name: query.test(fit=name, **options) for name in ("deseq2", "edger", "limma")}


@pytest.fixture(scope="module")
def found(dds):
    asked = tables(dds)
    return cn.compare(asked["deseq2"], asked["edger"])


def test_calls_are_those_of_the_tables(dds, found):
    wald, edger = tables(dds)["deseq2"].table, tables(dds)["edger"].table
    one, other = wald["padj"] < 0.05, edger["padj"] < 0.05
    calls = found.calls
    assert (calls.both, calls.only_first, calls.only_second) == (sum(one & other), sum(one & ~other), sum(other & ~one))
    assert calls.both > 10
    assert sum((calls.both, calls.only_first, calls.only_second, calls.neither)) == sum(found.tested)
    assert found.table["called"].value_counts().to_dict() == {
        "both": calls.both,
        "only DESeq2 Wald": calls.only_first,
        "only edgeR QL F": calls.only_second,
        "neither": calls.neither,
        "not tested": len(found) - sum(found.tested),
    }
    assert list(found.table["symbol"]) == list(wald["symbol"])


def test_names_are_the_method_and_the_test_or_those_given(dds, found):
    assert found.names == ("DESeq2 Wald", "edgeR QL F")
    asked = tables(dds)
    assert cn.compare({"a": asked["limma"], "b": asked["edger"]}).names == ("a", "b")
    assert cn.compare(asked["limma"], asked["limma"]).names == (
        "limma-voom moderated t (1)",
        "limma-voom moderated t (2)",
    )


def test_a_table_agrees_with_itself_completely(dds):
    table = tables(dds)["edger"]
    found = cn.compare(table, table)
    assert found.calls.jaccard == found.changes.slope == 1.0
    assert found.ranks.p_values == pytest.approx(1.0)
    assert (found.changes.median_absolute_difference, found.changes.sign_changes) == (0.0, 0)
    assert not found.tested_by_one().size
    assert found.notes == ()


def test_f_statistics_get_the_sign_of_the_fold_change(found):
    assert found.ranks.statistics > 0.95


def test_kinds_of_fold_change_are_told(found, dds):
    assert found.kinds == ("MLE", "shrunken by a prior count of 0.125")
    assert any("of different kinds (DESeq2 Wald: MLE; edgeR QL F: shrunken by" in note for note in found.notes)
    query = dds.effect("group", levels=("B", "A"))
    assert cn.compare(query.test("wald", fit="deseq2"), query.test("lrt", fit="deseq2")).notes == ()


def test_genes_that_one_table_tested_have_a_reason(dds):
    keep = np.arange(600) >= 60
    less = cn.edger(dds.copy(), filter=keep, name="less", quiet=True)
    query = less.effect("group", levels=("B", "A"))
    found = cn.compare({"all": query.test(fit="limma"), "less": query.test(fit="less")})
    assert found.tested[1] == found.reasons["less"]["low_count"] > 50
    genes = found.tested_by_one()
    assert tuple((genes["tested_by"] == name).sum() for name in ("all", "less")) == found.tested[1:]
    assert set(genes["reason"]) == {"low_count"}
    assert f"tested by all only: {found.tested[1]} (less: low_count {found.tested[1]})" in str(found)


def test_genes_that_differ_most_come_first(found):
    table = found.most_different(5)
    assert next(iter(table)) == "symbol"
    sizes = table["rank_difference"].abs()
    assert (np.diff(sizes) <= 0).all()
    called = found.table[found.table["called"].isin(["both", "only DESeq2 Wald", "only edgeR QL F"])]
    assert sizes.iloc[0] == called["rank_difference"].abs().max()
    by_change = found.most_different(1, by="change")["change_difference"].abs().iloc[0]
    assert by_change == called["change_difference"].abs().max()
    assert len(found.most_different(0)) == 0


def test_the_text_has_the_numbers(found):
    file = io.StringIO()
    found.summary(3, file=file)
    text = file.getvalue()
    assert str(found) in text
    for piece in ("1: DESeq2 Wald, padj < 0.05; fold changes: MLE", "Jaccard index", "Spearman of p-values", "slope"):
        assert piece in text
    assert "rank 1" in text
    assert max(map(len, text.splitlines()[-4:])) <= 80
    assert found._repr_html_().startswith("<pre>")


def test_the_table_is_written_and_not_edited(found, tmp_path):
    found.to_csv(tmp_path / "compared.csv")
    read = pd.read_csv(tmp_path / "compared.csv", index_col=0, float_precision="round_trip")
    assert list(read) == list(found.table)
    np.testing.assert_array_equal(read["pvalue: edgeR QL F"], found.table["pvalue: edgeR QL F"])
    with pytest.raises(OptionError, match="not edited"):
        found.table["called"] = "x"


@each("panel", [None, "changes", "pvalues"])
def test_every_panel_can_be_drawn(found, panel):
    figure = found.plot(panel, label=2)
    assert isinstance(figure, Figure)
    axes = figure.axes[0]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(text.split(":")[0] for text in texts) == ["both", "neither", "only DESeq2 Wald", "only edgeR QL F"]
    counts = found.table["called"].value_counts()
    for text in texts:
        word, number = text.split(": ")
        assert int(number.split(" ")[0]) == counts[word]
    assert axes.get_xlim() == axes.get_ylim() or panel == "pvalues"
    assert sum(text.get_text().startswith("sym") for text in axes.texts) == 2
    assert axes.get_xlabel() == axes.get_ylabel().replace("edgeR QL F", "DESeq2 Wald")


def test_genes_that_one_table_did_not_test_are_counted_and_not_drawn(dds):
    asked = tables(dds)
    less = asked["edger"].table[["log2FoldChange", "pvalue", "padj"]].copy()
    called = less.index[less["padj"] < 0.05][:7]
    less.loc[called, ["pvalue", "padj"]] = np.nan
    found = cn.compare({"here": asked["edger"], "less": less})
    own = found.only("here")
    assert list(own.index) == list(called)
    assert not len(found.only("less"))
    lines = str(found).splitlines()
    place = next(k for k, line in enumerate(lines) if line.startswith("only here"))
    assert [line.split()[-1] for line in lines[place : place + 2]] == ["7", "7"]
    assert lines[place + 1].startswith("  not tested by less")
    texts = [text.get_text() for text in found.plot("pvalues").axes[0].get_legend().get_texts()]
    assert "only here: 7 (7 not drawn)" in texts
    with pytest.raises(OptionError, match="here"):
        found.only("other")


def test_changes_beyond_the_axis_are_triangles_at_the_border(dds):
    asked = tables(dds)
    more = asked["edger"].table[["log2FoldChange", "pvalue", "padj"]].copy()
    more.loc[more["padj"].idxmin(), "log2FoldChange"] = 50.0
    figure = cn.compare(asked["edger"], more).plot()
    reach = figure.axes[0].get_xlim()[1] / 1.04
    drawn = [(each.get_offsets(), len(each.get_paths()[0].vertices)) for each in figure.axes[0].collections]
    edges = [offsets for offsets, corners in drawn if corners < 10]
    inside = np.vstack([offsets for offsets, corners in drawn if corners >= 10])
    assert sum(map(len, edges)) == 1
    assert np.abs(np.vstack(edges)).max(axis=1) == pytest.approx(reach)
    assert np.abs(inside).max() < reach


def test_every_pair_is_drawn(dds):
    axes = cn.compare(tables(dds)).plot("pvalues").axes
    assert [(each.get_xlabel()[10:], each.get_ylabel()[10:]) for each in axes] == [
        ("deseq2", "edger"), ("deseq2", "limma"), ("edger", "limma"),
    ]  # fmt: skip


def test_several_tables_are_compared_by_pairs(dds, tmp_path):
    asked = tables(dds)
    found = cn.compare(asked)
    assert list(found) == [("deseq2", "edger"), ("deseq2", "limma"), ("edger", "limma")]
    pair = cn.compare({"edger": asked["edger"], "limma": asked["limma"]})
    assert found["edger", "limma"].calls == found["limma", "edger"].calls == pair.calls
    matrix = found.matrix()
    assert matrix.loc["edger", "limma"] == matrix.loc["limma", "edger"] == pair.calls.jaccard
    assert found.table.loc[("edger", "limma"), "both"] == pair.calls.both
    assert found.n_called["limma"] == (asked["limma"].table["padj"] < 0.05).sum()
    assert "Jaccard" in repr(found)
    assert "<table" in found._repr_html_()
    found.to_csv(tmp_path / "pairs.csv")
    assert list(pd.read_csv(tmp_path / "pairs.csv")["second"]) == ["edger", "limma", "limma"]
    with pytest.raises(OptionError, match="no table is called 'edgr'"):
        _ = found["edgr", "limma"]


def test_labels_that_differ_and_contrasts_that_do_not_are_the_same_question(dds):
    wald = dds.results(contrast=("group", "B", "A"), alpha=0.05)
    by_name = dds.results(name="group_B_vs_A", alpha=0.05)
    assert wald.info.label != dds.effect("group", levels=("B", "A")).labels[0]
    assert cn.compare(wald, by_name, tables(dds)["edger"]).matrix().iloc[0, 1] == 1.0


def test_other_designs_with_the_same_levels_are_compared_and_told(dds):
    half = pd.Series(["x", "y"] * 6, dds.samples.index)
    other = cn.DESeqDataSet(
        dds.counts(), dds.samples.assign(half=half), design="~ half + group", reference={"group": "A"}, quiet=True
    )
    other = cn.edger(other, quiet=True)
    found = cn.compare(tables(dds)["edger"], other.effect("group", levels=("B", "A")).test(fit="edger", alpha=0.05))
    assert any("the models differ: '~ group'" in note for note in found.notes)


def test_joint_tests_are_compared_without_fold_changes(dds):
    joint = dds.effect("group").joint()
    found = cn.compare(joint.test(fit="edger"), joint.test(fit="limma"))
    assert found.changes is None
    assert found.ranks.p_values > 0.9
    assert "slope" not in str(found)
    assert isinstance(found.plot(), Figure)
    with pytest.raises(OptionError, match="several fold changes"):
        found.plot("changes")
    with pytest.raises(OptionError, match="by='rank'"):
        found.most_different(by="change")
    turned = dds.contrast({"B": [0, 1, 0], "C less B": [0, -1, 1]}).joint()
    assert cn.compare(joint.test(fit="edger"), turned.test(fit="limma")).ranks.p_values == found.ranks.p_values


def test_stagewise_tables_are_called_by_their_own_column(dds):
    parts = [dds.effect("group").test(fit=fit, stagewise=True, alpha=0.05)[0] for fit in ("edger", "limma")]
    found = cn.compare(*parts)
    assert found.by == ("padj_stagewise", "padj_stagewise")
    assert found.calls.both == sum(np.logical_and(*(part.table["padj_stagewise"] < 0.05 for part in parts)))


def test_different_questions_are_refused_by_name(dds):
    asked, query = tables(dds), dds.effect("group", levels=("B", "A"))
    first = asked["edger"]
    for other, error, words in (
        (tables(dds, ("C", "A"))["limma"], ContrastError, "they compare 'group.*B.*' .* and 'group.*C.*'"),
        (tables(dds, ("A", "B"))["limma"], ContrastError, "opposite directions"),
        (dds.effect("group").joint().test(fit="limma"), ContrastError, "'limma-voom moderated F' is of a joint test"),
        (dds.effect("group").test(fit="limma"), OptionError, "ResultsSet has 2"),
        (query.test(fit="limma", lfc_threshold=1.0, alpha=0.05), OptionError, "against 0 .* against 1"),
        (query.test(fit="limma", alt_hypothesis="less", alpha=0.05), OptionError, "greaterAbs.* against 0 .less"),
        (query.test(fit="limma", alpha=0.1), OptionError, "different levels, edgeR QL F: 0.05, limma-voom .*: 0.1"),
        (asked["limma"].table.drop(columns="padj"), OptionError, "no column 'padj'"),
        (None, OptionError, "got None"),
    ):
        with pytest.raises(error, match=words):
            cn.compare(first, other)
    with pytest.raises(OptionError, match="two tables of results at least"):
        cn.compare(first)


def test_other_genes_are_refused_or_left_out(dds):
    asked = tables(dds)
    less = asked["limma"].table.iloc[30:][["log2FoldChange", "pvalue", "padj"]]
    with pytest.raises(OptionError, match=r"different genes: 570 are .*, and 'edgeR QL F' tested 30 genes more"):
        cn.compare(asked["edger"], less)
    found = cn.compare(asked["edger"], less, genes="common")
    assert len(found) == 570
    with pytest.raises(OptionError, match="no gene in common"):
        cn.compare(asked["edger"], less.set_index(less.index + "x"), genes="common")
    with pytest.raises(OptionError, match="more than once"):
        cn.compare(less, pd.concat([less, less]))
    shuffled = less.sample(frac=1, random_state=1)
    assert cn.compare(less, shuffled).calls.jaccard == 1.0


def test_genes_that_were_not_tested_may_be_left_out_of_a_table():
    study = cn.simulate.groups(genes=400, base=(0.3, 500.0), rng=2)
    dds = cn.DESeqDataSet(study.counts, study.samples, design="~ group", reference=study.reference, quiet=True)
    whole = cn.edger(dds, quiet=True).effect("group").test(fit="edger", alpha=0.05)
    small = dds[cn.filter_by_expr(dds)]
    steps = cn.glm_ql_ftest(cn.glm_ql_fit(small, quiet=True))
    n = len(steps)
    assert 100 < n < 390
    of_r = whole.table.dropna()[["log2FoldChange", "pvalue", "padj"]].set_axis(["logFC", "PValue", "FDR"], axis=1)
    for first, second in ((whole, steps), (steps, whole), (whole, of_r), (of_r, whole)):
        found = cn.compare(first, second)
        assert (len(found), found.calls.jaccard, found.tested) == (n, 1.0, (n, 0, 0))
    with pytest.raises(OptionError, match=r"and 'edgeR QL F' tested 5 genes more"):
        cn.compare(whole, of_r.iloc[5:])


def test_tables_of_r_are_taken_by_their_columns(dds):
    edger = tables(dds)["edger"]
    of_r = edger.table.rename(columns={"log2FoldChange": "logFC", "pvalue": "PValue", "padj": "FDR", "stat": "F"})
    of_r = of_r[["logFC", "F", "PValue", "FDR"]].dropna()
    found = cn.compare({"here": edger, "R": of_r})
    assert found.calls.jaccard == 1.0
    assert found.levels == (0.05, 0.05)
    assert any("no record says which question 'R' answers" in note for note in found.notes)


@each(("factor", "base"), [(np.log(2), "natural logarithms"), (np.log10(2), "logarithms to base 10")])
def test_another_base_of_logarithms_is_refused(dds, factor, base):
    asked = tables(dds)
    table = asked["limma"].table[["log2FoldChange", "pvalue", "padj"]].copy()
    table["log2FoldChange"] *= factor
    with pytest.raises(OptionError, match=f"of 'other' look like {base}"):
        cn.compare({"edgeR": asked["edger"], "other": table})
