"""The documentation site has every page, every notebook and every public name, and its links hold."""

import functools
import inspect
import json
import os
import re
import subprocess
import sys

import pytest

import countnest
from architecture.tree import ROOT
from countnest.public import MODULES, NAMES
from site_pages import DOCS, links, listed, reference_names

MODULES_OF_NAMES = ("datasets", "errors", "simulate")
PAGES = [*ROOT.glob("*.md"), ROOT / "data" / "README.md", *DOCS.rglob("*.md")]
NOTEBOOKS = sorted((ROOT / "vignettes").glob("*.ipynb"))


def test_the_table_of_contents_has_every_page_and_notebook():
    assert len(NOTEBOOKS) > 6
    expected = {path.resolve() for path in (*PAGES, *NOTEBOOKS)} - {DOCS / "index.md"}
    assert listed(DOCS / "index.md") == expected


def test_the_reference_has_every_public_name_once():
    names = reference_names()
    assert len(names) == len(set(names))
    public = set(NAMES) - set(MODULES) - {"__version__"}
    assert public - set(names) == set()
    assert {name for name in names if "." not in name} - public == set()


def test_the_reference_has_the_names_of_public_modules():
    names = set(reference_names()) | set(NAMES)
    for module in MODULES_OF_NAMES:
        known = getattr(countnest, module)
        wanted = known.__all__
        if module == "errors":  # functions that make messages are not for users
            wanted = [name for name in wanted if inspect.isclass(getattr(known, name))]
        assert [name for name in wanted if not {name, f"{module}.{name}"} & names] == []


def test_names_of_the_reference_exist_and_have_a_docstring():
    for name in reference_names():
        *modules, last = name.split(".")
        if modules:
            __import__(f"countnest.{'.'.join(modules)}")
        found = getattr(functools.reduce(getattr, modules, countnest), last)
        assert inspect.getdoc(found), name


def test_pages_of_the_reference_differ_where_case_is_ignored():
    renamed = re.search(r"autosummary_filename_map = \{(.*?)\}", (DOCS / "conf.py").read_text(encoding="utf-8"))[1]
    names = [name for name in reference_names() if f'"countnest.{name}"' not in renamed]
    assert len({name.lower() for name in names}) == len(names)


def texts():
    """Yield every page with its text; that of notebooks is in their cells."""
    for page in PAGES:
        yield page, page.read_text(encoding="utf-8")
    for notebook in NOTEBOOKS:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        yield notebook, "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def test_links_between_files_hold():
    broken, seen = [], 0
    for page, text in texts():
        for target in links(text):
            if re.match(r"[a-z]+:|#", target):
                continue
            seen += 1
            if not (page.parent / target.split("#")[0]).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert seen > 100
    assert broken == []


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    for library in ("sphinx", "myst_nb", "furo"):
        pytest.importorskip(library)
    program = "import runpy, pathlib, sys; runpy.run_path(sys.argv[1])['build'](pathlib.Path(sys.argv[2]))"
    command = [sys.executable, "-c", program, str(DOCS / "build.py"), str(tmp_path / "site")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    pages = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.html")}
    assert {"index.html", "docs/index.html", "README.html", "vignettes/01_quickstart.html"} <= pages
    assert sum(name.startswith("docs/reference/generated/") for name in pages) == len(reference_names())
