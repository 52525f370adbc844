"""Deviances and degrees of freedom, adjusted for small counts and for leverages: eight genes at once.

Source: Chen et al. (2025), doi:10.1093/nar/gkaf018.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.algebra.elimination import (
    DIAGONAL,
    LEFT,
    N_CELLS,
    N_COLUMNS,
    N_SLOTS,
    OUT,
    RIGHT,
    SAMPLE_CELL,
    UPDATE,
    information,
    inverse_entries,
    leverages,
    n_equations,
)
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.compiler.simd import LANES, any_lane, as_lanes, load_row, new_lanes, select, sqrt
from countnest.kernels.edger.deviance import unit_deviance
from countnest.kernels.edger.leverage import leverage_lanes

__all__ = ["LEAST_FREE", "adjusted_chunk"]

# Samples whose leverage is closer to 1 than this fit by themselves.
LEAST_FREE = 1e-4
# Where a pivot is less than this fraction of what its column began with, leverages are worked out without the plan.
LEAST_PIVOT = 1e-4
COUNT, MEAN, ALPHA, KAPPA, RELATIVE, WORKING, LEVERAGE, BY_SAMPLE = 0, 1, 2, 3, 4, 5, 6, np.int64(7)
DISPERSION, DEVIANCE, DF, BY_GENE = 0, 1, 2, np.int64(3)


@kernel
def eliminate(plan: IntArray, equations: FloatArray) -> float:
    """Do what `factorize` does; return the least fraction that is left of a column's diagonal when it is the pivot."""
    n_slots = plan[N_SLOTS]
    diagonal, update, left, right, out = plan[DIAGONAL], plan[UPDATE], plan[LEFT], plan[RIGHT], plan[OUT]
    for j in range(plan[N_COLUMNS]):
        slot = plan[diagonal + j]
        equations[2 * n_slots + slot] = equations[slot]
    least: float = 1.0 + 0.0 * equations[0]
    for j in range(plan[N_COLUMNS]):
        slot = plan[diagonal + j]
        share = equations[slot] / equations[2 * n_slots + slot]
        least = select(share >= least, least, select(share > 0.0, share, 0.0))  # 0 where it is missing, too
        reciprocal = 1.0 / equations[slot]
        equations[3 * n_slots + j] = reciprocal
        for u in range(plan[update + j], plan[update + j + 1]):
            equations[plan[out + u]] -= equations[plan[left + u]] * reciprocal * equations[plan[right + u]]
    return least


@kernel
def write_leverages(
    plan: IntArray,
    numbers: FloatArray,
    design: FloatArray,
    by_sample: FloatArray,
    by_cell: FloatArray,
    equations: FloatArray,
    basis: FloatArray,
) -> None:
    """Write the leverages of the working weights; by orthogonal columns where normal equations lose digits.

    `by_cell` (2, C), `equations` and `basis` (p, n) are memory.
    """
    working, leverage, weight, of_cell = by_sample[WORKING], by_sample[LEVERAGE], by_cell[0], by_cell[1]
    cell = plan[SAMPLE_CELL]
    for c in range(plan[N_CELLS]):
        weight[c] = 0.0
    for j in range(working.shape[0]):
        weight[plan[cell + j]] += working[j]
    information(plan, numbers, weight, equations)
    least = eliminate(plan, equations)
    if any_lane(least < LEAST_PIVOT):
        for j in range(working.shape[0]):
            working[j] = sqrt(working[j])
        leverage_lanes(design, working, basis, leverage)
        return
    inverse_entries(plan, equations)
    leverages(plan, numbers, equations, of_cell)
    for j in range(working.shape[0]):
        leverage[j] = working[j] * of_cell[plan[cell + j]]


@kernel
def adjusted_chunk(
    counts: FloatArray,
    mu: FloatArray,
    alpha: FloatArray,
    kappa: FloatArray,
    relative: FloatArray,
    dispersion: FloatArray,
    average: float,
    plan: IntArray,
    numbers: FloatArray,
    design: FloatArray,
    mode: int,
    deviance_out: FloatArray,
    df_out: FloatArray,
) -> None:
    """Write adjusted deviances and degrees of freedom into `deviance_out` and `df_out` (G,); NaN with a missing mean.

    Parameters
    ----------
    counts, mu
        (G, n) counts and fitted means.
    alpha, kappa
        (G, n) scale and degrees of freedom of the unit deviances.
    relative
        (1, n) or (G, n) observation weights over the average quasi-dispersion, `average`.
    dispersion
        (G,)
    plan, numbers
        Of the design, see `elimination`.
    design
        (p, n), the model matrix with a row for each coefficient.
    mode
        Of the deviances, see `deviance`.
    """
    (n_genes, n), p = counts.shape, design.shape[0]
    data = new_lanes(BY_SAMPLE * n).reshape(BY_SAMPLE, n, LANES)
    by_sample = as_lanes(data)
    by_cell = as_lanes(new_lanes(2 * plan[N_CELLS]).reshape(2, plan[N_CELLS], LANES))
    equations, basis = as_lanes(new_lanes(n_equations(plan))), as_lanes(new_lanes(p * n).reshape(p, n, LANES))
    ends = new_lanes(BY_GENE)
    of_gene = as_lanes(ends)
    y, mean, share, unit = by_sample[COUNT], by_sample[MEAN], by_sample[ALPHA], by_sample[KAPPA]
    ratio, working, leverage = by_sample[RELATIVE], by_sample[WORKING], by_sample[LEVERAGE]
    for lane in range(LANES):
        load_row(relative, 0, lane, data[RELATIVE])
    for begin in range(0, n_genes, LANES):
        size = min(LANES, n_genes - begin)
        for lane in range(size):
            load_row(counts, begin + lane, lane, data[COUNT])
            load_row(mu, begin + lane, lane, data[MEAN])
            load_row(alpha, begin + lane, lane, data[ALPHA])
            load_row(kappa, begin + lane, lane, data[KAPPA])
            if relative.shape[0] > 1:
                load_row(relative, begin + lane, lane, data[RELATIVE])
            ends[DISPERSION, lane] = dispersion[begin + lane]
        for j in range(n):
            working[j] = mean[j] / (1.0 + mean[j] * of_gene[DISPERSION] * ratio[j])
        write_leverages(plan, numbers, design, by_sample, by_cell, equations, basis)
        total = 0.0 * of_gene[DISPERSION]
        df = 0.0 * of_gene[DISPERSION]
        for j in range(n):
            free = 1.0 - leverage[j]
            used, none = free >= LEAST_FREE, 0.0 * mean[j]  # or missing
            part = share[j] * (ratio[j] * average) * unit_deviance(y[j], mean[j], of_gene[DISPERSION] * ratio[j], mode)
            total = total + (select(used, part, 0.0) + none)
            df = df + (select(used, free * unit[j], 0.0) + none)
        of_gene[DEVIANCE], of_gene[DF] = total, df
        for lane in range(size):
            deviance_out[begin + lane], df_out[begin + lane] = ends[DEVIANCE, lane], ends[DF, lane]
