"""Estimates by gene of the fits that a data set keeps, whatever their method."""

from __future__ import annotations

import pandas as pd

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.errors import MissingStepError, OptionError, listing
from countnest.methods.fit import HasEstimates
from countnest.options import check_option
from countnest.signature import checked_arguments

__all__ = ["gene_estimates"]


@checked_arguments
def gene_estimates(dds: CountDataSet, fit: str | None = None) -> pd.DataFrame:
    """Return what was estimated of every gene: coefficients, dispersions or variances, likelihoods of mixed models.

    Parameters
    ----------
    dds
        A data set that `edger`, `limma`, `lmm` or `glmm` fitted.
    fit
        The name of the fit; None: the only one there is.

    Returns
    -------
    pandas.DataFrame
        By gene: `baseMean`, and the coefficients under their names, log2, last.
        Of edgeR's method `logCPM`, the average log2 count per million; `dispersion`, of the negative binomial
        distribution; and of quasi-likelihood `quasiDispersion`, moderated. Coefficients are shrunken by the prior
        count.
        Of limma's method `AveExpr`, the mean of log2 counts per million; `sigma`, the residual standard deviation; and
        `moderatedVariance`.
        Of both, where variances are moderated, `dfResidual` and `dfPrior`, the residual and the prior degrees of
        freedom.
        Of mixed models `code`, how the fit ended, see `lmm`; of linear ones `sigma`, the residual standard deviation,
        log2; `logLik`, the log-likelihood, restricted in fits by REML, with Akaike's and the Bayesian information
        criterion, `AIC` and `BIC`. `variance_components` has the standard deviations of random effects, and `predict`
        the means of cells with intervals.
        Missing for genes that were not fitted.

    Raises
    ------
    MissingStepError, OptionError
        There is no such fit, or there are several and none is named. Those of DESeq2's method are `dds.genes`.

    Notes
    -----
    R counterparts: the elements coefficients, dispersion, df.prior, sigma and s2.post of edgeR's and limma's fits,
    whose coefficients are natural logarithms in edgeR.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.datasets.load("airway")
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ cell + dex", reference={"dex": "untrt"})
    >>> dds = cn.limma(dds, quiet=True)
    >>> list(cn.gene_estimates(dds, fit="limma").columns[:4])
    ['baseMean', 'AveExpr', 'sigma', 'moderatedVariance']
    """
    require_data_set(dds, "gene_estimates")
    names = [name for name in dds.fits if isinstance(dds._fit(name), HasEstimates)]
    if not names:
        raise MissingStepError(
            "there is no fit by edgeR's or limma's method, or of mixed models, yet: call cn.edger(dds), cn.limma(dds), "
            "cn.lmm(dds) or cn.glmm(dds). Estimates of DESeq2's method are dds.genes."
        )
    if fit is None and len(names) > 1:
        raise OptionError(f"there are several fits: give one of {listing(names, 20)} as fit=.")
    if fit is not None:
        check_option("fit", fit, names)
    found = dds._fit(names[0] if fit is None else fit)
    assert isinstance(found, HasEstimates)
    return pd.DataFrame({"baseMean": found.base_mean, **found.estimates()}, index=dds.gene_names)
