"""The scale of the null distribution of a table of results, in words."""

from __future__ import annotations

from countnest.errors import counted
from countnest.remedies import advised

__all__ = ["null_heading", "null_lines"]

# Scales up to here are as chance makes them, or as cautious tests do; up to the second they deserve a look.
CAUTIOUS, FINE, DOUBTFUL = 0.9, 1.1, 1.2


def null_lines(scale: float | None, n_genes: int | None) -> list[str]:
    """Return the scale of the null and its reading, for a summary; nothing where there is no scale."""
    if scale is None or n_genes is None:
        return []
    first = f"scale of the null: {scale:.2f} ({counted(n_genes, 'gene')}; 1 in theory): "
    if scale <= FINE:
        return [first + ("the test is cautious" if scale < CAUTIOUS else "fine")]
    if scale <= DOUBTFUL:
        return [first + "many real effects, or a weak hidden factor"]
    return [
        first + "too many small p-values",
        "for chance, because of a hidden factor or of very many real effects: p-values alone cannot tell which.",
        advised("Look at plot_pca(vst(dds)).", "Look at the principal components, with plot_pca(vst(dds)) in Python."),
    ]


def null_heading(scale: float | None) -> list[str]:
    """Return the scale of the null as a line above a table; nothing where there is no scale."""
    if scale is None:
        return []
    where = advised(": see summary()", "")
    reading = "" if scale <= DOUBTFUL else f", a hidden factor or very many real effects{where}"
    return [f"scale of the null: {scale:.2f}{reading}"]
