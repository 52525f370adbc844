"""Data sets and tables of results as AnnData, for scanpy and other tools of scverse; anndata is optional."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.arrays import FloatArray
from countnest.containers.named_results import named_results
from countnest.containers.plain_columns import plain_names, plain_table
from countnest.containers.ranking import scores_of
from countnest.containers.result_set import ResultsSet
from countnest.containers.results import Results, decisive
from countnest.containers.transformed import Transformed
from countnest.errors import OptionError, kind_of, listing
from countnest.signature import checked_arguments
from countnest.version import installed_version

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["to_anndata", "to_rank_genes_groups"]

# The column of size factors in R's sample sheets, and the place of the record in `uns`.
SIZE_FACTOR, RECORD = "sizeFactor", "countnest"

SomeResults = Results | ResultsSet | Mapping[str, Results | ResultsSet]


@checked_arguments
def to_anndata(
    dds: CountDataSet, results: SomeResults | None = None, *, transformed: Transformed | None = None
) -> AnnData:
    """Return a data set, and tables of results, as an AnnData object that can be written to a file.

    All is in plain types, so that ``adata.write_h5ad(path)`` works, and what is read back gives the same analysis:
    ``cn.DESeqDataSet(adata, design=adata.uns["countnest"]["design"])``.

    Parameters
    ----------
    dds
        A data set, fitted or not.
    results
        Tables of results of its genes: one, those of a query, or a dict that names them.
    transformed
        Transformed counts, of `vst`, `rlog` or `norm_transform`.

    Returns
    -------
    AnnData
        Samples x genes. X: counts, whole numbers. obs: the sample sheet, and sizeFactor. var: the annotation of the
        genes. layers: "normalized" counts; "normalization_factors", "weights" and "avg_tx_length", where there are
        any; and what was transformed, called "vst", "rlog" or "norm_transform". obsm: the model matrix as "design".
        varm: the estimates as "genes", and each table of results under its name, without annotation. uns["countnest"]:
        design, coefficients, reference levels, version, and as JSON what `Results.record` has of each table.

    Raises
    ------
    OptionError
        anndata is not installed (``pip install 'countnest[anndata]'``), or a table has other genes or samples.

    Warns
    -----
    CountnestWarning
        Columns or tables are renamed, because files of AnnData do not take their names, such as those with a slash.

    Notes
    -----
    Normalization factors, weights and lengths are given again when a data set is made of the file:
    ``normalization_factors=adata.layers["normalization_factors"].T``.

    R counterpart: zellkonverter::SCE2AnnData.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.DESeq(cn.make_example_dataset(200, 6), quiet=True)
    >>> adata = cn.to_anndata(dds, cn.results(dds))  # doctest: +SKIP
    >>> adata.varm["condition B vs A"]["padj"]  # doctest: +SKIP
    """
    require_data_set(dds, "to_anndata")
    tables = {} if results is None else named_results(results)
    for name, part in tables.items():
        if not part.table.index.equals(dds._data.genes):
            raise OptionError(f"the table '{name}' has other genes than the data set, or has them in another order.")
    sheet = plain_table(dds.samples, "the sample sheet")
    factors, by_gene = dds._factors()
    if factors is not None and not by_gene:
        sheet[SIZE_FACTOR] = factors[0]
    info = plain_table(dds._data.gene_info, "the annotation of genes")
    adata = _library().AnnData(X=np.ascontiguousarray(dds._data.counts.T).astype(np.int64), obs=sheet, var=info)
    for name, layer in _layers(dds, factors, transformed).items():
        adata.layers[name] = np.ascontiguousarray(layer.T)
    matrix = pd.DataFrame(dds._design.matrix, columns=list(dds._design.names), index=dds._data.samples)
    adata.obsm["design"] = plain_table(matrix, "the model matrix")
    if dds._state is not None and hasattr(dds, "genes"):
        adata.varm["genes"] = plain_table(dds.genes, "the estimates of genes")
    plain = plain_names(tables, "tables of results")
    for name, part in zip(plain, tables.values(), strict=True):
        found = part.table.drop(columns=list(part.info.annotation), errors="ignore")
        adata.varm[name] = plain_table(found, f"the table '{name}'")
    adata.uns[RECORD] = _record(dds, dict(zip(plain, tables.values(), strict=True)))
    return adata


def _library() -> Any:  # noqa: ANN401 (a module)
    try:
        import anndata
    except ImportError as error:
        raise OptionError("to_anndata needs anndata: pip install 'countnest[anndata]'.") from error
    return anndata


def _layers(dds: CountDataSet, factors: FloatArray | None, transformed: object) -> dict[str, FloatArray]:
    """Return what there is for each gene and sample besides the counts, (G, n)."""
    layers: dict[str, FloatArray] = {}
    if factors is not None:
        layers["normalized"] = dds._data.counts / factors
        if len(factors) > 1:
            layers["normalization_factors"] = factors
    if dds._weights is not None:
        layers["weights"] = dds._weights
    if dds._lengths is not None:
        layers["avg_tx_length"] = dds._lengths
    if transformed is None:
        return layers
    if not isinstance(transformed, Transformed):
        raise OptionError(f"transformed= is {kind_of(transformed)}; give what cn.vst(dds) returns.")
    table = transformed.table
    if not (table.index.equals(dds._data.genes) and table.columns.equals(dds._data.samples)):
        raise OptionError("transformed= has other genes or samples than the data set, or has them in another order.")
    return {**layers, transformed.method: table.to_numpy()}


def _record(dds: CountDataSet, tables: Mapping[str, Results]) -> dict[str, Any]:
    """Return what is known of the analysis, in the types that files hold: text, arrays of text, and dicts of these."""
    design = dds._design
    return {
        "version": installed_version(),
        "design": design.formula or "",
        "coefficients": np.array(dds._coefficients(), dtype=object),
        "reference": {str(name).replace("/", "|"): str(levels[0]) for name, levels in design.levels.items()},
        "fits": {str(name).replace("/", "|"): method for name, method in dds.fits.items()},
        "results": {name: json.dumps(part.record()) for name, part in tables.items()},
    }


@checked_arguments
def to_rank_genes_groups(results: SomeResults, groupby: str, *, reference: str = "rest") -> dict[str, Any]:
    """Return tables of results in the layout of ``scanpy.tl.rank_genes_groups``, for scanpy's figures and `get`.

    ``adata.uns["rank_genes_groups"] = cn.to_rank_genes_groups({"treated": res}, "condition")``; then
    ``sc.pl.rank_genes_groups(adata)``, ``sc.pl.rank_genes_groups_dotplot(adata)`` and their like draw these genes,
    and ``sc.get.rank_genes_groups_df(adata, None)`` is a table of all.

    Parameters
    ----------
    results
        A dict of groups and their tables, each of one comparison; or what `by_cell_type` returned, whose groups are
        cell types. The groups of one table, or of those of a query, are the labels of the comparisons.
    groupby
        The column of `obs` that has the groups, by which scanpy averages.
    reference
        The group that all are compared with, "rest" for all others: scanpy writes it into titles.

    Returns
    -------
    dict
        names, scores (the statistic with the sign of the change), logfoldchanges (log2), pvals and pvals_adj, each a
        record array with a field for each group, the largest score first and genes without one last; and params.
        Files of AnnData can hold it.

    Raises
    ------
    OptionError
        `results` are no tables of results, or one is a joint test, whose statistic has no direction.

    Notes
    -----
    scanpy draws the expression in X, or in `layer=`: give logarithms there, such as those of `vst`. Genes go by their
    labels, those of `adata.var_names`; ``gene_symbols=`` of scanpy's functions shows symbols.

    Examples
    --------
    >>> import countnest as cn
    >>> dds = cn.DESeq(cn.make_example_dataset(200, 6, beta_sd=1.0), quiet=True)
    >>> found = cn.to_rank_genes_groups({"B": cn.results(dds)}, "condition", reference="A")
    >>> found["names"].dtype.names, len(found["scores"]["B"]), found["params"]["reference"]
    (('B',), 200, 'A')
    """
    for name, value in (("groupby", groupby), ("reference", reference)):
        if not isinstance(value, str) or not value:
            raise OptionError(f"{name}={value!r} cannot be used; give text.")
    tables = named_results(results)
    sizes = {name: len(part.table) for name, part in tables.items()}
    if len(set(sizes.values())) > 1:
        raise OptionError(f"the tables have different numbers of genes: {listing(map(str, sizes.items()))}.")
    columns = {name: _ranked_columns(part) for name, part in tables.items()}
    types = {"names": "O", "scores": "f4", "logfoldchanges": "f4", "pvals": "f8", "pvals_adj": "f8"}
    found: dict[str, Any] = {
        "params": {
            "groupby": groupby,
            "reference": reference,
            "use_raw": False,
            "method": ", ".join(dict.fromkeys(f"{part.info.method} {part.info.test}" for part in tables.values())),
            "corr_method": "benjamini-hochberg",
        }
    }
    for kind, code in types.items():
        frame = pd.DataFrame({name: own[kind] for name, own in columns.items()})
        found[kind] = frame.to_records(index=False, column_dtypes=code)
    return found


def _ranked_columns(part: Results) -> dict[str, Any]:
    """Return what scanpy wants to know of each gene (G,), the largest score first."""
    scores, table = scores_of(part, None), part.table
    order = np.argsort(-scores, kind="stable")  # missing ones come last
    nothing = pd.Series(np.nan, index=table.index)
    columns = {
        "names": table.index.astype(str).astype(object),
        "scores": scores,
        "logfoldchanges": table["log2FoldChange"],
        "pvals": table.get("pvalue", nothing),
        "pvals_adj": table[decisive(part)[0]],
    }
    return {name: np.asarray(values)[order] for name, values in columns.items()}
