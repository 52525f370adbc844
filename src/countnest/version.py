"""Versions of installed packages."""

from __future__ import annotations

import functools
import importlib.metadata

__all__ = ["__version__", "installed_version"]


@functools.cache
def installed_version(name: str = "countnest") -> str:
    """Return the version of an installed distribution, or 'unknown' when it runs without being installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


__version__ = installed_version()
