"""Data sets in files: the same to the last bit after loading, and refused when they are not what they should be."""

import io
import json
import re
import zipfile

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.api.saving import RECORDS, load, save
from countnest.errors import FileError
from countnest.io import archive
from countnest.io.archive import write_archive
from countnest.io.values import Encoder, record_types
from unit.api.simulated import study


def through_a_file(dds, tmp_path):
    path = tmp_path / "data.countnest"
    save(dds, path)
    return load(path)


def assert_same(one, other):
    """Every table of both data sets has the same values, types and labels."""
    tables = [
        lambda dds: dds.genes,
        lambda dds: dds.counts(),
        lambda dds: dds.counts(normalized=True),
        lambda dds: dds.samples,
        lambda dds: dds._data.sheet,
        lambda dds: pd.DataFrame(dds.design.matrix, columns=dds.design.columns),
        lambda dds: dds.coef(),
        lambda dds: dds.coef(se=True),
        lambda dds: dds.cooks(),
        lambda dds: dds.mu(),
        lambda dds: dds.results(alpha=0.05).table,
    ]
    for table in tables:
        pd.testing.assert_frame_equal(table(one), table(other), check_exact=True)
    assert one.results().table.to_csv() == other.results().table.to_csv()
    assert repr(one) == repr(other)
    assert one.design.notes == other.design.notes
    assert one.dispersion_trend.coefficients == other.dispersion_trend.coefficients
    means = np.geomspace(0.1, 1e5, 50)
    np.testing.assert_array_equal(one.dispersion_trend(means), other.dispersion_trend(means))
    assert vars(one).keys() == vars(other).keys()


@pytest.fixture(scope="module")
def dds():
    """Three groups in two batches; not changed by the tests."""
    return cn.DESeqDataSet(*study(), design="~ batch + group", reference={"group": "b"}).deseq(quiet=True)


@pytest.fixture(scope="module")
def content(dds, tmp_path_factory):
    """The bytes of a saved data set."""
    path = tmp_path_factory.mktemp("saved") / "whole"
    save(dds, path)
    return path.read_bytes()


# ---- what comes back ----


def test_everything_comes_back(dds, tmp_path):
    loaded = through_a_file(dds, tmp_path)
    assert_same(dds, loaded)
    assert loaded.samples["group"].cat.categories[0] == "b"
    for ask in (
        lambda each: each.results(("group", "c", "a"), lfc_threshold=0.5).table,
        lambda each: each.effect("group").joint().test("lrt").table,
        lambda each: each.query("group[c - a]").test("t").table,
        lambda each: each.effect("group", by="batch").test().table,
    ):
        pd.testing.assert_frame_equal(ask(loaded), ask(dds), check_exact=True)


def test_the_analysis_goes_on_from_a_file(dds, tmp_path):
    started = cn.DESeqDataSet(*study(), design="~ batch + group", reference={"group": "b"})
    loaded = through_a_file(started, tmp_path)
    assert loaded.size_factors is None
    loaded = through_a_file(loaded.estimate_size_factors(), tmp_path)
    loaded = through_a_file(loaded.estimate_dispersions(quiet=True), tmp_path)
    step_by_step = through_a_file(loaded.nbinom_wald_test(quiet=True), tmp_path)
    pd.testing.assert_frame_equal(step_by_step.coef(), dds.coef(), check_exact=True)


def test_the_same_data_set_gives_the_same_bytes(content, tmp_path):
    save(load_bytes(content, tmp_path), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content


def load_bytes(data, tmp_path):
    path = tmp_path / "some"
    path.write_bytes(data)
    return load(path)


def test_likelihood_ratio_tests(tmp_path):
    dds = cn.DESeqDataSet(*study(), design="~ batch + group").deseq(test="LRT", reduced="~ batch", quiet=True)
    loaded = through_a_file(dds, tmp_path)
    assert_same(dds, loaded)
    pd.testing.assert_frame_equal(dds.results(test="Wald").table, loaded.results(test="Wald").table, check_exact=True)
    assert loaded.results().info.reduced == "~ batch"


def test_replaced_counts(tmp_path):
    counts, sheet = study(n=16, levels=("a", "b"), seed=3)
    counts.iloc[40, 2] = 200_000
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True)
    loaded = through_a_file(dds, tmp_path)
    assert_same(dds, loaded)
    assert loaded.genes["replace"].sum() >= 1
    pd.testing.assert_frame_equal(dds.counts(replaced=True), loaded.counts(replaced=True), check_exact=True)


@pytest.mark.parametrize("fit_type", ["local", "mean"])
def test_other_trends(fit_type, tmp_path):
    dds = cn.DESeqDataSet(*study(), design="~ group").deseq(quiet=True, fit_type=fit_type, use_t=True)
    loaded = through_a_file(dds, tmp_path)
    assert_same(dds, loaded)
    assert loaded.dispersion_trend.fit_type == fit_type


def test_normalization_factors_and_weights(tmp_path):
    counts, sheet = study()
    rng = np.random.default_rng(4)
    factors = np.exp(rng.normal(0.0, 0.2, counts.shape))
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", normalization_factors=factors)
    loaded = through_a_file(dds.deseq(quiet=True), tmp_path)
    assert_same(dds, loaded)
    assert loaded.size_factors is None
    weighted = cn.DESeqDataSet(counts, sheet, design="~ group", weights=rng.uniform(0.2, 1.0, counts.shape))
    assert_same(weighted.deseq(quiet=True), through_a_file(weighted, tmp_path))


def test_nested_designs(tmp_path):
    data = cn.simulate.nested(genes=60, families=3, treat1=("A", "B"), lost=1, rng=2)
    dds = cn.DESeqDataSet(data.counts, data.samples, design=data.design, reference=data.reference, blocks={"ind"})
    loaded = through_a_file(dds.deseq(quiet=True), tmp_path)
    assert_same(dds, loaded)
    assert loaded.design.nesting == dds.design.nesting
    asked = [each.effect("treat2", by="treat1").test("lrt").table for each in (dds, loaded)]
    pd.testing.assert_frame_equal(*asked, check_exact=True)


def test_designs_that_are_matrices(dds, tmp_path):
    counts, sheet = study()
    frame = pd.DataFrame(dds.design.matrix, columns=list("abcd"), index=sheet.index[::-1]).iloc[::-1]
    for options in (
        {"design": dds.design.matrix},
        {"design": pd.DataFrame(dds.design.matrix)},
        {"design": frame, "same_as": "~ batch + group", "reference": {"group": "b"}},
    ):
        mine = cn.DESeqDataSet(counts, sheet, **options).deseq(quiet=True)
        assert_same(mine, through_a_file(mine, tmp_path))


def test_expressions_and_numbers_that_look_like_labels(tmp_path):
    counts, sheet = study()
    rng = np.random.default_rng(5)
    sheet = sheet.assign(age=rng.uniform(0.2, 0.7, 12), dose=np.tile([1, 2, 3], 4), **{"odd name": rng.random(12)})
    dds = cn.DESeqDataSet(
        counts, sheet, design="~ poly(age, 2) + log(dose) + `odd name` + I(age**2)", numeric_ok={"dose"}
    )
    assert_same(dds.deseq(quiet=True), through_a_file(dds, tmp_path))


def test_all_kinds_of_columns_of_the_sample_sheet(tmp_path):
    counts, sheet = study()
    sheet = sheet.assign(
        whole=np.arange(12, dtype=np.int32),
        small=np.linspace(0.0, 1.0, 12, dtype=np.float32),
        logical=np.arange(12) % 2 == 0,
        nullable=pd.array([None, *range(11)], dtype="Int64"),
        maybe=pd.array([None, True, False] * 4, dtype="boolean"),
        text=pd.array([None, *"abcdefghijk"], dtype="string"),
        mixed=[None, np.nan, 1, 2.5, True, "x"] * 2,
        ordered=pd.Categorical(list("cab") * 4, categories=["c", "b", "a", "never"], ordered=True),
        numbered=pd.Categorical([3, 1, 2, 2] * 3),
        day=pd.date_range("2020-02-27", periods=12),
        took=pd.to_timedelta(np.arange(12), unit="h"),
    )
    sheet.index.name = "tube"
    counts.index.name = "symbol"
    dds = cn.DESeqDataSet(counts, sheet, design="~ group + numbered").deseq(quiet=True)
    loaded = through_a_file(dds, tmp_path)
    assert_same(dds, loaded)
    assert loaded.gene_names.name == "symbol"
    assert loaded.samples["mixed"].tolist()[2:6] == [1, 2.5, True, "x"]


def test_what_a_file_cannot_hold(tmp_path):
    counts, sheet = study()
    odd = sheet.assign(odd=[[1, 2]] * 12)
    with pytest.raises(FileError, match=r"data\['sheet'\]\['odd'\] holds a value of type list"):
        save(cn.DESeqDataSet(counts, odd, design="~ group"), tmp_path / "odd")
    odd = sheet.assign(odd=pd.period_range("2020", periods=12, freq="D"))
    with pytest.raises(FileError, match=r"\['odd'\] is of type period\[D\]; make it text"):
        save(cn.DESeqDataSet(counts, odd, design="~ group"), tmp_path / "odd")
    dds = cn.DESeqDataSet(counts, sheet, design="~ group")
    dds._state = {"trend": np.sqrt}
    with pytest.raises(FileError, match="is a function that you gave"):
        save(dds, tmp_path / "odd")
    dds._state = {"trend": object()}
    with pytest.raises(FileError, match="of type object"):
        save(dds, tmp_path / "odd")
    dds._state = np.array([{}], dtype=object)
    with pytest.raises(FileError, match=r"state\['_state'\] is of type ndarray"):
        save(dds, tmp_path / "odd")
    assert list(tmp_path.iterdir()) == []


def test_trends_that_are_functions(tmp_path):
    dds = cn.DESeqDataSet(*study(), design="~ group").deseq(quiet=True, fit_type=lambda mean: 0.1 + 1.0 / mean)
    with pytest.raises(FileError, match=r"the dispersion trend is a function of yours \(fit_type=\), .*Use fit_type="):
        save(dds, tmp_path / "no")


def test_example_data_sets_keep_their_truth(tmp_path):
    dds = cn.make_example_dataset(n=60, m=6, beta_sd=1.0).deseq(quiet=True)
    loaded = through_a_file(dds, tmp_path)
    assert type(loaded) is type(dds)
    assert_same(dds, loaded)
    pd.testing.assert_frame_equal(loaded.truth, dds.truth, check_exact=True)
    loaded.truth = None
    assert through_a_file(loaded, tmp_path).truth is None


def test_normalization_factors_of_a_single_gene(tmp_path):
    counts, sheet = study()
    factors = np.linspace(0.5, 2.0, 12)[np.newaxis]
    dds = cn.DESeqDataSet(counts.iloc[[40]], sheet, design="~ group", normalization_factors=factors)
    loaded = through_a_file(dds, tmp_path)
    assert loaded.size_factors is None
    np.testing.assert_array_equal(loaded.normalization_factors, factors)


# ---- files that are not what they should be ----


def test_files_of_another_kind(tmp_path):
    with pytest.raises(FileError, match="there is no file"):
        load(tmp_path / "nothing")
    with pytest.raises(FileError, match="is a folder"):
        load(tmp_path)
    other = tmp_path / "other"
    for data in (b"", b"gene,s1\n", b"PK\x03\x04"):
        other.write_bytes(data)
        with pytest.raises(
            FileError, match=r"does not hold what .*: BadZipFile: File is not a zip file\. Give a file that save"
        ):
            load(other)
    np.savez(tmp_path / "arrays.npz", a=np.ones(3))
    with pytest.raises(FileError, match=r"does not hold what .*: ValueError: its members are 'a\.npy'"):
        load(tmp_path / "arrays.npz")


def test_files_that_are_cut_off(content, tmp_path):
    size = len(content)
    for length in (1, 29, 44, 45, 60, 100, 1000, size // 4, size // 2, size - 65, size - 64, size - 23, size - 1):
        with pytest.raises(FileError, match=r"it is damaged or incomplete: copy it again"):
            load_bytes(content[:length], tmp_path)


def outcome(data, tmp_path):
    """Return the data set of a file and no message, or none and the message of the error."""
    try:
        return load_bytes(data, tmp_path), ""
    except FileError as error:
        return None, str(error)


def test_a_wrong_bit_never_changes_what_is_loaded(dds, content, tmp_path):
    """It is found, unless it is in what a zip archive says of a member's date and the like."""
    rng = np.random.default_rng(6)
    places = [*range(60), *rng.integers(60, len(content), 150), *range(len(content) - 100, len(content))]
    found = 0
    for place in places:
        wrong = bytearray(content)
        wrong[place] ^= 1 << int(rng.integers(8))
        loaded, message = outcome(bytes(wrong), tmp_path)
        if loaded is None:
            assert re.search("damaged or incomplete|Install a newer|cannot read", message)
            found += 1
        else:
            pd.testing.assert_frame_equal(loaded.genes, dds.genes, check_exact=True)
            pd.testing.assert_frame_equal(loaded.counts(), dds.counts(), check_exact=True)
    assert found > 0.7 * len(places)


def rewritten(content, tmp_path, change, monkeypatch):
    """Return the path of a file with another header."""
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        header = json.loads(old.read("countnest.json"))
        arrays = [np.load(io.BytesIO(old.read(name))) for name in old.namelist()[1:]]
    change(header)

    class Rewriting(Encoder):
        def __init__(self, records):
            super().__init__(records)
            self.arrays = arrays

    monkeypatch.setattr(archive, "Encoder", Rewriting)
    monkeypatch.setattr(archive.json, "dumps", lambda *_args, **_options: dumps(header))
    path = tmp_path / "changed"
    write_archive({}, path)
    monkeypatch.undo()
    return path


dumps = json.dumps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict, None),
        (lambda h: h.update(format=99, countnest="9.9"), "has format 99, written by countnest 9.9; .* Install a newer"),
        (lambda h: h["content"].pop("data"), "does not hold a data set: 'data'"),
        (lambda h: h["content"].update(names={"tuple": ["a"]}), "coded otherwise by this version"),
        (lambda h: h["content"].update(state={"odd": 1}), "does not hold what"),
        (lambda h: h["content"].update(state={"dict": [["_later", 1]]}), "holds _later, which this version"),
        (lambda h: h["content"].update(state={"dict": [["_design", 1]]}), "holds _design, which this version"),
        (lambda h: state_of(h).update(record="Path"), r"holds 'Path', unlike countnest"),
        (lambda h: state_of(h)["fields"].update(later=1), r"holds 'Fitted\.later', unlike"),
        (lambda h: state_of(h)["fields"].pop("moments"), r"lacks 'Fitted\.moments', unlike"),
        (lambda h: state_of(h)["fields"].update(fit={"array": 9999}), "does not hold what"),
        (lambda h: design_of(h, "~ I(np.fromfile('x'))"), "does not hold a data set: .*function 'np.fromfile'"),
        (lambda h: design_of(h, "~ I(group.to_pickle('x'))"), "does not hold a data set: .*function 'group.to_pickle'"),
        (lambda h: design_of(h, "~ I([group for group in group])"), "does not hold a data set: .*has 'for'"),
        (lambda h: design_of(h, "~ group + exit()", name="same_as"), "does not hold a data set: .*function 'exit'"),
        (lambda h: design_of(h, "~ nothing"), "does not hold a data set: .*not a column"),
    ],
)
def test_contents_that_do_not_fit(content, tmp_path, monkeypatch, change, message):
    path = rewritten(content, tmp_path, change, monkeypatch)
    if message is None:
        assert len(load(path).genes) == 150
        return
    with pytest.raises(FileError, match=message):
        load(path)


def state_of(header):
    return dict(header["content"]["state"]["dict"])["_state"]


def design_of(header, formula, name="design"):
    options = header["content"]["options"]["dict"]
    next(pair for pair in options if pair[0] == name)[1] = formula


def test_fields_that_an_older_file_lacks_have_their_defaults(content, tmp_path, monkeypatch):
    path = rewritten(content, tmp_path, lambda h: state_of(h)["fields"].pop("weights"), monkeypatch)
    assert load(path)._state.weights is None


def test_only_records_of_an_analysis_are_built():
    found = record_types(RECORDS)
    expected = {"Normalized", "Dispersed", "Fitted", "ModelFit", "DispersionTrend", "LocalCurve", "ParametricTrend"}
    assert expected <= found.keys()
    assert all(kind.__module__.startswith("countnest.") for kind in found.values())


def test_a_file_that_cannot_be_written(dds, tmp_path):
    with pytest.raises(FileError, match="folder does not exist"):
        save(dds, tmp_path / "no" / "file")
    (tmp_path / "old").write_bytes(b"kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.lib.format, "write_array", lambda *_args, **_options: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            save(dds, tmp_path / "old")
    assert (tmp_path / "old").read_bytes() == b"kept"
