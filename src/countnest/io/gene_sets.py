"""Reading of files of gene sets, in the format GMT: a line for each set, with its name, a description and its genes."""

from __future__ import annotations

from countnest.errors import FileError, listing
from countnest.files import FilePath
from countnest.io.text import file_text
from countnest.signature import checked_arguments

__all__ = ["read_gmt"]


@checked_arguments
def read_gmt(path: FilePath) -> dict[str, list[str]]:
    """Read gene sets from a file in the format GMT, such as those of MSigDB, plain or compressed with gzip.

    Parameters
    ----------
    path
        Lines of fields separated by tabs: the name of a set, a description (which may be empty), and its genes.

    Returns
    -------
    dict
        The genes of each set by its name, in the order of the file.

    Raises
    ------
    FileError
        The file is missing or not text, a line has no tab, or a name occurs more than once.
    """
    sets: dict[str, list[str]] = {}
    repeated: list[str] = []
    for number, line in enumerate(file_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        name, *fields = (field.strip() for field in line.split("\t"))
        if not fields or not name:
            raise FileError(
                f"'{path}' is not in the format GMT: line {number} has no name of a set, description and genes "
                f"separated by tabs: {line[:60]!r}."
            )
        if name in sets:
            repeated.append(name)
        sets[name] = [gene for gene in dict.fromkeys(fields[1:]) if gene]
    if repeated:
        raise FileError(f"'{path}': names of sets occur more than once: {listing(dict.fromkeys(repeated))}.")
    if not sets:
        raise FileError(f"'{path}' has no gene sets.")
    return sets
