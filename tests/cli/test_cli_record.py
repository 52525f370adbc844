import json
import re
import tomllib
from pathlib import Path

import numpy as np

from countnest.cli.record import DEPENDENCIES
from countnest.containers.record import plain


def test_every_dependency_is_recorded():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [re.split(r"[<>=~!\[ ;]", line)[0] for line in project["project"]["dependencies"]]
    assert sorted(DEPENDENCIES) == sorted(declared)


def test_records_become_plain():
    record = {
        "trend": {"fit_type": "parametric", "coefficients": np.array([0.01, np.nan])},
        "levels": {"dex": ("untrt", "trt")},
        "numbers": [np.int64(3), np.float64(0.5), True, None, np.inf, -np.inf, float("nan")],
        "path": Path("counts.csv"),
    }
    assert json.loads(json.dumps(plain(record), allow_nan=False)) == {
        "trend": {"fit_type": "parametric", "coefficients": [0.01, None]},
        "levels": {"dex": ["untrt", "trt"]},
        "numbers": [3, 0.5, True, None, "inf", "-inf", None],
        "path": "counts.csv",
    }
