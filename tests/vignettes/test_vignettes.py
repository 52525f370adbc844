"""The notebooks run, and their stored outputs are those of a run that ended well."""

import json
import re
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "vignettes"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 600_000  # bytes
# A folder from the root of a file system, such as a temporary one that a warning names; but not the path of a web page.
ABSOLUTE = re.compile(r"(?<![\w:/.<~-])/(?:home|root|tmp|usr|opt|var|work|mnt|private|Users)/|\b[A-Z]:\\\\?\w|file://")

for_each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def code(path):
    return [cell for cell in cells(path) if cell["cell_type"] == "code"]


def texts(cell):
    """Return the text outputs of a cell; pictures are left out."""
    found = []
    for output in cell["outputs"]:
        pieces = [output.get("text", ""), *(v for k, v in output.get("data", {}).items() if k.startswith("text/"))]
        found += ["".join(piece) for piece in pieces]
    return found


def test_the_folder_has_these_in_order():
    assert [path.stem for path in NOTEBOOKS] == [
        "01_quickstart",
        "02_nested_interactions",
        "03_beyond_the_table",
        "04_hidden_factors",
        "05_choosing_a_method",
        "06_mixed_models",
        "07_single_response",
        "08_pseudobulk",
        "09_files_to_counts",
        "10_when_things_look_wrong",
        "11_time_course",
        "12_shrinkage_and_ranking",
        "13_beside_deseq2",
    ]


@pytest.mark.slow
@for_each_notebook
@pytest.mark.filterwarnings("ignore")  # those of the tools that run notebooks
def test_runs(path, tmp_path, monkeypatch):
    for module in ("nbformat", "nbclient", "ipykernel"):
        pytest.importorskip(module, reason=f"notebooks are run with {module}: pip install 'countnest[test]'")
    if any("import anndata" in "".join(cell["source"]) for cell in code(path)):
        pytest.importorskip("anndata")
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    run = runpy.run_path(str(FOLDER / "execute.py"))["executed"](path)  # an error in a cell is raised here
    kinds = [[output.output_type for output in cell.get("outputs", [])] for cell in run.cells]
    stored = [[output["output_type"] for output in cell.get("outputs", [])] for cell in cells(path)]
    assert kinds == stored, "the stored outputs are of an older text: python vignettes/execute.py"


@for_each_notebook
def test_stored_outputs_are_of_one_whole_run(path):
    assert [cell["execution_count"] for cell in code(path)] == list(range(1, len(code(path)) + 1))
    assert not [cell["id"] for cell in code(path) for o in cell["outputs"] if o["output_type"] == "error"]
    assert not [cell["id"] for cell in code(path) for text in texts(cell) if "Traceback (most recent call" in text]


def rates(lines):
    """Return the rows of a table of error rates: FDR and power at 0.05 by the method, without standard errors."""
    rows = [line.strip("|").split(" | ") for line in lines if "±" in line]
    return {row[0].strip(): [float(row[k].replace("*", "").split("±")[0]) for k in (3, 4)] for row in rows}


def test_error_rates_are_those_of_the_page():
    page = (FOLDER.parent / "docs" / "error_rates.md").read_text(encoding="utf-8")
    (quoting,) = (cell for cell in cells(NOTEBOOKS[4]) if "false discovery rate / power" in "".join(cell["source"]))
    lines = [line.strip().strip("|").split("|") for line in quoting["source"] if line.startswith("| ")]
    (_, *methods), *studies = [[piece.strip() for piece in line] for line in lines]
    assert len(studies) >= 8
    for study, *quoted in studies:
        found = rates(page.split(f"\n## {study}\n", 1)[1].split("\n## ", 1)[0].splitlines())
        there = [tuple(float(piece) for piece in each.split("/")) for each in quoted]
        assert there == [tuple(pytest.approx(value, abs=0.0501) for value in found[name]) for name in methods]


@for_each_notebook
def test_no_paths_of_a_machine(path):
    places = [(cell["id"], text) for cell in code(path) for text in [*texts(cell), "".join(cell["source"])]]
    assert not [(name, ABSOLUTE.search(text)) for name, text in places if ABSOLUTE.search(text)]


@pytest.mark.parametrize("text", ["/tmp/ipykernel_1/2.py:3: UserWarning", "in '/home/x/a.csv'", r"C:\Users\x"])
def test_paths_of_a_machine_are_recognised(text):
    assert ABSOLUTE.search(text)


@pytest.mark.parametrize("text", ["https://example.org/home/x", "</tr>", "treat1/family", "a / b", "E: \n"])
def test_other_slashes_are_none(text):
    assert not ABSOLUTE.search(text)


@for_each_notebook
def test_small_with_readable_cell_names(path):
    assert path.stat().st_size < LARGEST
    names = [cell["id"] for cell in cells(path)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)
    assert not any(cell["metadata"] for cell in cells(path))
