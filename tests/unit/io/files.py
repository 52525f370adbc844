"""The files of other programs in tests/data, and what is in them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

DATA = Path(__file__).parents[2] / "data"
GENES = ["ENSG00000000003", "ENSG00000000005", "ENSG00000000419", "ENSG00000000457"]
SYMBOLS = ["TSPAN6", "TNMD", "DPM1", "SCYL3"]
SAMPLES = ["S1", "S2", "S3", "S4"]
COUNTS = pd.DataFrame(
    np.array([[723, 0, 467, 347], [486, 3, 523, 258], [904, 1, 616, 364], [445, 0, 371, 237]]).T,
    index=pd.Index(GENES),
    columns=pd.Index(SAMPLES),
)
SHEET = pd.DataFrame({"dex": ["a", "b", "a", "b"]}, index=SAMPLES)


def files(pattern):
    """Return the paths that a pattern matches, in order."""
    found = sorted(DATA.glob(pattern))
    assert found, pattern
    return found


def refused(error, *parts):
    """Expect an error whose message has these parts, one after the other."""
    return pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, parts)))


def same_counts(record, expected=COUNTS):
    pd.testing.assert_frame_equal(record.counts, expected, check_names=False)
