"""The libraries that are compared, each run in a process of its own.

A Python library has a module here with `IMPORT`, `prepare` and `analyse`, an R library a script with
`packages` and `analyse`; `runner.py` and `runner.R` call them. `prepare` takes the study and returns what the library
reads, `analyse` takes that and returns log2 fold changes and p-values of the last coefficient, one for each gene. Only
`analyse` is timed, in its second run: the first, on some of the genes, loads and compiles.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Library:
    """How a library is shown, and whether R runs it, another Python, or the one that countnest is installed in."""

    title: str
    host: str  # "here", "python" or "R"
    threaded: bool = False  # whether it can use more than one
    original: str = "deseq2"  # the R library whose method it is; those of other methods are compared with DESeq2


LIBRARIES = {
    "countnest": Library("countnest", "here", threaded=True),
    "deseq2": Library("DESeq2 (R)", "R"),
    "pydeseq2": Library("PyDESeq2", "python", threaded=True),
    "inmoose": Library("InMoose, deseq2", "python"),
    "countnest_edger": Library("countnest, edgeR 4", "here", threaded=True, original="edger"),
    "countnest_edger_legacy": Library("countnest, edgeR 3", "here", threaded=True, original="edger"),
    "edger": Library("edgeR, quasi-likelihood (R)", "R"),
    "edgepython": Library("edgePython, quasi-likelihood", "python", original="edger"),
    "countnest_limma": Library("countnest, limma voom", "here", original="voom"),
    "voom": Library("limma voom (R)", "R"),
}
