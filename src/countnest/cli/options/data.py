"""Options of the data: files of counts, the sample sheet, the design."""

from __future__ import annotations

import click

from countnest.cli.options.kinds import FILE, word
from countnest.cli.values import as_files, as_levels, as_references
from countnest.options import Orientation, Strand, Unmapped

__all__ = ["COUNTS", "DESIGN", "FORMULA_HELP", "LEVELS", "READING", "REFERENCE", "SAMPLES_HELP"]

SAMPLES_HELP = "Sample sheet, a row for each sample: CSV or TSV."
FORMULA_HELP = "Such as '~ batch + condition'."
REFERENCE = click.option(
    "--reference",
    metavar="VARIABLE=LEVEL",
    multiple=True,
    callback=as_references,
    help="The level that the others are compared with, such as dex=untrt. Repeat it for further variables.",
)
LEVELS = click.option(
    "--levels",
    metavar="VARIABLE=LEVEL,LEVEL,...",
    multiple=True,
    callback=as_levels,
    help="All levels of a variable in their order, such as dose=low,mid,high; the first is the reference, unless "
    "--reference names another. A numeric variable with named levels becomes a factor. Repeat it for further "
    "variables.",
)
# The counts, and how they are read.
COUNTS = (
    click.option(
        "--counts",
        type=FILE,
        metavar="FILE",
        multiple=True,
        callback=as_files,
        help="Counts: a table, or the files of a program, which is recognised. Repeat it for further files, or give a "
        "pattern in quotation marks, 'star/*.tab'.",
    ),
    click.option("--orientation", type=word(Orientation), help="Orientation of the counts, if the labels do not tell."),
)
READING = (
    click.option("--strand", type=word(Strand), help="The column of STAR's counts.  [default: recognised]"),
    click.option(
        "--transcripts",
        type=FILE,
        metavar="FILE",
        help="The genes of transcripts, of Salmon, kallisto, RSEM and oarfish: GTF, or a table.",
    ),
    click.option("--unmapped", type=word(Unmapped), help="Transcripts without a gene.  [default: refuse]"),
    click.option("--lengths", type=FILE, metavar="FILE", help="Average transcript lengths of a merged table."),
    click.option("--layer", metavar="NAME", help="The layer of AnnData, or the assay of R, that holds the counts."),
    click.option("--sheet", metavar="NAME", help="The sheet of a workbook that holds the counts."),
)
# The sample sheet and the design.
DESIGN = (
    click.option("--samples", type=FILE, metavar="FILE", help=SAMPLES_HELP),
    click.option("--design", metavar="FORMULA", help=FORMULA_HELP),
    REFERENCE,
    LEVELS,
)
