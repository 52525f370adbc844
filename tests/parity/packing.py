"""Columns of numbers, packed small: byte planes in one xz stream, described by a JSON header.

A float column keeps its missing values exactly and, unless it is `exact`, 44 of the 53 bits of its mantissa
(relative error at most 5.7e-14). A column that follows from earlier ones, bit by bit, is stored as that rule:

- ``same``: equal to an earlier column wherever it is not missing;
- ``ratio``: the quotient of two earlier columns;
- ``bh``: the Benjamini-Hochberg adjustment of an earlier column over the rows where this one is not missing.

Each rule is checked on the unrounded numbers when the file is written.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

DROPPED_BITS = 9
FILTERS: list[dict[str, Any]] = [{"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 4, "lp": 0, "pb": 0}]


def benjamini_hochberg(pvalue: np.ndarray) -> np.ndarray:
    """Adjust p-values without missing values, in the order of operations of R's ``p.adjust``."""
    order = np.argsort(-pvalue, kind="stable")
    n = pvalue.size
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(n / np.arange(n, 0, -1) * pvalue[order]))
    return adjusted


def rounded(values: np.ndarray, dropped_bits: int = DROPPED_BITS) -> np.ndarray:
    """Round the mantissas to nearest, leaving `dropped_bits` zero bits at the end."""
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
    half, keep = np.uint64(1 << (dropped_bits - 1)), ~np.uint64((1 << dropped_bits) - 1)
    return ((bits + half) & keep).view(np.float64)


def _planes(values: np.ndarray) -> bytes:
    """Return the bytes of an array, the first byte of every value, then the second byte of every value, ..."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(values.size, little.itemsize).T.tobytes()


def _from_planes(data: bytes, dtype: str, size: int) -> np.ndarray:
    planes = np.frombuffer(data, dtype=np.uint8).reshape(np.dtype(dtype).itemsize, size)
    return np.ascontiguousarray(planes.T).view(np.dtype(dtype).newbyteorder("<")).ravel().astype(dtype)


def _shortest(values: np.ndarray, exact: bool) -> np.ndarray:
    """Return unsigned integers where all values are, otherwise floats, rounded unless `exact`."""
    if values.size and values.min() >= 0 and values.max() < 2**31 and np.array_equal(values, np.round(values)):
        return values.astype(np.min_scalar_type(int(values.max())))
    return values if exact else rounded(values)


def _derived(rule: str, sources: list[np.ndarray], present: np.ndarray) -> np.ndarray:
    """Fill the rows where `present` by a rule from earlier columns, the others with missing values."""
    values = np.full(present.size, np.nan)
    used = [source[present] for source in sources]
    if rule == "same":
        values[present] = used[0]
    elif rule == "ratio":
        with np.errstate(divide="ignore", invalid="ignore"):
            values[present] = used[0] / used[1]
    elif rule == "bh":
        values[present] = np.nan if np.isnan(used[0]).any() else benjamini_hochberg(used[0])
    else:
        raise ValueError(f"unknown rule {rule!r}")
    return values


def _candidates(name: str, known: Collection[str]) -> list[tuple[str, list[str]]]:
    """Return the rules worth trying for one column of a table: ``ratio`` and ``bh`` within the table only."""
    table, _, column = name.rpartition("/")
    rules: list[tuple[str, list[str]]] = []
    if column == "stat" and {f"{table}/log2FoldChange", f"{table}/lfcSE"} <= set(known):
        rules.append(("ratio", [f"{table}/log2FoldChange", f"{table}/lfcSE"]))
    if column == "padj" and f"{table}/pvalue" in known:
        rules.append(("bh", [f"{table}/pvalue"]))
    return rules


def pack(path: Path, columns: Mapping[str, np.ndarray], meta: Mapping[str, Any], exact: Collection[str] = ()) -> None:
    """Write columns (float with NaN, integer or boolean; of any lengths) and a JSON-able record to `path`."""
    stream = bytearray()
    masks: dict[tuple[int, bytes], int] = {}
    described: dict[str, dict[str, Any]] = {}
    floats: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        if values.dtype.kind != "f":
            kept = np.packbits(values) if values.dtype.kind == "b" else values.astype(np.min_scalar_type(values.max()))
            kind = "bool" if values.dtype.kind == "b" else "int"
            described[name] = {"kind": kind, "size": values.size, "dtype": kept.dtype.str[1:]}
            stream += _planes(kept)
            continue
        present = ~np.isnan(values)
        mask = masks.setdefault((values.size, np.packbits(present).tobytes()), len(masks))
        same = [("same", [other]) for other, there in floats.items() if there.size == values.size]
        for rule, sources in [*same, *_candidates(name, floats)]:
            if np.array_equal(_derived(rule, [floats[source] for source in sources], present), values, equal_nan=True):
                described[name] = {"kind": rule, "of": sources, "mask": mask}
                break
        else:
            kept = _shortest(values[present], name in exact)
            described[name] = {"kind": "float", "dtype": kept.dtype.str[1:], "mask": mask}
            stream += _planes(kept)
        floats[name] = values
    shapes = [size for size, _ in masks]
    header = {"meta": dict(meta), "columns": described, "masks": shapes}
    prefix = b"".join(bits for _, bits in masks)
    packed = lzma.compress(prefix + bytes(stream), format=lzma.FORMAT_XZ, filters=FILTERS)
    with path.open("wb") as file:
        np.savez(
            file,
            header=np.frombuffer(lzma.compress(json.dumps(header).encode()), dtype=np.uint8),
            stream=np.frombuffer(packed, dtype=np.uint8),
        )


def read_header(path: Path) -> dict[str, Any]:
    """Return the header: ``meta``, ``columns`` and ``masks``, without unpacking the numbers."""
    with np.load(path) as file:
        header: dict[str, Any] = json.loads(lzma.decompress(file["header"].tobytes()))
    return header


def unpack(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the columns and the record that `pack` wrote."""
    header = read_header(path)
    with np.load(path) as file:
        data = lzma.decompress(file["stream"].tobytes())
    position = 0

    def take(count: int) -> bytes:
        nonlocal position
        position += count
        return data[position - count : position]

    masks = []
    for size in header["masks"]:
        bits = np.frombuffer(take((size + 7) // 8), dtype=np.uint8)
        masks.append(np.unpackbits(bits, count=size).astype(bool))
    columns: dict[str, np.ndarray] = {}
    for name, column in header["columns"].items():
        if column["kind"] == "bool":
            size = column["size"]
            columns[name] = np.unpackbits(np.frombuffer(take((size + 7) // 8), np.uint8), count=size).astype(bool)
        elif column["kind"] == "int":
            size, dtype = column["size"], column["dtype"]
            columns[name] = _from_planes(take(size * np.dtype(dtype).itemsize), dtype, size).astype(np.int64)
        elif column["kind"] == "float":
            present, dtype = masks[column["mask"]], column["dtype"]
            size = int(present.sum())
            columns[name] = np.full(present.size, np.nan)
            columns[name][present] = _from_planes(take(size * np.dtype(dtype).itemsize), dtype, size)
        else:
            sources = [columns[source] for source in column["of"]]
            columns[name] = _derived(column["kind"], sources, masks[column["mask"]])
    return columns, header["meta"]
