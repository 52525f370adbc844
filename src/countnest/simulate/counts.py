"""Genes, size factors and negative binomial counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.errors import OptionError
from countnest.simulate.argument import interval, number, whole_number

__all__ = ["CountModel", "draw_counts", "generator"]

# Counts are kept below what a 32-bit integer holds; a mean of this size allows for the scatter around it.
LARGEST_MEAN = 2e8


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
        Two numbers, a0 and a1, of the trend alpha(mean) = a0 + a1 / mean.
    dispersion_sd
        Standard deviation of the log-normal scatter around the trend, natural log.
    size_factor_sd
        Standard deviation of the log-normal size factors, natural log.
    """

    genes: int
    base: tuple[float, float]
    dispersion: tuple[float, float]
    dispersion_sd: float
    size_factor_sd: float

    @classmethod
    def checked(
        cls, genes: object, base: object, dispersion: object, dispersion_sd: object, size_factor_sd: object
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
            dispersion=_trend(dispersion),
            dispersion_sd=number("dispersion_sd", dispersion_sd),
            size_factor_sd=number("size_factor_sd", size_factor_sd),
        )

    def draw_base(self, rng: np.random.Generator) -> FloatArray:
        """Draw the base means, shape (G,), counts."""
        low, high = np.log(self.base)
        return np.exp(rng.uniform(low, high, self.genes))

    def draw_dispersions(self, base: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Draw the dispersions, shape (G,), around the trend at the base means."""
        lowest, slope = self.dispersion
        return np.asarray((lowest + slope / base) * np.exp(rng.normal(0.0, self.dispersion_sd, self.genes)))

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
        A mean is too large.
    """
    largest = float(np.max(log_means))
    if largest > np.log(LARGEST_MEAN):
        raise OptionError(
            f"the largest mean of a gene in a sample would be exp({largest:.1f}), above {LARGEST_MEAN:.0e}; give a "
            "smaller base, or smaller standard deviations of the effects, the families and the size factors."
        )
    size = 1.0 / alpha[:, None]
    return rng.negative_binomial(size, size / (size + np.exp(log_means)))


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
