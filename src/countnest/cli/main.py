"""The entry point: options, errors and exit codes."""

from __future__ import annotations

import atexit
import gc
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, get_args

import click

from countnest.cli.checks import check_request, given_options
from countnest.cli.command import Careful, signals_end_it
from countnest.cli.request import DEFAULT_TESTS, Request
from countnest.cli.values import (
    as_contrasts,
    as_factors,
    as_files,
    as_levels,
    as_method,
    as_number_or_off,
    as_references,
)
from countnest.errors import CountnestError
from countnest.options import (
    AltHypothesis,
    FitType,
    Method,
    NullKind,
    Orientation,
    QueryTest,
    SizeFactorType,
    Strand,
    TestType,
    Unmapped,
)
from countnest.remedies import in_the_shell
from countnest.stats.edger.levels import Compat
from countnest.version import installed_version

__all__ = ["cli", "main"]

_FAILED = 1
_SIGNAL = 128
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code: 0 done, 1 an error in the data, 2 in the options, 130 Ctrl-C.

    Another signal that ends it makes 128 and its number.
    """
    atexit.register(gc.freeze)  # what a process leaves behind is not worth looking through
    try:
        with _few_collections(), signals_end_it(), in_the_shell():
            status = cli.main(arguments, prog_name="countnest", standalone_mode=False)
    except CountnestError as error:
        click.echo(f"error: {error}", err=True)
        status = _FAILED
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (KeyboardInterrupt, click.Abort) as stop:
        click.echo("interrupted", err=True)
        status = _SIGNAL + getattr(stop.__cause__, "number", signal.SIGINT)
    sys.exit(status or 0)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Collect garbage less often: imports alone create a hundred thousand objects that stay."""
    thresholds = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001 (click's shape)
    if value:
        click.echo(f"countnest {installed_version()}")
        ctx.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """Differential expression of count data, by the methods of DESeq2, edgeR and limma."""


def _word(words: object, *, any_case: bool = False) -> click.Choice[str]:
    return click.Choice(get_args(words), case_sensitive=not any_case)


_FILE = click.Path(path_type=Path)
_LEVEL = click.FloatRange(0.0, 1.0, min_open=True, max_open=True)
_POSITIVE = click.FloatRange(0.0, min_open=True)

_SAMPLES_HELP = "Sample sheet, a row for each sample: CSV or TSV."
_FORMULA_HELP = "Such as '~ batch + condition'."
_REFERENCE = click.option(
    "--reference",
    metavar="VARIABLE=LEVEL",
    multiple=True,
    callback=as_references,
    help="The level that the others are compared with, such as dex=untrt. Repeat it for further variables.",
)
_LEVELS = click.option(
    "--levels",
    metavar="VARIABLE=LEVEL,LEVEL,...",
    multiple=True,
    callback=as_levels,
    help="All levels of a variable in their order, such as dose=low,mid,high; the first is the reference, unless "
    "--reference names another. A numeric variable with named levels becomes a factor. Repeat it for further "
    "variables.",
)
_DATA = (
    click.option(
        "--counts",
        type=_FILE,
        metavar="FILE",
        multiple=True,
        callback=as_files,
        help="Counts: a table, or the files of a program, which is recognised. Repeat it for further files, or give a "
        "pattern in quotation marks, 'star/*.tab'.",
    ),
    click.option("--samples", type=_FILE, metavar="FILE", help=_SAMPLES_HELP),
    click.option(
        "--orientation", type=_word(Orientation), help="Orientation of the counts, if the labels do not tell."
    ),
    click.option("--strand", type=_word(Strand), help="The column of STAR's counts.  [default: recognised]"),
    click.option(
        "--transcripts",
        type=_FILE,
        metavar="FILE",
        help="The genes of transcripts, of Salmon, kallisto, RSEM and oarfish: GTF, or a table.",
    ),
    click.option("--unmapped", type=_word(Unmapped), help="Transcripts without a gene.  [default: refuse]"),
    click.option("--lengths", type=_FILE, metavar="FILE", help="Average transcript lengths of a merged table."),
    click.option("--layer", metavar="NAME", help="The layer of AnnData, or the assay of R, that holds the counts."),
    click.option("--sheet", metavar="NAME", help="The sheet of a workbook that holds the counts."),
    click.option("--design", metavar="FORMULA", help=_FORMULA_HELP),
    _REFERENCE,
    _LEVELS,
)
_QUESTION = (
    click.option(
        "--contrast",
        callback=as_contrasts,
        metavar="VARIABLE,LEVEL,LEVEL",
        multiple=True,
        help="The comparison, such as dex,trt,untrt. Repeat it for further comparisons.",
    ),
    click.option("--name", metavar="COEFFICIENT", help="One coefficient, instead of a contrast."),
    click.option(
        "--query",
        metavar="QUERY",
        multiple=True,
        help="A query, such as 'treat2[E - None] : treat1[B - A]', answered in a table of its own. Repeat it for "
        "further queries.",
    ),
    click.option(
        "--query-test",
        type=_word(QueryTest, any_case=True),
        help="How queries are tested.  [default: averaged or ql with --test averaged or QL, else wald]",
    ),
    click.option(
        "--allow-fixed-blocks",
        is_flag=True,
        show_default=False,
        help="Answer queries that compare blocks, such as families, for these blocks alone.",
    ),
    click.option("--alpha", type=_LEVEL, metavar="NUMBER", default=0.1, help="The false discovery rate."),
    click.option(
        "--lfc-threshold",
        type=click.FloatRange(0.0),
        metavar="NUMBER",
        default=0.0,
        help="Test against this log2 fold change.",
    ),
    click.option(
        "--alt-hypothesis", type=_word(AltHypothesis), default="greaterAbs", help="The side of the threshold to test."
    ),
    click.option(
        "--independent-filtering/--no-independent-filtering",
        default=True,
        show_default=False,
        help="Leave genes of low mean count out of the adjustment, or keep all.",
    ),
    click.option(
        "--cooks-cutoff",
        callback=as_number_or_off,
        metavar="NUMBER",
        help="Withhold the p-value where a Cook's distance is larger; 'off' for none.  [default: by sample size]",
    ),
    click.option(
        "--hidden-factors",
        callback=as_factors,
        metavar="NUMBER",
        help="Take so many hidden factors, such as unknown batches, out of each comparison; 'auto' for as many as are "
        "found. Needs 8 residual degrees of freedom.  [default: none]",
    ),
    click.option(
        "--hidden-seed",
        type=click.IntRange(0),
        metavar="NUMBER",
        default=1,
        help="Seed for the number of hidden factors.",
    ),
    click.option(
        "--null",
        type=_word(NullKind),
        default="theoretical",
        help="The null distribution: 'scaled' widens it to the scale of all p-values.",
    ),
)
_FIT = (
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
        type=_word(TestType, any_case=True),
        help="Wald test, likelihood ratio test, averaged likelihood ratio test, or quasi-likelihood F test. Take "
        "averaged for a new study, Wald to compare with published work. With --method edger QL or LRT.  [default: "
        "Wald, or QL with --method edger]",
    ),
    click.option("--robust", is_flag=True, show_default=False, help="Allow for outlying variances, of edger and voom."),
    click.option(
        "--compat",
        type=_word(Compat),
        help="The release of Bioconductor whose numbers are wanted, of edger and voom.  [default: the newest]",
    ),
    click.option("--block", metavar="COLUMN", help="Blocks of correlated samples, of voom."),
    click.option(
        "--quality-weights", is_flag=True, show_default=False, help="Estimate how reliable each sample is, of voom."
    ),
    click.option("--reduced", metavar="FORMULA", help="The design without the terms to test, for --test LRT."),
    click.option("--fit-type", type=_word(FitType), default="parametric", help="The trend of the dispersions."),
    click.option("--size-factor-type", type=_word(SizeFactorType), default="ratio", help="How samples are scaled."),
    click.option(
        "--min-replicates-for-replace",
        callback=as_number_or_off,
        metavar="NUMBER",
        default="7",
        help="Replace extreme counts in groups of at least this many samples; 'off' for none.",
    ),
    click.option("--use-t", is_flag=True, show_default=False, help="Take p-values from the t distribution."),
    click.option("--minmu", type=_POSITIVE, metavar="NUMBER", default=0.5, help="The lower bound of fitted means."),
)
_RUN = (
    click.option(
        "--threads",
        type=click.IntRange(1),
        metavar="NUMBER",
        help="Threads to use; the results do not depend on it.  [default: COUNTNEST_NUM_THREADS, or all processors]",
    ),
    click.option(
        "--out",
        type=_FILE,
        metavar="DIR",
        help="Folder for the results.  [default: countnest-STUDY, or countnest-results]",
    ),
    click.option(
        "--force",
        is_flag=True,
        show_default=False,
        help="Write even into a folder that holds other files; these are not changed.",
    ),
    click.option("--quiet", is_flag=True, show_default=False, help="Show no progress."),
)


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed((*_DATA, *_QUESTION, *_FIT, *_RUN)):
        command = option(command)
    return command


_HELP = """\
Test every gene, and write tables, figures and a record into a folder.

The data are --counts, --samples and a --design, or a STUDY that is shipped with the package, such as airway, with its
own design and contrast. Counts are a table, or what featureCounts, STAR, htseq-count, Salmon, kallisto, RSEM, oarfish,
nf-core/rnaseq, AnnData, R or Cell Ranger wrote.

Written are results.csv, genes.csv.gz, size_factors.csv, normalized_counts.csv.gz, ma.png, methods.txt, run.json,
dispersion.png of DESeq2's method and, for each --query, query_1.csv and so on; for several --contrast results_1.csv and
ma_1.png, results_2.csv and ma_2.png in their order. All of them are written at the end or, after an error, none. They
take the place of what an earlier run has left in the folder.

A query compares levels of a factor, dex[trt - untrt] or dex[pairwise]; several, joined by ':', ask for an interaction;
'| factor' asks in each level, '| factor=level' in one; slope(number), mean(query) and joint(query; query).

\b
Examples:
  countnest run airway --test averaged
  countnest run airway --method edger
  countnest run --counts C.csv --samples S.csv --design "~ cell + dex" \\
      --reference dex=untrt --contrast dex,trt,untrt --out dex
  countnest run --counts C.csv --samples S.csv --design "~ family + treat1*treat2" \\
      --query "treat2[E - None] | treat1" --query "joint(treat2[E - None] : treat1[pairwise])"
"""


@cli.command(
    cls=Careful,
    context_settings={"show_default": True},
    help=_HELP,
    short_help="Test every gene; write tables and figures.",
)
@click.argument("study", required=False)
@_with_options
def run(**arguments: Any) -> None:  # noqa: ANN401 (`Request` has the types)
    """Collect the options and run the analysis."""
    test = arguments["test"] or DEFAULT_TESTS.get(arguments["method"])
    request = Request(**{**arguments, "test": test})
    check_request(request, given_options(click.get_current_context()))
    from countnest.cli.run import run_request  # not before: numpy, pandas and numba take their time

    run_request(request)


_DESIGN_HELP = """\
Describe a design: its cells, columns and rank, what is nested in what, and the queries that it can answer.

No counts are needed, and nothing is written.

\b
Example:
  countnest design --samples S.csv --design "~ family + treat1*treat2"
"""


@cli.command(cls=Careful, help=_DESIGN_HELP, short_help="Describe a design and what it can answer.")
@click.option("--samples", required=True, type=_FILE, metavar="FILE", help=_SAMPLES_HELP)
@click.option("--design", required=True, metavar="FORMULA", help=_FORMULA_HELP)
@_REFERENCE
@_LEVELS
def design(samples: Path, design: str, reference: dict[str, str], levels: dict[str, list[str]]) -> None:
    """Print the report."""
    from countnest.cli.design import describe_design  # not before: pandas and formulaic take their time

    describe_design(samples, design, reference, levels)


_WARM_HELP = """\
Compile everything now, so that no later run waits for the compiler, and print where the compiled code is kept.

Without this, each part is compiled when it is first used. The folder is that of the environment variable
COUNTNEST_CACHE_DIR, or the system's place for caches of a user. A new version of countnest or of numba compiles again.
"""


@cli.command(cls=Careful, help=_WARM_HELP, short_help="Compile everything ahead of the first run.")
@click.option("--clear", is_flag=True, show_default=False, help="Empty the cache, and compile nothing.")
def warm(clear: bool) -> None:
    """Fill or empty the cache."""
    from countnest.cli.warm import clear_cache, fill_cache  # not before: numba takes its time

    if clear:
        clear_cache()
    else:
        fill_cache()
