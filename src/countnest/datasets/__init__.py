"""Published studies that come with the package, for examples and tests."""

from countnest.datasets.registry import Study, load, names

__all__ = ["Study", "load", "names"]
