"""Run the notebooks of this folder and keep their outputs: ``python vignettes/execute.py``."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def notebooks() -> list[Path]:
    """Return the notebooks of this folder in their order."""
    return sorted(FOLDER.glob("*.ipynb"))


def executed(path: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of a fresh run; the file stays as it is.

    Parameters
    ----------
    path
        The notebook.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell raises an error.
    """
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False, coalesce_streams=True).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


if __name__ == "__main__":
    for file in notebooks():
        nbformat.write(executed(file), file)
