import io
import pickle

import numpy as np
import pandas as pd
import pytest

from countnest.containers.info import ResultsInfo
from countnest.containers.results import Results
from countnest.containers.summary import summarize
from countnest.errors import FileError, OptionError

NAN = np.nan


@pytest.fixture
def table():
    rows = {
        "up1": (100.0, 2.0, 0.2, 10.0, 1e-20, 1e-18, "tested"),
        "up2": (50.0, 1.5, 0.3, 5.0, 1e-6, 0.05, "tested"),
        "down": (80.0, -3.0, 0.3, -10.0, 1e-20, 1e-18, "tested"),
        "flat": (60.0, 0.1, 0.3, 0.3, 0.76, 0.9, "tested"),
        "low": (0.5, 4.0, 3.0, 1.3, 0.18, NAN, "low_count"),
        "outlier": (300.0, 1.0, 0.2, 5.0, NAN, NAN, "outlier"),
        "empty": (0.0, NAN, NAN, NAN, NAN, NAN, "all_zero"),
    }
    columns = ["baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj", "padj_reason"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


@pytest.fixture
def info():
    return ResultsInfo(label="dex trt vs untrt", formula="~ cell + dex", filter_threshold=4.6, cooks_cutoff=10.0)


@pytest.fixture
def results(table, info):
    return Results(table, info)


def test_summary_counts_every_kind_of_gene(results):
    summary = summarize(results.table, results.info)
    assert (summary.n_genes, summary.nonzero) == (7, 6)
    assert (summary.significant, summary.up, summary.down) == (3, 2, 1)
    assert (summary.outliers, summary.low_counts) == (1, 1)


def test_summary_prints_once_and_returns_the_numbers(results, capsys):
    summary = results.summary()
    text = capsys.readouterr().out
    assert text == f"\n{summary}\n\n"
    lines = str(summary).splitlines()
    assert lines[:7] == [
        "out of 6 with nonzero total read count",
        "adjusted p-value < 0.1",
        "LFC > 0 (up)       : 2, 33%",
        "LFC < 0 (down)     : 1, 17%",
        "outliers [1]       : 1, 17%",
        "low counts [2]     : 1, 17%",
        "(mean count < 5)",
    ]
    assert "cooks_cutoff=" in lines[7]
    assert "independent_filtering=" in lines[8]
    assert "\n" not in repr(summary)


def test_summary_prints_to_the_given_file(results, capsys):
    stream = io.StringIO()
    results.summary(file=stream)
    assert stream.getvalue().startswith("\nout of 6")
    assert capsys.readouterr().out == ""


def test_summary_at_another_level_says_what_the_filter_was_tuned_for(results):
    summary = summarize(results.table, results.info, alpha=0.01)
    assert (summary.up, summary.down) == (1, 1)
    assert "tuned for alpha=0.1" in str(summary)


def test_summary_with_threshold(table):
    info = ResultsInfo(label="x", lfc_threshold=1.75)
    text = str(summarize(table, info))
    assert "LFC > 1.75 (up)    : 1, 17%" in text
    assert "LFC < -1.75 (down) : 1, 17%" in text


def test_summary_of_genes_within_a_threshold(table):
    info = ResultsInfo(label="x", lfc_threshold=5.0, alt_hypothesis="lessAbs")
    assert "|LFC| < 5.00       : 3, 50%" in str(summarize(table, info))


def test_summary_of_nothing(table, info):
    text = str(summarize(table.loc[["empty"]], info))
    assert "out of 0" in text
    assert "(up)       : 0, 0%" in text


@pytest.mark.parametrize(("up", "share"), [(1, "0.02%"), (5000, "100%"), (390, "7.8%"), (3, "0.06%")])
def test_shares_have_two_digits_and_no_exponent(table, info, up, share):
    many = pd.concat([table.loc[["up1"]]] * up + [table.loc[["flat"]]] * (5000 - up))
    assert f"(up)       : {up}, {share}" in str(summarize(many, info))


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0, np.nan])
def test_alpha_outside_its_domain(results, alpha):
    with pytest.raises(OptionError, match="between 0 and 1"):
        results.summary(alpha)
    with pytest.raises(OptionError, match="between 0 and 1"):
        results.significant(alpha)


def test_top_orders_by_padj_then_pvalue_then_stat(table, info):
    table.loc["better"] = table.loc["up1"]
    table.loc["better", "stat"] = -12.0
    top = Results(table, info).top(20)
    assert list(top.index) == ["better", "up1", "down", "up2", "flat", "low", "outlier", "empty"]
    assert list(Results(table, info).top(2).index) == ["better", "up1"]


@pytest.mark.parametrize(
    ("by", "first"), [("pvalue", "up1"), ("log2FoldChange", "low"), ("baseMean", "outlier"), ("stat", "up1")]
)
def test_top_by_another_column(results, by, first):
    top = results.top(7, by=by)
    assert top.index[0] == first
    assert top.index[-1] == "empty"


def test_top_without_statistics(table, info):
    shrunken = Results(table.drop(columns="stat"), info)
    assert list(shrunken.top(3).index) == ["up1", "down", "up2"]
    assert list(shrunken.descriptions()) == ["baseMean", "log2FoldChange", "lfcSE", "pvalue", "padj", "padj_reason"]


def test_top_refuses_what_it_does_not_know(results):
    with pytest.raises(OptionError, match="Did you mean 'padj'"):
        results.top(by="padjj")
    with pytest.raises(OptionError, match="not negative"):
        results.top(-1)


def test_significant(results):
    assert list(results.significant().index) == ["up1", "down", "up2"]
    assert list(results.significant(0.01).index) == ["up1", "down"]


def test_descriptions_of_a_wald_test(results):
    assert results.descriptions() == {
        "baseMean": "mean of normalized counts for all samples",
        "log2FoldChange": "log2 fold change (MLE): dex trt vs untrt",
        "lfcSE": "standard error: dex trt vs untrt",
        "stat": "Wald statistic: dex trt vs untrt",
        "pvalue": "Wald test p-value: dex trt vs untrt",
        "padj": "BH adjusted p-values",
        "padj_reason": "tested, or why padj is missing",
    }


def test_descriptions_of_a_likelihood_ratio_test(table):
    info = ResultsInfo(label="dex trt vs untrt", test="LRT", formula="~ cell + dex", reduced="~ cell")
    texts = Results(table, info).descriptions()
    assert texts["log2FoldChange"] == "log2 fold change (MLE): dex trt vs untrt"
    assert texts["stat"] == "LRT statistic: '~ cell + dex' vs '~ cell'"
    assert texts["pvalue"] == "LRT p-value: '~ cell + dex' vs '~ cell'"


def test_text_has_the_descriptions_above_the_table(results):
    lines = repr(results).splitlines()
    assert lines[0] == "log2 fold change (MLE): dex trt vs untrt"
    assert lines[1] == "Wald test p-value: dex trt vs untrt"
    assert lines[2] == "7 genes"
    assert "baseMean" in lines[3]
    assert len(results) == 7


def test_html_is_escaped(table):
    text = Results(table, ResultsInfo(label="a<b", lfc_threshold=1.0))._repr_html_()
    assert "a&lt;b" in text
    assert "threshold: 1 (greaterAbs)" in text
    assert "<table" in text


@pytest.mark.parametrize("name", ["dex.csv", "dex.csv.gz"])
def test_csv_returns_the_same_table(results, tmp_path, name):
    results.to_csv(tmp_path / name)
    again = pd.read_csv(tmp_path / name, index_col="gene")
    pd.testing.assert_frame_equal(again, results.table, check_names=False, check_exact=True)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_csv_into_a_missing_folder(results, tmp_path):
    with pytest.raises(FileError, match="folder does not exist"):
        results.to_csv(tmp_path / "no" / "dex.csv")


def test_results_can_be_pickled(results):
    again = pickle.loads(pickle.dumps(results))
    pd.testing.assert_frame_equal(again.table, results.table)
    assert again.info.label == results.info.label


# ---- another filter statistic ----


def test_summary_names_another_filter_statistic(table):
    info = ResultsInfo(label="x", filter_statistic="baseVar", filter_threshold=12.345)
    lines = str(summarize(table, info)).splitlines()
    assert lines[5:7] == ["filtered [2]       : 1, 17%", "(baseVar < 12.3)"]
    assert lines[8].endswith("see filter=")


def test_summary_names_a_function_that_adjusted(table):
    info = ResultsInfo(label="x", filter_fun="weighted_bh", p_adjust="weighted_bh")
    assert "(adjusted by weighted_bh)" in str(summarize(table, info)).splitlines()
    assert Results(table, info).descriptions()["padj"] == "weighted_bh adjusted p-values"


# ---- s-values ----


@pytest.fixture
def shrunken(info):
    rows = {
        "a": (1.0, 1.0, 1.0, 0.001),
        "b": (2.0, -1.0, 1.0, 0.002),
        "c": (0.0, NAN, NAN, NAN),
        "d": (3.0, 2.0, 1.0, 0.1),
        "e": (4.0, 3.0, 1.0, 0.004),
        "f": (5.0, -0.5, 1.0, 0.0049),
    }
    columns = ["baseMean", "log2FoldChange", "lfcSE", "svalue"]
    return Results(pd.DataFrame.from_dict(rows, orient="index", columns=columns), info)


def test_summary_of_s_values(shrunken, capsys):
    summary = shrunken.summary()
    assert (summary.nonzero, summary.significant, summary.up, summary.down) == (5, 4, 2, 2)
    assert (summary.outliers, summary.low_counts, summary.alpha) == (None, None, 0.005)
    # as R prints it
    assert capsys.readouterr().out.split("\n")[1:-2] == [
        "out of 5 with nonzero total read count",
        "s-value < 0.005",
        "LFC > 0 (up)       : 2, 40%",
        "LFC < 0 (down)     : 2, 40%",
    ]
    assert repr(summary) == "<Summary: 2 up, 2 down of 5 genes, svalue < 0.005>"


def test_summary_of_s_values_at_another_level(shrunken):
    summary = summarize(shrunken.table, shrunken.info, 0.0045)
    assert (summary.up, summary.down) == (2, 1)


def test_genes_are_ordered_by_s_value(shrunken):
    assert list(shrunken.top(10).index) == ["a", "b", "e", "f", "d", "c"]
    assert list(shrunken.top(2, by="svalue").index) == ["a", "b"]
    assert list(shrunken.top(1, by="log2FoldChange").index) == ["e"]
    assert list(shrunken.significant().index) == ["a", "b", "e", "f"]
    assert list(shrunken.significant(0.0015).index) == ["a"]


def test_columns_that_are_not_there_are_named(shrunken, results):
    with pytest.raises(OptionError, match="by='padj': the table has no such column; it has 'baseMean'"):
        shrunken.top(by="padj")
    with pytest.raises(OptionError, match="by='svalue'"):
        results.top(by="svalue")


def test_p_values_decide_where_both_are(shrunken):
    table = shrunken.table.assign(pvalue=0.01, padj=[0.01, 0.5, NAN, 0.02, 0.6, 0.7])
    both = Results(table, shrunken.info)
    assert list(both.significant().index) == ["a", "d"]
    assert summarize(both.table, both.info).by == "padj"


# ---- why there is no p-value ----


def test_reasons_of_no_gene_have_no_footnote_and_no_cutoff(table, info):
    def lines(left_out):
        return str(summarize(table.drop(index=left_out), info)).splitlines()[4:]

    of = {word: list(table.index[table["padj_reason"] == word]) for word in ("outlier", "low_count")}
    assert lines(of["outlier"] + of["low_count"]) == ["outliers           : 0, 0%", "low counts         : 0, 0%"]
    no_outlier, no_low_count = lines(of["outlier"]), lines(of["low_count"])
    assert no_outlier[:3] == ["outliers           : 0, 0%", "low counts [1]     : 1, 20%", "(mean count < 5)"]
    assert no_outlier[3].startswith("[1] counts too low")
    assert no_low_count[:2] == ["outliers [1]       : 1, 20%", "low counts         : 0, 0%"]
    assert no_low_count[2].startswith("[1] one sample")


def test_genes_that_are_not_estimated_are_no_outliers(table, info):
    table.loc["unweighted"] = (40.0, NAN, NAN, NAN, NAN, NAN, "not_estimated")
    summary = summarize(table, info)
    assert (summary.outliers, summary.not_estimated, summary.nonzero) == (1, 1, 7)
    lines = str(summary).splitlines()
    assert lines[4:8] == [
        "outliers [1]       : 1, 14%",
        "low counts [2]     : 1, 14%",
        "(mean count < 5)",
        "not estimated      : 1, 14%",
    ]
    assert lines[8].startswith("[1]")
    without = summarize(table.drop(columns="padj_reason"), info)
    assert (without.outliers, without.not_estimated) == (2, 0)


def test_the_note_on_outliers_names_the_rule(table):
    cooks, model = (str(summarize(table, ResultsInfo(label="x", outliers=rule))) for rule in ("cooks", "model"))
    assert "see cooks_cutoff=" in cooks
    assert "find_outliers" not in cooks
    assert "far from its fitted mean" in model
    assert "see find_outliers()" in model
    assert "not estimated" not in cooks


def test_what_is_infinite_in_a_shrunken_table(table):
    table["separated"] = [True] + [False] * 6
    plain = Results(table, ResultsInfo(label="x"))
    assert plain.descriptions()["separated"].startswith("whether a group has no count at all: the fold change is inf")
    assert summarize(table, plain.info).separated == 1
    # p-values of the maximum likelihood estimate beside a shrunken fold change
    kept = ResultsInfo(label="x", shrinkage="apeglm")
    text = Results(table, kept).descriptions()["separated"]
    assert "the maximum likelihood fold change is infinite and its Wald p-value is unreliable" in text
    assert summarize(table, kept).separated == 1
    # p-values of the shrunken fold change
    own = ResultsInfo(label="x", shrinkage="normal", shrunken_test=True)
    assert Results(table, own).descriptions()["separated"].endswith("the maximum likelihood fold change is infinite")
    assert summarize(table, own).separated == 0


def test_the_record_prints_without_its_arrays():
    quantiles = np.linspace(0, 0.95, 50)
    info = ResultsInfo(label="B vs A", filter_num_rej=(quantiles, quantiles), filter_threshold=1 / 3)
    text = repr(info)
    assert text.splitlines()[0] == "ResultsInfo: B vs A"
    assert "filter_num_rej: rejections at 50 quantiles" in text
    assert "filter_threshold: 0.333333" in text
    assert "array" not in text
    assert "None" not in text
    assert "50 quantiles" in info._repr_html_()


def test_a_summary_of_the_intercept_says_that_nothing_is_compared(table):
    told = [str(summarize(table, ResultsInfo(label=label))) for label in ("Intercept", "B vs A")]
    assert ["nothing is compared" in text for text in told] == [True, False]
