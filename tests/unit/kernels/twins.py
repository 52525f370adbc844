"""The kernels once more, for readers: one gene, dense matrices, the formulas as they are written in papers.

Words as in the package: y counts (n,), f factors (n,), X (n, p), beta (p,) natural log, mu (n,), alpha a dispersion.
"""

import numpy as np
import scipy.special
import scipy.stats

from countnest.stats.glm.structure import plan_elimination

LN2 = np.log(2.0)


def distinct_rows(X):
    """Return the distinct rows of X (C, p), and the row of each sample (n,)."""
    distinct, of_sample = np.unique(X, axis=0, return_inverse=True)
    return distinct, of_sample.reshape(-1).astype(np.int64)


def plan_of(X):
    """Return how the normal equations of X are worked out: the arrays of integers and of numbers."""
    return plan_elimination(*distinct_rows(X))


def nb_loglik(y, mu, alpha):
    """Return the log-likelihood of every count; loses digits for alpha below 1e-4."""
    r, lgamma = 1.0 / alpha, scipy.special.gammaln
    log_choose = lgamma(y + r) - lgamma(r) - lgamma(y + 1.0)
    return log_choose + y * np.log(alpha * mu / (1.0 + alpha * mu)) - r * np.log1p(alpha * mu)


# ---- log posterior of log alpha ----


def log_posterior(a, y, mu, X, prior_mean=0.0, prior_variance=np.inf, v=1.0):
    """Return the Cox-Reid adjusted log posterior of a = log alpha; `v` are observation weights."""
    alpha = np.exp(a)
    r = 1.0 / alpha
    lgamma = scipy.special.gammaln
    loglik = np.sum(v * (lgamma(y + r) - lgamma(r) - y * np.log(mu + r) - r * np.log(1.0 + mu * alpha)))
    rows, used = cox_reid_rows(X, v)
    W = np.diag(1.0 / (1.0 / mu[rows] + alpha))
    cox_reid = -0.5 * np.linalg.slogdet(used.T @ W @ used)[1]
    return loglik + cox_reid - 0.5 * (a - prior_mean) ** 2 / prior_variance


def log_posterior_slope(a, y, mu, X, prior_mean=0.0, prior_variance=np.inf, v=1.0):
    """Return the derivative of `log_posterior`, without cancellation: digamma differences as sums over the count."""
    alpha = np.exp(a)
    r = 1.0 / alpha
    rise = np.array([np.sum(1.0 / (1.0 + alpha * np.arange(count))) for count in y])
    own = r * (np.log1p(mu * alpha) - mu * alpha / (1.0 + mu * alpha)) - rise + y / (1.0 + mu * alpha)
    loglik = np.sum(v * own)
    rows, used = cox_reid_rows(X, v)
    w = 1.0 / (1.0 / mu[rows] + alpha)
    inverse = np.linalg.inv(used.T @ (w[:, None] * used))
    cox_reid = 0.5 * alpha * np.trace(inverse @ used.T @ (w[:, None] ** 2 * used))
    return loglik + cox_reid - (a - prior_mean) / prior_variance


def cox_reid_rows(X, v):
    """Return the samples of weight above 0.01, and their rows of X without the columns that are zero there."""
    rows = np.broadcast_to(v, len(X)) > 0.01
    return rows, X[rows][:, X[rows].any(axis=0)]


def line_search(start, posterior, tol=1e-6, max_iter=100):
    """Maximise; `posterior(a)` is a value and a slope. Return log alpha, iterations, first and last value."""
    kappa_0, epsilon = 1.0, 1e-4
    a, kappa, accept = start, kappa_0, 0
    value, slope = posterior(a)
    first = value
    for iteration in range(1, max_iter + 1):
        proposal = a + kappa * slope
        if proposal < -30:
            kappa = (-30 - a) / slope
        if proposal > 10:
            kappa = (10 - a) / slope
        proposed_value, proposed_slope = posterior(a + kappa * slope)
        if not -proposed_value <= -value - kappa * epsilon * slope * slope:  # not enough, or missing: Armijo's rule
            kappa /= 2
            continue
        accept += 1
        a = a + kappa * slope
        change = proposed_value - value
        if change < tol:
            return a, iteration, first, proposed_value
        if a < np.log(1e-9):
            return a, iteration, first, value  # the value before this step, as in R
        value, slope = proposed_value, proposed_slope
        kappa = min(1.1 * kappa, kappa_0)
        if accept % 5 == 0:
            kappa /= 2
    return a, max_iter, first, value


def grid_search(low, high, value):
    """Return the best of 20 points, refined once on 20 points around it."""
    points = np.linspace(low, high, 20)
    best = points[np.argmax([value(a) for a in points])]
    spacing = points[1] - points[0]
    fine = np.linspace(best - spacing, best + spacing, 20)
    return fine[np.argmax([value(a) for a in fine])]


# ---- GLM ----


def start(y, f, X):
    return np.linalg.lstsq(X, np.log(y / f + 0.1), rcond=None)[0]


def irls(y, f, X, alpha, beta, ridge, min_mu=0.5, tol=1e-8, max_iter=100, v=1.0):
    """Fit by augmented least squares (QR); return a dict of what the kernel writes. `ridge` is a number or (p,)."""
    p = X.shape[1]
    mu = np.maximum(f * np.exp(X @ beta), min_mu)
    old_deviance = 0.0
    n_iter = max_iter
    for iteration in range(1, max_iter + 1):
        w = v * mu / (1.0 + alpha * mu)
        z = np.log(mu / f) + (y - mu) / mu
        augmented = np.vstack([np.sqrt(w)[:, None] * X, np.diag(np.sqrt(np.broadcast_to(ridge, p)))])
        beta = np.linalg.lstsq(augmented, np.concatenate([np.sqrt(w) * z, np.zeros(p)]), rcond=None)[0]
        if (np.abs(beta) > 30).any():
            break
        mu = np.maximum(f * np.exp(X @ beta), min_mu)
        deviance = -2.0 * (v * nb_loglik(y, mu, alpha)).sum()
        if iteration > 1 and abs(deviance - old_deviance) / (abs(deviance) + 0.1) < tol:
            n_iter = iteration
            break
        old_deviance = deviance
    w = v * mu / (1.0 + alpha * mu)
    inverse = np.linalg.inv(X.T @ (w[:, None] * X) + ridge * np.eye(p))
    unfloored = f * np.exp(X @ beta)
    return {
        "beta": beta,
        "variance": np.diag(covariance(X, w, ridge)),
        "mu": unfloored,
        "hat": w * np.einsum("jk,kl,jl->j", X, inverse, X),
        "loglik": (v * nb_loglik(y, unfloored, alpha)).sum(),
        "n_iter": n_iter,
    }


def covariance(X, w, ridge):
    """Return A^-1 X'WX A^-1 with A = X'WX + ridge."""
    information = X.T @ (w[:, None] * X)
    inverse = np.linalg.inv(information + ridge * np.eye(X.shape[1]))
    return inverse @ information @ inverse


def penalized_loss(log2_beta, y, f, X, alpha, ridge, v=1.0):
    """Return the negative log-likelihood and log prior density N(0, 1 / ridge) of log2 coefficients."""
    mu = f * 2.0 ** (X @ log2_beta)
    prior = scipy.stats.norm.logpdf(log2_beta, 0.0, 1.0 / np.sqrt(ridge))
    return -(v * nb_loglik(y, mu, alpha)).sum() - prior.sum()


def penalized_gradient(log2_beta, y, f, X, alpha, ridge, v=1.0):
    mu = f * 2.0 ** (X @ log2_beta)
    return -LN2 * X.T @ (v * (y - mu) / (1.0 + alpha * mu)) + ridge * log2_beta


# ---- several dispersions ----


def node_loglik(X, y, mu, v, alpha):
    """Return the Cox-Reid adjusted log-likelihood of a dispersion, without terms that are free of it."""
    rise = np.array([np.log1p(alpha * np.arange(count)).sum() for count in y])
    used = X[v > 0.0][:, X[v > 0.0].any(axis=0)]
    w = (v * mu / (1.0 + alpha * mu))[v > 0.0]
    cox_reid = np.linalg.slogdet(used.T @ (w[:, None] * used))[1]
    return np.sum(v * (rise - (y + 1.0 / alpha) * np.log1p(alpha * mu))) - 0.5 * cox_reid


def node_ratio(y, mu, null_mu, v, alpha):
    """Return twice the difference of the log-likelihoods of two models, not below zero."""
    growth = np.log1p(alpha * (mu - null_mu) / (1.0 + alpha * null_mu))
    return max(0.0, 2.0 * np.sum(v * (y * np.log(mu / null_mu) - (y + 1.0 / alpha) * growth)))


# ---- rough starts ----


def projection(y, f, X):
    """Return the least squares fit of y / f on X."""
    return X @ np.linalg.lstsq(X, y / f, rcond=None)[0]


def rough_dispersion(y, f, X):
    n, p = X.shape
    mean = np.maximum(1.0, projection(y, f, X))
    return max(0.0, np.sum(((y / f - mean) ** 2 - mean) / mean**2) / (n - p))


# ---- designs and data for the tests ----


def one_way(n=9, groups=3):
    """Cells as many as columns, each sample in one group: every row has at most two entries."""
    group = np.arange(n) % groups
    return np.column_stack([np.ones(n)] + [(group == k).astype(float) for k in range(1, groups)])


def two_way(n=12):
    """More cells than columns: two crossed factors without interaction."""
    a, b = np.arange(n) % 3, (np.arange(n) // 3) % 2
    return np.column_stack([np.ones(n), a == 1, a == 2, b == 1]).astype(float)


def dense(n=10, p=3, seed=7):
    """Every sample has a row of its own."""
    rng = np.random.default_rng(seed)
    return np.column_stack([np.ones(n), rng.normal(size=(n, p - 1))])


def saturated_groups(n=8):
    """Group means without intercept and a negative entry: square, but not triangular."""
    X = np.zeros((n, 2))
    X[:, 0] = 1.0
    X[:, 1] = np.where(np.arange(n) < n // 2, 0.5, -1.5)
    return X


DESIGNS = {"one_way": one_way(), "two_way": two_way(), "dense": dense(), "saturated": saturated_groups()}


def simulate(X, n_genes, seed, *, low=2.0, high=2000.0):
    """Return counts (G, n), size factors (n,), means (G, n) and dispersions (G,) of random genes."""
    rng = np.random.default_rng(seed)
    n, p = X.shape
    f = rng.uniform(0.5, 2.0, n)
    beta = rng.normal(0.0, 0.7, (n_genes, p))
    beta[:, 0] = np.log(rng.uniform(low, high, n_genes))
    mu = f * np.exp(beta @ X.T)
    alpha = rng.uniform(0.02, 0.6, n_genes)
    counts = rng.negative_binomial(1.0 / alpha[:, None], 1.0 / (1.0 + alpha[:, None] * mu)).astype(float)
    counts[counts.sum(axis=1) == 0, 0] = 1.0
    return counts, f, mu, alpha
