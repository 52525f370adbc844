"""The prose of docs/parity.md, which `benchmarks/parity.py` writes."""

from __future__ import annotations

HEAD = """# Parity with DESeq2

Made by `python benchmarks/parity.py --write docs/parity.md` from the reference numbers in `tests/parity/data`
(DESeq2 {version}). `tests/parity` asserts all of it. These tables have the
worst cases; [parity/quantities.csv](parity/quantities.csv) has every quantity of every data set,
[parity/tables.csv](parity/tables.csv) every table of results, and [parity/genes.csv](parity/genes.csv) every gene
beyond the target that is decided by rounding or by the quasi-Newton search.

A difference is `|here - DESeq2| / max(|DESeq2|, floor)`, the largest over all genes that have a number on both sides.
The floor is {se:g} of its standard error for a log fold change, so {stat:g} for a Wald statistic; {cooks:g} for a
Cook's distance; none elsewhere. P-values are compared by their logarithms: `|log here - log DESeq2| /
max(|log DESeq2|, 1)`. Where values are missing is compared first. **Bold** is beyond the target.

The four studies were fitted with a model matrix and without replacement of outliers, the twelve cases with the formula
and every default. `dispGeneEst` is compared where it is above 1e-6 on either side. A filter threshold is taken from the
missing values of DESeq2's `padj`; the size of padj is compared with the kind of the gene that it stems from in the
Benjamini-Hochberg adjustment.

Three kinds of genes are told apart:

- *ordinary* genes;
- genes *decided by rounding*: their dispersion moves when nothing changes but the order of the samples, in DESeq2
  (`tests/parity/rounding.R`: {orders} orders) or here (`tests/parity/rounding.py`). The line search compares log
  posteriors that agree to the last bit, and the means that go into them come from sums. They are listed by name, each
  with its movement, and held to ten times as much, at most to {rounding:g}. Where the trend moves by more than
  {moves:g} with them, the ordinary genes are held to {moved:g};
- *quasi-Newton* genes: their IRLS did not converge in DESeq2 (`betaIter` is 100), and R's `optim` decided. Over a range
  of coefficients their likelihoods agree to ten digits. Fold changes are compared as absolute differences, and held to
  {flat:g}; their Cook's distances, squared residuals over a robust variance, to {amplified:g}. Genes fitted again after
  replacement of outliers count here for Cook's distances, which come from their first fit. Where `optim` stopped more
  than 0.0006 standard errors short of the maximum, the search goes on here (docs/r_differences.md): among these data
  sets for Cook's distances of 18 genes of replace_batch_32, and for nothing else.

Genes fitted again have normal p-values in DESeq2 with `useT`, and p-values from the t distribution here
(docs/r_differences.md): their p-values in `results_useT`, and its padj where there are such genes, are not compared.
"""

SHRUNKEN = """Shrunken fold changes and their posterior standard deviations, the larger difference of both; s-values for
a threshold of 1 and transformed counts (1,000 genes) as absolute differences; size factors with `type="iterate"`.

- *apeglm*: by default the search for the posterior mode takes R's steps and ends where R's ends, unless Newton's method
  would go on from there by more than {near} posterior standard deviations; then it goes on to the highest mode. The
  next table tells how far from it the ends are. `converge=True` always goes on. Where the search ends is decided by the
  ninth digit of the dispersion in designs with many coefficients: with DESeq2's own dispersions the worst differences
  are 2.5e-5 (study48) and 2.2e-4 (nested_unbalanced_22) of a standard error.
- *ashr*: the weights of the mixture maximise the likelihood here. R's fall short of the maximum: the likelihood here is
  higher in all fifteen data sets, and the posterior formulas agree to rounding with R's weights. In sparse_poscounts_30
  two components explain the data almost equally well. Genes without counts are missing here
  (docs/r_differences.md).
- *normal*: `tests/parity/test_normal_prior.py` has more, `beta_prior=True` included.
"""

ENDS = """Where the search of apeglm ends, in posterior standard deviations from the highest mode, genes of every kind.
With large counts the search ends before the mode: when the objective changes by less than a hundred-millionth of its
size. Where the maximum of the likelihood is far from zero and poorly determined, the posterior has two modes, and the
search, R's too, may end at the lower one. Only such genes are farther than {near} from the highest mode: in
two_group_12 they have one count near a million among small ones, in airway two of the four are separated, and in
sparse_poscounts_30 the prior is narrow, and the standard deviation at the mode near zero a thousandth.
"""

ELSEWHERE = (
    ("apeglm of a contrast, and after the relevelling that makes it a coefficient", "unit/api/test_shrinkage", "1e-6"),
    ("results after `save` and `load`", "unit/api/test_saving", "every bit"),
    ("`beta_prior=True`, standard and expanded, `add_mle`, refits, thresholds", "parity/test_normal_prior", "1e-8"),
    ("options of the size factors, normalization matrices, transcript lengths", "unit/api/test_normalization", "1e-12"),
    ("transformations with every trend, frozen, with factors (1)", "unit/api/test_transformations", "1e-8"),
    ("`greaterAbsUPSHOT`, against its integral", "unit/stats/test_wald", "1e-12"),
    ("sets of genes called in simulations: [error_rates.md](error_rates.md)", "benchmarks/error_rates.py", "identical"),
)
NOTE = """(1) With a local trend 4e-8, as the trend itself; but for genes on which the IRLS of rlog does not converge in
R (docs/r_differences.md)."""

JUMPING = """In some data sets the gene-wise dispersion of a gene jumps with the order of the samples, from near the
floor to an ordinary value or back. That moves the trend and with it every gene, in DESeq2 too. These data sets are
fitted with their samples in an order in which the gene falls as it did in DESeq2, in all tables but this one, which has
the ordinary genes with the samples as they are given:
"""

AT_BOUNDS = """The search of these quasi-Newton genes meets the bounds, +-30, where R's L-BFGS-B (the method of 1995)
truncates the subspace step and SciPy's (version 3.0) projects it onto the box. The log-likelihoods agree to 1e-5.
Other genes are here with adjusted p-values that stem from such a gene, or were ranked beside it."""
