"""Tests of mixed models: of variances of random effects, and of models against smaller ones."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from countnest.api.dataset import CountDataSet, require_data_set
from countnest.api.mixed_access import place_of_term
from countnest.containers.results import Results
from countnest.design.design import Design
from countnest.errors import CountnestWarning, OptionError, kind_of, listing
from countnest.methods.fit import Fit
from countnest.methods.mixed.protocol import MixedComparison, access_to, comparison_of
from countnest.methods.model_tests import ModelTest, table_of
from countnest.options import check_flags, check_option
from countnest.progress import progress
from countnest.signature import checked_arguments

if TYPE_CHECKING:
    from countnest.stats.mixed.records import LikelihoodRatio

__all__ = ["likelihood_ratio", "variance_test"]

VarianceTest = Literal["lrt", "f"]


@checked_arguments
def variance_test(
    dds: CountDataSet, fit: str = "lmm", *, term: str | None = None, test: VarianceTest = "lrt", mixture: bool = True
) -> Results:
    """Test for every gene whether the random effects of a term have any variance: whether families differ at all.

    Parameters
    ----------
    dds
        A data set with mixed models.
    fit
        The name of the fit.
    term
        The random term as the design names it: "1 | family". None: the only one.
    test
        "lrt": the likelihood ratio against the model without the term; the restricted likelihood of a fit by REML. "f",
        of linear models: exact F tests, the mean square between groups over that within, of a single random term with
        groups of the same size and values without weights.
    mixture
        Whether p-values of likelihood ratios know that variances cannot be negative: half of chi-square on one degree
        of freedom for one variance. For a term with several columns, the mean of chi-square on one degree of freedom
        less than there are parameters and on as many, which is cautious. False: chi-square as it is, as
        lmerTest::ranova has it, whose p-values are twice as large for one variance.

    Returns
    -------
    Results
        By gene: baseMean, code, stat, pvalue, padj, padj_reason; and df, of the denominator of F. The title of the
        table says which distribution p-values are from.

    Raises
    ------
    OptionError
        There is no such fit or term, or the test does not go with it.
    DesignError
        An exact F test where groups have different sizes, or there are several random terms.

    Notes
    -----
    Without a variance half of the estimates are zero, with p-values of 1: Benjamini and Hochberg's method is then
    cautious. Likelihood ratios are approximate in small studies, see docs/mixed_models.md; "f" is exact.

    Sources: Self and Liang (1987), doi:10.1080/01621459.1987.10478472; Stram and Lee (1994), doi:10.2307/2533455.

    R counterparts: RLRsim::exactRLRT, lmerTest::ranova.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=100, rng=1)
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ treat1 + (1 | family)", quiet=True)
    >>> found = cn.variance_test(cn.lmm(dds, quiet=True))
    >>> found.info.label
    'variance of (1 | family): mixture of chi-square on 0 and 1 df'
    """
    require_data_set(dds, "variance_test")
    check_option("test", test, VarianceTest)
    check_flags(mixture=mixture)
    own = _comparison(dds, "variance_test", fit)
    place = place_of_term(dds._design.random, term)
    label = f"({dds._design.random[place].label})"
    name, without = f"variance of {label}", f"without {label}"
    if test == "f":
        exact = own.variance_ratio()
        tested = ModelTest(f"{name}: exact F", "F", exact.statistic, exact.p_value, without, exact.df)
    else:
        ratio = own.without_term(place, mixture=mixture)
        distribution = _distribution(ratio)
        tested = ModelTest(
            f"{name}: {distribution}", _test_name(own.reml), ratio.statistic, ratio.p_value, without,
            distribution=distribution,
        )  # fmt: skip
    return table_of(tested, dds._fit(fit), dds._data, dds._design.formula)


@checked_arguments
def likelihood_ratio(
    dds: CountDataSet,
    reduced: Any,  # noqa: ANN401 (a formula, a data set)
    *,
    fit: str = "lmm",
    reduced_fit: str | None = None,
    refit: bool = True,
    mixture: bool = True,
) -> Results:
    """Test mixed models against smaller ones of the same values, by likelihood ratios.

    The smaller model lacks fixed terms, or random ones, or both. Restricted likelihoods (REML) of models with different
    fixed parts are likelihoods of different data: such models are fitted again by maximum likelihood.

    Parameters
    ----------
    dds
        A data set with mixed models, the larger ones.
    reduced
        The formula of the smaller model, which is fitted to the same values by the same method; without random terms it
        is the linear model, or the GLM. Or a data set with the smaller models.
    fit, reduced_fit
        The names of the fits in both data sets; None: the same.
    refit
        Whether models are fitted again where their likelihoods cannot be compared as they are. False: an error.
    mixture
        Whether p-values know that variances cannot be negative, see `variance_test`.

    Returns
    -------
    Results
        By gene: baseMean; code, and of counts the dispersion and standard deviations, of the larger model as it was
        compared, so of the fit by maximum likelihood where it was fitted again; stat, pvalue, padj, padj_reason. The
        title of the table says which distribution p-values are from.

    Raises
    ------
    OptionError
        There is no such fit, or likelihoods cannot be compared: fits of other values, weights, genes or samples; of
        counts, of another distribution, integral or size factors, or with dispersions known in another way; by
        quasi-likelihood, which has none.
    DesignError
        The smaller model is no part of the larger one.

    Notes
    -----
    The chi-square distribution is that of many groups. With few, p-values of fixed effects are too small: with 24
    families 8 to 12 % of genes without an effect have p < 0.05. F tests with degrees of freedom by Kenward and Roger,
    ``dds.effect(...).test(fit="lmm")``, hold in small studies.

    R counterpart: anova(m0, m1) of two fits by lme4::lmer or glmmTMB::glmmTMB.

    Examples
    --------
    >>> import countnest as cn
    >>> study = cn.simulate.nested(genes=100, rng=1)
    >>> formula, reference = "~ treat1 + treat2 + (1 | family)", {"treat2": "None"}
    >>> dds = cn.DESeqDataSet(study.counts, study.samples, design=formula, reference=reference, quiet=True)
    >>> found = cn.likelihood_ratio(cn.lmm(dds, quiet=True), "~ treat1 + (1 | family)")
    >>> found.info.label
    "'~ treat1 + treat2 + (1 | family)' vs '~ treat1 + (1 | family)': chi-square on 1 df"
    """
    require_data_set(dds, "likelihood_ratio")
    check_flags(refit=refit, mixture=mixture)
    name = fit if reduced_fit is None else reduced_fit
    own = _comparison(dds, "likelihood_ratio", fit)
    there = _fit_of(dds, own, reduced, name) if isinstance(reduced, CountDataSet) else None
    design = _design(dds, reduced) if there is None else reduced._design
    own.dropped(design)
    different = not np.array_equal(own.design.matrix, design.matrix)
    both = own if there is None else _compared(there)
    reml = own.reml and both.reml and not different
    if reml != own.reml or reml != both.reml:
        _refit(dds, refit=refit, different=different)
    larger = dds._fit(fit) if own.reml == reml else own.of_design(own.design, reml=reml)
    smaller = there if there is not None and both.reml == reml else own.of_design(design, reml=reml)
    ratio = _compared(larger).ratio(smaller, mixture=mixture)
    smaller_one, distribution = design.formula or "reduced", _distribution(ratio)
    tested = ModelTest(
        f"'{own.design.formula or 'full'}' vs '{smaller_one}': {distribution}", _test_name(reml), ratio.statistic,
        ratio.p_value, smaller_one, distribution=distribution,
    )  # fmt: skip
    return table_of(tested, larger, dds._data, dds._design.formula)


def _comparison(dds: CountDataSet, function: str, name: str) -> MixedComparison:
    """Return the mixed models of a data set under a name; raise `OptionError` where there are none."""
    own = dds._fit(name)
    found = comparison_of(own)
    if found is None and access_to(own) is not None:
        raise OptionError(
            f"{function} compares likelihoods, and the fit '{name}' by quasi-likelihood has no likelihood: fit with "
            "cn.glmm(dds, method='laplace')."
        )
    if found is None:
        mixed = [other for other in dds._fits if comparison_of(dds._fit(other)) is not None]
        advice = f"take fit={listing(mixed)}" if mixed else "fit them with cn.lmm(dds)"
        raise OptionError(f"{function} is for mixed models, and '{name}' is a fit of {own.method}: {advice}.")
    return found


def _compared(fit: Fit) -> MixedComparison:
    found = comparison_of(fit)
    assert found is not None
    return found


def _fit_of(dds: CountDataSet, own: MixedComparison, reduced: CountDataSet, name: str) -> Fit:
    """Return the fit of the data set with the smaller models; see `likelihood_ratio` for the errors."""
    _comparison(reduced, "likelihood_ratio", name)
    for what, one, other in (
        ("genes", dds._data.genes, reduced._data.genes),
        ("samples", dds._data.samples, reduced._data.samples),
    ):
        if not one.equals(other):
            raise OptionError(
                f"the likelihoods cannot be compared: the data sets have different {what}, or in another order. Fit "
                f"both models to the same {what}: reduced='~ ...' does."
            )
    found = reduced._fit(name)
    why = own.differences(found)
    if why:
        raise OptionError(
            f"the likelihoods cannot be compared: {'; '.join(why)}. Fit both models alike, or give the smaller one as "
            "a formula, reduced='~ ...', which fits it as the larger one."
        )
    return found


def _design(dds: CountDataSet, formula: object) -> Design:
    """Return the design of a formula for the samples of a data set."""
    if not isinstance(formula, str):
        raise OptionError(
            "reduced= must be the formula of the smaller model, such as '~ treat1 + (1 | family)', or a data set with "
            f"it; got {kind_of(formula)}."
        )
    other = dds.copy()
    other._quiet = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)  # of the groups: they were told with the larger model
        other.design = formula
    return other._design


def _refit(dds: CountDataSet, *, refit: bool, different: bool) -> None:
    """Say that models are fitted again by maximum likelihood; raise `OptionError` where they must not be."""
    why = "the fixed parts of the models differ" if different else "only one of them is by REML"
    if not refit:
        raise OptionError(
            f"the likelihoods cannot be compared: {why}, and a restricted likelihood (REML) is one of other data then. "
            "Take refit=True, or fit both with reml=False."
        )
    progress(dds._quiet).note(f"fitted again by maximum likelihood instead of REML, as {why}.")


def _test_name(reml: bool) -> str:
    return "restricted LRT" if reml else "LRT"


def _distribution(ratio: LikelihoodRatio) -> str:
    """Return in words the distribution that p-values are from."""
    if ratio.mixture:
        return f"mixture of chi-square on {ratio.df - 1} and {ratio.df} df"
    return f"chi-square on {ratio.df} df"
