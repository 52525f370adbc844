"""The Python of the explanation pages runs."""

import re
import warnings

import matplotlib.pyplot as plt
import pytest

from architecture.tree import ROOT
from cases import each
from countnest.errors import CountnestWarning

PAGES = sorted((ROOT / "docs" / "explanation").glob("*.md"))


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@each("page", PAGES, ids=[page.stem for page in PAGES])
def test_python_of_the_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CountnestWarning)
        for number, block in enumerate(blocks(page), start=1):
            exec(compile(block, f"{page.name}, Python block {number}", "exec"), names)
    plt.close("all")


def test_every_page_has_python_and_a_formula_or_a_table():
    assert len(PAGES) == 9
    assert [page.name for page in PAGES if not blocks(page)] == []


@each("page", PAGES, ids=[page.stem for page in PAGES])
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
