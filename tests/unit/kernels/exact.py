"""Gamma functions to fifty digits, with the decimal module: what the kernels are measured against.

All functions take and return `Decimal`; a float is converted without rounding by `Decimal(x)`.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import wraps
from math import comb

DIGITS = 60
# The asymptotic series start here; the first term left out is below 1e-58.
SERIES_FROM = 60
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")


def bernoulli(n):
    """Return the Bernoulli numbers B_0 to B_n, as fractions."""
    numbers = [Fraction(1)]
    for m in range(1, n + 1):
        numbers.append(-sum(comb(m + 1, k) * numbers[k] for k in range(m)) / (m + 1))
    return numbers


def precise(function):
    """Run `function` with sixty digits."""

    @wraps(function)
    def wrapped(*arguments):
        with localcontext(prec=DIGITS):
            return function(*arguments)

    return wrapped


@precise
def as_decimal(fraction):
    return Decimal(fraction.numerator) / Decimal(fraction.denominator)


EVEN_BERNOULLI = [as_decimal(number) for number in bernoulli(40)[2::2]]


@precise
def shifted(x):
    """Return x + k >= 60, with log x (x + 1) ... (x + k - 1) and 1/x + ... + 1/(x + k - 1)."""
    z, product, total = x, Decimal(1), Decimal(0)
    while z < SERIES_FROM:
        product *= z
        total += 1 / z
        z += 1
    return z, product.ln(), total


@precise
def lgamma(x):
    """Return log Gamma(x) for x > 0 (DLMF 5.11.1)."""
    z, log_product, _ = shifted(x)
    series = sum(b / ((2 * k) * (2 * k - 1) * z ** (2 * k - 1)) for k, b in enumerate(EVEN_BERNOULLI, start=1))
    return (z - Decimal("0.5")) * z.ln() - z + (2 * PI).ln() / 2 + series - log_product


@precise
def digamma(x):
    """Return the derivative of log Gamma(x) for x > 0 (DLMF 5.11.2)."""
    z, _, total = shifted(x)
    series = sum(b / (2 * k * z ** (2 * k)) for k, b in enumerate(EVEN_BERNOULLI, start=1))
    return z.ln() - 1 / (2 * z) - series - total


@precise
def stirling_remainder(x):
    """Return lgamma(x) - [(x - 1/2) log x - x + log(2 pi) / 2]."""
    return lgamma(x) - ((x - Decimal("0.5")) * x.ln() - x + (2 * PI).ln() / 2)


@precise
def psi_remainder(x):
    """Return log x - 1 / (2 x) - digamma(x)."""
    return x.ln() - 1 / (2 * x) - digamma(x)


@precise
def log_rising_ratio(y, alpha):
    """Return log Gamma(y + r) / (Gamma(r) r^y) and r [digamma(y + r) - digamma(r)], r = 1 / alpha, term by term."""
    product, total = Decimal(1), Decimal(0)
    for k in range(y):
        factor = 1 + k * alpha
        product *= factor
        total += 1 / factor
    return product.ln(), total


@precise
def nb_loglik(y, mu, alpha):
    """Return log NB(y; mean mu, dispersion alpha) for a whole number y."""
    r = 1 / alpha
    rise, _ = log_rising_ratio(y, alpha)
    return rise - lgamma(Decimal(y + 1)) + y * mu.ln() - (y + r) * (1 + alpha * mu).ln()
