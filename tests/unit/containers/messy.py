"""Small tables as people have them, and what must come of them."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import CountnestError, CountnestWarning

S = ["S1", "S2", "S3", "S4"]
G = ["g1", "g2", "g3", "g4", "g5", "g6", "ERCC-00002"]
VALUES = np.array(
    [
        [3, 0, 5, 2],
        [100, 90, 80, 70],
        [10, 12, 9, 30],
        [1234, 1100, 2100, 1500],
        [7, 8, 7, 9],
        [0, 0, 0, 0],
        [40, 41, 39, 44],
    ]
)


def table(columns=None, rows=None):
    return pd.DataFrame(VALUES.copy(), index=rows or G, columns=columns or S)


def sheet(labels=None):
    return pd.DataFrame({"group": list("aabb"), "age": [1.5, 2.5, 3.0, 4.0]}, index=labels or S)


def study(counts=None, samples=None, **options):
    """Return the data set, with defaults for what is not given."""
    counts = table() if counts is None else counts
    return cn.DESeqDataSet(counts, sheet() if samples is None else samples, design="~ group", **options)


def with_rows(**rows):
    return pd.concat([table(), pd.DataFrame({label: values for label, values in rows.items()}, index=S).T])


def named(*labels, value=5):
    """Return counts with more rows of these names."""
    return pd.concat([table(), pd.DataFrame(value, index=list(labels), columns=S)])


def as_text(text, cells=((1, 1), (3, 0))):
    """Return counts as text, with another text in some cells."""
    counts = table().astype(str).astype(object)
    for row, column in cells:
        counts.iloc[row, column] = text
    return counts


def spoilt(value, dtype=np.float64):
    counts = table().astype(dtype)
    counts.iloc[2, 1] = value
    return counts


def written(folder, name, content):
    path = Path(folder) / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def csv(counts=None, **options):
    return (table() if counts is None else counts).to_csv(index_label="gene", **options)


def from_file(folder, name, content, samples=None):
    return study(cn.read_counts(written(folder, name, content)), samples)


def anndata_of(values, layers=None, raw=None):
    anndata = pytest.importorskip("anndata")
    adata = anndata.AnnData(
        X=values,
        obs=sheet(),
        var=pd.DataFrame(index=pd.Index(G)),
        layers={k: v.copy() for k, v in (layers or {}).items()},
    )
    if raw is not None:
        adata.raw = anndata.AnnData(X=raw, obs=sheet(), var=pd.DataFrame(index=pd.Index(G)))
    return adata


def backed(folder, adata):
    anndata = pytest.importorskip("anndata")
    adata.write_h5ad(Path(folder) / "a.h5ad")
    return anndata.read_h5ad(Path(folder) / "a.h5ad", backed="r")


LOGS = np.log1p(VALUES.T.astype(float))
STAR = "N_unmapped\t9\t9\t9\nN_multimapping\t5\t5\t5\nN_noFeature\t4\t8\t6\nN_ambiguous\t1\t0\t0\n"
STAR_GENES = "".join(f"{g}\t{c}\t{c // 2}\t{c - c // 2}\n" for g, c in zip(G, VALUES[:, 0], strict=True))
HTSEQ = "".join(f"{g}\t{c}\n" for g, c in zip(G, VALUES[:, 0], strict=True))
HTSEQ_END = "__no_feature\t5\n__ambiguous\t2\n__too_low_aQual\t0\n__not_aligned\t1\n__alignment_not_unique\t3\n"
FEATURE_COUNTS = table([f"/data/run 1/{s}.bam" for s in S])


def htseq(folder, contents, **table_of):
    """Return the data set of four files of htseq-count, made of the columns or of the contents given."""
    for j, name in enumerate(S):
        lines = "".join(f"{g}\t{c}\n" for g, c in zip(G, VALUES[:, j], strict=True))
        written(folder, f"{name}.txt", contents(lines) if callable(contents) else contents)
    samples = pd.DataFrame({"sample": S, "file": [f"{s}.txt" for s in S], "group": list("aabb")})
    return cn.dataset_from_htseq(samples, folder, "~ group", **table_of)


def by_sample(folder, lines, **options):
    """Return the data set of four files, read together."""
    files = {name: written(folder, f"{name}.txt", lines(VALUES[:, j])) for j, name in enumerate(S)}
    return study(cn.read_counts(files, **options))


def star_lines(counts):
    return STAR + "".join(f"{g}\t{c}\t{c // 50}\t{c}\n" for g, c in zip(G, counts, strict=True))


def htseq_lines(counts):
    return "".join(f"{g}\t{c}\n" for g, c in zip(G, counts, strict=True)) + HTSEQ_END


OK = None  # accepted without a word


def with_other_genes():
    anndata = pytest.importorskip("anndata")
    counts = named("__no_feature").T
    return anndata.AnnData(X=counts.to_numpy(), obs=sheet(), var=pd.DataFrame(index=counts.columns))


def outcome(make, folder):
    """Return the data set or the error, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = make(folder)
        except CountnestError as error:
            made = error
    return made, caught


def fault(row, folder):
    """Return what is not as the row says, or None."""
    _, make, error, words = row
    made, caught = outcome(make, folder)
    told = [str(warning.message) for warning in caught if issubclass(warning.category, CountnestWarning)]
    if error is not None:
        if type(made) is not error and not (error is CountnestError and isinstance(made, error)):
            return f"{made!r} is no {error.__name__}"
        fits = re.search(words, str(made), re.DOTALL) and len(str(made)) < 900
        return None if fits else f"the message is: {made}"
    if isinstance(made, Exception):
        return f"refused: {made}"
    if len(told) != (words is not None) or (words and not re.search(words, told[0], re.DOTALL)):
        return f"the warnings are: {told}"
    order = np.argsort(made.samples["age"]) if "age" in made.samples else range(4)
    same = np.array_equal(made.counts().iloc[:, order], VALUES) and list(made.samples["group"].iloc[order]) == list(
        "aabb"
    )
    return None if same and list(made.gene_names) == G else f"the counts are {made.counts()}"


def faults(rows, folder):
    """Return what is not as the rows say, a line for each."""
    assert len({name for name, *_ in rows}) == len(rows)
    found = {}
    for number, row in enumerate(rows):
        here = folder / str(number)
        here.mkdir()
        found[row[0]] = fault(row, here)
    return "\n".join(f"{name}: {what}" for name, what in found.items() if what)
