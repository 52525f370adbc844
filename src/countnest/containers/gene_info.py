"""Annotation of genes: symbols, descriptions, positions in the genome."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from countnest.containers.schema import COLUMNS
from countnest.containers.similar import text_labels
from countnest.errors import OptionError, counted, kind_of, listing, suggestion, warn
from countnest.options import Orientation

__all__ = [
    "called",
    "gene_by_name",
    "matched_info",
    "set_apart",
    "symbol_column",
    "symbol_hint",
    "symbols_of",
    "with_info",
    "without_annotation",
]

# Names are compared in lower case, without anything but letters and digits. The first that a table has is the symbol.
_SYMBOLS = (
    "symbol", "genesymbol", "genesymbols", "hgncsymbol", "mgisymbol", "genename", "genenames", "externalgenename",
    "geneshortname", "featurename",
)  # fmt: skip
# The exons of a gene, in lists as featureCounts writes them.
_EXONS = {"chr", "start", "end", "strand"}
# Columns that are never samples, also where they hold numbers.
_ANNOTATION = {
    *_SYMBOLS, *_EXONS,
    "geneid", "geneids", "ensembl", "ensemblid", "ensemblgeneid", "ensg", "entrez", "entrezid", "entrezgene",
    "entrezgeneid", "ncbigeneid", "ncbiid", "hgncid", "mgiid", "uniprot", "uniprotid", "refseq", "refseqid",
    "description", "genedescription", "biotype", "genebiotype", "genetype", "featuretype",
    "chrom", "chromosome", "chromosomename", "seqname", "seqnames", "seqid",
    "length", "genelength", "exonlength", "exoniclength", "efflength", "effectivelength", "transcriptlength", "width",
    "genestart", "geneend", "startposition", "endposition", "chromstart", "chromend", "txstart", "txend",
    "gc", "gccontent", "genegccontent", "percentagegenegccontent", "exoncount", "nexons",
}  # fmt: skip
# Counts and other numbers as text, also with a decimal comma or with separators of thousands.
_NUMBER = re.compile(r"\s*[+-]?\d[\d.,'\s]*(?:[eE][+-]?\d+)?\s*")
_LOOKED_AT = 200  # values of a column of text
_LIST = ";"
# What tables of results call their own columns, all of them and the index.
_RESERVED = {"gene", "contrast", *COLUMNS}


def _plain(name: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


# Columns beside the counts


def set_apart(
    frame: pd.DataFrame, sheet: pd.DataFrame, orientation: Orientation | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the columns of a count table that can be samples, and those that describe the genes.

    A column describes the genes when the sample sheet does not have its name, and its name is a common one of
    annotation (`symbol`, `description`, `Length`, ...) or its values are words. In a table of samples x genes no column
    does.

    Parameters
    ----------
    frame
        Counts, genes in rows; or the other way round.
    sheet
        The sample sheet, with labels in its index or without.
    orientation
        Where the user has said it.
    """
    labels = text_labels(sheet.index, "samples")
    if orientation == "samples_by_genes" or (labels is not None and _share_labels(frame.index, labels)):
        return frame, frame.iloc[:, :0]
    names = pd.Index([str(name) for name in frame.columns])
    outside = np.ones(len(names), np.bool_) if labels is None else ~names.isin(labels)
    words, apart = np.zeros((2, len(names)), np.bool_)
    for place in np.flatnonzero(outside).tolist():
        words[place] = _is_words(frame.iloc[:, place])
        apart[place] = words[place] or _plain(names[place]) in _ANNOTATION
    if labels is None and len(names) - int(apart.sum()) != len(sheet):
        return frame, frame.iloc[:, :0]  # nothing says which columns are samples
    if isinstance(frame.index, pd.RangeIndex) and words.any():
        return frame, frame.iloc[:, :0]  # one of them has the labels of the genes, which belong in the index
    return (frame.loc[:, ~apart], frame.loc[:, apart]) if apart.any() else (frame, frame.iloc[:, :0])


def without_annotation(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of counts, genes in rows, without the columns that describe genes; there is no sample sheet."""
    described = [_plain(name) in _ANNOTATION or _is_words(frame.iloc[:, k]) for k, name in enumerate(frame.columns)]
    return frame.loc[:, [not each for each in described]] if any(described) and not all(described) else frame


def _share_labels(index: pd.Index, labels: pd.Index) -> bool:
    return not isinstance(index, pd.RangeIndex) and not {str(label) for label in index}.isdisjoint(labels)


def _is_words(column: pd.Series) -> bool:
    """Return whether a column cannot be counts: text that is not numbers, categories, truth values."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    kind = getattr(column.dtype, "kind", "O")
    if kind == "b":
        return True
    if kind != "O" and not pd.api.types.is_string_dtype(column.dtype):
        return False
    values = [str(value) for value in column.dropna().head(_LOOKED_AT)]
    return bool(values) and 2 * sum(_NUMBER.fullmatch(value) is not None for value in values) < len(values)


# A table that is given


def matched_info(given: object, found: pd.DataFrame | None, genes: pd.Index, *, labelled: bool = True) -> pd.DataFrame:
    """Return the annotation of the genes: that which came with the counts, and that given in addition.

    Parameters
    ----------
    given
        A DataFrame with the labels of genes in its index, or a Series of symbols; None: nothing.
    found
        What came with the counts, one row for each gene. Where `given` has a column of the same name, that one counts.
    genes
        Labels of the genes, (G,).
    labelled
        Whether the counts had labels of genes. If not, a table without labels is matched by position.

    Returns
    -------
    DataFrame
        One row for each gene, `genes` in the index; missing where `given` lacks a gene.

    Raises
    ------
    OptionError
        `given` is no table, has no gene of the counts, or has one of them more than once.

    Warns
    -----
    CountnestWarning
        `given` lacks some of the genes.
    """
    if found is None:
        found = pd.DataFrame(index=genes, columns=pd.Index([], dtype=object))
    found = _named(found).set_axis(genes, axis=0)
    if given is None:
        return found
    if isinstance(given, pd.Series):
        given = given.to_frame("symbol" if given.name is None else given.name)
    if not isinstance(given, pd.DataFrame):
        raise OptionError(f"gene_info is {kind_of(given)}; give a DataFrame with the labels of the genes in its index.")
    added = _rows(_named(given), genes, labelled)
    return pd.concat([found.drop(columns=[name for name in added if name in found]), added], axis=1)


def _rows(given: pd.DataFrame, genes: pd.Index, labelled: bool) -> pd.DataFrame:
    """Return one row for each gene, in their order."""
    if given.index.nlevels > 1:
        raise OptionError(f"gene_info has labels of {given.index.nlevels} levels; give one label for each gene.")
    given = given[given.index.notna() & (given.index != "")]
    labels = text_labels(given.index, "counts")
    if labels is None and not labelled and len(given) == len(genes):
        return given.set_axis(genes, axis=0)
    if labels is None:
        column = next((name for name in given if given[name].astype(str).isin(genes).any()), None)
        advice = "set them as its index" if column is None else f"use gene_info.set_index({column!r})"
        raise OptionError(f"gene_info has no labels of genes in its index, by which it is matched: {advice}.")
    ours = labels.isin(genes)
    repeated = labels[ours][labels[ours].duplicated()].unique()
    if len(repeated):
        raise OptionError(
            f"gene_info has {counted(len(repeated), 'gene')} of counts more than once: {listing(repeated)}. Keep one "
            "row of each, e.g. gene_info[~gene_info.index.duplicated()]."
        )
    if not ours.any():
        raise OptionError(
            f"gene_info has none of the genes of counts: its labels are {listing(labels)}, those of counts are "
            f"{listing(genes)}. Versions such as '.3' after an Ensembl identifier must be on both sides or on none."
        )
    lacking = genes[~genes.isin(labels)]
    if len(lacking):
        missing = f"{counted(len(lacking), 'gene')} of counts, whose annotation is missing"
        warn(f"gene_info lacks {missing}: {listing(lacking)}.")
    return given.set_axis(labels, axis=0)[ours].reindex(genes)


def _named(info: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns have unique text names."""
    names = pd.Index([str(name) for name in info.columns], dtype=object)
    if not names.is_unique:
        repeated = listing(names[names.duplicated()].unique())
        raise OptionError(f"columns that describe the genes have the same name: {repeated}; rename or drop them.")
    return info.set_axis(names, axis=1)


# Symbols


def symbol_column(names: Iterable[object]) -> str | None:
    """Return the name of the column with gene symbols; None if there is none."""
    plain = {_plain(name): str(name) for name in reversed(list(names))}
    return next((plain[name] for name in _SYMBOLS if name in plain), None)


def symbols_of(info: pd.DataFrame) -> pd.Series | None:
    """Return gene symbols as text, '' where missing; None without a column of symbols."""
    name = symbol_column(info.columns)
    if name is None:
        return None
    column = info[name].astype(object)
    return column.where(column.notna(), "").astype(str)


def called(info: pd.DataFrame, gene: str) -> str:
    """Return the name of a gene in figures: 'TP53 (ENSG00000141510)', or its label if it has no symbol."""
    symbols = symbols_of(info)
    symbol = "" if symbols is None else symbols[gene]
    return f"{symbol} ({gene})" if symbol and symbol != gene else str(gene)


def gene_by_name(name: str, genes: pd.Index, info: pd.DataFrame) -> str:
    """Return the label of the gene that has this label, or else this symbol.

    Raises
    ------
    OptionError
        There is none, or several have this symbol.
    """
    if not isinstance(name, str):
        raise OptionError(f"gene={name!r} cannot be used; give the label or the symbol of one gene.")
    if name in genes:
        return name
    symbols = symbols_of(info)
    if symbols is None:
        raise OptionError(f"the data set has no gene '{name}'.{suggestion(name, genes)}")
    having = genes[(symbols == name).to_numpy(dtype=np.bool_)]
    if len(having) > 1:
        raise OptionError(
            f"{len(having)} genes have the symbol '{name}'; give the label of one of them: {listing(having)}."
        )
    if len(having) == 0:
        near = suggestion(name, genes) or suggestion(name, symbols[symbols != ""].unique())
        raise OptionError(f"the data set has no gene with the label or the symbol '{name}'.{near}")
    return str(having[0])


def symbol_hint(names: Iterable[str], genes: pd.Index, info: pd.DataFrame) -> str:
    """Return a sentence naming the gene of the first name that is a symbol and not a label; '' without one."""
    symbols = symbols_of(info)
    if symbols is None:
        return ""
    known = {*symbols} - {"", *genes}
    name = next((name for name in names if name in known), None)
    having = genes[(symbols == name).to_numpy(dtype=np.bool_)]
    return "" if name is None else f" '{name}' is the symbol of {listing(having)}: give the label."


# Results


def with_info(table: pd.DataFrame, info: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a table of genes with their annotation as its last columns, and the names of these.

    Lists of exons are left out, which featureCounts writes as Chr, Start, End and Strand; so are columns that have the
    name of a column of results, or that of the index.

    Parameters
    ----------
    table, info
        One row for each gene, in the same order.
    """
    taken = {*_RESERVED, *table.columns, table.index.name}
    names = tuple(str(name) for name in info if name not in taken and not _lists_exons(info, name))
    if not names:
        return table, ()
    return pd.concat([table, info[list(names)].set_axis(table.index, axis=0)], axis=1), names


def _lists_exons(info: pd.DataFrame, name: object) -> bool:
    if _plain(name) not in _EXONS:
        return False
    return any(isinstance(value, str) and _LIST in value for value in info[name])
