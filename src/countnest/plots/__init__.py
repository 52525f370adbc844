"""Figures of results and of dispersions; matplotlib is imported when a figure is drawn."""

from countnest.plots.dispersion import plot_dispersion
from countnest.plots.interaction import plot_interaction
from countnest.plots.ma import plot_ma

__all__ = ["plot_dispersion", "plot_interaction", "plot_ma"]
