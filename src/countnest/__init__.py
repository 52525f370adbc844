"""countnest: differential expression of count data, with DESeq2's method and numbers.

>>> import countnest as cn
>>> study = cn.datasets.load("airway")
>>> dds = cn.DESeqDataSet(study.counts, study.samples, design="~ cell + dex", reference={"dex": "untrt"})
>>> dds = cn.DESeq(dds)  # doctest: +SKIP
>>> res = cn.results(dds, contrast=("dex", "trt", "untrt"))  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from countnest.counterparts import counterpart, unknown_name
from countnest.public import HOMES, MODULES, NAMES

if TYPE_CHECKING:
    from countnest import datasets as datasets
    from countnest import errors as errors
    from countnest import plots as plots
    from countnest import simulate as simulate
    from countnest.api.abundance import ave_log_cpm as ave_log_cpm
    from countnest.api.abundance import calc_norm_factors as calc_norm_factors
    from countnest.api.abundance import cpm as cpm
    from countnest.api.abundance import filter_by_expr as filter_by_expr
    from countnest.api.abundance import rpkm as rpkm
    from countnest.api.access import covariance as covariance
    from countnest.api.access import find_outliers as find_outliers
    from countnest.api.access import predict as predict
    from countnest.api.access import residuals as residuals
    from countnest.api.bayes import to_bambi as to_bambi
    from countnest.api.by_cell_type import by_cell_type as by_cell_type
    from countnest.api.compare import compare as compare
    from countnest.api.deseq2 import DESeqDataSet as DESeqDataSet
    from countnest.api.edger import edger as edger
    from countnest.api.edger import glm_fit as glm_fit
    from countnest.api.edger import glm_ql_fit as glm_ql_fit
    from countnest.api.edger_steps import estimate_disp as estimate_disp
    from countnest.api.edger_steps import exact_test as exact_test
    from countnest.api.edger_steps import glm_lrt as glm_lrt
    from countnest.api.edger_steps import glm_ql_ftest as glm_ql_ftest
    from countnest.api.edger_steps import glm_treat as glm_treat
    from countnest.api.edger_steps import pred_fc as pred_fc
    from countnest.api.estimates import gene_estimates as gene_estimates
    from countnest.api.examples import make_example_dataset as make_example_dataset
    from countnest.api.functions import DESeq as DESeq
    from countnest.api.functions import estimate_dispersions as estimate_dispersions
    from countnest.api.functions import estimate_size_factors as estimate_size_factors
    from countnest.api.functions import nbinom_lrt as nbinom_lrt
    from countnest.api.functions import nbinom_wald_test as nbinom_wald_test
    from countnest.api.functions import replace_outliers as replace_outliers
    from countnest.api.functions import results as results
    from countnest.api.gene_sets import camera as camera
    from countnest.api.gene_sets import camera_pr as camera_pr
    from countnest.api.gene_sets import fry as fry
    from countnest.api.htseq import dataset_from_htseq as dataset_from_htseq
    from countnest.api.limma import limma as limma
    from countnest.api.limma_moderation import contrasts_fit as contrasts_fit
    from countnest.api.limma_moderation import e_bayes as e_bayes
    from countnest.api.limma_moderation import treat as treat
    from countnest.api.limma_steps import array_weights as array_weights
    from countnest.api.limma_steps import duplicate_correlation as duplicate_correlation
    from countnest.api.limma_steps import lm_fit as lm_fit
    from countnest.api.limma_steps import voom as voom
    from countnest.api.limma_steps import voom_lm_fit as voom_lm_fit
    from countnest.api.limma_steps import voom_with_quality_weights as voom_with_quality_weights
    from countnest.api.limma_tables import decide_tests as decide_tests
    from countnest.api.limma_tables import remove_batch_effect as remove_batch_effect
    from countnest.api.limma_tables import top_table as top_table
    from countnest.api.mixed_access import random_effects as random_effects
    from countnest.api.mixed_access import variance_components as variance_components
    from countnest.api.mixed_counts import glmm as glmm
    from countnest.api.mixed_linear import lmm as lmm
    from countnest.api.mixed_tests import likelihood_ratio as likelihood_ratio
    from countnest.api.mixed_tests import variance_test as variance_test
    from countnest.api.normalization import estimate_size_factors_for_matrix as estimate_size_factors_for_matrix
    from countnest.api.pseudobulk import pseudobulk as pseudobulk
    from countnest.api.removal import remove_results as remove_results
    from countnest.api.replicates import collapse_replicates as collapse_replicates
    from countnest.api.report import report as report
    from countnest.api.residual_figures import plot_quantiles as plot_quantiles
    from countnest.api.residual_figures import plot_residuals as plot_residuals
    from countnest.api.saving import load as load
    from countnest.api.saving import save as save
    from countnest.api.shrinkage import lfc_shrink as lfc_shrink
    from countnest.api.single_response import glm_nb as glm_nb
    from countnest.api.single_response import single_response as single_response
    from countnest.api.to_anndata import to_anndata as to_anndata
    from countnest.api.to_anndata import to_rank_genes_groups as to_rank_genes_groups
    from countnest.api.transformations import fpkm as fpkm
    from countnest.api.transformations import fpm as fpm
    from countnest.api.transformations import norm_transform as norm_transform
    from countnest.api.transformations import rlog as rlog
    from countnest.api.transformations import variance_stabilizing_transformation as variance_stabilizing_transformation
    from countnest.api.transformations import vst as vst
    from countnest.api.two_step import two_step as two_step
    from countnest.api.tximport import dataset_from_tximport as dataset_from_tximport
    from countnest.api.unmixing import unmix as unmix
    from countnest.api.warming import warm as warm
    from countnest.containers.by_cell_type import CellTypeResults as CellTypeResults
    from countnest.containers.count_table import CountTable as CountTable
    from countnest.containers.result_set import ResultsSet as ResultsSet
    from countnest.containers.results import Results as Results
    from countnest.containers.transformed import Transformed as Transformed
    from countnest.design.individuals import renest as renest
    from countnest.errors import CountnestError as CountnestError
    from countnest.errors import CountnestWarning as CountnestWarning
    from countnest.io.annotated import read_h5ad as read_h5ad
    from countnest.io.contrast_files import read_contrasts as read_contrasts
    from countnest.io.feature_counts import read_featurecounts as read_featurecounts
    from countnest.io.gene_sets import read_gmt as read_gmt
    from countnest.io.htseq import read_htseq as read_htseq
    from countnest.io.listed_contrast import ListedContrast as ListedContrast
    from countnest.io.merged import read_merged as read_merged
    from countnest.io.quantified import read_quantified as read_quantified
    from countnest.io.r_objects import read_rds as read_rds
    from countnest.io.star import read_star as read_star
    from countnest.io.tables import read_counts as read_counts
    from countnest.io.tables import read_samples as read_samples
    from countnest.io.tenx import read_10x as read_10x
    from countnest.plots.changes import plot_changes as plot_changes
    from countnest.plots.cooks import plot_cooks as plot_cooks
    from countnest.plots.counts import plot_counts as plot_counts
    from countnest.plots.dispersion import plot_dispersion as plot_dispersion
    from countnest.plots.distances import plot_distances as plot_distances
    from countnest.plots.heatmap import plot_heatmap as plot_heatmap
    from countnest.plots.interaction import plot_interaction as plot_interaction
    from countnest.plots.ma import plot_ma as plot_ma
    from countnest.plots.p_values import plot_pvalues as plot_pvalues
    from countnest.plots.pca import plot_pca as plot_pca
    from countnest.plots.size_factors import plot_size_factors as plot_size_factors
    from countnest.plots.sparsity import plot_sparsity as plot_sparsity
    from countnest.plots.upset import plot_upset as plot_upset
    from countnest.plots.volcano import plot_volcano as plot_volcano
    from countnest.plots.voom import plot_voom as plot_voom
    from countnest.version import __version__ as __version__

__all__ = NAMES


def __getattr__(name: str) -> object:
    if name in MODULES:
        return importlib.import_module(f"countnest.{name}")
    if name in HOMES:
        value: object = getattr(importlib.import_module(HOMES[name]), name)
        globals()[name] = value
        return value
    if name.startswith("__"):
        raise AttributeError(f"module 'countnest' has no attribute {name!r}")
    error = unknown_name("module", "module 'countnest'", name, NAMES)
    # `from countnest import name` would give a message of its own in place of this one
    if counterpart(name) and sys._getframe(1).f_code.co_name == "_handle_fromlist":
        raise ImportError(str(error), name=name) from error
    raise error


def __dir__() -> list[str]:
    return list(NAMES)
