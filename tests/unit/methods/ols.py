"""A small second method: ordinary least squares on log2 counts, without anything of DESeq2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats

from countnest.methods.fit import JointTest, RowTests, TestKind, nothing_withheld, register_fit


@register_fit
@dataclass(frozen=True, slots=True, eq=False)
class StoredOls:
    """What is kept of it: coefficients (G, p), residual variances and mean counts (G,)."""

    beta: np.ndarray
    variance: np.ndarray
    mean: np.ndarray
    blocks: tuple[str, ...] = ()

    def bind(self, data: Any, design: Any, engine: Any) -> OlsFit:  # noqa: ARG002
        """Return the fit; it needs no counts."""
        return OlsFit(self, design.matrix)

    def misfits(self, data: Any, design: Any) -> list[str]:
        """Return whether the coefficients have the shape of the counts and the design."""
        fits = self.beta.shape == (data.shape[0], design.matrix.shape[1])
        return [] if fits else [f"its coefficients have the shape {self.beta.shape}"]


def fit_ols(counts: np.ndarray, design: Any, blocks: tuple[str, ...] = ()) -> StoredOls:
    """Fit counts (G, n); genes without counts are missing."""
    values = np.log2(counts + 1.0)
    beta = np.linalg.lstsq(design.matrix, values.T, rcond=None)[0].T
    n, p = design.matrix.shape
    variance = ((values - beta @ design.matrix.T) ** 2).sum(axis=1) / (n - p)
    never = counts.sum(axis=1) == 0
    beta[never], variance[never] = np.nan, np.nan
    return StoredOls(beta, variance, counts.mean(axis=1), blocks)


@dataclass(frozen=True, slots=True, eq=False)
class OlsFit:
    """See `countnest.methods.fit.Fit`."""

    stored: StoredOls
    matrix: np.ndarray

    method = "OLS"
    shrinkage = None
    kinds = {"t": TestKind("t", has_threshold=False), "F": TestKind("F")}  # noqa: RUF012

    @property
    def base_mean(self) -> np.ndarray:
        return self.stored.mean

    @property
    def never_counted(self) -> np.ndarray:
        return self.stored.mean == 0

    @property
    def df(self) -> float:
        n, p = self.matrix.shape
        return float(n - p)

    def models_block(self, block: tuple[str, ...]) -> bool:
        return block[-1] in self.stored.blocks

    def _covariance(self, contrasts: np.ndarray) -> np.ndarray:
        return contrasts @ np.linalg.inv(self.matrix.T @ self.matrix) @ contrasts.T

    def row_tests(self, contrasts, kind, *, threshold, alternative, unchanged):  # noqa: ARG002
        lfc = np.where(unchanged, 0.0, self.stored.beta @ contrasts.T)
        se = np.sqrt(np.outer(self.stored.variance, np.diag(self._covariance(contrasts))))
        t = lfc / se
        df = np.full(t.shape, self.df)  # by gene and row
        if kind == "F":
            return RowTests(lfc, se, t**2, scipy.stats.f.sf(t**2, 1, self.df), df)
        return RowTests(lfc, se, t, 2 * scipy.stats.t.sf(np.abs(t), self.df), df)

    def joint_test(self, contrasts, kind):  # noqa: ARG002
        lfc = self.stored.beta @ contrasts.T
        statistic = np.einsum("gi,ij,gj->g", lfc, np.linalg.inv(self._covariance(contrasts)), lfc)
        statistic = statistic / self.stored.variance / len(contrasts)
        p_value = scipy.stats.f.sf(statistic, len(contrasts), self.df)
        return JointTest(lfc, statistic, p_value, len(contrasts), np.full(len(lfc), self.df))

    def separated(self, contrasts):
        return np.zeros((len(self.stored.mean), len(contrasts)), dtype=bool)

    def withheld(self, rule, cooks_cutoff):  # noqa: ARG002
        return nothing_withheld(len(self.stored.mean))
