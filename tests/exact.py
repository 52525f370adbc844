"""Tables read back to the last bit."""

import pandas as pd

from countnest.io.tables import _FLOAT_PRECISION


def read_exactly(path, **options):
    """Return a table of a file, its numbers exact in every pandas."""
    return pd.read_csv(path, float_precision=_FLOAT_PRECISION, **options)
