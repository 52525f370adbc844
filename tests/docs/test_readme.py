"""The README's Python runs, as one program."""

import re
import tomllib
import warnings

import matplotlib.pyplot as plt
import pytest

from architecture.tree import ROOT
from countnest.errors import CountnestWarning

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)

DEVELOPMENT = {"test", "docs", "lint", "bench", "dev"}


def test_the_readme_says_what_each_extra_is_for():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    rows = README.partition("| to | extra |\n")[2].partition("\n\n")[0].splitlines()
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.rsplit("|", 2)[1])]
    assert sorted(named) == sorted(extras.keys() - DEVELOPMENT)


@pytest.mark.slow
def test_python_of_the_readme_runs(tmp_path, monkeypatch):
    assert len(BLOCKS) >= 2
    monkeypatch.chdir(tmp_path)
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)
        for number, block in enumerate(BLOCKS, start=1):
            exec(compile(block, f"README.md, Python block {number}", "exec"), names)
    plt.close("all")
    written = re.findall(r'(?:to_csv|savefig)\("([^"]+)"', README)
    assert written
    assert [name for name in written if not (tmp_path / name).stat().st_size] == []
