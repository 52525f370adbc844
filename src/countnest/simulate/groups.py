"""Studies of independent samples in groups."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

import numpy as np
import pandas as pd

from countnest.errors import OptionError
from countnest.signature import checked_arguments
from countnest.simulate.argument import level_names, number, probability, whole_numbers
from countnest.simulate.counts import CountModel, DispersionModel, OutlierModel, generator
from countnest.simulate.effect import Term
from countnest.simulate.hidden import HiddenFactor
from countnest.simulate.study import SimulatedStudy, draw_study, sample_labels

__all__ = ["groups"]


@checked_arguments
def groups(
    *,
    genes: int = 2000,
    sizes: Sequence[int] = (3, 3),
    levels: Sequence[str] | None = None,
    fraction: float = 0.1,
    effect_sd: float = 0.7,
    base: tuple[float, float] = (5.0, 5000.0),
    dispersion: tuple[float, float] = (0.03, 1.5),
    dispersion_sd: float = 0.5,
    dispersion_df: float | None = None,
    size_factor_sd: float = 0.2,
    outlier_fraction: float = 0.0,
    outlier_factors: tuple[float, float] = (5.0, 50.0),
    hidden: HiddenFactor | Sequence[HiddenFactor] = (),
    rng: int | np.random.Generator = 1,
) -> SimulatedStudy:
    """Simulate a study that compares groups of independent samples; with ``fraction=0`` no gene differs.

    By default the counts are as the model of DESeq2 has them. A larger dispersion_sd, dispersion_df, outliers and
    hidden factors make them less so; a base such as (0.3, 30) makes them sparse, and a dispersion such as (0.001, 0.01)
    nearly Poisson.

    Parameters
    ----------
    genes
        Number of genes.
    sizes
        Number of samples in each group.
    levels
        Names of the groups; the first is the reference. None: A, B, C, ...
    fraction
        Probability that a gene differs between the groups, from 0 to 1.
    effect_sd
        Standard deviation of the difference of a group from the first, natural log.
    base
        Smallest and largest mean count in the reference group; log-uniform between them.
    dispersion
        a0 and a1 of the trend alpha(mean) = a0 + a1 / mean.
    dispersion_sd
        Standard deviation of the log-normal scatter of the dispersions around the trend, natural log. In real studies
        0.3 to 1 are usual.
    dispersion_df
        Gives the scatter heavy tails: it follows Student's t distribution with so many degrees of freedom, such as 3,
        and dispersion_sd is its scale. No dispersion is more than a factor of 1,000 from the trend. None: normal.
    size_factor_sd
        Standard deviation of the log-normal size factors, natural log.
    outlier_fraction
        Probability that a count is inflated, from 0 to 1; zeros stay zero.
    outlier_factors
        Smallest and largest factor of inflated counts; log-uniform between them.
    hidden
        Factors that act on many genes and are not in the sample sheet: a `HiddenFactor`, or a list of them. Their
        correlation is that with the groups, in their order.
    rng
        Seed or generator. For a seed, a larger number of genes only adds genes.

    Returns
    -------
    SimulatedStudy
        With the one variable `group`.

    Raises
    ------
    OptionError
        An argument is outside its domain.

    Examples
    --------
    >>> study = groups(genes=100, sizes=(4, 4), fraction=0.0)
    >>> study.counts.shape, study.design, bool(study.truth["null_group"].all())
    ((100, 8), '~ group', True)
    """
    numbers = whole_numbers("sizes", sizes)
    names = group_names(levels, len(numbers))
    spread = DispersionModel.checked(dispersion, dispersion_sd, dispersion_df)
    outliers = OutlierModel.checked(outlier_fraction, outlier_factors)
    model = CountModel.checked(genes, base, spread, size_factor_sd, outliers, hidden)
    term = Term(("group",), probability("fraction", fraction), number("effect_sd", effect_sd))
    sheet = pd.DataFrame({"group": np.repeat(names, numbers).astype(object)}, index=sample_labels(sum(numbers)))
    drawn = draw_study(sheet, {"group": names}, [term], model, generator(rng), along="group")
    return SimulatedStudy(
        counts=drawn.counts,
        samples=sheet,
        truth=drawn.truth,
        design="~ group",
        reference={"group": names[0]},
        log_means=drawn.log_means,
        size_factors=drawn.size_factors,
        hidden=drawn.hidden,
        outliers=drawn.outliers,
    )


def group_names(levels: Sequence[str] | None, size: int) -> tuple[str, ...]:
    if levels is None and 2 <= size <= len(ascii_uppercase):
        return tuple(ascii_uppercase[:size])
    if levels is None:
        raise OptionError(f"sizes has {size} numbers; give two or more, and levels if they are more than 26.")
    names = level_names("levels", levels)
    if len(names) != size:
        raise OptionError(f"levels has {len(names)} names and sizes {size} numbers; give one name for each group.")
    return names
