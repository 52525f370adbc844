"""The bounded search once more, for readers: one function from start to end, as the papers have it.

Sources: Byrd, Lu, Nocedal and Zhu (1995), doi:10.1137/0916069; Moré and Thuente (1994), doi:10.1145/192115.192132.
Sums are in plain order, for the kernel is to give the same bits.
"""

import math
from dataclasses import dataclass

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)
MEMORY = 5
# Line search: sufficient decrease, curvature, relative width of the bracket, evaluations.
DECREASE, CURVATURE, WIDTH, MAX_EVALUATIONS = 1e-3, 0.9, 0.1, 20
LONGEST_STEP = 1e10


@dataclass(frozen=True)
class Minimum:
    x: np.ndarray
    value: float
    converged: bool


def inner(a, b):
    total = 0.0
    for left, right in zip(a.tolist(), b.tolist(), strict=True):
        total += left * right
    return np.float64(total)


def image_of(matrix, vector):
    return np.array([inner(row, vector) for row in matrix])


def solution(matrix, rhs):
    """Return the solution of matrix x = rhs by elimination with partial pivoting."""
    rows = np.column_stack([matrix, rhs])
    p = len(rhs)
    for k in range(p):
        best = k + int(np.argmax(np.abs(rows[k:, k])))
        if rows[best, k] == 0.0:
            raise np.linalg.LinAlgError
        rows[[k, best]] = rows[[best, k]]
        for i in range(k + 1, p):
            rows[i, k + 1 :] -= rows[i, k] / rows[k, k] * rows[k, k + 1 :]
    x = rows[:, p].copy()
    for i in range(p - 1, -1, -1):
        for j in range(i + 1, p):
            x[i] -= rows[i, j] * x[j]
        x[i] /= rows[i, i]
    return x


def minimize_in_box(objective, start, bound, *, factor=1e7, max_iter=100):
    """Minimise a function, given with its gradient, over |x_k| <= `bound`.

    The search ends when an iteration gains less than `factor` machine epsilons, relative to the value (at least 1).
    """
    with np.errstate(all="ignore"):  # a loss that is no number ends the search
        return _minimize(objective, np.clip(start, -bound, bound), bound, factor, max_iter)


def _minimize(objective, x, bound, factor, max_iter):
    value, gradient = objective(x)
    memory = _Memory(len(x))
    for _ in range(max_iter + 1):
        while True:  # a second time, from steepest descent, where the memory misleads
            if not _projected(x, gradient, bound).any():
                return Minimum(x, value, True)
            direction, found = _step(objective, x, value, gradient, memory, bound)
            if found is not None:
                break
            if memory.is_empty:
                return Minimum(x, value, False)
            memory.forget()
        new_x, new_value, new_gradient, step, slopes = found
        gain = value - new_value
        done = gain <= EPSILON * factor * max(abs(value), abs(new_value), 1.0)
        memory.learn(step * direction, new_gradient - gradient, step, slopes)
        x, value, gradient = new_x, new_value, new_gradient
        memory.started = True
        if done:
            return Minimum(x, value, True)
    return Minimum(x, value, False)


def _step(objective, x, value, gradient, memory, bound):
    """Return a direction and what the line search finds along it; None where the numbers give no step."""
    try:
        direction = memory.direction(x, gradient, bound)
        if direction is not None:
            return direction, _search(objective, x, value, gradient, direction, memory, bound)
    except (ArithmeticError, np.linalg.LinAlgError):
        pass
    return np.zeros_like(x), None


def _projected(x, gradient, bound):
    """Return the gradient (p,) as far as the box lets one follow it."""
    return np.where(gradient < 0, np.maximum(x - bound, gradient), np.minimum(x + bound, gradient))


class _Memory:
    """The last pairs of steps and gradient changes, and the quadratic model that they make."""

    def __init__(self, p):
        self.p = p
        self.started = False
        self.forget()

    def forget(self):
        """Start again from steepest descent."""
        self.pairs = []
        self.scale = 1.0
        self.fresh = False  # the newest pair came with the last iteration
        self.gap = False  # a pair came and no subspace step used it

    @property
    def is_empty(self):
        """Whether the model is that of steepest descent."""
        return not self.pairs

    def learn(self, step, change, length, slopes):
        """Keep a pair unless its curvature is lost in rounding."""
        before, after = slopes
        curvature = (after - before) * length
        self.fresh = curvature > -EPSILON * before * length
        if self.fresh:
            self.pairs = [*self.pairs[-(MEMORY - 1) :], (step, change)]
            self.scale = float(inner(change, change)) / curvature

    def hessian(self):
        """Return the matrix (p, p) of the quadratic model, by BFGS updates of a multiple of the identity."""
        matrix = self.scale * np.eye(self.p)
        for step, change in self.pairs:
            image = image_of(matrix, step)
            matrix = matrix - np.outer(image, image) / inner(step, image)
            matrix = matrix + np.outer(change, change) / inner(step, change)
        return matrix

    def direction(self, x, gradient, bound):
        """Return the step (p,) to the minimum of the model in the box; None where the memory has to be given up.

        In the compact form of the method, the inner products of a new pair are entered at the next subspace step.
        Where an iteration has no free variable there is none, and at the following one the factorisation fails.
        """
        matrix = self.hessian()
        cauchy, free = _cauchy_point(x, gradient, matrix, bound)
        if self.pairs and not free.any() and self.fresh:
            self.gap = True
        if self.pairs and free.any():
            if self.gap:
                return None
            cauchy = _subspace_minimum(x, gradient, matrix, cauchy, free, bound)
        return cauchy - x


def _cauchy_point(x, gradient, matrix, bound):
    """Return the first minimum of the model along the projected gradient path, and which variables are free there."""
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(gradient < 0, (x - bound) / gradient, np.where(gradient > 0, (x + bound) / gradient, np.inf))
    free = times > 0
    direction = np.where(free & (gradient != 0), -gradient, 0.0)
    point, moved, reached = x.copy(), np.zeros_like(x), 0.0
    slope, curvature = -float(inner(direction, direction)), float(inner(image_of(matrix, direction), direction))
    best = -slope / curvature if curvature > 0 else 0.0
    for k in np.argsort(np.where(free, times, np.inf), kind="stable"):
        if not free[k] or not np.isfinite(times[k]) or best < times[k] - reached:
            break
        moved = moved + (times[k] - reached) * direction
        reached = times[k]
        point[k] = math.copysign(bound, direction[k])
        moved[k] = point[k] - x[k]
        free[k] = False
        direction[k] = 0.0
        if not direction.any():
            return point, free
        slope = float(inner(gradient, direction) + inner(image_of(matrix, direction), moved))
        best = -slope / float(inner(image_of(matrix, direction), direction))
    moving = direction != 0
    point[moving] = x[moving] + (reached + max(best, 0.0)) * direction[moving]
    return point, free


def _subspace_minimum(x, gradient, matrix, cauchy, free, bound):
    """Return the minimum of the model over the free variables, truncated at the first bound on the way to it."""
    rows = np.flatnonzero(free)
    residual = (gradient + image_of(matrix, cauchy - x))[rows]
    step = -solution(matrix[np.ix_(rows, rows)], residual)
    room = np.where(step < 0, -bound, bound) - cauchy[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = np.where(step == 0, np.inf, room / step)
    first = int(np.argmin(fraction))
    point = cauchy.copy()
    if fraction[first] < 1.0:
        share = max(float(fraction[first]), 0.0)
        point[rows] += share * step
        point[rows[first]] = math.copysign(bound, step[first])
    else:
        point[rows] += step
    return point


def _search(objective, x, value, gradient, direction, memory, bound):
    """Search along `direction`; return the new point, value, gradient, the step and the slopes, or None."""
    slope = float(inner(gradient, direction))
    if slope >= 0.0:
        return None
    search = _LineSearch(value, slope, _longest(x, direction, bound) if memory.started else 1.0)
    target = x + direction
    target = np.where(np.abs(target) > bound, np.clip(target, -bound, bound), target)
    for _ in range(MAX_EVALUATIONS):
        step = search.step
        new_x = target if step == 1.0 else step * direction + x
        new_value, new_gradient = objective(new_x)
        new_slope = float(inner(new_gradient, direction))
        if search.accepts(new_value, new_slope):
            return new_x, new_value, new_gradient, step, (slope, new_slope)
    return None


def _longest(x, direction, bound):
    """Return the longest step along `direction` within the box."""
    longest = LONGEST_STEP
    for k in range(len(x)):
        room = math.copysign(bound, direction[k]) - x[k]
        if direction[k] == 0.0:
            continue
        if room * direction[k] <= 0.0:
            longest = 0.0
        elif abs(direction[k]) * longest > abs(room):
            longest = room / direction[k]
    return longest


class _LineSearch:
    """Search for a step of sufficient decrease and small slope (Moré and Thuente 1994)."""

    def __init__(self, value, slope, longest):
        self.value, self.slope, self.longest = value, slope, longest
        self.test = DECREASE * slope
        self.bracketed, self.first_stage = False, True
        self.width, self.old_width = longest, 2.0 * longest
        self.x, self.fx, self.dx = 0.0, value, slope
        self.y, self.fy, self.dy = 0.0, value, slope
        self.lower, self.upper = 0.0, 5.0
        self.step = 1.0
        if self.step > longest:
            self.step = longest

    def accepts(self, value, slope):
        """Take the value and slope at `step`; return whether to stop there, otherwise set the next `step`."""
        limit = self.value + self.step * self.test
        if self.first_stage and value <= limit and slope >= 0.0:
            self.first_stage = False
        if self.bracketed and (self.step <= self.lower or self.step >= self.upper):
            return True
        if self.bracketed and self.upper - self.lower <= WIDTH * self.upper:
            return True
        if self.step == self.longest and value <= limit and slope <= self.test:
            return True
        if self.step == 0.0 and (value > limit or slope >= self.test):
            return True
        if value <= limit and abs(slope) <= CURVATURE * -self.slope:
            return True
        self._next(value, slope, limit)
        return False

    def _next(self, value, slope, limit):
        if self.first_stage and value <= self.fx and value > limit:  # of the function less the sufficient decrease
            t = self.test
            self.fx, self.dx = self.fx - self.x * t, self.dx - t
            self.fy, self.dy = self.fy - self.y * t, self.dy - t
            self._interpolate(value - self.step * t, slope - t)
            self.fx, self.dx = self.fx + self.x * t, self.dx + t
            self.fy, self.dy = self.fy + self.y * t, self.dy + t
        else:
            self._interpolate(value, slope)
        if self.bracketed:
            if abs(self.y - self.x) >= 0.66 * self.old_width:
                self.step = self.x + 0.5 * (self.y - self.x)
            self.old_width, self.width = self.width, abs(self.y - self.x)
            self.lower, self.upper = min(self.x, self.y), max(self.x, self.y)
        else:
            self.lower = self.step + 1.1 * (self.step - self.x)
            self.upper = self.step + 4.0 * (self.step - self.x)
        self.step = min(max(self.step, 0.0), self.longest)
        if self.bracketed and (
            self.step <= self.lower or self.step >= self.upper or self.upper - self.lower <= WIDTH * self.upper
        ):
            self.step = self.x

    def _interpolate(self, f, d):
        """Set the next step by interpolation, and the ends of the interval of uncertainty."""
        stp, x, fx, dx, y = self.step, self.x, self.fx, self.dx, self.y
        opposite = d * math.copysign(1.0, dx) < 0.0
        if f > fx:  # higher value: the minimum is bracketed
            cubic = _cubic_between(x, fx, dx, stp, f, d)
            quadratic = x + ((dx / ((fx - f) / (stp - x) + dx)) / 2.0) * (stp - x)
            new = cubic if abs(cubic - x) < abs(quadratic - x) else cubic + (quadratic - cubic) / 2.0
            self.bracketed = True
        elif opposite:  # lower value, slope of other sign: bracketed
            cubic = _cubic_between(stp, f, d, x, fx, dx)
            secant = stp + (d / (d - dx)) * (x - stp)
            new = cubic if abs(cubic - stp) > abs(secant - stp) else secant
            self.bracketed = True
        elif abs(d) < abs(dx):  # lower value, same sign, slope decreasing
            new = self._beyond(f, d)
        elif self.bracketed:
            new = _cubic_between(stp, f, d, y, self.fy, self.dy)
        else:
            new = self.upper if stp > x else self.lower
            new = min(max(new, self.lower), self.upper)
        if f > fx:
            self.y, self.fy, self.dy = stp, f, d
        else:
            if opposite:
                self.y, self.fy, self.dy = x, fx, dx
            self.x, self.fx, self.dx = stp, f, d
        self.step = new

    def _beyond(self, f, d):
        """Return the step where the cubic may have its minimum beyond, or none at all."""
        stp, x, fx, dx, y = self.step, self.x, self.fx, self.dx, self.y
        theta = 3.0 * (fx - f) / (stp - x) + dx + d
        size = max(abs(theta), abs(dx), abs(d))
        gamma = size * math.sqrt(max(0.0, (theta / size) ** 2 - (dx / size) * (d / size)))
        if stp > x:
            gamma = -gamma
        p = (gamma - d) + theta
        q = (gamma + (dx - d)) + gamma
        r = p / q
        low, high = (self.lower, self.upper)
        cubic = stp + r * (x - stp) if r < 0.0 and gamma != 0.0 else high if stp > x else low
        secant = stp + (d / (d - dx)) * (x - stp)
        if self.bracketed:
            new = cubic if abs(cubic - stp) < abs(secant - stp) else secant
            edge = stp + 0.66 * (y - stp)
            return min(edge, new) if stp > x else max(edge, new)
        new = cubic if abs(cubic - stp) > abs(secant - stp) else secant
        return min(max(new, low), high)


def _cubic_between(a, fa, da, b, fb, db):
    """Return the minimiser of the cubic with values fa, fb and slopes da, db at a, b."""
    theta = 3.0 * (fa - fb) / (b - a) + da + db
    size = max(abs(theta), abs(da), abs(db))
    gamma = size * math.sqrt(max(0.0, (theta / size) ** 2 - (da / size) * (db / size)))
    if b < a:
        gamma = -gamma
    p = (gamma - da) + theta
    q = ((gamma - da) + gamma) + db
    return a + (p / q) * (b - a)
