"""Tables read back to the last bit."""

import pandas as pd

from countnest.io.text_table import FLOAT_PRECISION


def read_exactly(path, **options):
    """Return a table of a file, its numbers exact in every pandas."""
    return pd.read_csv(path, float_precision=FLOAT_PRECISION, **options)
