"""Likelihoods by Laplace's method of mixed models of counts with any random terms, and their exact gradients.

Symbols: see `work`. The unknowns have their mode at given variances and dispersion, where the negative Hessian of the
log joint density is M = (ZL X)'W(ZL X) + (I 0), a skyline. With weights w = -f2 and x_i the row of (ZL X) of sample i,
h_i = x_i' M^-1 x_i. The mode moves with the parameters, and with it the weights: g = M^-1 sum h_i f3_i x_i / 2 collects
what that does to log |M|, in one solution for all parameters.

Source: Kristensen et al. (2016), doi:10.18637/jss.v070.i05, for the likelihoods; the gradients are by the rule of
implicit functions.
"""

from __future__ import annotations

import math

import numpy as np

from countnest.arrays import FloatArray, IntArray
from countnest.kernels.compiler.jit import kernel
from countnest.kernels.mixed.counts.points import (
    COUNT,
    ETA,
    F1,
    F1_ALPHA,
    F2_ALPHA,
    F3,
    LOG_COUNT,
    OFFSET,
    SLOPE,
    WEIGHT,
    alpha_slope,
    log_density,
    mean_of,
    set_dispersion,
)  # fmt: skip
from countnest.kernels.mixed.counts.work import N_SAMPLE_ROWS
from countnest.kernels.mixed.joint.skyline import decompose, entry_of, invert, solve
from countnest.kernels.mixed.joint.work import Joint, JointWork
from countnest.kernels.negbin.density import PRODUCT_BELOW

__all__ = ["details_chunk", "joint_chunk", "new_work"]

# Places of `JointWork.state`.
SET_ALPHA, ALPHA_SLOPE, PRECISION, ALPHA = 0, 1, 2, 3
# Dispersions below this are zero.
LEAST_ALPHA = 1e-30
MAX_STEPS, LOG_TWO_PI = 200, 1.8378770664093455
# The longest step of a linear predictor, the smallest part of a step, and the squared length, in standard errors, of
# the last step: errors after it are like its square.
WHOLE, SMALLEST, EXACT = 4.0, 1e-6, 1e-11


def new_work(joint: Joint) -> JointWork:
    """Return the arrays for one gene at a time; not compiled."""
    (n, width), m = joint.columns.shape, len(joint.skyline.first)
    size = int(joint.skyline.row[-1]) + m
    state = np.zeros(4)
    state[0] = math.nan
    return JointWork(
        np.zeros((N_SAMPLE_ROWS, n)), np.zeros((n, width)), np.zeros(n), np.zeros((n, width)), np.zeros(n),
        np.zeros(size), np.zeros(size), np.zeros(m), np.zeros(m), state,
    )  # fmt: skip


@kernel
def load(y: FloatArray, offset: FloatArray, work: JointWork) -> None:
    """Put a gene into the work space."""
    for i in range(y.shape[0]):
        work.sample[COUNT, i], work.sample[OFFSET, i] = y[i], offset[i]
        work.sample[LOG_COUNT, i] = math.log(y[i]) if y[i] >= PRODUCT_BELOW else 0.0
        work.fixed[i] = 0.0
    work.state[SET_ALPHA] = math.nan


@kernel
def turn(x: FloatArray, restricted: bool, joint: Joint, work: JointWork) -> None:
    """Take a point: the entries of L, rho = sqrt(dispersion) and, if not `restricted`, coefficients."""
    entries, columns, turned, t = joint.entries, joint.columns, work.turned, joint.entries.shape[0]
    n, width = columns.shape
    c = entries[t - 1, 0] + 1
    for i in range(n):
        for a in range(c):
            turned[i, a] = 0.0
        for r in range(t):
            turned[i, entries[r, 1]] += x[r] * columns[i, entries[r, 0]]
        for a in range(c, width):
            turned[i, a] = columns[i, a]
        if not restricted:
            total = 0.0
            for a in range(c, width):
                total += columns[i, a] * x[t + 1 + a - c]
            work.fixed[i] = total
    alpha = x[t] * x[t]
    work.state[ALPHA] = alpha if alpha >= LEAST_ALPHA else 0.0
    if work.state[ALPHA] != work.state[SET_ALPHA]:
        set_dispersion(work.state[ALPHA], work.sample)
        work.state[SET_ALPHA] = work.state[ALPHA]


@kernel
def weigh(width: int, size: int, q: int, joint: Joint, work: JointWork, mode: FloatArray) -> None:
    """Write linear predictors, f1 and weights, and the gradient of the log joint density."""
    sample, turned, place, score, alpha = work.sample, work.turned, joint.place, work.score, work.state[ALPHA]
    for v in range(size):
        score[v] = -mode[v] if v < q else -work.state[PRECISION] * mode[v]
    for i in range(turned.shape[0]):
        eta, y = sample[OFFSET, i] + work.fixed[i], sample[COUNT, i]
        for a in range(width):
            eta += turned[i, a] * mode[place[i, a]]
        mu = mean_of(eta)
        inverse = 1.0 / (1.0 + alpha * mu)
        f1 = (y - mu) * inverse
        sample[ETA, i], sample[F1, i] = eta, f1
        sample[WEIGHT, i] = mu * (1.0 + alpha * y) * inverse * inverse
        for a in range(width):
            score[place[i, a]] += turned[i, a] * f1


@kernel
def assemble(width: int, size: int, q: int, joint: Joint, work: JointWork) -> float:
    """Write the Cholesky factor of M; return log |M|."""
    turned, slot, factor, skyline = work.turned, joint.slot, work.factor, joint.skyline
    for v in range(size):
        for k in range(skyline.row[v] + skyline.first[v], skyline.row[v] + v):
            factor[k] = 0.0
        factor[skyline.row[v] + v] = 1.0 if v < q else work.state[PRECISION]
    for i in range(turned.shape[0]):
        weight, at = work.sample[WEIGHT, i], 0
        for a in range(width):
            scaled = weight * turned[i, a]
            for b in range(a + 1):
                factor[slot[i, at]] += scaled * turned[i, b]
                at += 1
    value: float = decompose(factor, size, skyline)
    return value


@kernel
def longest(width: int, joint: Joint, work: JointWork) -> float:
    """Return by how much the step moves a linear predictor at most."""
    found = 0.0
    for i in range(work.turned.shape[0]):
        total = 0.0
        for a in range(width):
            total += work.turned[i, a] * work.step[joint.place[i, a]]
        found = max(found, abs(total))
    return found


@kernel
def find_mode(restricted: bool, joint: Joint, work: JointWork, mode: FloatArray) -> float:
    """Move the unknowns (m,) to their mode by damped Newton steps; return log |M| there, or NaN.

    The log joint density is concave: a step goes too far where the density falls there faster than it rose, and is
    then halved.
    """
    every, c = joint.columns.shape[1], joint.entries[joint.entries.shape[0] - 1, 0] + 1
    q = mode.shape[0] - (every - c)
    size, width = (mode.shape[0], every) if restricted else (q, c)
    step, score = work.step, work.score
    length, part, last, log_determinant = 0.0, 0.0, False, math.nan
    for _ in range(MAX_STEPS):
        weigh(width, size, q, joint, work, mode)
        if part > SMALLEST and not last:
            along = 0.0
            for v in range(size):
                along += score[v] * step[v]
            if not along > -length:
                part *= 0.5
                for v in range(size):
                    mode[v] -= part * step[v]
                continue
        log_determinant = assemble(width, size, q, joint, work)
        if last or math.isnan(log_determinant):
            break
        for v in range(size):
            step[v] = score[v]
        solve(work.factor, size, joint.skyline, step)
        length = 0.0
        for v in range(size):
            length += score[v] * step[v]
        most = longest(width, joint, work)
        part = WHOLE / most if most > WHOLE else 1.0
        for v in range(size):
            mode[v] += part * step[v]
        last = length < EXACT
    return log_determinant


@kernel
def density(q: int, size: int, work: JointWork, mode: FloatArray) -> float:
    """Return the log joint density at the mode, but for constants of the normal distribution."""
    sample, total = work.sample, 0.0
    for i in range(sample.shape[1]):
        eta = sample[ETA, i]
        value, _, _ = log_density(sample[COUNT, i], eta, mean_of(eta), work.state[ALPHA], i, sample)
        total += value
    for v in range(size):
        total -= 0.5 * mode[v] * mode[v] * (1.0 if v < q else work.state[PRECISION])
    return total


@kernel
def write_derivatives(work: JointWork) -> None:
    """Write further derivatives of the log density of each count, and the sum of those by the dispersion."""
    sample, alpha, total = work.sample, work.state[ALPHA], 0.0
    for i in range(sample.shape[1]):
        y, eta = sample[COUNT, i], sample[ETA, i]
        mu = mean_of(eta)
        _, m, growth = log_density(y, eta, mu, alpha, i, sample)
        total += alpha_slope(y, mu, alpha, m, growth, sample[SLOPE, i])
        s = alpha * mu
        inverse = 1.0 / (1.0 + s)
        sample[F3, i] = -sample[WEIGHT, i] * (1.0 - s) * inverse
        sample[F1_ALPHA, i] = -sample[F1, i] * mu * inverse
        sample[F2_ALPHA, i] = mu * (2.0 * mu - y + s * y) * inverse * inverse * inverse
    work.state[ALPHA_SLOPE] = total


@kernel
def write_leverages(width: int, size: int, joint: Joint, work: JointWork) -> None:
    """Write M^-1 x_i at the places of each sample, h_i, and g."""
    turned, place, slot, inverse, g = work.turned, joint.place, joint.slot, work.inverse, work.step
    invert(work.factor, size, joint.skyline, inverse)
    for v in range(size):
        g[v] = 0.0
    for i in range(turned.shape[0]):
        leverage = 0.0
        for a in range(width):
            total = 0.0
            for b in range(width):
                at = slot[i, a * (a + 1) // 2 + b] if b <= a else slot[i, b * (b + 1) // 2 + a]
                total += inverse[at] * turned[i, b]
            work.product[i, a] = total
            leverage += total * turned[i, a]
        work.leverage[i] = leverage
        for a in range(width):
            g[place[i, a]] += 0.5 * leverage * work.sample[F3, i] * turned[i, a]
    solve(work.factor, size, joint.skyline, g)


@kernel
def write_gradient(
    restricted: bool, rho: float, joint: Joint, work: JointWork, mode: FloatArray, x: FloatArray, slope_out: FloatArray
) -> None:
    """Write the gradient of the log-likelihood at a mode."""
    sample, turned, place, columns, entries = work.sample, work.turned, joint.place, joint.columns, joint.entries
    (n, width), t = columns.shape, entries.shape[0]
    c = entries[t - 1, 0] + 1
    p, used = width - c, width if restricted else c
    size = mode.shape[0] if restricted else mode.shape[0] - p
    write_derivatives(work)
    write_leverages(used, size, joint, work)
    g = work.step
    for r in range(slope_out.shape[0]):
        slope_out[r] = 0.0
    by_alpha = work.state[ALPHA_SLOPE]
    for i in range(n):
        moved = 0.0
        for a in range(used):
            moved += turned[i, a] * g[place[i, a]]
        f1, w, half = sample[F1, i], sample[WEIGHT, i], 0.5 * work.leverage[i]
        pull = f1 + half * sample[F3, i] - w * moved
        by_alpha += half * sample[F2_ALPHA, i] + moved * sample[F1_ALPHA, i]
        for r in range(t):
            b = entries[r, 1]
            at = place[i, b]
            slope_out[r] += columns[i, entries[r, 0]] * (mode[at] * pull - w * work.product[i, b] + f1 * g[at])
        for k in range(0 if restricted else p):
            slope_out[t + 1 + k] += columns[i, c + k] * pull
    slope_out[t] = 2.0 * rho * by_alpha
    for k in range(0 if restricted else p):
        slope_out[t + 1 + k] -= work.state[PRECISION] * x[t + 1 + k]


@kernel
def joint_chunk(
    rows: IntArray,
    points: FloatArray,
    counts: FloatArray,
    offset: FloatArray,
    precision: FloatArray,
    restricted: bool,
    joint: Joint,
    work: JointWork,
    mode_out: FloatArray,
    value_out: FloatArray,
    slope_out: FloatArray,
) -> None:
    """Write log-likelihoods (R,) and gradients (R, d) of some genes, `rows` (R,), at points (R, d).

    Points are the entries of L, the root of the dispersion and, if not `restricted`, coefficients. `precision` (G,) is
    that of normal priors of coefficients. Modes (R, m) are looked for from what `mode_out` has. NaN: a number is lost.
    """
    (width, t), m = (joint.columns.shape[1], joint.entries.shape[0]), mode_out.shape[1]
    p = width - joint.entries[t - 1, 0] - 1
    size = m if restricted else m - p
    for k in range(rows.shape[0]):
        g = rows[k]
        load(counts[g], offset[g if offset.shape[0] > 1 else 0], work)
        work.state[PRECISION] = precision[g]
        turn(points[k], restricted, joint, work)
        log_determinant = find_mode(restricted, joint, work, mode_out[k])
        value = density(m - p, size, work, mode_out[k]) - 0.5 * log_determinant
        if restricted:
            value += 0.5 * p * LOG_TWO_PI
        else:
            for j in range(p):
                value -= 0.5 * precision[g] * points[k, t + 1 + j] * points[k, t + 1 + j]
        value_out[k] = value
        if math.isnan(value):
            for r in range(slope_out.shape[1]):
                slope_out[k, r] = math.nan
        else:
            write_gradient(restricted, points[k, t], joint, work, mode_out[k], points[k], slope_out[k])


@kernel
def move_of_mode(r: int, size: int, width: int, joint: Joint, work: JointWork, mode: FloatArray) -> None:
    """Write the derivative of the mode by an entry of L or, beyond the last, by the dispersion, into `work.step`."""
    sample, turned, place, entries, step = work.sample, work.turned, joint.place, joint.entries, work.step
    for v in range(size):
        step[v] = 0.0
    for i in range(turned.shape[0]):
        if r < entries.shape[0]:
            z, at = joint.columns[i, entries[r, 0]], place[i, entries[r, 1]]
            change = -sample[WEIGHT, i] * z * mode[at]
            step[at] += sample[F1, i] * z
        else:
            change = sample[F1_ALPHA, i]
        for a in range(width):
            step[place[i, a]] += change * turned[i, a]
    solve(work.factor, size, joint.skyline, step)


@kernel
def details_chunk(
    rows: IntArray,
    points: FloatArray,
    counts: FloatArray,
    offset: FloatArray,
    precision: FloatArray,
    restricted: bool,
    first: IntArray,
    joint: Joint,
    work: JointWork,
    mode: FloatArray,
    root_out: FloatArray,
    move_out: FloatArray,
    block_out: FloatArray,
) -> None:
    """Write what belongs to fits of some genes, see `joint_chunk`, with the modes there (R, m).

    Outputs, the first two if `restricted`, are Cholesky factors (R, p, p) of the inverse covariance of the
    coefficients given the parameters; derivatives of the coefficients by the entries of L and the dispersion, (R, t +
    1, p); and covariances of u given all else, (R, q, k): of each effect with those of its level, which begin at
    `first` (q,).
    """
    width, t, m = joint.columns.shape[1], joint.entries.shape[0], mode.shape[1]
    c = joint.entries[t - 1, 0] + 1
    p = width - c
    q, size, used = m - p, m if restricted else m - p, width if restricted else c
    skyline = joint.skyline
    for k in range(rows.shape[0]):
        g = rows[k]
        load(counts[g], offset[g if offset.shape[0] > 1 else 0], work)
        work.state[PRECISION] = precision[g]
        turn(points[k], restricted, joint, work)
        find_mode(restricted, joint, work, mode[k])
        invert(work.factor, q, skyline, work.inverse)
        for v in range(q):
            for b in range(block_out.shape[2]):
                u = first[v] + b
                inside = u < q and first[u] == first[v]
                block_out[k, v, b] = work.inverse[entry_of(v, u, skyline)] if inside else 0.0
        if restricted:
            for a in range(p):
                for b in range(a + 1):
                    root_out[k, a, b] = work.factor[entry_of(q + a, q + b, skyline)]
            write_derivatives(work)
            for r in range(t + 1):
                move_of_mode(r, size, used, joint, work, mode[k])
                for a in range(p):
                    move_out[k, r, a] = work.step[q + a]
