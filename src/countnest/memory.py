"""Memory of the machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["available_memory", "bytes_shown", "physical_memory"]

_STATE = Path("/proc/meminfo")
_QUOTA = Path("/sys/fs/cgroup/memory.max")


def physical_memory() -> float | None:
    """Return the bytes of memory of this machine; None if the system does not report them."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def available_memory() -> float | None:
    """Return the bytes that are still available to this process, or an upper bound; None if unknown.

    The file cache of the system counts as free.
    """
    known = [size for size in (physical_memory(), _free_memory(), _allowed_memory()) if size is not None]
    return min(known, default=None)


def _free_memory() -> float | None:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", _STATE.read_text(), re.MULTILINE)
    except OSError:  # another system
        return None
    return None if found is None else 1024.0 * int(found[1])


def _allowed_memory() -> float | None:
    """Return the limit of the container."""
    try:
        return float(int(_QUOTA.read_text()))
    except (OSError, ValueError):  # not in a container, or "max": no limit
        return None


def bytes_shown(n_bytes: float) -> str:
    """Return '120 MB' or '3.1 GB'."""
    return f"{max(n_bytes / 1e6, 1.0):.0f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.1f} GB"
