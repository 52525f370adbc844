"""Names of DESeq2, PyDESeq2, edgeR, limma and lme4 and their counterparts here, consulted for every unknown name.

These names are not aliases: there is one way to write a thing. Another name is answered with the right one, by an
`UnknownNameError` (an AttributeError) for names and by an `ArgumentError` (a TypeError) for arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from countnest import limma_names, mixed_names
from countnest.errors import UnknownNameError, suggestion
from countnest.public import HOMES

__all__ = [
    "ARGUMENTS",
    "NAMES",
    "OBJECTS",
    "Answering",
    "counterpart",
    "snake_case",
    "unknown_name",
]

# What to write for a function, class or slot of another package. dds: a data set, res: a table of results.
NAMES = {
    **limma_names.NAMES,
    # a data set
    "DESeqDataSetFromMatrix": 'cn.DESeqDataSet(counts, samples, design="~ batch + condition")',
    "DESeqDataSetFromTximport": "cn.dataset_from_tximport(counts, length, samples, design)",
    "DESeqDataSetFromHTSeqCount": "cn.dataset_from_htseq(sample_table, directory, design)",
    "DESeqDataSetFromHTSeq": "cn.dataset_from_htseq(sample_table, directory, design)",
    "DeseqDataSet": 'cn.DESeqDataSet(counts, samples, design="~ batch + condition")',
    "DESeqResults": "cn.Results",
    "DESeqTransform": "cn.Transformed",
    "makeExampleDESeqDataSet": "cn.make_example_dataset()",
    "load_example_data": 'cn.make_example_dataset(), or a published study: cn.datasets.load("airway")',
    "SummarizedExperiment": "cn.DESeqDataSet(counts, samples, design=...), which also takes an AnnData object",
    "countData": "dds.counts()",
    "colData": "dds.samples; dds.samples = frame sets it",
    "rowData": "dds.genes",
    "mcols": "dds.genes; what the columns of a table of results hold: res.descriptions()",
    "metadata": "res.info",
    "assay": "dds.counts(), or the table of transformed counts: cn.vst(dds).table",
    "assays": "dds.counts(), dds.mu(), dds.cooks()",
    "ncol": "dds.shape[1]",
    "nrow": "len(dds)",
    "dim": "dds.shape",
    "rownames": "dds.gene_names",
    "colnames": "dds.samples.index",
    "relevel": 'cn.DESeqDataSet(..., reference={"condition": "untreated"})',
    "droplevels": "not needed: levels without samples are dropped when the design is built",
    "model_matrix": "dds.design.matrix",
    # the steps
    "deseq2": "dds.deseq()",
    "fit_size_factors": "dds.estimate_size_factors()",
    "sizeFactors": "dds.size_factors; dds.size_factors = values sets them",
    "normalizationFactors": "dds.normalization_factors; dds.normalization_factors = values sets them",
    "estimateDispersionsGeneEst": 'dds.estimate_dispersions(sharing="gene_est_only")',
    "estimateDispersionsFit": "dds.estimate_dispersions()",
    "estimateDispersionsMAP": "dds.estimate_dispersions(), with fit_type=function for a trend of yours",
    "estimateDispersionsPriorVar": "dds.dispersion_trend.disp_prior_var",
    "dispersionFunction": "dds.dispersion_trend",
    "fit_genewise_dispersions": "dds.estimate_dispersions()",
    "fit_dispersion_trend": "dds.estimate_dispersions()",
    "fit_dispersion_prior": "dds.estimate_dispersions()",
    "fit_MAP_dispersions": "dds.estimate_dispersions()",
    "fit_mean_dispersion_trend": 'dds.estimate_dispersions(fit_type="mean")',
    "fit_parametric_dispersion_trend": "dds.estimate_dispersions()",
    "disp_function": "dds.dispersion_trend",
    "fit_LFC": "dds.nbinom_wald_test()",
    "estimateBetaPriorVar": "dds.nbinom_wald_test(beta_prior=True)",
    "estimateMLEForBetaPriorVar": "dds.nbinom_wald_test(beta_prior=True)",
    "calculate_cooks": "dds.cooks()",
    "refit": "dds.replace_outliers()",
    "replaceOutliersWithTrimmedMean": "cn.replace_outliers(dds)",
    "DefaultInference": "not needed: the threads are given by n_threads=",
    "Inference": "not needed: the threads are given by n_threads=",
    "MulticoreParam": "not needed: the threads are given by n_threads=",
    "register": "not needed: the threads are given by n_threads=",
    # results
    "DeseqStats": 'dds.results(contrast=("condition", "B", "A")), or a query: dds.effect("condition").test()',
    "resultsNames": "dds.results_names()",
    "LFC": "dds.coef()",
    "lfcShrink": 'cn.lfc_shrink(dds, coef="condition_B_vs_A", type="apeglm")',
    "priorInfo": "res.info",
    "results_df": "res.table",
    "result": "dds.results()",
    "run_wald_test": "dds.results()",
    "p_values": "res.pvalue",
    "adjusted_p_values": "res.padj",
    "statistics": "res.stat",
    "SE": "res.lfcSE; those of the coefficients: dds.coef(se=True)",
    "base_mean": "res.baseMean",
    "contrast_vector": 'the matrix of a query: dds.effect("condition").matrix',
    # transformations and figures
    "varianceStabilizingTransformation": "cn.variance_stabilizing_transformation(dds)",
    "rlogTransformation": "cn.rlog(dds)",
    "getVarianceStabilizedData": "cn.vst(dds).table",
    "vst_fit": "cn.vst(dds)",
    "vst_transform": "cn.vst(new, like=old), old being what cn.vst returned",
    "normTransform": "cn.norm_transform(dds)",
    "plotMA": "cn.plot_ma(res)",
    "plot_MA": "cn.plot_ma(res)",
    "plotPCA": "cn.plot_pca(cn.vst(dds), dds.samples, intgroup)",
    "plotCounts": "cn.plot_counts(dds, gene, intgroup)",
    "plotDispEsts": "cn.plot_dispersion(dds.genes, dds.dispersion_trend)",
    "plot_dispersions": "cn.plot_dispersion(dds.genes, dds.dispersion_trend)",
    "plotSparsity": "cn.plot_sparsity(dds.counts(normalized=True))",
    # mixed models
    **mixed_names.NAMES,
    # what an AnnData object has, as the data set of PyDESeq2 does
    "X": "dds.counts(), genes x samples",
    "layers": "dds.counts(normalized=True), dds.mu(), dds.cooks()",
    "obs": "dds.samples; dds.samples = frame sets it",
    "var": "dds.genes",
    "obsm": "dds.design.matrix, dds.size_factors",
    "varm": "dds.genes, dds.coef(), dds.dispersions",
    "uns": "dds.dispersion_trend",
    "n_obs": "dds.shape[1], the number of samples",
    "n_vars": "len(dds), the number of genes",
    "obs_names": "dds.samples.index",
    "var_names": "dds.gene_names",
    "to_df": "dds.counts()",
    "write_h5ad": "cn.to_anndata(dds).write_h5ad(path); with its fits: cn.save(dds, path)",
    "to_picklable_anndata": "cn.to_anndata(dds); with its fits, as a file: cn.save(dds, path)",
    "to_adata": "cn.to_anndata(dds)",
    # single cells
    "aggregateAcrossCells": 'cn.pseudobulk(adata, by=["donor", "cell_type"])',
    "aggregateData": 'cn.pseudobulk(adata, by=["donor", "cell_type"])',
    "pbDS": 'cn.by_cell_type(bulk, "cell_type", design="~ condition")',
}

# Names that one kind of object lacks, where the same name means something else, or nothing, elsewhere.
OBJECTS = {
    "DESeqDataSet": {
        **limma_names.DATA_SET,
        "lfc_shrink": 'cn.lfc_shrink(dds, coef="condition_B_vs_A", type="apeglm")',
        "summary": "dds.results().summary(); the design: dds.design.report()",
        "counts_table": "dds.counts()",
        "columns": "dds.samples.index",
        "index": "dds.gene_names",
        "fit": "dds.deseq()",
        "table": "dds.results().table",
        "padj": "dds.results().padj",
        "log2FoldChange": "dds.results().log2FoldChange",
    },
    "Results": {
        **limma_names.RESULTS,
        "lfc_shrink": "cn.lfc_shrink(dds, res=res)",
        "sort": 'res.top(10), or res.table.sort_values("padj")',
    },
    "ResultsSet": {
        name: f"rs[label].{name} of one contrast, or the column of rs.table, the long table of all"
        for name in ("baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj", "svalue", "info", "significant")
    }
    | {name: f"rs.table.{name}: rs.table is the long table of all contrasts" for name in ("head", "loc", "iloc")},
    "CellTypeResults": {
        name: f"found[cell_type].{name} of one cell type, or the column of found.table, the long table of all"
        for name in ("baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj", "svalue", "info")
    }
    | {name: f"found.table.{name}: found.table is the long table of all cell types" for name in ("head", "loc", "iloc")}
    | {"ranked": "found[cell_type].ranked()", "results": "found.parts", "dds": "found.fits"},
    "BoundQuery": {
        name: f'the answer that has it: dds.effect("condition").test().{name}'
        for name in ("table", "padj", "pvalue", "log2FoldChange", "top", "summary", "significant", "to_csv", "wide")
    }
    | {"results": 'dds.effect("condition").test()', "results_df": 'dds.effect("condition").test().table'},
}

# What to write for an argument of another package whose name here is not simply the same in lower case.
ARGUMENTS = {
    **limma_names.ARGUMENTS,
    "coef(fit)": "an argument of cn.gene_estimates(dds, fit=), which has the coefficients of any fit",
    "results(fit)": "an argument of queries: dds.effect('condition').test(fit=)",
    **mixed_names.ARGUMENTS,
    "countData": "counts=",
    "colData": "samples=",
    "metadata": "samples=",
    "clinical": "samples=",
    "adata": "counts=",
    "se": "counts=, which takes an AnnData object",
    "rowRanges": "the labels of the genes, which are the index of the counts",
    "txi": "counts= and length=, the parts of what tximport returns",
    "sampleTable": "sample_table=",
    "design_factors": 'design="~ batch + condition"',
    "continuous_factors": 'design="~ dose": a column of numbers is continuous',
    "ref_level": 'reference={"condition": "A"} of cn.DESeqDataSet',
    "ref": 'reference={"condition": "A"} of cn.DESeqDataSet',
    "full": "the design of the data set: dds.design = formula sets it",
    "ignoreRank": "not needed: columns that cannot be estimated are dropped, or the error says which",
    "tidy": "not needed: the labels are the index of the counts, and res.table has the genes as its index",
    "fitType": "fit_type=",
    "trend_fit_type": "fit_type=",
    "sfType": "size_factor_type=",
    "size_factors_fit_type": "size_factor_type=",
    "fit_method": "size_factor_type=",
    "min_mu": "minmu=",
    "minReplicatesForReplace": "min_replicates_for_replace=",
    "min_replicates_for_refit": "min_replicates_for_replace=",
    "refit_cooks": "min_replicates_for_replace=np.inf for refit_cooks=False",
    "min_replicates": "min_replicates_for_replace= of cn.DESeq",
    "parallel": "n_threads=",
    "BPPARAM": "n_threads=",
    "n_cpus": "n_threads=",
    "n_processes": "n_threads=",
    "batch_size": "not needed: the size of blocks follows the clock",
    "backend": "n_threads=",
    "inference": "n_threads=: there is one way to fit, which is compiled",
    "low_memory": "not needed: matrices of genes x samples are not kept",
    "modelMatrix": "the design of the data set, which may be a matrix: dds.design = X sets it",
    "modelMatrixType": "model_matrix_type=",
    "useT": "use_t=",
    "useOptim": "not needed: the quasi-Newton search takes up the genes that IRLS loses",
    "useQR": "not needed: it is always done in the stable way",
    "betaTol": "not needed: the tolerance is R's",
    "beta_tol": "not needed: the tolerance is R's",
    "maxit": "not needed: the number of iterations is R's",
    "dispTol": "not needed: the tolerance is R's",
    "kappa_0": "not needed: the search is R's",
    "niter": "not needed: the number of iterations is R's",
    "min_disp": "not needed: the bounds of dispersions are R's",
    "max_disp": "not needed: the bounds of dispersions are R's",
    "linearMu": "not needed: whether means are linear is seen from the design",
    "contrasts": "contrast=, one at a time; several at once are a query: dds.effect(...).test()",
    "lfc_null": "lfc_threshold=",
    "altHypothesis": "alt_hypothesis=",
    "independent_filter": "independent_filtering=",
    "cooks_filter": "cooks_cutoff=False for cooks_filter=False",
    "prior_LFC_var": "beta_prior=True of cn.DESeq",
    "betaPriorVar": "not needed: the variances of the priors are estimated",
    "pAdjustMethod": "p_adjust=",
    "p_adjust_method": "p_adjust=",
    "format": "not needed: the table is res.table",
    "saveCols": "not needed: join columns with res.table.join(frame)",
    "blind_design": "blind=",
    "use_design": "blind=False for use_design=True",
    "apeAdapt": "adapt=",
    "apeMethod": "converge=True goes on to the mode",
    "returnList": "not needed: res.info has the prior",
    "object": "the data set, which is the first argument",
    "pcsToUse": "pcs=",
    "renameCols": "rename=",
    "geoMeans": "geo_means=",
    "xlab": "the labels of the axes: ax.set_xlabel on the axes that ax= takes",
    "ylab": "the labels of the axes: ax.set_ylabel on the axes that ax= takes",
    "main": "the title: ax.set_title on the axes that ax= takes",
    "log": "the scale of the axes: ax.set_xscale on the axes that ax= takes",
    "save_path": "the figure that is returned, saved by its savefig(path)",
}


def counterpart(name: str, kind: str = "", known: Iterable[str] = ()) -> str | None:
    """Return the counterpart of a name of another package; None for any other name.

    `kind` is the class of the object that lacks it, as `OBJECTS` has it, and `known` the names that it has.
    """
    plain = snake_case(name)
    found = OBJECTS.get(kind, {}).get(name) or NAMES.get(name)
    if found is None and plain in known:
        return plain
    return f"cn.{plain}(...)" if found is None and plain in HOMES else found


def unknown_name(kind: str, owner: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Return the error for a name that an object lacks, with its counterpart or a suggestion.

    Parameters
    ----------
    kind, name, known
        As for `counterpart`.
    owner
        The object in words: "module 'countnest'".
    """
    public = [each for each in known if not each.startswith("_")]
    found = counterpart(name, kind, public)
    told = f" Here it is {found}." if found else suggestion(name, public)
    return UnknownNameError(f"{owner} has no attribute '{name}'.{told}")


class Answering:
    """An object that suggests what to write for a name it lacks; names with a leading underscore get Python's error."""

    __slots__ = ()

    if not TYPE_CHECKING:  # type checkers report unknown names themselves

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the class has)
            cls = type(self)
            if name.startswith("_") or hasattr(cls, name):  # a property may have failed: its own error
                return object.__getattribute__(self, name)
            kind = next((each.__name__ for each in cls.__mro__ if each.__name__ in OBJECTS), cls.__name__)
            raise unknown_name(kind, kind, name, dir(self))


def snake_case(name: str) -> str:
    """Return a name as it would be written here: lfcShrink is lfc_shrink, pcsToUse is pcs_to_use."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
