"""The public names of the package and the modules that define them.

They are imported when they are first used, so that `import countnest` is quick.
"""

from __future__ import annotations

__all__ = ["HOMES", "MODULES", "NAMES"]

MODULES = ("datasets", "errors", "plots", "simulate")

_BY_HOME = {
    "api.abundance": ("ave_log_cpm", "calc_norm_factors", "cpm", "filter_by_expr", "rpkm"),
    "api.access": ("covariance", "find_outliers", "predict", "residuals"),
    "api.bayes": ("to_bambi",),
    "api.by_cell_type": ("by_cell_type",),
    "api.compare": ("compare",),
    "api.deseq2": ("DESeqDataSet",),
    "api.edger": ("edger", "glm_fit", "glm_ql_fit"),
    "api.edger_steps": (
        "estimate_disp",
        "exact_test",
        "glm_lrt",
        "glm_ql_ftest",
        "glm_treat",
        "pred_fc",
    ),
    "api.estimates": ("gene_estimates",),
    "api.examples": ("make_example_dataset",),
    "api.gene_sets": ("camera", "camera_pr", "fry"),
    "api.htseq": ("dataset_from_htseq",),
    "api.limma": ("limma",),
    "api.limma_moderation": ("contrasts_fit", "e_bayes", "treat"),
    "api.limma_steps": (
        "array_weights",
        "duplicate_correlation",
        "lm_fit",
        "voom",
        "voom_lm_fit",
        "voom_with_quality_weights",
    ),
    "api.limma_tables": ("decide_tests", "remove_batch_effect", "top_table"),
    "api.mixed_access": ("random_effects", "variance_components"),
    "api.mixed_counts": ("glmm",),
    "api.mixed_linear": ("lmm",),
    "api.mixed_tests": ("likelihood_ratio", "variance_test"),
    "api.normalization": ("estimate_size_factors_for_matrix",),
    "api.pseudobulk": ("pseudobulk",),
    "api.removal": ("remove_results",),
    "api.replicates": ("collapse_replicates",),
    "api.saving": ("load", "save"),
    "api.shrinkage": ("lfc_shrink",),
    "api.single_response": ("glm_nb", "single_response"),
    "api.to_anndata": ("to_anndata", "to_rank_genes_groups"),
    "api.transformations": ("fpkm", "fpm", "norm_transform", "rlog", "variance_stabilizing_transformation", "vst"),
    "api.tximport": ("dataset_from_tximport",),
    "api.two_step": ("two_step",),
    "api.unmixing": ("unmix",),
    "api.functions": (
        "DESeq",
        "estimate_dispersions",
        "estimate_size_factors",
        "nbinom_lrt",
        "nbinom_wald_test",
        "replace_outliers",
        "results",
    ),
    "api.warming": ("warm",),
    "containers.by_cell_type": ("CellTypeResults",),
    "containers.count_table": ("CountTable",),
    "containers.result_set": ("ResultsSet",),
    "containers.results": ("Results",),
    "containers.transformed": ("Transformed",),
    "design.individuals": ("renest",),
    "errors": ("CountnestError", "CountnestWarning"),
    "io.annotated": ("read_h5ad",),
    "io.feature_counts": ("read_featurecounts",),
    "io.gene_sets": ("read_gmt",),
    "io.htseq": ("read_htseq",),
    "io.merged": ("read_merged",),
    "io.quantified": ("read_quantified",),
    "io.r_objects": ("read_rds",),
    "io.star": ("read_star",),
    "io.tables": ("read_counts", "read_samples"),
    "io.tenx": ("read_10x",),
    "plots.changes": ("plot_changes",),
    "plots.counts": ("plot_counts",),
    "plots.dispersion": ("plot_dispersion",),
    "plots.distances": ("plot_distances",),
    "plots.heatmap": ("plot_heatmap",),
    "plots.interaction": ("plot_interaction",),
    "plots.ma": ("plot_ma",),
    "plots.p_values": ("plot_pvalues",),
    "plots.pca": ("plot_pca",),
    "plots.sparsity": ("plot_sparsity",),
    "plots.upset": ("plot_upset",),
    "plots.volcano": ("plot_volcano",),
    "plots.voom": ("plot_voom",),
    "version": ("__version__",),
}

# Every name that is not a module, with its home.
HOMES = {name: f"countnest.{home}" for home, names in _BY_HOME.items() for name in names}
NAMES = sorted([*HOMES, *MODULES])
