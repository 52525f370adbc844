"""Published studies that come with the package, for examples and tests."""

from countnest.datasets.registry import Study, cells, load, names

__all__ = ["Study", "cells", "load", "names"]
