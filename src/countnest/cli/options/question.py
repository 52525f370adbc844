"""Options of questions: comparisons and queries, and how they are tested."""

from __future__ import annotations

import click

from countnest.cli.options.kinds import FILE, LEVEL, word
from countnest.cli.values import as_contrasts, as_factors, as_number_or_off
from countnest.options import AltHypothesis, NullKind, QueryTest

__all__ = ["COMPARISONS", "LISTED", "ON_BLOCKS", "QUERIES", "QUERY_TEST", "TESTING"]

# What is asked: comparisons; queries; and whether these may compare blocks.
COMPARISONS = (
    click.option(
        "--contrast",
        callback=as_contrasts,
        metavar="VARIABLE,LEVEL,LEVEL",
        multiple=True,
        help="The comparison, such as dex,trt,untrt. Repeat it for further comparisons.",
    ),
    click.option("--name", metavar="COEFFICIENT", help="One coefficient, instead of a contrast."),
)
# Of runs alone, because each of these comparisons has a model of its own.
LISTED = (
    click.option(
        "--contrasts",
        type=FILE,
        metavar="FILE",
        help="Comparisons with their models, a table or YAML of nf-core/differentialabundance, instead of a design.",
    ),
)
QUERIES = (
    click.option(
        "--query",
        metavar="QUERY",
        multiple=True,
        help="A query, such as 'treat2[E - None] : treat1[B - A]', answered in a table of its own. Repeat it for "
        "further queries.",
    ),
)
QUERY_TEST = (
    click.option(
        "--query-test",
        type=word(QueryTest, any_case=True),
        help="How queries are tested.  [default: averaged or ql with --test averaged or QL, else wald]",
    ),
)
ON_BLOCKS = (
    click.option(
        "--allow-fixed-blocks",
        is_flag=True,
        show_default=False,
        help="Answer queries that compare blocks, such as families, for these blocks alone.",
    ),
)
# How it is tested.
TESTING = (
    click.option("--alpha", type=LEVEL, metavar="NUMBER", default=0.1, help="The false discovery rate."),
    click.option(
        "--lfc-threshold",
        type=click.FloatRange(0.0),
        metavar="NUMBER",
        default=0.0,
        help="Test against this log2 fold change.",
    ),
    click.option(
        "--alt-hypothesis", type=word(AltHypothesis), default="greaterAbs", help="The side of the threshold to test."
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
        type=word(NullKind),
        default="theoretical",
        help="The null distribution: 'scaled' widens it to the scale of all p-values.",
    ),
)
