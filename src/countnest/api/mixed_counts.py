"""Mixed models of counts, for designs with random terms such as ``~ treat1 * treat2 + (1 | family)``."""

from __future__ import annotations

import warnings
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.expressed import warn_of_unused, with_size_factors
from countnest.api.inputs import by_label, given_numbers
from countnest.arrays import FloatArray, as_float
from countnest.design.design import Design, check_residual_df
from countnest.design.random.checks import check_mixed
from countnest.design.random.writing import groups_as_fixed
from countnest.errors import CountnestWarning, DesignError, OptionError, counted, listing
from countnest.methods.deseq2.analysis import with_dispersions
from countnest.methods.deseq2.stages import Dispersions
from countnest.methods.mixed.count_answers import CountDf
from countnest.methods.mixed.counts import INTEGRALS, StoredCountMixed, fit_all_counts
from countnest.methods.mixed.model import mixed_model
from countnest.methods.mixed.posterior import StoredPosterior
from countnest.methods.mixed.quasi import StoredQuasiMixed, fit_all_quasi
from countnest.methods.stage import Normalized
from countnest.options import check_flags, check_option
from countnest.parallel.run import Engine
from countnest.signature import checked_arguments
from countnest.stats.dispersion.trend import FlatDispersionsError
from countnest.stats.glm.layout import Layout
from countnest.stats.mixed.count_records import QuasiFits, ShrunkenDispersion
from countnest.stats.mixed.grid import sigma_scale
from countnest.stats.norm.size_factors import normalized_counts

__all__ = ["glmm"]

Held = TypeVar("Held", bound=CountDataSet)
CountFamily = Literal["negbin", "poisson"]
GlmmMethod = Literal["laplace", "laplace4", "agq", "pql", "posterior"]

# Methods with a restricted likelihood.
_RESTRICTED = ("laplace", "posterior")
_FAMILIES: dict[CountFamily, str] = {"negbin": "negative binomial", "poisson": "Poisson"}


@checked_arguments
def glmm(
    dds: Held,
    *,
    family: CountFamily = "negbin",
    method: GlmmMethod = "laplace",
    reml: bool | None = None,
    dispersion: Literal["shrunken"] | Any = None,  # noqa: ANN401 (a word, number, Series, sequence)
    df: CountDf = "containment",
    name: str = "glmm",
    n_threads: int | None = None,
    quiet: bool = False,
) -> Held:
    """Fit a mixed model of the counts to every gene, and keep the fit in the data set under a name.

    The model is negative binomial with a log link; size factors are offsets, and the random terms of the design give
    the groups of samples that vary together. Queries are answered with ``fit="glmm"``, within and between the groups.

    Parameters
    ----------
    dds
        A data set whose design has random terms, one or several: ``(1 | family)``, ``(time | subject)``,
        ``(1 | site/plot)``.
    family
        "negbin", or "poisson" for counts without variation beyond that of sampling and of the groups.
    method
        How random effects are integrated out: "laplace", for any random terms; for one term with one column also
        "laplace4", with the next order, and "agq", adaptive Gauss-Hermite quadrature. Or "pql", penalised
        quasi-likelihood with a known dispersion, as MASS::glmmPQL: variances are a multiple of those of the family, and
        there is no likelihood. It takes any random terms. Or "posterior", for one term with one column: posterior
        distributions of comparisons, whose priors of variances come from all genes; see below.
    reml
        Use the restricted likelihood, which only "laplace" has; None: with "laplace". By maximum likelihood standard
        errors are too small in small studies.
    dispersion
        None: estimated for each gene. "shrunken": with the trend and the prior of DESeq2's dispersions, those of a
        design that holds the groups fixed. Or numbers: one, or one for each gene. "pql" takes it as known: None is
        that of the negative binomial GLM without random terms, as `glm_nb` has it; "shrunken" is DESeq2's final one.
    df
        Degrees of freedom of t and F tests: "containment", by how many groups or samples a comparison rests on,
        for effects whose slopes vary between groups at most by how many groups;
        "residual", samples less coefficients; "infinite", Wald tests, which reject far too often between few groups.
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
    DesignError
        The design has no random term, or one that cannot be estimated; or several, or one with several columns, and
        the method takes one column.
    OptionError
        An option cannot be used.

    Notes
    -----
    Tables have the columns `code`, as of `lmm` and besides 5 a group has no counts, 6 no dispersion beyond Poisson, 7
    the dispersion, or the standard deviation of the random effects, at its upper bound; `dispersion`; and `sdGroups`,
    the standard deviation of the random effects, log2, or for several columns one each, such as `sd 1 | site`. Kinds of
    test: "t", and "lrt", likelihood ratio tests of fits by maximum likelihood.

    Sources: Brooks et al. (2017), doi:10.32614/RJ-2017-066; the restricted likelihood is that of Cox and Reid (1987),
    doi:10.1111/j.2517-6161.1987.tb01422.x; penalised quasi-likelihood is that of Breslow and Clayton (1993),
    doi:10.1080/01621459.1993.10594284, and has t and F tests alone.

    **Posterior distributions** (nested Laplace approximations; Rue, Martino and Chopin 2009,
    doi:10.1111/j.1467-9868.2008.00700.x) take the standard deviation of the random effects and the dispersion as
    uncertain. The first has a half-normal prior with the mean square of all genes' estimates, the second the prior of
    "shrunken" ones, or it is known; coefficients have flat priors. Tables have posterior means and standard deviations
    in place of estimates and standard errors; `lfsr`, the local false sign rate; `svalue`, its mean over all genes that
    are as certain; and as `pvalue` the two-sided tail probability, twice `lfsr`. Intervals are between quantiles. There
    are no degrees of freedom. The only kind of test is "posterior": of one row, of several, against thresholds.

    R counterpart: glmmTMB::glmmTMB(family = nbinom2, REML = TRUE) for every gene; MASS::glmmPQL with "pql".

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=100, rng=1)
    >>> formula, reference = "~ treat1 * treat2 + (1 | family)", {"treat1": "A", "treat2": "None"}
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design=formula, reference=reference)
    >>> dds = cn.glmm(dds, quiet=True)
    >>> found = dds.effect("treat1", levels=("B", "A")).test(fit="glmm")
    >>> found.info.method, found.info.test
    ('negative binomial mixed model', 'containment t')
    >>> dds = cn.glmm(dds, method="posterior", name="posterior", quiet=True)
    >>> found = dds.effect("treat1", levels=("B", "A")).test(fit="posterior", confint=0.9)
    >>> bool((found.lfsr.dropna() <= 0.5).all())
    True
    """
    require_data_set(dds, "glmm")
    check_option("family", family, CountFamily)
    check_option("method", method, GlmmMethod)
    check_option("df", df, CountDf)
    check_flags(quiet=quiet, **({} if reml is None else {"reml": reml}))
    restricted = method in _RESTRICTED if reml is None else bool(reml)
    if restricted and method not in _RESTRICTED:
        raise OptionError(f"method={method!r} has no restricted likelihood: use method='laplace', or reml=False.")
    check_mixed(dds._design, "counts")
    if method == "posterior":
        _check_posterior(dds._design, df, restricted=restricted)
        dispersion = "shrunken" if dispersion is None and family == "negbin" else dispersion
    warn_of_unused(dds, "glmm", by_gene=True)
    engine = dds._engine(n_threads, quiet)
    state = with_size_factors(dds, engine)
    base_mean = as_float(normalized_counts(dds._data.counts, state.factors).mean(axis=1))
    if method == "pql":
        quasi = _quasi(dds, dispersion, family, state, engine)
        dds._last_engine = engine
        return dds.add_fit(name, StoredQuasiMixed(state.factors, base_mean, quasi, df, _FAMILIES[family]))
    known = _dispersion(dds, dispersion, family, state, engine)
    fits = fit_all_counts(
        dds._data.matrix, state.factors, mixed_model(dds._design), known, engine, reml=restricted,
        method="laplace" if method == "posterior" else method,
    )  # fmt: skip
    dds._last_engine = engine
    stored = StoredCountMixed(
        factors=state.factors,
        base_mean=base_mean,
        fits=fits,
        given=known if isinstance(known, np.ndarray) else None,
        log_trend=known.log_trend if isinstance(known, ShrunkenDispersion) else None,
        prior_sd=known.prior_sd if isinstance(known, ShrunkenDispersion) else None,
        df=df,
        integral=INTEGRALS["laplace" if method == "posterior" else method],
        family=_FAMILIES[family],
    )
    return dds.add_fit(name, StoredPosterior(stored, sigma_scale(fits)) if method == "posterior" else stored)


def _check_posterior(design: Design, df: CountDf, *, restricted: bool) -> None:
    """Raise where posterior distributions are asked for with what they do not have."""
    terms = design.random
    if len(terms) != 1 or len(terms[0].names) != 1:
        raise DesignError(
            "Posterior distributions are of one random term with one column, such as (1 | family); this design has "
            f"{listing([f'({term.label})' for term in terms], 20)}. Use method='laplace' or 'pql'."
        )
    if not restricted:
        raise OptionError(
            "method='posterior' has no likelihood without reml: leave reml= out, or use method='laplace'."
        )
    if df != "containment":
        raise OptionError(f"df={df!r}: posterior probabilities have no degrees of freedom; leave df= out.")


def _dispersion(
    dds: CountDataSet,
    given: Any,  # noqa: ANN401 (checked here)
    family: CountFamily,
    state: Normalized,
    engine: Engine,
) -> FloatArray | ShrunkenDispersion | None:
    """Return dispersions (G,), those with a prior, or None where they are to be estimated."""
    return _prior(dds, state, engine) if _is_shrunken(given, family) else _given(dds, given, family)


def _is_shrunken(given: object, family: CountFamily) -> bool:
    """Return whether dispersions are to be shrunken, by the word that says so."""
    if family == "poisson" and given is not None:
        raise OptionError("Poisson counts have no dispersion: leave dispersion= out, or use family='negbin'.")
    if not isinstance(given, str):
        return False
    check_option("dispersion", given, ("shrunken",))
    return True


def _given(dds: CountDataSet, given: Any, family: CountFamily) -> FloatArray | None:  # noqa: ANN401 (checked here)
    """Return dispersions (G,) that are known; None where they are to be estimated."""
    genes = dds._data.genes
    if family == "poisson":
        return np.zeros(len(genes))
    if given is None:
        return None
    if isinstance(given, pd.Series) and not isinstance(given.index, pd.RangeIndex):
        given = by_label(given, genes, "gene", "dispersion", OptionError)
    numbers = given_numbers(given, "dispersion", OptionError)
    if numbers.shape not in ((), genes.shape):
        raise OptionError(f"dispersion= must be a number, or one for each of {len(genes)} genes; got {numbers.shape}.")
    numbers = as_float(np.broadcast_to(numbers, genes.shape))
    wrong = genes[dds._data.counted & ~(np.isfinite(numbers) & (numbers >= 0))]
    if len(wrong):
        raise OptionError(
            f"dispersion= must be finite and not negative; it is not for {counted(len(wrong), 'gene')}: "
            f"{listing(wrong)}."
        )
    return numbers


def _quasi(
    dds: CountDataSet,
    given: Any,  # noqa: ANN401 (checked here)
    family: CountFamily,
    state: Normalized,
    engine: Engine,
) -> QuasiFits:
    """Return the fits by penalised quasi-likelihood, whose dispersions are known."""
    if _is_shrunken(given, family):
        known: FloatArray | None = _filled(_with_groups_fixed(dds, state, engine).final)
    else:
        known = _given(dds, given, family)
    return fit_all_quasi(dds._data.matrix, state.factors, mixed_model(dds._design), known, engine)


def _prior(dds: CountDataSet, state: Normalized, engine: Engine) -> ShrunkenDispersion:
    """Return the prior of the dispersions of a design with the groups as fixed effects."""
    found = _with_groups_fixed(dds, state, engine)
    if found.trend is None:
        raise OptionError(
            "there is no trend of the dispersions to shrink to: give numbers, or use method='laplace' without "
            "dispersion=."
        )
    return ShrunkenDispersion(as_float(np.log(_filled(found.fitted))), float(np.sqrt(found.trend.disp_prior_var)))


def _filled(dispersion: FloatArray) -> FloatArray:
    """Return dispersions (G,) with their median where they are missing."""
    there = np.isfinite(dispersion)
    return as_float(np.where(there, dispersion, float(np.median(dispersion[there])) if there.any() else 1.0))


def _with_groups_fixed(dds: CountDataSet, state: Normalized, engine: Engine) -> Dispersions:
    """Return DESeq2's dispersions of a design with the groups as fixed effects."""
    formula = groups_as_fixed(dds._design)
    if formula is None:
        raise OptionError(
            "dispersion='shrunken', which method='posterior' takes too, needs dispersions of a design with a fixed "
            "effect of each group, and this one has other effects than intercepts of groups, or too few samples for "
            "it. Give numbers, or estimate dispersions with method='laplace' and without dispersion=."
        )
    fixed = dds.copy()
    fixed._quiet = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)  # of a design that serves for the dispersions alone
        fixed.design = formula
    check_residual_df(fixed._design)
    layout = Layout.of(fixed._design.matrix)
    try:
        state = with_dispersions(state, dds._data.matrix, layout, fit_type="parametric", min_mu=0.5, engine=engine)
    except FlatDispersionsError:
        raise OptionError(
            "no gene varies more than Poisson variables do within the groups, so that there are no dispersions to "
            "shrink to: use family='poisson', or give numbers, or estimate dispersions with method='laplace' and "
            "without dispersion=."
        ) from None
    return state.dispersions
