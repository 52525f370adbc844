"""Saved files that are not what save() wrote: the package's own error, before memory is taken."""

import copy
import io
import json
import stat
import tracemalloc
import warnings
import zipfile
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.api.saving import RECORDS, load, save
from countnest.errors import FileError
from countnest.io import archive
from countnest.io.values import record_types
from countnest.methods.deseq2.validity import SHAPES
from unit.api.simulated import study

MB = 1 << 20


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The members of a saved data set with a local trend and replaced counts: header as JSON, arrays as bytes."""
    counts, sheet = study(n=16, levels=("a", "b"), seed=3)
    counts.iloc[40, 2] = 200_000
    dds = cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True, fit_type="local")
    path = tmp_path_factory.mktemp("saved") / "whole"
    save(dds, path)
    with zipfile.ZipFile(path) as file:
        found = {name: file.read(name) for name in file.namelist()}
    return json.loads(found.pop("countnest.json")), found


def packed(entries, method=zipfile.ZIP_DEFLATED):
    """Return the bytes of an archive with these names, or ZipInfos, and bytes."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as target:
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, data in entries:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            info.compress_type = method if info.compress_type == zipfile.ZIP_STORED else info.compress_type
            target.writestr(info, data)
    return file.getvalue()


def written(data, path):
    path.write_bytes(data)
    return path


def refused(data, path, match=""):
    with pytest.raises(FileError, match=match or str(path)) as caught:
        load(written(data, path))
    assert str(caught.value).count("\n") == 0


def rewritten(saved, change=lambda _header, _arrays: None):
    header, arrays = copy.deepcopy(saved[0]), dict(saved[1])
    change(header, arrays)
    return packed([("countnest.json", json.dumps(header)), *arrays.items()])


def as_npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def with_header(shape, descr="<f8", data=b"", version=(1, 0)):
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(117 - len(text) % 64 + len(text) // 64 * 64) + "\n"
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2, "little") + text.encode() + data


def state_of(header):
    return dict(header["content"]["state"]["dict"])["_state"]["fields"]


def place_of(tree, *names):
    """Return the number of the array of a field, such as dispersions.final."""
    for name in names[:-1]:
        tree = tree[name]["fields"]
    return tree[names[-1]]["array"]


def data_of(header):
    return dict(header["content"]["data"]["dict"])


def test_the_file_that_is_changed_below_is_accepted(saved, tmp_path):
    dds = load(written(rewritten(saved), tmp_path / "same"))
    assert dds.dispersion_trend.fit_type == "local"
    assert dds.genes["replace"].sum() == 1


def test_how_much_a_file_may_unpack_to():
    assert not archive.is_bounded(5_000, 1_500_000_000, 1_500_000)
    assert not archive.is_bounded(1_500_000_000, 1_500_000_000, 1_500_000)
    assert archive.is_bounded(5_000_000, 56_000 * 1000 * 8 * 2, 65_000_000)  # 1000 samples with weights, as measured
    assert archive.is_bounded(100_000, 60_000_000, 100_000)


def test_members_that_take_memory_are_refused_before(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "ARRAYS_SIZE", MB)
    monkeypatch.setattr(archive, "TEXT_SIZE", MB)
    header = json.dumps(saved[0])
    zeros = bytes(24 * MB)
    another = (f"array_{len(saved[1])}.npy", zeros)
    bombs = {
        "an array of zeros": packed([("countnest.json", header), *saved[1].items(), another]),
        "spaces": packed([("countnest.json", header + " " * (5 * MB)), *saved[1].items()]),
        "counts of zeros": rewritten(
            saved, lambda _h, arrays: arrays.update({"array_0.npy": as_npy(np.zeros((3 * MB, 1)))})
        ),
    }  # fmt: skip
    del zeros, another
    for what, data in bombs.items():
        assert len(data) < 100_000
        path = written(data, tmp_path / "bomb")
        tracemalloc.start()
        try:
            with pytest.raises(FileError, match="would unpack to"):
                load(path)
            assert tracemalloc.get_traced_memory()[1] < 5 * MB, what
        finally:
            tracemalloc.stop()


def test_headers_of_arrays_are_checked_before_memory_is_taken(saved, tmp_path):
    headers = {
        "7 TiB": (with_header((10**6, 962072)), "takes 7696576000000"),
        "a product that overflows": (with_header((2**32, 2**32)), "has the shape"),
        "negative": (with_header((-1, -8), data=b"\0" * 64), "has the shape"),
        "negative and whole": (with_header((-3,)), "has the shape"),
        "too short": (with_header((4, 4), data=b"\0" * 64), "takes 128"),
        "too long": (with_header((1, 4), data=b"\0" * 64), "takes 32"),
        "objects": (as_npy(np.array([{}, "x"], dtype=object)), "is of type object"),
        "fields": (with_header((2,), descr=[("a", "<f8"), ("b", "<f8")], data=b"\0" * 32), "is of type"),
        "text without length": (with_header((10**9,), descr="<U0"), "is of type"),
        "raw bytes": (with_header((8,), descr="|V1", data=b"\0" * 8), "is of type"),
        "complex": (as_npy(np.zeros(4, dtype=complex)), "is of type complex"),
        "another version": (with_header((1,), data=b"\0" * 8, version=(9, 0)), "has the format"),
        "no header": (b"\x93NUMPY\x01\0\xff\xff", "EOF|short"),
        "code for a header": (with_header("__import__('os').system('touch left')"), "ValueError"),
        "nothing": (b"", "EOF|magic"),
        "text": (b"gene,s1,s2\n", "magic"),
    }
    for what, (array, message) in headers.items():
        data = rewritten(saved, lambda _h, arrays, array=array: arrays.update({"array_0.npy": array}))
        tracemalloc.start()
        try:
            refused(data, tmp_path / "file", message)
            assert tracemalloc.get_traced_memory()[1] < 20 * MB, what
        finally:
            tracemalloc.stop()


def test_members_that_no_saved_file_has(saved, tmp_path):
    arrays = list(saved[1].items())
    first = ("countnest.json", json.dumps(saved[0]))
    link, locked, squeezed = (zipfile.ZipInfo("array_0.npy") for _ in range(3))
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    squeezed.compress_type = zipfile.ZIP_BZIP2
    for entries in (
        [first, *arrays, ("../left", b"x")],
        [first, *arrays, ("/tmp/left", b"x")],
        [first, *arrays, ("array_0.npy", arrays[0][1])],
        [first, *arrays, first],
        [first, *arrays[1:]],
        [first, arrays[1], arrays[0], *arrays[2:]],
        [first, (link, b"/etc/passwd"), *arrays[1:]],
        [first, (squeezed, arrays[0][1]), *arrays[1:]],
    ):
        data = packed(entries)
        refused(data, tmp_path / "file", "does not hold what a saved data set holds")
    data = packed([first, (locked, arrays[0][1]), *arrays[1:]])
    directory = data.index(b"PK\x01\x02")
    for place in (directory + 8, data.index(b"PK\x01\x02", directory + 1) + 8):  # the flags of the first two members
        refused(data[:place] + b"\x01" + data[place + 1 :], tmp_path / "file", "encrypted")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def patched(data, at, value, size):
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


def test_archives_that_lie_about_their_members(saved, tmp_path):
    data = rewritten(saved)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        info = file.getinfo("array_0.npy")
        local = info.header_offset
    name = b"array_0.npy"
    entry = data.rindex(name) - 46  # its entry in the directory at the end
    assert data[entry : entry + 4] == b"PK\x01\x02"
    checksum, packed_size, size = entry + 16, entry + 20, entry + 24
    body = local + 30 + len(name)
    lies = (
        patched(data, checksum, info.CRC ^ 1, 4),
        patched(data, size, info.file_size - 8, 4),
        patched(data, size, info.file_size + 8, 4),
        patched(data, size, 2**32 - 2, 4),
        patched(data, packed_size, info.compress_size - 9, 4),
        patched(data, packed_size, len(data), 4),
        patched(data, entry + 42, local + 1, 4),
        patched(data, entry + 42, len(data) * 2, 4),
        data[:body] + bytes(len(data) - body - 3000) + data[-3000:],
        data[:body] + data[-100:],
        data[: len(data) // 2],
        data[:200],
    )
    for lie in lies:
        refused(lie, tmp_path / "file", "does not hold what a saved data set holds")


def test_headers_that_are_no_header(saved, tmp_path):
    arrays = list(saved[1].items())
    deep = "[" * 5000 + "]" * 5000
    whole = json.dumps(saved[0])
    for text in (
        "",
        "null",
        "[]",
        "{}",
        "{",
        "\udcff".encode("utf-8", "surrogateescape"),
        deep,
        '{"list": ' * 5000 + "1" + "}" * 5000,
        '{"format": 2, "countnest": "1", "content": {"data": ' + deep + "}}",
        '{"format": "2", "countnest": "1", "content": {}}',
        '{"format": 2, "countnest": "1", "content": []}',
        '{"format": 2, "countnest": "1"}',
        '{"format": 2, "content": {}}',
        '{"format": 2, "countnest": "1", "content": {"data": {"number": "9"}}}',
        '{"format": 2, "countnest": "1", "content": {"data": {"list": 3}}}',
        '{"format": 2, "countnest": "1", "content": {"data": {"a": 1, "b": 2}}}',
        '{"format": 2, "countnest": "1", "content": {"data": {"dict": [[{"list": []}, 1]]}}}',
        '{"format": NaN, "countnest": "1", "content": {}}',
        '{"format": 2, "countnest": "1", "content": {"data": ' + "9" * 5000 + "}}",
        whole.replace('{"array": 0}', '{"array": "0"}', 1),
        whole.replace('{"array": 0}', '{"array": -1}', 1),
        whole.replace('{"array": 0}', '{"array": 0.5}', 1),
    ):
        refused(packed([("countnest.json", text), *arrays]), tmp_path / "file")


def set_data(name, value):
    def change(header, _arrays):
        held = header["content"]["data"]["dict"]
        next(pair for pair in held if pair[0] == name)[1] = value

    return change


def index(**column):
    return {"index": {"dict": [["name", None], ["values", {"dict": [*map(list, column.items())]}]]}}


def frame(rows, *columns):
    labels = {"index": {"dict": [["name", None], ["range", {"list": [0, rows, 1]}]]}}
    names = index(type="values", values={"list": [f"c{i}" for i in range(len(columns))]}, dtype="object")
    held = [{"dict": [*map(list, column.items())]} for column in columns]
    return {"frame": {"dict": [["columns", names], ["index", labels], ["values", {"list": held}]]}}


def test_labels_and_tables_belong_to_the_counts(saved, tmp_path):
    huge = {"index": {"dict": [["name", None], ["range", {"list": [0, 10**12, 1]}]]}}
    for change in (
        set_data("genes", huge),
        set_data("samples", huge),
        set_data("samples", index(type="values", values={"list": ["a", "b"]}, dtype="object")),
        set_data("genes", None),
        set_data("counts", {"list": [1, 2]}),
        set_data("counts", 3),
        set_data("sheet", frame(10**12, {"type": "values", "values": {"list": [1]}, "dtype": "object"})),
        set_data("sheet", frame(16, {"type": "values", "values": {"list": ["a"] * 16}, "dtype": "S1000000000"})),
        set_data("sheet", frame(16, {"type": "times", "values": {"array": 1}, "dtype": "O"})),
        set_data("sheet", frame(16, {"type": "masked", "values": {"array": 1}, "missing": 0, "dtype": "object"})),
        set_data("sheet", frame(16, {"type": "categories", "codes": {"array": 0}, "categories": 3})),
        set_data("sheet", frame(16, {"type": "odd", "values": {"list": ["a"] * 16}})),
        set_data("gene_info", frame(3, {"type": "values", "values": {"list": ["a"] * 3}, "dtype": "object"})),
        lambda header, _: header["content"]["options"]["dict"].append(["weights", 1]),
        lambda header, _: header["content"]["options"]["dict"].append(["n_threads", 10**9]),
        lambda header, _: header["content"]["options"]["dict"].pop(),
        lambda header, _: header["content"].update(options=3),
        lambda header, _: header["content"].update(matrix={"list": ["a", {"list": []}]}),
    ):
        refused(rewritten(saved, change), tmp_path / "file")


def test_labels_and_tables_take_no_memory_before_they_are_refused(saved, tmp_path):
    numbers = {"type": "numbers", "values": {"array": 0}}
    for change in (
        set_data("sheet", frame(10**12)),
        set_data("sheet", frame(10**12, {"type": "numbers", "values": 1})),
        set_data("sheet", frame(150, *[numbers] * 1_000)),
        set_data("sheet", frame(16, {"type": "values", "values": {"list": ["a"] * 16}, "dtype": "U1000000000"})),
    ):
        data = rewritten(saved, change)
        tracemalloc.start()
        try:
            refused(data, tmp_path / "file")
            assert tracemalloc.get_traced_memory()[1] < 20 * MB
        finally:
            tracemalloc.stop()


def replaced(*names, by):
    """Put another array in place of that of a field of the analysis."""

    def change(header, arrays):
        place = place_of(state_of(header), *names)
        old = np.load(io.BytesIO(arrays[f"array_{place}.npy"]))
        arrays[f"array_{len(arrays)}.npy"] = as_npy(by(old))
        tree = state_of(header)
        for name in names[:-1]:
            tree = tree[name]["fields"]
        tree[names[-1]] = {"array": len(arrays) - 1}

    return change


def test_estimates_belong_to_the_counts(saved, tmp_path):
    def drop(x):
        return x[1:]

    def set_field(*names, value):
        def change(header, _arrays):
            tree = state_of(header)
            for name in names[:-1]:
                tree = tree[name]["fields"]
            tree[names[-1]] = value

        return change

    for change, message in (
        (replaced("factors", by=lambda x: x[:, 1:]), r"the analysis\.factors has the shape \(1, 15\)"),
        (replaced("factors", by=lambda x: np.tile(x, (150, 1))), r"factors has the shape \(150, 16\)"),
        (replaced("factors", by=lambda x: -x), "size factors are not above zero"),
        (replaced("factors", by=lambda x: x * np.nan), "size factors are not above zero"),
        (replaced("factors", by=lambda x: x[:, ::-1]), "those of other counts"),
        (replaced("moments", "mean", by=drop), r"moments\.mean has the shape"),
        (replaced("moments", "mean", by=lambda x: x[::-1]), "those of other counts"),
        (replaced("moments", "mean", by=lambda x: x.astype(np.float32)), r"BaseMoments\.mean'?: another type"),
        (replaced("moments", "all_zero", by=lambda x: ~x), "those of other counts"),
        (replaced("dispersions", "final", by=drop), r"dispersions\.final has the shape"),
        *(
            (replaced("dispersions", name, by=by), rf"dispersions \({name}\) are not above zero")
            for name in ("genewise", "fitted", "map", "final")
            for by in (lambda x: x * 0 - 1, lambda x: x * np.inf)
        ),
        (replaced("moments", "variance", by=lambda x: -x), "those of other counts"),
        (replaced("fit", "beta", by=lambda x: x * np.inf), "coefficients are infinite"),
        (replaced("fit", "se", by=lambda x: -x), "standard errors are below zero"),
        (replaced("fit", "highest_cooks", by=lambda x: -1 - x), "Cook's distances are below zero"),
        (set_field("fit", "min_mu", value=-1), "min_mu"),
        (set_field("dispersions", "min_mu", value=-1), "min_mu"),
        (set_field("dispersions", "trend", "disp_prior_var", value=-1), "disp_prior_var"),
        (set_field("fit", "test", value="LRT"), "its likelihood ratio test lacks the reduced model"),
        (lambda h, _: h["content"].update(more=1), "holds more, which this version"),
        *((lambda h, _, value=value: h.update(format=value), "is not a format") for value in (True, 1.5, -1, "2")),
        (replaced("dispersions", "final", by=lambda x: x[:, None]), r"dispersions\.final has the shape"),
        (replaced("dispersions", "map", by=lambda x: x.astype("U9")), "another type"),
        (replaced("dispersions", "trend", "trend", "curve", "values", by=drop), r"curve\.values has the shape"),
        (replaced("fit", "beta", by=lambda x: x[:, :1]), r"fit\.beta has the shape \(\d+, 1\)"),
        (replaced("fit", "se", by=lambda x: x.T), r"fit\.se has the shape"),
        (replaced("fit", "optimized", by=lambda x: x.astype(float)), "another type"),
        (replaced("replacement", "counts", by=lambda x: np.vstack([x, x])), r"replacement\.counts has the shape"),
        (replaced("replacement", "flagged", by=lambda x: x | True), r"replacement\.counts has the shape"),
        (set_field("given", value="no"), r"Fitted\.given'?: another type"),
        (set_field("moments", value=None), "another type"),
        (set_field("fit", value=state_of(saved[0])["moments"]), "another type"),
        (set_field("fit", "test", value="wald"), "another type"),
        (set_field("fit", "min_mu", value=True), "another type"),
        (
            set_field("dispersions", "trend", "trend", value={"record": "CustomTrend", "fields": {"function": 1}}),
            "type",
        ),
        (lambda h, _: h["content"]["state"].update(dict=[["_state", {"list": []}]]), "of another type"),
        (lambda h, _: h["content"]["state"].update(dict=[["_weights", {"array": 1}]]), "'_weights' does not belong"),
        (lambda h, _: h["content"]["state"].update(dict=[["_given", 3]]), "'_given' does not belong"),
        (lambda h, _: h["content"]["state"].update(dict=[["_given_by_gene", 3]]), "options are of another type"),
    ):
        refused(rewritten(saved, change), tmp_path / "file", message)


def test_shapes_are_those_of_fields_that_exist():
    known = record_types(RECORDS)
    for record, shapes in SHAPES.items():
        assert set(shapes) <= {field.name for field in fields(known[record])}


def test_analyses_of_every_kind_are_accepted(tmp_path):
    counts, sheet = study(n=16, levels=("a", "b"), seed=3)
    counts.iloc[40, 2] = 200_000
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.2, 1.0, counts.shape)
    lengths = rng.uniform(500.0, 2000.0, counts.shape)
    plain = cn.DESeqDataSet(counts, sheet, design="~ group")
    given = cn.DESeqDataSet(counts, sheet, design="~ group").estimate_size_factors()
    given.dispersions = np.full(len(counts), 0.1)
    for dds in (
        cn.DESeqDataSet(counts, sheet, design="~ group", weights=weights).deseq(quiet=True),
        cn.DESeqDataSet(counts, sheet, design="~ group", avg_tx_length=lengths).deseq(quiet=True),
        cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True, beta_prior=True),
        cn.DESeqDataSet(counts, sheet, design="~ group").deseq(quiet=True, test="LRT", reduced="~ 1"),
        given.nbinom_wald_test(quiet=True),
        plain.estimate_size_factors().estimate_dispersions(quiet=True, sharing="gene_est_only"),
    ):
        save(dds, tmp_path / "file")
        pd.testing.assert_frame_equal(load(tmp_path / "file").genes, dds.genes, check_exact=True)


def test_files_that_pack_well_are_larger_so_that_they_can_be_read(tmp_path, monkeypatch):
    counts = pd.DataFrame(np.zeros((3000, 40), dtype=np.int64), columns=[f"s{i}" for i in range(40)])
    counts.iloc[:3] = np.arange(120).reshape(3, 40) + 1
    sheet = pd.DataFrame({"group": list("ab") * 20}, index=counts.columns)
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", weights=np.ones(counts.shape))
    save(dds, tmp_path / "small")
    monkeypatch.setattr(archive, "ARRAYS_SIZE", 1000)
    monkeypatch.setattr(archive, "ARRAYS_RATIO", 20)
    with pytest.raises(FileError, match="would unpack to"):
        load(tmp_path / "small")
    save(dds, tmp_path / "large")
    assert (tmp_path / "large").stat().st_size > 1_900_000 > 20 * (tmp_path / "small").stat().st_size
    pd.testing.assert_frame_equal(load(tmp_path / "large").counts(), dds.counts())


def test_files_larger_than_the_memory(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "available_memory", lambda: 1000.0)
    refused(
        rewritten(saved), tmp_path / "file", "takes 1 MB of memory, and 1 MB are available. Load it on a larger machine"
    )


def test_text_that_is_not_valid_unicode_is_named_when_it_is_saved(tmp_path):
    counts, sheet = study(n=8, levels=("a", "b"), seed=3)
    dds = cn.DESeqDataSet(counts, sheet.assign(note="half \ud800"), design="~ group", quiet=True)
    with pytest.raises(FileError, match=r"not valid Unicode, a lone surrogate in '.*half \\ud800"):
        save(dds, tmp_path / "file")
    assert not list(tmp_path.iterdir())
