"""Figures of counts, results and dispersions; matplotlib is imported when a figure is drawn."""

from countnest.plots.counts import plot_counts
from countnest.plots.dispersion import plot_dispersion
from countnest.plots.interaction import plot_interaction
from countnest.plots.ma import plot_ma
from countnest.plots.pca import plot_pca
from countnest.plots.sparsity import plot_sparsity
from countnest.plots.voom import plot_voom

__all__ = ["plot_counts", "plot_dispersion", "plot_interaction", "plot_ma", "plot_pca", "plot_sparsity", "plot_voom"]
