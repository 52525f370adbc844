"""edgeR's analysis of a data set in one call."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.edger_inputs import NAME, given_dispersion, prepared
from countnest.compilation import listening
from countnest.methods.edger.analysis import analyse
from countnest.methods.edger.fit import StoredEdgeR
from countnest.methods.edger.model import EdgeROptions
from countnest.options import check_flags, check_option
from countnest.signature import checked_arguments
from countnest.stats.edger.columns import Columns
from countnest.stats.edger.levels import Compat
from countnest.stats.norm.tmm import FactorMethod

__all__ = ["edger", "glm_fit", "glm_ql_fit"]

Held = TypeVar("Held", bound=CountDataSet)
EdgeRTest = Literal["ql", "lrt"]


@checked_arguments
def edger(
    dds: Held,
    *,
    test: EdgeRTest = "ql",
    filter: Any = True,  # noqa: ANN401 (a flag, or truth values by gene)
    norm_factors: FactorMethod | Any = "TMM",  # noqa: ANN401 (a word, Series, sequence)
    robust: bool = False,
    legacy: bool | None = None,
    abundance_trend: bool = True,
    dispersion: Any = None,  # noqa: ANN401 (a number, Series, sequence, EdgeRDispersions)
    prior_count: float = 0.125,
    compat: Compat | None = None,
    name: str = NAME,
    n_threads: int | None = None,
    quiet: bool = False,
) -> Held:
    """Run edgeR's whole analysis, and keep its fit in the data set under a name.

    Genes with few counts are left out, library sizes normalized, dispersions estimated and models fitted. Queries are
    then answered with ``fit="edger"``: ``dds.effect("dex").test(fit="edger")``. Tests are quasi-likelihood F tests, or
    likelihood ratio tests; with `lfc_threshold` those of `glm_treat`. Fold changes are shrunken a little by a prior
    count. P-values of all genes that were fitted are adjusted together.

    Parameters
    ----------
    dds
        A data set. Its observation weights are used; so are normalization factors by gene, as offsets in proportion to
        them. Its size factors are not.
    test
        "ql": quasi-likelihood F tests, which allow for the uncertainty of the dispersion; "lrt": likelihood ratio tests
        with the dispersion of each gene.
    filter
        Whether genes with few counts are left out, as by `filter_by_expr`; or truth values by gene, True for those that
        stay. The library sizes are then those of the genes that stay.
    norm_factors
        Normalization factors of the library sizes: the method to estimate them by, see `calc_norm_factors`, or numbers
        by sample.
    robust
        Give genes with outlying dispersions fewer prior degrees of freedom.
    legacy
        Quasi-likelihood as before version 4, on the trend of the dispersions; None: as the release has it.
    abundance_trend
        Let the prior of quasi-dispersions follow the average log counts per million.
    dispersion
        Dispersions to use: a number, one for each gene, or what `estimate_disp` returned; by default they are
        estimated.
    prior_count
        Added to the counts for the fold changes, which keeps them finite.
    compat
        Give the numbers of a release of Bioconductor to the last digits that R computes: "bioc3.16", "bioc3.20" or
        "bioc3.22"; None: the newest, with iterations that go on to the optimum.
    name
        The name of the fit.
    n_threads, quiet
        As of `DESeqDataSet.deseq`.

    Returns
    -------
    CountDataSet
        The data set itself.

    Raises
    ------
    OptionError
        No gene is left, or an option cannot be used.
    DesignError
        There are no residual degrees of freedom; likelihood ratio tests with given dispersions need none.

    Warns
    -----
    CountnestWarning
        Factors that do not follow the library sizes; a dispersion above what quasi-likelihood uses.

    Notes
    -----
    R counterpart: edgeR::filterByExpr, normLibSizes, estimateDisp, glmQLFit or glmFit.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.datasets.load("airway")
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ cell + dex", reference={"dex": "untrt"})
    >>> dds = cn.edger(dds, quiet=True)
    >>> res = dds.effect("dex").test(fit="edger", alpha=0.05)
    >>> res.info.method, res.info.test, res.info.estimate
    ('edgeR', 'QL F', 'shrunken by a prior count of 0.125')
    """
    require_data_set(dds, "edger")
    check_option("test", test, EdgeRTest)
    check_flags(robust=robust, abundance_trend=abundance_trend, quiet=quiet)
    if legacy is not None:
        check_flags(legacy=legacy)
    estimates = test == "ql" or dispersion is None
    given, library = prepared(dds, filter, norm_factors, compat, prior_count, estimates=estimates)
    numbers, estimated = given_dispersion(dispersion, dds, given)
    options = EdgeROptions(
        test=test, legacy=legacy, robust=robust, abundance_trend=abundance_trend, dispersion=numbers,
        estimates_first=estimated is not None,
    )  # fmt: skip
    engine = dds._engine(n_threads, quiet)
    columns = Columns.of(dds._design.matrix)
    with listening(engine.progress):
        found = analyse(dds._data.matrix, given, columns, library, options, engine, estimated)
    dds._last_engine = engine
    return dds.add_fit(name, StoredEdgeR.of(found))


def glm_fit(dds: Held, dispersion: Any = None, **options: Any) -> Held:  # noqa: ANN401
    """Fit negative binomial models to all genes of a data set, for likelihood ratio tests; keeps them as "edger".

    Parameters
    ----------
    dds
        A data set, of genes with counts enough: ``dds[cn.filter_by_expr(dds)]``.
    dispersion
        A number, one for each gene, or what `estimate_disp` returned; by default they are estimated.
    options
        Other options of `edger`: `norm_factors`, `prior_count`, `robust`, `compat`, `name`.

    Notes
    -----
    R counterpart: edgeR::glmFit.
    """
    return edger(dds, **{"test": "lrt", "filter": False, "dispersion": dispersion, **options})


def glm_ql_fit(dds: Held, dispersion: Any = None, **options: Any) -> Held:  # noqa: ANN401
    """Fit quasi-likelihood models to all genes of a data set; keeps them as "edger". Parameters: those of `glm_fit`.

    Notes
    -----
    R counterpart: edgeR::glmQLFit.
    """
    return edger(dds, **{"test": "ql", "filter": False, "dispersion": dispersion, **options})
