"""Figures of counts, results and dispersions; matplotlib is imported when a figure is drawn."""

from countnest.plots.changes import plot_changes
from countnest.plots.cooks import plot_cooks
from countnest.plots.counts import plot_counts
from countnest.plots.dispersion import plot_dispersion
from countnest.plots.distances import plot_distances
from countnest.plots.heatmap import plot_heatmap
from countnest.plots.interaction import plot_interaction
from countnest.plots.ma import plot_ma
from countnest.plots.p_values import plot_pvalues
from countnest.plots.pca import plot_pca
from countnest.plots.size_factors import plot_size_factors
from countnest.plots.sparsity import plot_sparsity
from countnest.plots.upset import plot_upset
from countnest.plots.volcano import plot_volcano
from countnest.plots.voom import plot_voom

__all__ = [
    "plot_changes",
    "plot_cooks",
    "plot_counts",
    "plot_dispersion",
    "plot_distances",
    "plot_heatmap",
    "plot_interaction",
    "plot_ma",
    "plot_pca",
    "plot_pvalues",
    "plot_size_factors",
    "plot_sparsity",
    "plot_upset",
    "plot_volcano",
    "plot_voom",
]
