"""Every claim of countnest in the table of features has tests, and claims about others name their versions."""

import re
import tomllib

from architecture.tree import ROOT
from site_pages import LINK

PAGE = ROOT / "docs" / "features.md"
OTHERS = ["DESeq2", "edgeR", "limma", "PyDESeq2", "InMoose", "edgePython", "pertpy"]


def tables():
    """Yield the tables of the page: the header and the rows, each a list of cells."""
    for block in re.findall(r"(?:^\|.*\|\n)+", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE):
        header, _, *rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
        yield header, rows


def features():
    """Yield the cells of every row of the tables of features."""
    for header, rows in tables():
        if header[0] == "feature":
            assert header[1:] == ["countnest", *OTHERS]
            yield from rows


def test_every_row_has_a_cell_for_each_package():
    rows = list(features())
    assert len(rows) > 40
    assert [row[0] for row in rows if len(row) != 2 + len(OTHERS) or not all(row)] == []
    assert len({row[0] for row in rows}) == len(rows)


def test_every_claim_of_countnest_is_linked_to_tests():
    claims = [row for row in features() if row[1] != "no"]
    assert len(claims) > 40
    for feature, claim, *_ in claims:
        targets = LINK.findall(claim)
        assert targets, f"{feature}: no test"
        assert LINK.sub("", claim).strip(", ") == "", f"{feature}: a claim beside the links"
        for target in targets:
            path = (PAGE.parent / target).resolve()
            assert path.is_relative_to(ROOT / "tests"), f"{feature}: {target} is no test"
            assert path.is_file(), f"{feature}: {target} does not exist"
            assert path.name.startswith("test_"), f"{feature}: pytest does not collect {target}"
            text = path.read_text(encoding="utf-8")
            assert re.search(r"^def test_", text, flags=re.MULTILINE), f"{feature}: {target} has no test"


def test_every_other_package_has_a_version():
    versions = next(rows for header, rows in tables() if header[0] == "package")
    assert [row[0] for row in versions] == OTHERS
    assert [row for row in versions if not re.fullmatch(r"\d+(\.\d+)+", row[1])] == []


def test_versions_of_python_packages_are_those_of_the_benchmarks():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    packages = next(rows for header, rows in tables() if header[0] == "package")
    versions = {name.lower(): version for name, version, *_ in packages}
    for requirement in extras["bench"]:
        name, lowest = requirement.split(">=")
        assert [int(part) for part in versions[name].split(".")] >= [int(part) for part in lowest.split(".")]
