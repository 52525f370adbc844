"""What all tests share: a cache of compiled kernels that belongs to the sources as they are.

numba recompiles a kernel when its own file changes, not when a kernel that it calls does.
"""

import hashlib
import importlib.util
import os
import tempfile
from pathlib import Path

_kernels = Path(importlib.util.find_spec("countnest").submodule_search_locations[0]) / "kernels"
_sources = b"".join(path.read_bytes() for path in sorted(_kernels.glob("*.py")))
os.environ.setdefault(
    "NUMBA_CACHE_DIR", f"{tempfile.gettempdir()}/countnest-tests-{hashlib.sha256(_sources).hexdigest()[:12]}"
)
