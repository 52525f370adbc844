"""Names of R packages for mixed models and their counterparts here. dds: a data set, res: a table of results."""

from __future__ import annotations

__all__ = ["ARGUMENTS", "NAMES", "WORDS"]

_LINEAR = "cn.lmm(dds), with random terms in the design of the data set"
_COUNTS = "cn.glmm(dds); of one response: cn.glmm(cn.single_response(formula, data))"
_PQL = 'method="pql"'

# Functions, classes and packages.
NAMES = {
    "lme4": _LINEAR,
    "lmerTest": _LINEAR,
    "lmer": _LINEAR,
    "lme": _LINEAR,
    "nlme": _LINEAR,
    "gls": "cn.lmm(dds), with (1 | group) in the design, for samples of a group that are correlated",
    "dream": 'cn.lmm(dds, values="voom"), then .test("dream", fit="lmm")',
    "variancePartition": "cn.lmm(dds) with .test('dream', fit='lmm'), and cn.variance_components(dds)",
    "voomWithDreamWeights": 'cn.lmm(dds, values="voom")',
    "fitExtractVarPartModel": "cn.variance_components(dds), after cn.lmm(dds)",
    "fitVarPartModel": "cn.lmm(dds)",
    "extractVarPart": "cn.variance_components(dds)",
    "plotVarPart": 'no figure; a histogram of cn.variance_components(dds).xs("share", axis=1, level="value")',
    "glmer": _COUNTS,
    "glmer_nb": _COUNTS,
    "glmmTMB": _COUNTS,
    "nbinom2": "cn.glmm(dds), whose variance is mu + alpha mu^2",
    "glmmPQL": f"cn.glmm(dds, {_PQL}); of one response: cn.glmm(cn.single_response(formula, data), {_PQL})",
    "ranef": "cn.random_effects(dds)",
    "VarCorr": "cn.variance_components(dds)",
    "fixef": 'cn.gene_estimates(dds, fit="lmm")',
    "ranova": "cn.variance_test(dds)",
    "exactRLRT": "cn.variance_test(dds)",
    "isSingular": 'res["code"] == 1, of a table of results: res = dds.effect("condition").test(fit="lmm")',
    "KRmodcomp": 'dds.effect("condition").joint().test(fit="lmm")',
    "SATmodcomp": 'cn.lmm(dds, df="satterthwaite"), then dds.effect("condition").joint().test(fit="lmm")',
    "PBmodcomp": "no parametric bootstrap; cn.likelihood_ratio(dds, smaller) compares with a chi-square distribution",
    "contest": 'dds.effect("condition").test(fit="lmm")',
    "contest1D": 'dds.effect("condition").test(fit="lmm")',
    "contestMD": 'dds.effect("condition").joint().test(fit="lmm")',
    "refitML": "cn.lmm(dds, reml=False)",
}

# Arguments whose name here is not the same in lower case.
ARGUMENTS = {
    "ddf": "df=",
    "nAGQ": "method=, of cn.glmm: 'laplace', 'laplace4' or 'agq'",
    "ziformula": "not offered: counts are negative binomial or Poisson",
    "dispformula": "not offered: each gene has one dispersion; dispersion= of cn.glmm gives known ones",
}

# Values of options.
WORDS = {
    "nbinom2": "negbin",
    "nbinom": "negbin",
    "Kenward-Roger": "kenward-roger",
    "Satterthwaite": "satterthwaite",
}
