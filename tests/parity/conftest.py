"""Each data set is fitted once in a session."""

from functools import cache

import pytest


@pytest.fixture(scope="session")
def run_of():
    """Return a function from the name of a data set to its fits."""
    import runs

    return cache(runs.Run)
