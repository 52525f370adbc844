"""Measure type I errors of tests with both variances moderated, beside others, on normal values without effects.

Usage: python benchmarks/averaged_variances.py [--genes 20000]

Prints the table of docs/mixed_models.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from countnest.stats.mixed.averaged import averaged_variances
from countnest.stats.mixed.dream import moderated_tests
from countnest.stats.mixed.linear import fit_linear
from countnest.stats.mixed.records import MixedModel, RandomEffects
from countnest.stats.mixed.strata import strata_of
from countnest.stats.mixed.tests import contrast_tests, residual_df

FAMILIES = 24
# Families of two, of which so many lose a sib.
LOST = (0, 12)
RATIOS = ("0", "0.5", "exponential, mean 0.5")
# An interaction, within families, and a mean difference between them.
ROWS = np.array([[0, 0, 0, 0, 0, 1.0, 0, 0], [0, 1.0, 0, 0, 0, 0.5, 0, 0]])


def drawn(lost: int, ratio: str, genes: int) -> tuple[np.ndarray, MixedModel]:
    """Return values without effects, with variances that differ between genes, and their model."""
    rng = np.random.default_rng((lost, RATIOS.index(ratio)))
    codes, treat2 = np.repeat(np.arange(FAMILIES), 2), np.tile([0.0, 1.0], FAMILIES)
    treat1 = (codes[:, np.newaxis] % 4 == np.arange(1, 4)).astype(float)
    matrix = np.column_stack([np.ones(2 * FAMILIES), treat1, treat2, treat1 * treat2[:, np.newaxis]])
    ratios = {"0": np.zeros((genes, 1)), "0.5": np.full((genes, 1), 0.5)}.get(ratio, rng.exponential(0.5, (genes, 1)))
    families = np.sqrt(ratios) * rng.normal(size=(genes, FAMILIES))
    spread = np.exp(0.25 * rng.normal(size=(genes, 1)))
    values = spread * (rng.normal(size=(genes, 2 * FAMILIES)) + families[:, codes])
    gone = 2 * rng.choice(FAMILIES, lost, replace=False) + rng.integers(0, 2, lost)
    left = np.delete(np.arange(2 * FAMILIES), gone)
    return values[:, left], MixedModel(matrix[left], (RandomEffects(codes[left], np.ones((len(left), 1))),))


def p_values(y: np.ndarray, model: MixedModel) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the p-values (G, 2) of each test."""
    fits = fit_linear(y, model)
    yield "Kenward-Roger", contrast_tests(y, model, None, fits, ROWS).p_value
    own = contrast_tests(y, model, None, fits, ROWS, "satterthwaite")
    yield "dream", moderated_tests(own, fits.sigma, residual_df(y, model, None, fits)).p_value
    yield "averaged", averaged_variances(y, model, strata_of(y, model)).rows(ROWS, 0.0, "greaterAbs")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genes", type=int, default=20000)
    genes = parser.parse_args().genes
    for lost in LOST:
        for ratio in RATIOS:
            shares = {
                name: [f"{(p < 0.05).mean():.4f}, {(p < 0.001).mean():.5f}" for p in found.T]
                for name, found in p_values(*drawn(lost, ratio, genes))
            }
            cells = [shares[name][place] for place in range(2) for name in shares]
            print(f"| {2 * FAMILIES - lost} | {ratio} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
