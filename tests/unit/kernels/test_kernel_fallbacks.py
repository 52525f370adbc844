"""Kernels with a version of numba that lacks what is not public in it: the same bits, without vectors and our cache."""

import hashlib
import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from countnest.kernels.compiler import jit, simd
from unit.kernels.test_kernel_simd import DESIGNS, Genes

# numba itself is loaded before the names are hidden, for it uses them too.
HIDDEN = """
import numba
import numba.np.arrayobj
import numpy as np
numba.njit(lambda x: np.sqrt(x).sum())(np.ones(2))
del numba.core.{name}
from unit.kernels.test_kernel_fallbacks import state
print(*state())
"""


def digest():
    """Return the SHA-256 of what the kernels on vectors give for some genes."""
    genes, total = Genes(DESIGNS["two_way"], seed=3), hashlib.sha256()
    everyone = np.arange(genes.n_genes)
    with np.errstate(all="ignore"):
        for values in (
            *genes.irls(everyone), *genes.inference(everyone), *genes.grid(everyone), *genes.nodes(everyone)
        ):  # fmt: skip
            total.update(np.where(np.isnan(values), np.nan, values).tobytes())
    return total.hexdigest()


def state():
    """Return the digest, the number of lanes, the class of the cache and whether all kernels were found in it."""
    found = digest()
    missed = sum(sum(each.stats.cache_misses.values()) for each in jit.kernels())
    (cache,) = {type(each._cache).__name__ for each in jit.kernels()}
    return found, simd.LANES, cache, missed == 0


def without(name, environment):
    """Return the state of a process in which numba does not have a name."""
    environment = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", HIDDEN.format(name=name)], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    return run.stdout.split()


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_without_vectors_genes_are_computed_one_by_one(tmp_path):
    environment = {"COUNTNEST_CACHE_DIR": str(tmp_path)}
    assert without("typing.templates.infer_global", environment) == [digest(), "1", "KernelCache", "False"]


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_without_its_own_cache_numba_keeps_the_kernels(tmp_path):
    environment = {"NUMBA_CACHE_DIR": str(tmp_path)}
    for all_found in ("False", "True"):
        assert without("runtime.rtsys", environment) == [digest(), "8", "FunctionCache", all_found]
