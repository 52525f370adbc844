"""Genes, size factors and negative binomial counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from countnest.arrays import BoolArray, FloatArray, IntArray
from countnest.errors import OptionError
from countnest.simulate.argument import interval, number, probability, whole_number
from countnest.simulate.hidden import HiddenFactor, hidden_factors

__all__ = ["CountModel", "DispersionModel", "OutlierModel", "draw_counts", "generator"]

# Counts are kept below what a 32-bit integer holds; a mean of this size allows for the scatter around it.
LARGEST_MEAN = 2e8
LARGEST_COUNT = 2**31 - 1
# A scatter with heavy tails is kept within a factor of 1,000 of the trend, natural log.
WIDEST = np.log(1000.0)


@dataclass(frozen=True, slots=True)
class DispersionModel:
    """The dispersions of the genes.

    Attributes
    ----------
    trend
        Two numbers, a0 and a1, of the trend alpha(mean) = a0 + a1 / mean.
    sd
        Standard deviation of the scatter of log dispersions around the trend, natural log; with `df` its scale.
    df
        Degrees of freedom of a scatter with Student's t distribution; None: normal.
    """

    trend: tuple[float, float]
    sd: float
    df: float | None

    @classmethod
    def checked(cls, dispersion: object, dispersion_sd: object, dispersion_df: object = None) -> Self:
        """Return the model if all its numbers can be used.

        Raises
        ------
        OptionError
            A number is outside its domain.
        """
        return cls(
            trend=_trend(dispersion),
            sd=number("dispersion_sd", dispersion_sd),
            df=None if dispersion_df is None else number("dispersion_df", dispersion_df, above=True),
        )

    def draw(self, base: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Draw the dispersions, shape (G,), around the trend at the base means."""
        lowest, slope = self.trend
        if self.df is None:
            scatter = rng.normal(0.0, self.sd, len(base))
        else:
            scatter = np.clip(self.sd * rng.standard_t(self.df, len(base)), -WIDEST, WIDEST)
        with np.errstate(over="ignore"):  # `draw_counts` says so
            return np.asarray((lowest + slope / base) * np.exp(scatter))


@dataclass(frozen=True, slots=True)
class OutlierModel:
    """Counts that are inflated.

    Attributes
    ----------
    fraction
        Probability that a count is inflated.
    factors
        Smallest and largest factor; log-uniform between them.
    """

    fraction: float
    factors: tuple[float, float]

    @classmethod
    def checked(cls, outlier_fraction: object, outlier_factors: object) -> Self:
        """Return the model if all its numbers can be used.

        Raises
        ------
        OptionError
            A number is outside its domain.
        """
        return cls(
            fraction=probability("outlier_fraction", outlier_fraction, of="counts"),
            factors=interval("outlier_factors", outlier_factors, of="factor"),
        )

    def inflate(self, counts: IntArray, rng: np.random.Generator) -> tuple[IntArray, BoolArray]:
        """Return counts (G, n) of which some are multiplied, and which these are; zeros stay zero."""
        if self.fraction == 0:
            return counts, np.zeros(counts.shape, dtype=np.bool_)
        # Streams of their own, so that the outliers of the first genes do not depend on how many genes follow.
        chance, size = rng.spawn(2)
        hit: BoolArray = (chance.random(counts.shape) < self.fraction) & (counts > 0)
        low, high = np.log(self.factors)
        larger = np.rint(counts * np.exp(size.uniform(low, high, counts.shape)))
        return np.where(hit, np.clip(larger, 1, LARGEST_COUNT).astype(np.int64), counts), hit


@dataclass(frozen=True, slots=True)
class CountModel:
    """The variation of genes and samples in a study, apart from treatments and families.

    Attributes
    ----------
    genes
        Number of genes, G.
    base
        Smallest and largest mean count in the reference group; log-uniform between them.
    dispersion
        The dispersions of the genes.
    size_factor_sd
        Standard deviation of the log-normal size factors, natural log.
    outliers
        Counts that are inflated.
    hidden
        Factors that are not in the sample sheet.
    """

    genes: int
    base: tuple[float, float]
    dispersion: DispersionModel
    size_factor_sd: float
    outliers: OutlierModel
    hidden: tuple[HiddenFactor, ...]

    @classmethod
    def checked(
        cls,
        genes: object,
        base: object,
        dispersion: DispersionModel,
        size_factor_sd: object,
        outliers: OutlierModel,
        hidden: object,
    ) -> Self:
        """Return the model if all its numbers can be used.

        Raises
        ------
        OptionError
            A number is outside its domain.
        """
        return cls(
            genes=whole_number("genes", genes),
            base=interval("base", base),
            dispersion=dispersion,
            size_factor_sd=number("size_factor_sd", size_factor_sd),
            outliers=outliers,
            hidden=hidden_factors(hidden),
        )

    def draw_base(self, rng: np.random.Generator) -> FloatArray:
        """Draw the base means, shape (G,), counts."""
        low, high = np.log(self.base)
        return np.exp(rng.uniform(low, high, self.genes))

    def draw_size_factors(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw the size factors, shape (n,)."""
        return np.exp(rng.normal(0.0, self.size_factor_sd, n))


def draw_counts(log_means: FloatArray, alpha: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw negative binomial counts with variance mu + alpha mu^2.

    Parameters
    ----------
    log_means
        Natural log of the means, mu, shape (G, n).
    alpha
        Dispersions, shape (G,), above 0.
    rng
        Source of random numbers, used gene after gene.

    Raises
    ------
    OptionError
        A mean is too large, or a dispersion is too large or too small to draw from.
    """
    largest = float(np.max(log_means))
    if largest > np.log(LARGEST_MEAN):
        raise OptionError(
            f"the largest mean of a gene in a sample would be exp({largest:.4g}), above {LARGEST_MEAN:.0e}; give a "
            "smaller base, or smaller standard deviations of the effects, the families, the hidden factors and the "
            "size factors."
        )
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            size = 1.0 / alpha[:, None]
            share = size / (size + np.exp(log_means))
        return rng.negative_binomial(size, share)
    except ValueError as error:
        raise OptionError(
            f"the dispersions of the genes would be {np.min(alpha):.3g} to {np.max(alpha):.3g}, from which counts of "
            "these means cannot be drawn; give other numbers for dispersion, or a smaller dispersion_sd."
        ) from error


def generator(rng: object) -> np.random.Generator:
    """Return a generator for a seed, or the generator that was given."""
    if isinstance(rng, np.random.Generator):
        return rng
    return np.random.default_rng(whole_number("rng", rng, least=0))


def _trend(value: object) -> tuple[float, float]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise OptionError(
            f"dispersion={value!r} cannot be used; give two numbers, a0 and a1 of the trend a0 + a1 / mean."
        )
    return number("dispersion[0]", value[0], above=True), number("dispersion[1]", value[1])
