"""Options of what is written and shown, and of the threads."""

from __future__ import annotations

import click

from countnest.cli.options.kinds import FILE, word
from countnest.options import FigureFormat, Layout, ShrinkType

__all__ = ["WRITING"]

WRITING = (
    click.option(
        "--threads",
        type=click.IntRange(1),
        metavar="NUMBER",
        help="Threads to use; the results do not depend on it.  [default: COUNTNEST_NUM_THREADS, or all processors]",
    ),
    click.option(
        "--out",
        type=FILE,
        metavar="DIR",
        help="Folder for the results.  [default: countnest-STUDY, or countnest-results]",
    ),
    click.option(
        "--save",
        is_flag=True,
        show_default=False,
        help="Write fit.countnest, too, the fit from which countnest query and countnest plot answer at once.",
    ),
    click.option(
        "--layout",
        type=word(Layout),
        default="countnest",
        help="How files are named: nf-core for the names of its module deseq2/differential, with --contrasts.",
    ),
    click.option(
        "--shrink",
        type=word(ShrinkType),
        help="Write shrunken.csv, too, the comparison with shrunken fold changes; of deseq2, and by ashr of mixed.",
    ),
    click.option(
        "--vst",
        is_flag=True,
        show_default=False,
        help="Write vst.csv.gz, too, variance stabilized counts, and the samples along their principal components, "
        "pca.csv and pca.png.",
    ),
    click.option("--figures", type=word(FigureFormat), default="png", help="The format of the figures."),
    click.option(
        "--all-figures",
        is_flag=True,
        show_default=False,
        help="Draw volcano.png and pvalues.png of each comparison, too.",
    ),
    click.option(
        "--r-script",
        type=FILE,
        metavar="DIR",
        help="Write a folder with an R script that redoes the tests in DESeq2, edgeR, limma or lmerTest, too.",
    ),
    click.option("--json", "as_json", is_flag=True, show_default=False, help="Print the record of the run as JSON."),
    click.option(
        "--force",
        is_flag=True,
        show_default=False,
        help="Write even into a folder that holds other files; these are not changed.",
    ),
    click.option("--quiet", is_flag=True, show_default=False, help="Show no progress."),
)
