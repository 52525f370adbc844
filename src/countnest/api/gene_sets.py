"""Tests of gene sets: camera on a comparison or on any statistic, and fry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from countnest.api.limma_inputs import given_contrasts, given_values
from countnest.api.linear_model import VoomCounts
from countnest.api.query import BoundQuery
from countnest.api.set_members import GeneLabels, GeneSets, SetMembers, set_members
from countnest.arrays import BoolArray, FloatArray, as_float
from countnest.containers.results import Results
from countnest.containers.signed import signed_statistics
from countnest.errors import ContrastError, DesignError, OptionError, kind_of, listing
from countnest.methods.answer import check_blocks
from countnest.methods.gene_sets import TakesGeneSets
from countnest.options import check_flags, check_option, is_number
from countnest.signature import checked_arguments
from countnest.stats.edger.levels import compat_level
from countnest.stats.gene_sets import camera as cameras
from countnest.stats.gene_sets.effects import GeneEffects, LinearData, gene_effects
from countnest.stats.gene_sets.fry import rotation_tests
from countnest.stats.inference.benjamini_hochberg import benjamini_hochberg

if TYPE_CHECKING:
    from countnest.stats.edger.levels import Compat

__all__ = ["camera", "camera_pr", "fry"]

FEWEST_GENES = 3
SortFry = Literal["directional", "mixed", "none"]


@checked_arguments
def camera(
    query: BoundQuery | VoomCounts,
    sets: GeneSets,
    *,
    fit: str | None = None,
    contrast: Any = None,  # noqa: ANN401 (name of a coefficient, or weights)
    inter_gene_cor: float | None = cameras.CORRELATION,
    use_ranks: bool = False,
    ids: str | None = None,
    sort: bool = True,
    compat: Compat | None = None,
    allow_fixed_blocks: bool = False,
) -> pd.DataFrame:
    """Test whether the genes of sets change more, or less, than the other genes, which allows for their correlation.

    Parameters
    ----------
    query
        A comparison of one row, such as ``dds.effect("dex", levels=("trt", "untrt"))``; or what `voom` returned.
    sets
        Labels of genes by the name of each set, or the name of a file in the format GMT; see `read_gmt`.
    fit
        The name of one of the `fits` of the data set. With limma's method log counts are used; with DESeq2's and
        edgeR's, counts become normal scores under the null model. None: that of the last analysis.
    contrast
        Of what `voom` returned: the name of a coefficient, or weights of coefficients; None: the last coefficient.
    inter_gene_cor
        The correlation between genes of a set. None: estimated for each set, which costs power and needs many residual
        degrees of freedom.
    use_ranks
        Compare ranks of the statistics.
    ids
        The column of `gene_info` that has the identifiers of the sets; None: they are the labels of the genes.
    sort
        Whether sets are ordered by their p-values; otherwise as given.
    compat
        A release of Bioconductor, such as "bioc3.20", for the numbers of R with estimated correlations; None: that of
        the fit, or by default numbers that do not depend on rounding. docs/gene_sets.md has more.
    allow_fixed_blocks
        Answer a query that compares blocks for these particular blocks.

    Returns
    -------
    pandas.DataFrame
        By set: n_genes (that were tested), correlation (where estimated), direction ("Up", "Down"), pvalue, and padj
        (Benjamini and Hochberg). Sets without genes, and of all genes, have no p-value.

    Raises
    ------
    OptionError
        The query or the sets cannot be used, no set has a member, or the fit has no values for tests of gene sets.

    Warns
    -----
    CountnestWarning
        Sets without members.

    Notes
    -----
    R counterpart: limma::camera. Source: Wu and Smyth (2012), doi:10.1093/nar/gks461.
    """
    check_flags(use_ranks=use_ranks, sort=sort, allow_fixed_blocks=allow_fixed_blocks)
    correlation = _correlation(inter_gene_cor)
    compat_level(compat)
    asked = _asked(query, fit, contrast, allow_fixed_blocks)
    effects, labels, _ = _effects(asked, compat)
    members = set_members(sets, labels, ids)
    found = cameras.camera_tests(effects, members.places, correlation=correlation, ranks=use_ranks)
    return _camera_table(members, found, estimated=correlation is None, sort=sort)


@checked_arguments
def camera_pr(
    statistic: Results | pd.DataFrame | pd.Series,
    sets: GeneSets,
    *,
    stat: str = "stat",
    inter_gene_cor: float = cameras.CORRELATION,
    use_ranks: bool = False,
    ids: str | None = None,
    sort: bool = True,
) -> pd.DataFrame:
    """Test whether the genes of sets have higher, or lower, statistics than the other genes: camera, preranked.

    Parameters
    ----------
    statistic
        A table of results of any method, genes in its index; or a Series. Likelihood ratio and F statistics get the
        sign of the fold change, and become their square roots.
    stat
        The column with the statistic.
    ids
        The column of the table that has the identifiers of the sets, such as the symbols that results carry; None:
        they are the labels of the genes.
    sets, inter_gene_cor, use_ranks, sort
        As in `camera`; the correlation cannot be estimated.

    Returns
    -------
    pandas.DataFrame
        As that of `camera`. Genes without a statistic take no part.

    Raises
    ------
    OptionError
        The statistic or the sets cannot be used, or no set has a member.

    Warns
    -----
    CountnestWarning
        Sets without members.

    Notes
    -----
    R counterpart: limma::cameraPR.

    Examples
    --------
    >>> import countnest as cn
    >>> import pandas as pd
    >>> stat = pd.Series([3.1, 2.2, 2.9, -0.4, 0.3, -1.2], index=["a", "b", "c", "d", "e", "f"])
    >>> found = cn.camera_pr(stat, {"first": ["a", "b", "c"], "others": ["e", "f"]})
    >>> found["direction"].to_dict()
    {'first': 'Up', 'others': 'Down'}
    """
    check_flags(use_ranks=use_ranks, sort=sort)
    correlation = _correlation(inter_gene_cor)
    if correlation is None:
        raise OptionError("inter_gene_cor=None is for camera: a statistic alone does not tell the correlation.")
    values, labels = _statistic(statistic, stat)
    members = set_members(sets, labels, ids)
    found = cameras.preranked_tests(values, members.places, correlation=correlation, ranks=use_ranks)
    return _camera_table(members, found, estimated=False, sort=sort)


@checked_arguments
def fry(
    query: BoundQuery | VoomCounts,
    sets: GeneSets,
    *,
    fit: str | None = None,
    contrast: Any = None,  # noqa: ANN401 (name of a coefficient, or weights)
    ids: str | None = None,
    sort: SortFry = "directional",
    compat: Compat | None = None,
    allow_fixed_blocks: bool = False,
) -> pd.DataFrame:
    """Test whether the genes of sets change, each set by itself: rotation tests without simulation.

    Parameters
    ----------
    sort
        Order sets by the p-values "directional" or "mixed"; "none": as given.
    query, sets, fit, contrast, ids, compat, allow_fixed_blocks
        As in `camera`.

    Returns
    -------
    pandas.DataFrame
        By set: n_genes (that were tested), direction ("Up", "Down"), pvalue and padj of a change in one direction,
        pvalue_mixed and padj_mixed of changes in any direction.

    Raises
    ------
    OptionError
        As in `camera`.

    Warns
    -----
    CountnestWarning
        Sets without members.

    Notes
    -----
    R counterpart: limma::fry, without standardization of normal scores. Source: Wu et al. (2010),
    doi:10.1093/bioinformatics/btq401.
    """
    check_option("sort", sort, SortFry)
    check_flags(allow_fixed_blocks=allow_fixed_blocks)
    compat_level(compat)
    asked = _asked(query, fit, contrast, allow_fixed_blocks)
    effects, labels, scores = _effects(asked, compat)
    members = set_members(sets, labels, ids)
    found = rotation_tests(effects, members.places, standardize=not scores)
    table = _table(members, found.up, found.p_value)
    table["pvalue_mixed"], table["padj_mixed"] = found.mixed, _adjusted(found.mixed)
    by = {"directional": "pvalue", "mixed": "pvalue_mixed", "none": None}[sort]
    return table if by is None else table.sort_values(by, kind="stable")


class _Asked(NamedTuple):
    """The values that linear models are fitted to, a contrast (p,) of the coefficients, and the genes."""

    data: LinearData
    contrast: FloatArray
    labels: GeneLabels
    compat: str | None


def _effects(asked: _Asked, compat: str | None) -> tuple[GeneEffects, GeneLabels, bool]:
    """Return the effects, the genes that they are of, and whether these are normal scores."""
    n, p = asked.data.design.shape
    if n <= p:
        raise DesignError(
            f"{n} samples leave no residual degrees of freedom beside {p} coefficients: tests of gene sets need them."
        )
    _require_genes(asked.labels.tested)
    effects = gene_effects(asked.data, asked.contrast, aligned=(compat or asked.compat) is None)
    return effects, asked.labels, asked.data.scores


def _asked(query: object, fit: str | None, contrast: object, allow_fixed_blocks: bool) -> _Asked:
    if isinstance(query, VoomCounts):
        if fit is not None:
            raise OptionError("fit= is for queries of a data set; leave it out.")
        return _of_voom(query, contrast)
    if not isinstance(query, BoundQuery) or query.dds is None:
        raise OptionError(
            f"query= is {kind_of(query)}; give a query of a data set, made by dds.effect(), dds.query() and so on, or "
            "what cn.voom returned. A table of results is for camera_pr."
        )
    if contrast is not None:
        raise OptionError("contrast= is for what cn.voom returned; a query says itself what is compared.")
    return _of_query(query, fit, allow_fixed_blocks)


def _of_voom(counts: VoomCounts, contrast: Any) -> _Asked:  # noqa: ANN401 (checked here)
    given = given_values(counts, None, None)
    names = given.names
    if contrast is None or isinstance(contrast, str):
        check_option("contrast", names[-1] if contrast is None else contrast, names)
        weights = np.eye(len(names))[-1 if contrast is None else names.index(contrast)]
    else:
        weights = given_contrasts({"contrast": contrast}, names)[0][0]
    known = pd.DataFrame(index=given.genes) if given.gene_info is None else given.gene_info
    labels = GeneLabels(given.genes, np.ones(len(given.genes), dtype=np.bool_), known)
    return _Asked(LinearData(given.values, given.design, given.weights), weights, labels, None)


def _of_query(query: BoundQuery, fit: str | None, allow_fixed_blocks: bool) -> _Asked:
    dds = query.dds
    if dds is None or dds._design is not query.design:
        raise ContrastError(
            "the design or the sample sheet of the data set was set after this query was made; make it again."
        )
    if len(query) != 1:
        raise ContrastError(
            f"gene sets are tested for one comparison at a time, and the query has {len(query)} rows: "
            f"{listing(query.labels)}. Choose one, query[0] or query['label']."
        )
    found = dds._fit(fit)
    if not isinstance(found, TakesGeneSets):
        raise OptionError(
            f"a fit by {found.method}{' with priors of coefficients' if found.shrinkage else ''} has no values for "
            "this test: use camera_pr on its table of results, cn.camera_pr(query.test(), sets), or a fit by DESeq2's, "
            "limma's or edgeR's method, such as fit='limma' after cn.limma(dds)."
        )
    check_blocks(query, found, "answer" if allow_fixed_blocks else "refuse")
    given, data = found.gene_set_data(query.matrix[0]), dds._data
    labels = GeneLabels(data.genes, given.fitted, data.gene_info)
    return _Asked(given.data, query.matrix[0], labels, given.compat)


def _statistic(given: Results | pd.DataFrame | pd.Series, stat: str) -> tuple[FloatArray, GeneLabels]:
    """Return the statistics (m,) of the genes that have one, and all genes."""
    table = given.table if isinstance(given, Results) else given
    if isinstance(table, pd.Series):
        table = table.to_frame(stat)
    if not isinstance(table, pd.DataFrame):
        raise OptionError(
            f"statistic= is {kind_of(given)}; give a table of results, or a Series with genes in its index."
        )
    check_option("stat", stat, [str(name) for name in table])
    values = pd.to_numeric(table[stat], errors="coerce").to_numpy(dtype=np.float64)
    there: BoolArray = np.isfinite(values)
    _require_genes(there)
    if isinstance(given, Results) and stat == "stat":
        values = _signed(given)
    return as_float(values[there]), GeneLabels(table.index, there, table)


def _signed(results: Results) -> FloatArray:
    """Return statistics with a sign, which those of a joint test do not have."""
    if "log2FoldChange" not in results.table:
        raise OptionError(
            f"the statistic of this test ({results.info.test}) of several rows has no direction; test one comparison."
        )
    return signed_statistics(results.table, results.info.test)


def _require_genes(there: BoolArray) -> None:
    n = int(np.count_nonzero(there))
    if n < FEWEST_GENES:
        raise OptionError(f"{n} genes have values; to compare sets with other genes takes {FEWEST_GENES} at least.")


def _correlation(given: object) -> float | None:
    if given is not None and (not is_number(given) or not 0.0 <= given < 1.0):
        raise OptionError(f"inter_gene_cor={given!r} must be a number from 0 to below 1, or None to estimate it.")
    return None if given is None else float(given)


def _camera_table(members: SetMembers, found: cameras.SetTests, *, estimated: bool, sort: bool) -> pd.DataFrame:
    table = _table(members, found.up, found.p_value)
    if estimated:
        table.insert(1, "correlation", found.correlation)
    return table.sort_values("pvalue", kind="stable") if sort else table


def _table(members: SetMembers, up: BoolArray, p_value: FloatArray) -> pd.DataFrame:
    sizes = [len(found) for found in members.places]
    direction = np.where(np.isnan(p_value), "", np.where(up, "Up", "Down"))
    columns: dict[str, Any] = {"n_genes": sizes, "direction": direction, "pvalue": p_value, "padj": _adjusted(p_value)}
    return pd.DataFrame(columns, index=pd.Index(members.names, name="set"))


def _adjusted(p_value: FloatArray) -> FloatArray:
    found = np.full(len(p_value), np.nan)
    there = ~np.isnan(p_value)
    found[there] = benjamini_hochberg(p_value[there])
    return found
