"""Names of edgeR and limma and their counterparts here. dds: a data set, res: a table of results."""

from __future__ import annotations

__all__ = ["ARGUMENTS", "DATA_SET", "NAMES", "RESULTS"]

_SETS_BY_ROTATION = "cn.fry(query, sets), which needs no random rotations"
_ANNOTATION = "not offered: cn.camera(query, sets) takes sets of any source, such as GO terms from a GMT file"
_ONE_STEP = "cn.estimate_disp(dds), which estimates common, trended and tagwise dispersions together"
_EXONS = "not offered: tests are of genes; for exons give exons as rows and test interactions"

# Functions and classes, but for those that are the same in snake case.
NAMES = {
    # edgeR
    "DGEList": 'cn.DESeqDataSet(counts, samples, design="~ group"), the data set of all methods',
    "SE2DGEList": 'cn.DESeqDataSet(adata, design="~ group"), the data set of all methods',
    "Seurat2PB": 'cn.pseudobulk(adata, by=["donor", "cell_type"])',
    "normLibSizes": 'cn.calc_norm_factors(dds); cn.edger(dds, norm_factors="TMM") does it by itself',
    "getNormLibSizes": "dds.counts().sum() * cn.calc_norm_factors(dds)",
    "effectiveLibSizes": "dds.counts().sum() * cn.calc_norm_factors(dds)",
    "getOffset": "dds.normalization_factors, the exponentials of the offsets up to a factor by gene",
    "scaleOffset": "dds.normalization_factors = values, the exponentials of the offsets",
    "cpmByGroup": "cn.cpm(dds), and means of its columns",
    "rpkmByGroup": "cn.rpkm(dds, gene_length), and means of its columns",
    "sumTechReps": "cn.collapse_replicates(dds, groupby)",
    "catchSalmon": "cn.dataset_from_tximport(counts, length, samples, design), of genes",
    "catchKallisto": "cn.dataset_from_tximport(counts, length, samples, design), of genes",
    "estimateCommonDisp": "cn.estimate_disp(dds, classic=True)",
    "estimateTagwiseDisp": "cn.estimate_disp(dds, classic=True)",
    "estimateTrendedDisp": "cn.estimate_disp(dds, classic=True)",
    "estimateGLMCommonDisp": _ONE_STEP,
    "estimateGLMTrendedDisp": _ONE_STEP,
    "estimateGLMTagwiseDisp": _ONE_STEP,
    "estimateGLMRobustDisp": "cn.estimate_disp(dds, robust=True)",
    "glmLRT": "cn.glm_lrt(dds, coef)",
    "glmQLFit": "cn.glm_ql_fit(dds)",
    "glmQLFTest": "cn.glm_ql_ftest(dds, coef)",
    "predFC": "cn.pred_fc(dds)",
    "topTags": "res.top(10)",
    "decideTests": "cn.decide_tests(fit), of a fit by cn.e_bayes; of a table of results: res.significant()",
    "decideTestsDGE": "res.significant()",
    "decidetestsDGE": "res.significant()",
    "DGEGLM": "the data set, which keeps the fit: dds.fits",
    "DGELRT": "cn.Results",
    "DGEExact": "cn.exact_test(dds)",
    "plotMDS": "cn.plot_pca(cn.vst(dds), dds.samples, intgroup)",
    "plotMD": "cn.plot_ma(res)",
    "plotSmear": "cn.plot_ma(res)",
    "maPlot": "cn.plot_ma(res)",
    "plotBCV": 'no figure; its points are np.sqrt(cn.estimate_disp(dds).table["tagwise"]) against "logCPM"',
    "plotQLDisp": "not offered as a figure; DESeq2's dispersions: cn.plot_dispersion(dds.genes, dds.dispersion_trend)",
    "diffSpliceDGE": _EXONS,
    "spliceVariants": _EXONS,
    "thinCounts": "cn.simulate.thinning, for effects of known size in real counts",
    # limma
    "EList": "cn.voom(dds)",
    "MArrayLM": "cn.lm_fit(cn.voom(dds))",
    "voomLmFit": "cn.voom_lm_fit(dds)",
    "voomWithQualityWeights": "cn.voom_with_quality_weights(dds)",
    "eBayes": "cn.e_bayes(fit)",
    "topTable": "cn.top_table(fit), of a fit by cn.e_bayes; of a table of results: res.top(10)",
    "topTableF": "cn.top_table(fit), with several coefficients",
    "topTreat": "cn.top_table(cn.treat(fit), coef)",
    "makeContrasts": 'cn.contrasts_fit(fit, {"label": {"coefficient": 1}}), or a query: dds.contrast("b - c")',
    "plotSA": "cn.plot_voom(cn.voom(dds))",
    "contrastAsCoef": "not needed: contrasts are exact",
    "contrasts.fit": "cn.contrasts_fit(fit, contrasts)",
    "cameraPR": "cn.camera_pr(res, sets)",
    "geneSetTest": "cn.camera_pr(res, sets)",
    "rankSumTestWithCorrelation": "cn.camera_pr(res, sets, use_ranks=True)",
    "roast": _SETS_BY_ROTATION,
    "mroast": _SETS_BY_ROTATION,
    "romer": _SETS_BY_ROTATION,
    "goana": _ANNOTATION,
    "kegga": _ANNOTATION,
    "ids2indices": "not needed: cn.camera(query, sets, ids=...) matches the labels of the sets",
    "is.fullrank": "dds.design.report()",
    "nonEstimable": "dds.design.report()",
    "arrayWeightsQuick": "cn.array_weights(values, design)",
    "diffSplice": _EXONS,
    "topSplice": _EXONS,
    "propTrueNull": 'res.info.null_scale; q-values: dds.results(p_adjust="qvalue")',
    "normalizeBetweenArrays": "not offered: counts are normalized by cn.calc_norm_factors(dds)",
    "vooma": "not offered: it is for intensities; cn.voom(dds) is for counts",
    "wsva": 'dds.effect("condition").test(hidden_factors="auto")',
    "write.fit": "res.to_csv(path)",
}

# What a data set lacks that a DGEList, or a fit by edgeR or limma, has.
DATA_SET = {
    "lib_size": "dds.counts().sum()",
    "norm_factors": "cn.calc_norm_factors(dds)",
    "offset": "dds.normalization_factors, the exponentials of the offsets",
    "group": "dds.samples",
    "AveLogCPM": "cn.ave_log_cpm(dds)",
    "common_dispersion": "cn.estimate_disp(dds).common",
    "trended_dispersion": 'cn.estimate_disp(dds).table["trended"]',
    "tagwise_dispersion": 'cn.estimate_disp(dds).table["tagwise"]',
    "E": "cn.voom(dds).E",
    "coefficients": "dds.coef(); of edgeR's method: cn.pred_fc(dds)",
}

# What a table of results calls otherwise than those of edgeR and limma.
RESULTS = {
    "logFC": "res.log2FoldChange",
    "PValue": "res.pvalue",
    "P_Value": "res.pvalue",
    "FDR": "res.padj",
    "adj_P_Val": "res.padj",
    "LR": "res.stat",
    "F": "res.stat",
    "t": "res.stat",
}

# Arguments whose name here is not simply the same in snake case.
ARGUMENTS = {
    "lib_size": "not needed: library sizes are the sums of the counts; norm_factors= scales them",
    "trend_method": "trend=",
    "tagwise": "not needed: common, trended and tagwise dispersions are estimated together",
    "adjust_method": "p_adjust=",
    "rejection_region": "not needed: it is edgeR's default, 'doubletail'",
    "genelist": "gene_info= of cn.DESeqDataSet",
    "fc": "lfc=, the log2 of it",
    "sample_weights": "quality_weights= of cn.limma, sample_weights= of cn.voom_lm_fit",
    "normalize_method": "norm_factors=",
    "keep_lib_sizes": "not needed: cn.edger and cn.limma take the library sizes of the genes that stay",
}
