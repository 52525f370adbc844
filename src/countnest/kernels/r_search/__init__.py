"""Searches that end where those of R end.

They are here because some likelihoods are so flat that the point where a search stops decides the result. IRLS does not
converge for a few genes of a data set; DESeq2 gives those to R's `optim`, and apeglm ends its search when the
objective changes by less than 1e-7 of its value at zero.

- `lbfgsb` on `line_search`: the bounded quasi-Newton method of R's `optim`, and `negbin`, the objective. SciPy's
  L-BFGS-B is a later version of the method. With it, the log2 fold changes of three genes in the sixteen data sets of
  docs/parity.md differ from R's by 0.21 and 2.2e-3 (continuous_14) and 1.7e-3 (sparse_poscounts_30), though their
  log-likelihoods agree to ten digits. With this one they differ by 1e-6 at most.
- `apeglm`: the search of apeglm, which ends up to a quarter of a posterior standard deviation before the mode.
  `lfc_shrink(..., converge=True)` uses `shrinkage.cauchy` alone, which goes on to the mode.

`benchmarks/parity.py` compares all results with R's and writes docs/parity.md; run it after replacing
`stats.glm.quasinewton.minimize_rows`, or the early search in `stats.shrink.apeglm`, to see these numbers.
"""
