"""A data set handled as a table: parts, copies, a new design, a new sample sheet, edits that never vanish."""

import copy
import doctest
import pickle

import numpy as np
import pandas as pd
import pytest

import countnest as cn
import countnest.api.handling as module
from countnest.errors import (
    ContrastError,
    CountnestError,
    CountnestWarning,
    CountsError,
    DesignError,
    FileError,
    FormulaError,
    MissingStepError,
    OptionError,
    SamplesError,
    UnknownNameError,
)
from countnest.methods.deseq2.stages import Fitted
from countnest.protected import compares_read_only
from unit.api.simulated import study

GROUPS = ["a"] * 4 + ["b"] * 4 + ["c"] * 4


def data_set(design="~ batch + group", **options):
    counts, sheet = study(levels=("a", "b", "c"))
    return cn.DESeqDataSet(counts, sheet, design=design, reference={"group": "b"}, **options)


@pytest.fixture(scope="module")
def fitted():
    return data_set().deseq(quiet=True)


# ---- size and copies ----


def test_size(fitted):
    assert len(fitted) == 150
    assert fitted.shape == (150, 12)
    for ask in (iter, lambda dds: "g1" in dds, np.asarray):
        with pytest.raises(TypeError):
            ask(fitted)


def test_a_copy_is_independent(fitted):
    table = fitted.results().table
    for make in (lambda dds: dds.copy(), copy.copy, copy.deepcopy):
        new = make(fitted)
        pd.testing.assert_frame_equal(new.results().table, table)
        new.design = "~ group"
        new.size_factors = np.ones(12)
        new.gene_info = pd.Series("x", new.gene_names)
        new.samples = new.samples.assign(extra=1)
        new.n_threads = 1
        assert fitted.design.formula == "~ batch + group"
        assert fitted.size_factors["s0"] != 1
        assert (list(fitted.gene_info), list(fitted.samples)) == ([], ["batch", "group"])
        pd.testing.assert_frame_equal(fitted.results().table, table)
    example = cn.make_example_dataset(20, 4)
    new = example.copy()
    new.truth.iloc[0, 0] = np.inf
    assert np.isfinite(example.truth.iloc[0, 0])


# ---- parts ----


def test_some_genes_keep_size_factors_and_nothing_else(fitted):
    part = fitted[["g9", "g5"]]
    assert list(part.gene_names) == ["g9", "g5"]
    pd.testing.assert_frame_equal(part.counts(), fitted.counts().loc[["g9", "g5"]])
    pd.testing.assert_series_equal(part.size_factors, fitted.size_factors)
    with pytest.raises(MissingStepError, match="there are no dispersions yet"):
        _ = part.dispersions
    with pytest.raises(MissingStepError):
        part.results()
    assert part.design is fitted.design
    assert len(fitted.results()) == 150
    # what is estimated of the part is that of the same genes with these factors
    kept = fitted[fitted.counts().sum(axis=1) > 50]
    alone = data_set(size_factors=fitted.size_factors)[list(kept.gene_names)]
    one, other = (each.deseq(quiet=True).results().table for each in (kept, alone))
    pd.testing.assert_frame_equal(one, other)


def test_what_belongs_to_genes_goes_with_them():
    counts, sheet = study()
    weights = pd.DataFrame(np.random.default_rng(1).uniform(0.5, 1, counts.shape), counts.index, counts.columns)
    dds = cn.DESeqDataSet(
        counts, sheet, "~ group", weights=weights, normalization_factors=weights + 0.5,
        gene_info=pd.Series(range(150), counts.index), n_threads=1,
    )  # fmt: skip
    part = dds[[30, 20], ["s3", "s0", "s4", "s5", "s9", "s10"]]
    genes, samples = ["g30", "g20"], ["s3", "s0", "s4", "s5", "s9", "s10"]
    pd.testing.assert_frame_equal(part.normalization_factors, dds.normalization_factors.loc[genes, samples])
    np.testing.assert_array_equal(part._weights, weights.loc[genes, samples])
    assert list(part.gene_info.iloc[:, 0]) == [30, 20]
    assert part.n_threads == 1
    example = cn.make_example_dataset(20, 4)
    assert list(example[5:2:-1].truth.index) == ["gene6", "gene5", "gene4"]


def test_a_key_of_the_wrong_axis_gets_the_right_form(fitted):
    control = fitted.samples["group"] == "a"
    for key in (control, control.to_numpy(), "s1", ["s0", "s1"]):
        with pytest.raises(CountsError, match=r"Samples are chosen by dds\[:, samples\]\."):
            fitted[key]
    for key in (fitted.counts().sum(axis=1) > 10, ["g1", "g2"]):
        with pytest.raises(SamplesError, match=r"Genes are chosen by dds\[genes\]\."):
            fitted[:, key]
    with pytest.raises(
        SamplesError, match=r"lacks 7 samples: 's5', .* to leave out the others: dds\[:, samples.index\]"
    ):
        fitted.samples = fitted.samples.iloc[:5]


def test_a_symbol_as_key_gets_the_label(fitted):
    named = fitted.copy()
    named.gene_info = pd.Series([f"SYM{k}" for k in range(150)], named.gene_names)
    for ask in (
        lambda: named["SYM3"], lambda: named[["g1", "SYM3"]], lambda: cn.covariance(named, "SYM3"),
        lambda: cn.predict(named, named.samples.head(1), genes=["g1", "SYM3"]),
    ):  # fmt: skip
        with pytest.raises(CountnestError, match=r"'SYM3' is the symbol of 'g3': give the label"):
            ask()


def test_some_samples_are_analysed_as_if_the_others_had_never_been(fitted):
    chosen = [f"s{j}" for j in range(11, 1, -1)]
    part = fitted[:, chosen]
    assert part.size_factors is None
    with pytest.raises(MissingStepError):
        part.results()
    assert list(part.samples.index) == chosen
    counts, sheet = study()
    alone = cn.DESeqDataSet(counts[chosen], sheet.loc[chosen], "~ batch + group", reference={"group": "b"})
    one, other = (each.deseq(quiet=True).results().table for each in (part, alone))
    pd.testing.assert_frame_equal(one, other)


def test_factors_stay_with_samples_only_if_they_were_given():
    given = pd.Series(np.linspace(0.5, 2, 12), [f"s{j}" for j in range(12)])
    chosen = [1, 3, 4, 5, 8, 9, 10]
    dds = data_set(size_factors=given)
    for act in (lambda: dds, lambda: dds.deseq(quiet=True)):
        assert list(act()[:, chosen].size_factors) == list(given.iloc[chosen])
    dds = data_set()
    dds.size_factors = given
    assert list(dds[:, chosen].size_factors) == list(given.iloc[chosen])
    assert dds.estimate_size_factors()[:, chosen].size_factors is None
    assert data_set().deseq(quiet=True)[:40][:, chosen].size_factors is None
    dds.design = "~ group"
    assert dds.size_factors is not None
    assert dds[:, chosen].size_factors is None


def test_lost_levels_and_cells_are_reported():
    dds = data_set("~ batch * group")
    with pytest.warns(
        CountnestWarning, match=r"no sample has group 'c' any more; the coefficients are now 'Intercept'"
    ):
        part = dds[:, dds.samples["group"] != "c"]
    assert part.results_names() == ["Intercept", "batch_y_vs_x", "group_a_vs_b", "batchy.groupa"]
    with pytest.warns(CountnestWarning, match="no sample has group 'b' any more; the reference level of group is now"):
        part = dds[:, dds.samples["group"] != "b"]
    assert part.design.levels["group"] == ("a", "c")
    part.design = "~ group"  # the lost reference is none any more
    assert part.design.levels["group"] == ("a", "c")
    with pytest.warns(CountnestWarning, match="1 cell without samples now: 'batch=y, group=c'"):
        part = dds[:, ~((dds.samples["batch"] == "y") & (dds.samples["group"] == "c"))]
    assert "batchy.groupc" not in part.results_names()


def test_samples_that_do_not_suffice_for_the_design():
    counts, sheet = study()
    dds = cn.DESeqDataSet(counts, sheet, np.column_stack([np.ones(12), np.repeat([0, 1, 0], 4)]))
    assert list(dds[:, 2:7].design.matrix[:, 1]) == [0, 0, 1, 1, 1]
    with pytest.raises(DesignError, match=r"cannot be used with 4 of the 12 samples.*new\.design = '~ \.\.\.'"):
        dds[:, 4:8]
    new = dds.copy()
    new.design = "~ 1"
    assert new[:, 4:8].shape == (150, 4)


def test_what_cannot_be_chosen(fitted):
    with pytest.raises(CountsError, match=r"1 gene not in the data set: 'G5'\. Did you mean 'g5'"):
        fitted["G5"]
    with pytest.raises(SamplesError, match="1 sample not in the data set: 's99'"):
        fitted[:, "s99"]
    with pytest.raises(OptionError, match="got 3 things"):
        fitted["g1", "g2", "g3"]


def test_notes_of_parts_are_reported_once(fitted, monkeypatch, capsys):
    monkeypatch.setattr(module, "_TOLD", set())
    for _ in range(2):
        fitted[:30], fitted[:, 2:]
        data_set()[:30]
    told = capsys.readouterr().err.splitlines()
    lines = [line for line in told if not line.startswith("-- reference levels")]  # of new data sets
    assert len(lines) == 2
    assert "keeps the size factors; dispersions and the fit, which borrow from all genes, are dropped" in lines[0]
    assert "everything that was estimated is dropped" in lines[1]


def test_parts_are_saved(fitted, tmp_path):
    part = fitted[20:, 2:].deseq(quiet=True)
    cn.save(part, tmp_path / "part")
    pd.testing.assert_frame_equal(cn.load(tmp_path / "part").results().table, part.results().table)
    with pytest.raises(FileError, match="without any count in 's8', 's9', 's10', 's11' cannot be saved"):
        cn.save(fitted[2:4], tmp_path / "empty")


# ---- the design ----


def test_a_new_design_keeps_size_factors_and_options():
    dds = data_set(numeric_ok=("x",), blocks=()).deseq(quiet=True)
    factors = dds.size_factors
    dds.design = "~ batch"
    assert dds.results_names() == ["Intercept", "batch_y_vs_x"]
    pd.testing.assert_series_equal(dds.size_factors, factors)
    for ask in (dds.results, lambda: dds.dispersions):
        with pytest.raises(MissingStepError):
            ask()
    dds.design = "~ group"
    assert dds.design.levels == {"group": ("b", "a", "c")}
    fresh = data_set("~ group", size_factors=factors).deseq(quiet=True)
    pd.testing.assert_frame_equal(dds.deseq(quiet=True).results().table, fresh.results().table)
    dds.design = pd.DataFrame({"one": 1.0, "c": np.repeat([0.0, 0, 1], 4)}, index=dds.samples.index)
    assert dds.results_names() == ["one", "c"]
    dds.design = "~ group + batch"
    assert dds.design.levels["group"] == ("b", "a", "c")


def test_a_design_that_cannot_be_used_changes_nothing(fitted):
    table = fitted.results().table
    for design, error in (
        ("~ grup", FormulaError),
        ("~ batch +", FormulaError),
        (3, DesignError),
        (None, DesignError),
        (fitted.design, DesignError),
        (np.ones((3, 1)), DesignError),
    ):
        with pytest.raises(error):
            fitted.design = design
    pd.testing.assert_frame_equal(fitted.results().table, table)


def test_options_survive_designs_that_do_not_use_them(tmp_path):
    dds = data_set()
    dds.design = "~ batch"
    cn.save(dds, tmp_path / "saved")
    for each in (dds, cn.load(tmp_path / "saved"), dds[3:], dds[:, 1:], dds.copy()):
        each.design = "~ group"
        assert each.design.levels["group"][0] == "b"


def test_a_query_belongs_to_its_design(fitted):
    dds = fitted.copy()
    asked = dds.effect("group")
    dds.design = "~ group"
    dds.deseq(quiet=True)
    with pytest.raises(ContrastError, match="set after this query was made; make it again"):
        asked.test()
    with pytest.raises(ContrastError):
        cn.lfc_shrink(dds, query=asked[0], quiet=True)
    assert len(dds.effect("group").test()) == 2


# ---- the samples ----


def test_a_column_that_the_design_does_not_use_leaves_the_fit(fitted):
    dds = fitted.copy()
    dds.samples = dds.samples.assign(age=np.arange(12) / 4).iloc[::-1]
    assert isinstance(dds._state, Fitted)
    assert list(dds.samples["age"] * 4) == list(range(12))
    pd.testing.assert_frame_equal(dds.results().table, fitted.results().table)
    dds.design = "~ age + group"
    assert dds.results_names()[1] == "age"


def test_another_value_in_the_design_drops_the_fit(fitted):
    dds = fitted.copy()
    sheet = dds.samples.copy()
    sheet["batch"] = np.repeat(["p", "q"], 6)
    with pytest.warns(CountnestWarning, match="the reference level of batch is now 'p'"):
        dds.samples = sheet
    assert dds.results_names()[1] == "batch_q_vs_p"
    assert dds.design.levels["group"][0] == "b"
    pd.testing.assert_series_equal(dds.size_factors, fitted.size_factors)
    with pytest.raises(MissingStepError):
        dds.results()


def test_columns_that_come_back_are_as_they_were_given():
    counts, sheet = study()
    sheet = sheet.assign(dose=np.repeat([1, 2, 3], 4), late=[True, False] * 6)
    dds = cn.DESeqDataSet(counts, sheet, "~ C(dose) + late")
    assert isinstance(dds.samples["dose"].dtype, pd.CategoricalDtype)
    dds.samples = dds.samples.assign(extra=1)
    pd.testing.assert_frame_equal(dds._data.sheet, sheet.assign(extra=1))


def test_sheets_that_cannot_be_used_change_nothing(fitted):
    sheet, before = fitted.samples.copy(), fitted.samples
    for wrong, error, message in (
        (sheet.iloc[:5], SamplesError, "the sample sheet lacks 7 samples"),
        (sheet.rename(index={"s0": "x"}), SamplesError, "the sample labels do not match"),
        (sheet.drop(columns="group"), FormulaError, "not a column of the sample sheet"),
        (sheet.assign(group=None), SamplesError, "cannot have NA values"),
        (sheet.assign(group="b"), DesignError, "one level only"),
        (sheet.assign(group=np.repeat(["x", "y"], 6)), SamplesError, "no sample has this level"),
        (sheet.to_dict(), SamplesError, "samples is of type dict"),
        (pd.concat([sheet, sheet]), SamplesError, "more than once"),
    ):
        with pytest.raises(error, match=message):
            fitted.samples = wrong
    pd.testing.assert_frame_equal(fitted.samples, before)
    assert len(fitted.results()) == 150


# ---- edits ----


def test_edits_of_what_is_shown_are_refused_or_harmless():
    dds = data_set().deseq(quiet=True)
    before = dds.results().table
    for name in ("samples", "genes", "gene_info", "size_factors", "dispersions"):
        shown = getattr(dds, name)
        for indexer in (shown, shown.loc, shown.iloc):
            with pytest.raises(OptionError, match=rf"take a copy to work with, dds\.{name}\.copy\(\)"):
                indexer[0] = 1
    for frame in (dds.counts(), dds.mu(), dds.cooks(), dds.coef()):  # results of methods are the caller's
        frame.iloc[:] = 1.0
    table = dds.results().table.copy()
    table.iloc[:, 0] = -1.0
    pd.testing.assert_frame_equal(dds.results().table, before)
    by_gene = data_set(normalization_factors=np.ones((150, 12)))
    with pytest.raises(OptionError, match=r"dds\.normalization_factors = values"):
        by_gene.normalization_factors.loc["g1", "s1"] = 2.0


def test_designs_and_labels_of_a_fitted_data_set_cannot_be_edited():
    dds = data_set().deseq(quiet=True)
    before, sheet, names = dds.results().table.copy(), dds.samples.copy(), list(dds.gene_names)
    for other in (dds, dds.copy(), pickle.loads(pickle.dumps(dds))):
        design = other.design
        for edit in (
            lambda design: design.levels.__setitem__("group", ("c", "a", "b")),
            lambda design: design.levels.clear(),
            lambda design: design.orders.pop("group"),
            lambda design: design.sheet.__setitem__("group", "a"),
            lambda design: design.sheet.iloc.__setitem__((0, 0), "y"),
        ):
            with pytest.raises(OptionError, match=r"a design is .* is not edited: take a copy"):
                edit(design)
        shown = (other.gene_names, other.results().table.index, other.samples.index, other.counts().columns)
        for labels in shown if compares_read_only() else ():
            with pytest.raises(ValueError, match="read-only"):
                labels.values[0] = "x"
    pd.testing.assert_frame_equal(dds.results().table, before)
    pd.testing.assert_frame_equal(dds.samples, sheet)
    assert list(dds.gene_names) == names


def test_operators_set_the_whole():
    dds = data_set(size_factors=np.ones(12))
    dds.size_factors *= 2
    assert list(dds.size_factors) == [2.0] * 12


def test_attributes_that_do_not_exist_cannot_be_set(fitted):
    for name, message in (
        ("colData", "Here it is dds.samples"),
        ("smaples", "Did you mean 'samples'"),
        ("genes", "dds.genes cannot be set: it follows from .* What can be set is design, dispersions, gene_info"),
        ("counts", "dds.counts cannot be set: it is a method"),
        ("shape", "cannot be set"),
        ("note", "a data set has no attribute 'note'"),
    ):
        with pytest.raises(UnknownNameError, match=message):
            setattr(fitted, name, 1)

    class Mine(cn.DESeqDataSet):
        note: str

    counts, sheet = study()
    dds = Mine(counts, sheet, "~ group")
    dds.note = "mine"
    assert dds[:5].note == "mine"


def test_the_examples_run():
    found = doctest.DocTestFinder().find(module.Handling, globs={})
    tests = [test for test in found if test.examples]
    assert {test.name.rpartition(".")[2] for test in tests} == {"__getitem__", "design", "samples", "with_design"}
    for test in tests:
        assert doctest.DocTestRunner(verbose=False).run(test).failed == 0, test.name


def test_a_sheet_that_changes_the_design_says_so(fitted, capsys):
    dds = fitted.copy()
    capsys.readouterr()
    group = dds.samples["group"].astype(str).replace("a", "d")
    with pytest.warns(
        CountnestWarning, match="no sample has group 'a' any more; the coefficients are now .*group_d_vs_b"
    ):
        dds.samples = dds.samples.assign(group=group)
    told = capsys.readouterr().err
    assert "-- reference levels: batch x, group b" in told
    assert "dispersions and the fit are dropped; size factors stay" in told
    counts, sheet = study(levels=("a", "b", "c"))
    plain = cn.DESeqDataSet(counts, sheet, design="~ group", quiet=True)
    with pytest.warns(CountnestWarning, match="the reference level of group is now 'c'"):
        plain.samples = plain.samples.assign(group=["c"] * 6 + ["d"] * 6)
    with pytest.warns(CountnestWarning, match="group is a number now"):
        plain.samples = plain.samples.assign(group=np.arange(12) / 4)
    with pytest.warns(CountnestWarning, match="group is a factor now"):
        plain.samples = plain.samples.assign(group=["c"] * 6 + ["d"] * 6)
    plain.design = "~ group"
    assert capsys.readouterr().err == ""  # it was made quietly
