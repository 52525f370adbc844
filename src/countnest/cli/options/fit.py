"""Options of the fit: the method and its settings."""

from __future__ import annotations

from typing import get_args

import click

from countnest.cli.options.kinds import POSITIVE, word
from countnest.cli.values import as_method, as_number_or_off
from countnest.options import FitType, Method, SizeFactorType, TestType
from countnest.stats.edger.levels import Compat

__all__ = ["FIT"]

FIT = (
    click.option(
        "--method",
        type=click.Choice([*get_args(Method), "limma"], case_sensitive=False),
        callback=as_method,
        default="deseq2",
        help="The method: DESeq2's, edgeR's, or limma's voom, which limma names, too. The last two leave out genes "
        "with few counts before the fit.",
    ),
    click.option(
        "--test",
        type=word(TestType, any_case=True),
        help="Wald test, likelihood ratio test, averaged likelihood ratio test, or quasi-likelihood F test. Take "
        "averaged for a new study, Wald to compare with published work. With --method edger QL or LRT.  [default: "
        "Wald, or QL with --method edger]",
    ),
    click.option("--robust", is_flag=True, show_default=False, help="Allow for outlying variances, of edger and voom."),
    click.option(
        "--compat",
        type=word(Compat),
        help="The release of Bioconductor whose numbers are wanted, of edger and voom.  [default: the newest]",
    ),
    click.option("--block", metavar="COLUMN", help="Blocks of correlated samples, of voom."),
    click.option(
        "--quality-weights", is_flag=True, show_default=False, help="Estimate how reliable each sample is, of voom."
    ),
    click.option("--reduced", metavar="FORMULA", help="The design without the terms to test, for --test LRT."),
    click.option("--fit-type", type=word(FitType), default="parametric", help="The trend of the dispersions."),
    click.option("--size-factor-type", type=word(SizeFactorType), default="ratio", help="How samples are scaled."),
    click.option(
        "--min-replicates-for-replace",
        callback=as_number_or_off,
        metavar="NUMBER",
        default="7",
        help="Replace extreme counts in groups of at least this many samples; 'off' for none.",
    ),
    click.option("--use-t", is_flag=True, show_default=False, help="Take p-values from the t distribution."),
    click.option("--minmu", type=POSITIVE, metavar="NUMBER", default=0.5, help="The lower bound of fitted means."),
)
