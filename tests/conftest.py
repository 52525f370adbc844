"""What all tests share: a cache of compiled kernels that is not the user's."""

import os
import tempfile

os.environ.setdefault("COUNTNEST_CACHE_DIR", f"{tempfile.gettempdir()}/countnest-tests")
