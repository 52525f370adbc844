"""One gene of a data set as a model of bambi, for Markov chain Monte Carlo; bambi is optional."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.expressed import with_size_factors
from countnest.arrays import FloatArray
from countnest.design.design import Design
from countnest.errors import DesignError, OptionError, listing, suggestion
from countnest.methods.mixed.posterior import PosteriorFit
from countnest.options import check_option
from countnest.signature import checked_arguments

__all__ = ["to_bambi"]

CountFamily = Literal["negbin", "poisson"]
_FAMILIES: dict[CountFamily, str] = {"negbin": "negativebinomial", "poisson": "poisson"}

# Priors of a gene that no fit tells of, natural log: the standard deviations of its mean and of the random effects, and
# mean and standard deviation of the log of 1 / dispersion.
WIDE, SPREAD, LOG_SIZE, LOG_SIZE_SD = 2.5, 1.0, float(np.log(10.0)), 1.5
# The standard deviation of coefficients that have flat priors in a fit.
FLAT = 10.0


@checked_arguments
def to_bambi(
    dds: CountDataSet,
    gene: str,
    *,
    family: CountFamily = "negbin",
    fit: str | None = None,
    priors: Mapping[str, Any] | None = None,
) -> Any:  # noqa: ANN401 (bambi has no types)
    """Return the mixed model of one gene as a ``bambi.Model``, to be sampled with PyMC.

    Its data are the sample sheet with the counts, its formula that of the design with the logarithms of the size
    factors as offsets. Nothing is fitted before ``model.fit()``.

    Parameters
    ----------
    dds
        A data set with a formula; random terms are optional.
    gene
        The name of the gene.
    family
        "negbin" or "poisson".
    fit
        The name of a fit by ``cn.glmm(method="posterior")``, whose priors the model has: that of the standard
        deviation of the random effects, that of the dispersion of this gene, and wide ones of the coefficients. None:
        weak priors, around the mean count of the gene and a dispersion of 0.1; those of the coefficients are bambi's.
    priors
        Of terms, by bambi's names, in place of these: see ``bambi.Model``.

    Returns
    -------
    bambi.Model
        The model. `alpha` is one over the dispersion, coefficients are natural logarithms.

    Raises
    ------
    OptionError
        bambi is not installed (``pip install 'countnest[bayes]'``) or cannot be imported, there is no such gene, or
        `fit` has no priors.
    DesignError
        The design was given as a matrix, has columns that were left out, or a formula that bambi cannot read.

    Notes
    -----
    bambi reads the formula by its own rules: its random effects of a term with several columns are independent, and
    coefficients have its own names. Levels are in the order of the data set, the reference first.

    Source: Capretto and others (2022), doi:10.18637/jss.v103.i15.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=100, rng=1)
    >>> formula, reference = "~ treat1 * treat2 + (1 | family)", {"treat1": "A", "treat2": "None"}
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design=formula, reference=reference)
    >>> dds = cn.glmm(dds, method="posterior", quiet=True)
    >>> model = cn.to_bambi(dds, "g00001", fit="glmm")  # doctest: +SKIP
    >>> draws = model.fit()  # doctest: +SKIP
    """
    require_data_set(dds, "to_bambi")
    check_option("family", family, CountFamily)
    bambi = _bambi()
    place, design = _place(dds, gene), dds._design
    own = None if fit is None else _with_priors(dds, fit)
    factors = own.stored.factors if own else with_size_factors(dds, dds._engine(None, True)).factors
    offset = np.log(factors[place if len(factors) > 1 else 0])
    counts = dds._data.matrix.read(slice(place, place + 1))[0]
    if own is not None and own.stored.family == "Poisson":
        family = "poisson"
    response, exposure = (_free(name, design.sheet) for name in ("counts", "log_size_factor"))
    data = _in_order(design).assign(**{response: counts.astype(np.int64), exposure: offset})
    chosen = _weak(bambi, counts, offset, design) if own is None else _of_fit(bambi, own, place)
    if family == "poisson":
        chosen.pop("alpha", None)
    formula = _formula(design, response, exposure)
    try:
        return bambi.Model(formula, data, family=_FAMILIES[family], priors={**chosen, **(priors or {})})
    except Exception as error:  # of any kind: bambi's parser, its terms and its priors have their own
        raise DesignError(f"bambi cannot make a model of {formula!r} for gene {gene!r}: {error}") from error


def _bambi() -> Any:  # noqa: ANN401
    try:
        return importlib.import_module("bambi")
    except ImportError as error:
        raise OptionError(f"to_bambi needs bambi: pip install 'countnest[bayes]' ({error}).") from error
    except Exception as error:
        raise OptionError(
            f"bambi is installed, but its import fails: {type(error).__name__}: {error}. Its libraries are of releases "
            "that do not fit together: pip install --upgrade 'countnest[bayes]' in a new environment."
        ) from error


def _place(dds: CountDataSet, gene: str) -> int:
    genes = dds._data.genes
    if not isinstance(gene, str) or gene not in genes:
        raise OptionError(f"gene={gene!r} is not in the data set.{suggestion(gene, genes)}")
    return int(np.flatnonzero(genes == gene)[0])


def _with_priors(dds: CountDataSet, name: str) -> PosteriorFit:
    own = dds._fit(name)
    if not isinstance(own, PosteriorFit):
        raise OptionError(
            f"fit={name!r} is a fit by {own.method} without priors of variances: fit with cn.glmm(dds, "
            "method='posterior'), or leave fit= out."
        )
    return own


def _formula(design: Design, response: str, exposure: str) -> str:
    """Return the formula of a design in bambi's language."""
    if design.fixed_formula is None:
        raise DesignError("bambi takes a formula, and this design was given as a matrix: give a formula.")
    if design.dropped:
        raise DesignError(
            f"bambi would estimate columns that the design leaves out ({listing(design.dropped)}): write a formula "
            "without them."
        )
    fixed = design.fixed_formula.removeprefix("~").strip()
    random = [f"({term.label})" for term in design.random]
    return f"{response} ~ {' + '.join([fixed, f'offset({exposure})', *random])}"


def _in_order(design: Design) -> pd.DataFrame:
    """Return the sample sheet with ordered factors; bambi sorts the levels of others, so that references change."""
    factors = {
        name: pd.Categorical(design.sheet[name], categories=list(levels), ordered=True)
        for name, levels in design.levels.items()
        if name in design.sheet
    }
    return design.sheet.assign(**factors)


def _free(name: str, sheet: pd.DataFrame) -> str:
    """Return a name that is no column of the sample sheet."""
    while name in sheet:
        name += "_"
    return name


def _weak(bambi: Any, counts: FloatArray, offset: FloatArray, design: Design) -> dict[str, Any]:  # noqa: ANN401
    """Return priors of a gene that no fit tells of."""
    found = {"alpha": bambi.Prior("LogNormal", mu=LOG_SIZE, sigma=LOG_SIZE_SD)}
    if design.intercept:
        level = float(np.log(max(float(np.mean(counts / np.exp(offset))), 0.5)))
        found["Intercept"] = bambi.Prior("Normal", mu=level, sigma=WIDE)
    if design.random:
        found["group_specific"] = _normal(bambi, SPREAD)
    return found


def _of_fit(bambi: Any, own: PosteriorFit, place: int) -> dict[str, Any]:  # noqa: ANN401
    """Return the priors that a gene has in a fit; a known dispersion is a constant."""
    stored = own.stored
    found = {"common": bambi.Prior("Normal", mu=0.0, sigma=FLAT), "group_specific": _normal(bambi, own.scale)}
    if own.design.intercept:
        found["Intercept"] = bambi.Prior("Normal", mu=0.0, sigma=3.0 * FLAT)
    if stored.log_trend is not None:
        found["alpha"] = bambi.Prior("LogNormal", mu=-float(stored.log_trend[place]), sigma=stored.prior_sd)
    elif stored.given is not None and stored.given[place] > 0.0:
        found["alpha"] = 1.0 / float(stored.given[place])
    return found


def _normal(bambi: Any, scale: float) -> Any:  # noqa: ANN401
    return bambi.Prior("Normal", mu=0.0, sigma=bambi.Prior("HalfNormal", sigma=scale))
