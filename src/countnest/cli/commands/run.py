"""The command `countnest run`: its options."""

from __future__ import annotations

from typing import Any

import click

from countnest.cli.checks import check_request, given_options
from countnest.cli.command import Careful
from countnest.cli.options.data import COUNTS, DESIGN, READING
from countnest.cli.options.fit import FIT
from countnest.cli.options.kinds import with_options
from countnest.cli.options.question import COMPARISONS, LISTED, ON_BLOCKS, QUERIES, QUERY_TEST, TESTING
from countnest.cli.options.writing import WRITING
from countnest.cli.request import Request, method_and_test

__all__ = ["run"]

_HELP = """\
Test every gene, and write tables, figures and a record into a folder.

The data are --counts, --samples and a --design, or a STUDY that is shipped with the package, such as airway, with its
own design and contrast. Counts are a table, or what featureCounts, STAR, htseq-count, Salmon, kallisto, RSEM, oarfish,
nf-core/rnaseq, AnnData, R or Cell Ranger wrote.

Written are results.csv and ma.png of the comparison, genes.csv.gz, size_factors.csv, normalized_counts.csv.gz,
methods.txt, run.json, dispersion.png of DESeq2's method and, for each --query, query_1.csv and so on; for several
--contrast results_1.csv and ma_1.png, results_2.csv and ma_2.png in their order. With queries alone there is no
results.csv: without any question it is that of the last coefficient. All files are written at the end or, after an
error, none. They take the place of what an earlier run has left in the folder.

With --contrasts FILE each contrast has an id, its own model, and results in ID.results.csv and ID.ma.png. --layout
nf-core takes the names of files that nf-core/differentialabundance expects.

A query compares levels of a factor, dex[trt - untrt] or dex[pairwise]; several, joined by ':', ask for an interaction;
'| factor' asks in each level, '| factor=level' in one; slope(number), mean(query) and joint(query; query).

\b
Examples:
  countnest run airway --test averaged
  countnest run airway --method edger
  countnest run airway --contrast cell,N61311,N052611 --query "dex[trt - untrt]"
  countnest run --counts C.csv --samples S.csv --design "~ treat1*treat2 + (1 | family)" \\
      --method mixed --query "treat1[B - A]"
  countnest run --counts C.csv --samples S.csv --design "~ cell + dex" \\
      --reference dex=untrt --contrast dex,trt,untrt --out dex
  countnest run --counts C.csv --samples S.csv --design "~ family + treat1*treat2" \\
      --query "treat2[E - None] | treat1" --query "joint(treat2[E - None] : treat1[pairwise])"
"""


@click.command(
    cls=Careful,
    context_settings={"show_default": True},
    help=_HELP,
    short_help="Test every gene; write tables and figures.",
)
@click.argument("study", required=False)
@with_options(COUNTS, READING, DESIGN, COMPARISONS, LISTED, QUERIES, QUERY_TEST, ON_BLOCKS, TESTING, FIT, WRITING)
def run(**arguments: Any) -> None:  # noqa: ANN401 (`Request` has the types)
    """Collect the options and run the analysis."""
    request = Request(**arguments | method_and_test(arguments["method"], arguments["test"]))
    check_request(request, given_options(click.get_current_context()))
    if request.contrasts is not None:
        from countnest.cli.listed import run_listed  # neither of them before: numpy, pandas and numba take their time

        run_listed(request)
        return
    from countnest.cli.run import run_request  # not before: numpy, pandas and numba take their time

    run_request(request)
