"""Published studies that come with the package, to try it and to test it on."""

from countnest.datasets.registry import Study, load, names

__all__ = ["Study", "load", "names"]
