"""Mixed models of counts with any random terms, as the kernels take them, and memory for one gene.

n samples, c random and p fixed columns, t variance parameters, q random effects, m = q + p unknowns: the random effects
in units of their standard deviations, u, and the coefficients of the fixed columns, b. log mu = offset + Z L u + X b
with u ~ N(0, I); L (c, c) has triangles of the terms along its diagonal.
"""

from __future__ import annotations

from typing import NamedTuple

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.mixed.joint.skyline import Skyline

__all__ = ["Joint", "JointWork"]


class Joint(NamedTuple):
    """What all genes share.

    Attributes
    ----------
    columns
        (n, c + p) random columns, then fixed ones.
    place
        (n, c + p) the unknown that each of them belongs to.
    slot
        (n, (c + p)(c + p + 1) / 2) where the products of two columns of a sample are in the skyline: pairs (a, b), b <=
        a, row by row.
    entries
        (t, 2) row and column in L of each variance parameter, term after term.
    skyline
        Of the m unknowns.
    """

    columns: FloatArray
    place: IntArray
    slot: IntArray
    entries: IntArray
    skyline: Skyline


class JointWork(NamedTuple):
    """What one gene needs, made once for a chunk.

    Attributes
    ----------
    sample
        (N_SAMPLE_ROWS, n), see `kernels.mixed.counts.points`.
    turned
        (n, c + p) columns of Z L, then those of X.
    fixed
        (n,) linear predictors that are given, beside the offset.
    product, leverage
        (n, c + p) and (n,): M^-1 x_i at the places of each sample, and h_i; see `slopes`.
    factor, inverse
        (entries,) of the skyline.
    score, step
        (m,).
    state
        (4,) the dispersion that the constants in `sample` are of; the derivative of the density by the dispersion; the
        precision of fixed coefficients; the dispersion.
    """

    sample: FloatArray
    turned: FloatArray
    fixed: FloatArray
    product: FloatArray
    leverage: FloatArray
    factor: FloatArray
    inverse: FloatArray
    score: FloatArray
    step: FloatArray
    state: FloatArray
