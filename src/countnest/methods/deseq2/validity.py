"""Checks of the records of an analysis from a file against its counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from countnest.arrays import FloatArray
from countnest.containers.counts import CountData
from countnest.design.design import Design
from countnest.design.prior_design import prior_design
from countnest.methods.chunks import Genes
from countnest.methods.deseq2.stages import Dispersed, Dispersions, Fitted, ModelFit
from countnest.methods.normalized import base_moments
from countnest.methods.stage import Normalized
from countnest.options import ModelMatrixType
from countnest.parallel.run import Engine

__all__ = ["SHAPES", "impossible", "misfits", "wrong_in"]

# Means of the counts are computed again; another version of NumPy may differ in the last bits.
TOLERANCE = 1e-9

G, N, P, Q, K, V, R = "Gnpqkvr"

_STATE = {"factors": (R, N), "weights": (G, N), "raw_weights": (G, N)}
# By record and field: G genes, n samples, p coefficients, q with priors, k genes with replaced counts, v vertices of a
# curve, r rows of factors (1 or G). Fields that are not named here have the shape (G,).
SHAPES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(("Normalized", "Dispersed", "Fitted"), _STATE),
        "BetaPrior": {"variance": (Q,), "beta": (G, Q), "se": (G, Q)},
        "LocalCurve": {"vertices": (V,), "values": (V,), "slopes": (V,)},
        "ModelFit": {"beta": (G, P), "se": (G, P)},
        "Replacement": {"counts": (K, N), "cooks": (K, N), "replaceable": (N,)},
    }
)


def misfits(state: Normalized, genes: int, samples: int, coefficients: int, with_prior: int) -> list[str]:
    """Describe the mismatches between an analysis and a data set: '' for none, or sentences without the full stop.

    Parameters
    ----------
    state
        The analysis; its fields are of their types.
    genes, samples, coefficients, with_prior
        G, n, p, and q, the number of coefficients with priors.
    """
    sizes = {G: genes, N: samples, P: coefficients, Q: with_prior, R: genes if state.by_gene else 1}
    if isinstance(state, Dispersed) and state.replacement is not None:
        sizes[K] = int(np.count_nonzero(state.replacement.flagged))
    return list(_misfits(state, sizes, "the analysis"))


def _misfits(record: Any, sizes: Mapping[str, int], where: str) -> Iterator[str]:  # noqa: ANN401 (a dataclass)
    known = SHAPES.get(type(record).__name__, {})
    own = {V: len(record.vertices)} if "vertices" in known else {}
    for field in fields(record):
        value, name = getattr(record, field.name), f"{where}.{field.name}"
        if isinstance(value, np.ndarray):
            expected = tuple({**sizes, **own}[size] for size in known.get(field.name, (G,)))
            if value.shape != expected:
                yield f"{name} has the shape {value.shape}, where {expected} is needed"
        elif is_dataclass(value):
            yield from _misfits(value, sizes, name)


def impossible(state: Normalized) -> list[str]:
    """Describe values that no analysis can produce: '' for none, or sentences without the full stop.

    Parameters
    ----------
    state
        The analysis; its fields are of their types and shapes.

    Notes
    -----
    A value may be missing where a gene is not fitted. That estimates are those of the counts is not checked, which
    would take the analysis again.
    """
    found: list[str] = []
    if isinstance(state, Dispersed):
        found += _of_dispersions(state.dispersions)
    if isinstance(state, Fitted):
        found += _of_fit(state.fit)
    return found


def _of_dispersions(found: Dispersions) -> Iterator[str]:
    for name in ("genewise", "fitted", "map", "final"):
        values: FloatArray = getattr(found, name)
        if ((values <= 0) | np.isinf(values)).any():
            yield f"its dispersions ({name}) are not above zero"
    if not 0 <= found.min_mu < math.inf:
        yield "the floor of its means (min_mu) is no number of 0 or more"
    if found.trend is None:
        return
    for name in ("var_log_disp_ests", "disp_prior_var"):
        value = getattr(found.trend, name)
        if value < 0 or math.isinf(value):
            yield f"the width of its prior ({name}) is below zero or infinite"
    for name, value in (found.trend.coefficients or {}).items():
        if not 0 <= value < math.inf:
            yield f"a coefficient of its dispersion trend ({name}) is no number of 0 or more"


def _of_fit(fit: ModelFit) -> Iterator[str]:
    if fit.df is not None and not (np.nan_to_num(np.asarray(fit.df, dtype=np.float64), nan=1.0) > 0).all():
        yield "the degrees of freedom of its t tests are not above zero"
    if fit.reduced is not None and fit.reduced.df < 1:
        yield "its likelihood ratio test has no degrees of freedom"
    if fit.prior is not None and not (fit.prior.variance > 0).all():
        yield "the variances of its priors are not above zero"
    if fit.test == "LRT" and fit.reduced is None:
        yield "its likelihood ratio test lacks the reduced model"
    if not 0 <= fit.min_mu < math.inf:
        yield "the floor of its means (min_mu) is no number of 0 or more"
    for part, beta, se in (("", fit.beta, fit.se), *((" with priors", p.beta, p.se) for p in (fit.prior,) if p)):
        if np.isinf(beta).any():
            yield f"its coefficients{part} are infinite"
        if (se < 0).any():
            yield f"its standard errors{part} are below zero"
    if (fit.max_cooks < 0).any() or (fit.highest_cooks < 0).any():
        yield "its Cook's distances are below zero"


def wrong_in(state: Normalized, data: CountData, design: Design, engine: Engine) -> list[str]:
    """Describe what of a state from a file does not belong to these counts and this design; '' for nothing.

    Moments are computed again; other estimates are checked for their shapes and for values that no analysis makes.
    """
    p = len(design.names)
    prior = state.fit.prior if isinstance(state, Fitted) else None
    kind: ModelMatrixType = "expanded" if prior is not None and prior.expanded else "standard"
    with_prior = p if prior is None else len(prior_design(design, kind).design.names)
    found = misfits(state, *data.shape, p, with_prior)
    if found:
        return found
    if not (np.isfinite(state.factors).all() and (state.factors > 0).all()):
        return ["its size factors are not above zero"]
    found = impossible(state)
    if found:
        return found
    stored = state.moments
    counts = state.counts_used(data.matrix) if isinstance(state, Dispersed) else data.matrix
    again = base_moments(
        Genes(counts, state.factors), engine, weights=state.raw_weights, weights_fail=stored.weights_fail
    )
    same = np.array_equal(stored.all_zero, again.all_zero) and all(
        np.allclose(one, other, rtol=TOLERANCE, atol=0.0, equal_nan=True)
        for one, other in ((stored.mean, again.mean), (stored.variance, again.variance))
    )
    return [] if same else ["its estimates are those of other counts"]
