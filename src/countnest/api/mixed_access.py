"""Access to mixed models: variance components and random effects of every gene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.inputs import probability
from countnest.api.mixed_fits import mixed_access
from countnest.arrays import FloatArray
from countnest.compilation import listening
from countnest.design.random.term import RandomTerm
from countnest.errors import OptionError, listing
from countnest.options import check_flags
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from countnest.stats.mixed.shares import Components, Shares
    from countnest.stats.mixed.variances import Signed

__all__ = ["place_of_term", "random_effects", "variance_components"]

# By part and value.
Columns = dict[tuple[str, str], FloatArray]


@checked_arguments
def variance_components(dds: CountDataSet, fit: str = "lmm", *, level: float = 0.95) -> pd.DataFrame:
    """Return the standard deviations of the random effects and of the residuals, and their shares of the variance.

    Parameters
    ----------
    dds
        A data set with mixed models, of `lmm` or `glmm`.
    fit
        The name of the fit.
    level
        Level of the confidence intervals of the shares.

    Returns
    -------
    DataFrame
        Genes x (part, value). The parts are "fixed", the random terms as the design names them ("1 | family"), and
        "residual". Values of every part: `share` of the variance of an average sample, from `low` to `high`. Of the
        others: `sd`, in the units of what was fitted, log2; of a term with several columns one for each, "sd
        Intercept", "sd time", and their correlations, "cor Intercept time", missing where an sd is 0. Genes without a
        fit have missing values.
        Of counts shares are on the log scale, and the residual is the variance of a count about its mean there, at the
        mean count of the gene; by quasi-likelihood with the estimated factor, and shares have no intervals.
        Of a fit whose variances may be negative (``bounded=False``): `variance` of the random term, `icc`, the
        correlation of two samples of one group, from `low` to `high`, and `sd` of the residuals.

    Raises
    ------
    OptionError
        There is no such fit, or it is not a mixed model.

    Notes
    -----
    An sd of 0 is a singular fit: the samples of one family are no more alike than others. With two samples a family it
    is an estimate far from certain, see the interval of the share.

    The intervals are by the delta method on the scale of log odds; of counts as if estimates of variances, dispersion
    and coefficients were independent. Those of intraclass correlations are on the scale of Fisher's z for groups of m
    samples, log((1 + (m - 1) icc) / (1 - icc)), so that they stay between -1 / (m - 1) and 1; m is the size of the
    largest group.

    The variance of a count on the log scale is the trigamma function at 1 / (1 / mean + dispersion), by Nakagawa,
    Johnson and Schielzeth (2017), doi:10.1098/rsif.2017.0213. It has the noise of sampling in it: genes with few counts
    have a large one. The share of the fixed part is their marginal R squared.

    R counterparts: lme4::VarCorr, variancePartition::calcVarPart; for counts MuMIn::r.squaredGLMM, method "trigamma",
    but for the mean count, which is that of the gene here and not that of a null model.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=100, rng=1)
    >>> formula, reference = "~ treat1 * treat2 + (1 | family)", {"treat1": "A", "treat2": "None"}
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design=formula, reference=reference)
    >>> parts = cn.variance_components(cn.lmm(dds, quiet=True))
    >>> list(parts.xs("share", axis=1, level="value").columns)
    ['fixed', '1 | family', 'residual']
    """
    require_data_set(dds, "variance_components")
    probability("level", level)
    access, terms = mixed_access(dds, "variance_components", fit), dds._design.random
    sigma, signed = access.residual_sd(), access.signed(level)
    if signed is not None:
        columns = _signed_columns(signed, terms[0].label) | {("residual", "sd"): sigma}
    else:
        shares = access.shares(level)
        columns = _share_columns(shares, "fixed", 0)
        for place, (term, each) in enumerate(zip(terms, access.components(), strict=True), start=1):
            columns |= _sd_columns(term, each) | _share_columns(shares, term.label, place)
        columns |= {("residual", "sd"): sigma} | _share_columns(shares, "residual", len(terms) + 1)
    names = pd.MultiIndex.from_tuples(list(columns), names=["part", "value"])
    return pd.DataFrame(np.column_stack(list(columns.values())), index=dds.gene_names, columns=names)


@checked_arguments
def random_effects(
    dds: CountDataSet, fit: str = "lmm", *, term: str | None = None, se: bool = False, coef: bool = False
) -> pd.DataFrame:
    """Return the predicted random effects of a term: by how much each family deviates from what the fixed part says.

    Parameters
    ----------
    dds
        A data set with mixed models, of `lmm` or `glmm`.
    fit
        The name of the fit.
    term
        The random term as the design names it: "1 | family". None: the only one.
    se
        Return their conditional standard deviations instead.
    coef
        Return the coefficients of each level instead: random effects plus the fixed coefficients of the same names.

    Returns
    -------
    DataFrame
        Genes x levels, in the units of what was fitted, log2; genes x (level, coefficient) of a term with several
        columns. Genes without a fit have missing values, and those with a singular fit zeros.

    Raises
    ------
    OptionError
        There is no such fit or term, or it is not a mixed model, or one whose variances may be negative.

    Notes
    -----
    They are best linear unbiased predictions, or of counts the modes of their distribution given the counts: estimates
    that are drawn towards zero, the more the less certain they are. Standard deviations, which quasi-likelihood does
    not have, take the variances and the fixed coefficients as known. A random effect whose coefficient the fixed part
    lacks is that of each level as it is.

    R counterparts: lme4::ranef, and lme4::coef for ``coef=True``, which lists the fixed coefficients without random
    effects too.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=100, rng=1)
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ treat1 + (1 | family)", quiet=True)
    >>> dds = cn.lmm(dds, quiet=True)
    >>> cn.random_effects(dds).shape, cn.random_effects(dds, coef=True).columns.name
    ((100, 24), 'family')
    """
    require_data_set(dds, "random_effects")
    check_flags(se=se, coef=coef)
    if se and coef:
        raise OptionError("se=True gives standard deviations of random effects, and coef=True coefficients: leave one.")
    access = mixed_access(dds, "random_effects", fit)
    place = place_of_term(dds._design.random, term)
    chosen = dds._design.random[place]
    with listening(dds._engine_aside().progress):
        found = access.effects()[place]
    values = found.sd if se else found.values
    if coef:
        values = values + _fixed_of(access.coefficients(), dds._design.names, chosen)[:, np.newaxis]
    columns: pd.Index = pd.Index(chosen.levels, name=chosen.group)
    if len(chosen.names) > 1:
        columns = pd.MultiIndex.from_product([chosen.levels, chosen.names], names=[chosen.group, "coefficient"])
    return pd.DataFrame(values.reshape(len(values), -1), index=dds.gene_names, columns=columns)


def _fixed_of(coefficients: FloatArray, names: Sequence[str], term: RandomTerm) -> FloatArray:
    """Return the fixed coefficients (G, k) under the names of a term's; 0 where there is none."""
    found = np.zeros((len(coefficients), len(term.names)))
    for k, name in enumerate(term.names):
        if name in names:
            found[:, k] = coefficients[:, list(names).index(name)]
    return found


def _signed_columns(found: Signed, part: str) -> Columns:
    """Return the variance that may be negative, and the intraclass correlation, by (part, value)."""
    return {
        (part, "variance"): found.variance,
        (part, "icc"): found.correlation,
        (part, "low"): found.low,
        (part, "high"): found.high,
    }


def place_of_term(terms: Sequence[RandomTerm], label: str | None) -> int:
    """Return which of the random terms has a label."""
    labels = [term.label for term in terms]
    if label is None and len(terms) == 1:
        return 0
    if label is None or label not in labels:
        what = "several random terms" if label is None else f"no random term {label!r}"
        raise OptionError(f"the design has {what}: give term=, one of {listing(labels, 20)}.")
    return labels.index(label)


def _share_columns(shares: Shares, part: str, place: int) -> Columns:
    return {
        (part, "share"): shares.share[:, place],
        (part, "low"): shares.low[:, place],
        (part, "high"): shares.high[:, place],
    }


def _sd_columns(term: RandomTerm, found: Components) -> Columns:
    """Return the standard deviations of a term, and the correlations of its columns, by (part, value)."""
    names = term.names
    if len(names) == 1:
        return {(term.label, "sd"): found.sd[:, 0]}
    columns = {(term.label, f"sd {name}"): found.sd[:, k] for k, name in enumerate(names)}
    pairs = [(first, second) for second in range(len(names)) for first in range(second)]
    return columns | {
        (term.label, f"cor {names[first]} {names[second]}"): found.correlation[:, first, second]
        for first, second in pairs
    }
