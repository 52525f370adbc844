"""The document: what was simulated, a table for each scenario, and what the numbers say."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from rates.cache import Cache
from rates.data import GROUPS, LN2, NESTED
from rates.here import AVERAGED, COVERAGES, LEVELS, METHODS, TRUE, TRUE_LRT
from rates.measures import Measured, measure, summary
from rates.reading import reading
from rates.scenarios import SCENARIOS, Scenario
from rates.targets import target_table

__all__ = ["document", "rate_table"]

WIDTH = 120
MADE = (
    "Made by `{command}`: {data_sets} data sets of {genes:,} genes for each scenario, unless it says "
    "otherwise{version}. All rates are in percent: means over the data sets ± standard errors."
)
TERMS = {
    "Studies": "`countnest.simulate`, a seed for each data set. Unless a scenario says otherwise, a fraction "
    "{fraction} of the genes differs between groups, by a normal log2 fold change of standard deviation "
    "{effect:.1f}; in the nested design {interaction_fraction} have interactions, of standard deviation "
    "{interaction:.1f}, and treatments and families have effects besides. Counts are negative binomial, with means "
    "from 5 to 5,000, size factors, and dispersions that scatter around a trend with standard deviation 0.5 (natural "
    "log). Real counts are thinned (`simulate.thinning`).",
    "Called": "padj < level, with `alpha=level` and else the defaults, among them independent filtering and the rule "
    "for outliers by Cook's distance. A gene without padj is not called.",
    "FDR": "the mean of false calls / calls, 0 where there is no call. **Bold**: above its level by more than two "
    "standard errors; in tables of this size that happens by chance, too.",
    "Power": "calls / genes that differ, however little; many of the differences are close to 0.",
    "Null p": "how many p-values are below a number where the null hypothesis is true. Bold as for the FDR.",
    "averaged LRT, QL F, Wald, LRT, Wald (t)": "kinds of test in countnest. Wald test and LRT are those of DESeq2, "
    "with its numbers (see the end of this page).",
    "edgeR QL": "`estimateDisp`, `glmQLFit(robust=TRUE)`, `glmQLFTest`, after `filterByExpr` and `calcNormFactors`, "
    "as in its guide. Genes that are left out are not called.",
    "limma voom": "`voom`, `lmFit`, `eBayes(robust=TRUE)`, after the same filter and factors.",
    "Wald, LRT (true dispersion)": "these tests with the dispersions that the counts were drawn with, which no study "
    "knows. They show what remains of an excess if the estimates of the dispersions are not its cause.",
}

# The order of the rows.
ORDER = [*(name for name in METHODS if name not in (TRUE, TRUE_LRT)), "edgeR QL", "limma voom", TRUE, TRUE_LRT]
# Shown in these scenarios alone.
IN_SOME = {"Wald (t)": ("3v3", "6v6", "12v12", "nested1", "nested3")}
INTERVALS = (
    "How many of the intervals (`confint=`) of the log2 fold change hold the true one, of all genes with an interval."
)


def document(cache: Cache, scenarios: list[Scenario], command: str) -> str:
    """Write the whole document from the answers in the cache."""
    found = {each.slug: measure(cache, each) for each in scenarios}
    found = {slug: shown(slug, each) for slug, each in found.items() if len(each.rates)}
    version = cache.version()
    about = {"command": command, "data_sets": cache.data_sets, "genes": cache.genes, **GROUPS, **NESTED}
    about["version"] = f", with {version} on the same counts" if version else ""
    about |= {"effect": GROUPS["effect_sd"] / LN2, "interaction": NESTED["interaction_sd"] / LN2}
    lines = ["# Error rates", "", *wrapped(MADE.format(**about)), ""]
    lines += [line for term, text in TERMS.items() for line in wrapped(f"- *{term}*: {text.format(**about)}")]
    for part in (reading(found), target_table(found)):
        lines += ["", *(line for text in part for line in wrapped(text))]
    for slug, measured in found.items():
        text = [*wrapped(SCENARIOS[slug].text), ""] if SCENARIOS[slug].text else []
        lines += ["", f"## {SCENARIOS[slug].title}", "", *text, *rate_table(measured.rates, cache.data_sets)]
    lines += [*coverage_section(found), *deseq2_section(found, version)]
    return "\n".join(lines) + "\n"


def wrapped(text: str) -> list[str]:
    """Return text in lines; those of an item of a list are indented, and a table and a heading stay whole.

    A line does not end inside '3 v 3' or '5 %'.
    """
    if not text or text.startswith(("|", "#")):
        return [text]
    indent = "  " if text.startswith("- ") else ""
    bound = re.sub(r" (v|%|±) ?", lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    lines = textwrap.wrap(bound, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def shown(slug: str, measured: Measured) -> Measured:
    """Return what was measured with the methods of a scenario that are shown, in their order."""
    rows = measured.rates
    methods = [name for name in ORDER if slug in IN_SOME.get(name, (slug,))]
    present = set(rows.index.get_level_values(0))
    return Measured(pd.concat([rows.loc[[name]] for name in methods if name in present]), measured.apart)


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Write a Markdown table."""
    columns = list(head)
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]


def rate_table(rows: pd.DataFrame, usual: int) -> list[str]:
    """Write the rates of a scenario, with a row for each method; `usual` is the usual number of data sets."""
    found = summary(rows)
    columns = [name for name in found.mean if not name.startswith("coverage")]
    most = found.data_sets.max()

    def cell(method: str, name: str) -> str:
        text, error = f"{100 * found.mean.loc[method, name]:.2f}", found.error.loc[method, name]
        text = f"**{text}**" if found.above.loc[method, name] else text
        return text if np.isnan(error) else f"{text} ± {100 * error:.2f}"

    def title(method: str) -> str:
        count = found.data_sets[method]
        return method if count == most else f"{method} ({count} data sets)"

    table = markdown(["method", *columns], ([title(m), *(cell(m, name) for name in columns)] for m in found.mean.index))
    return table if most == usual else [f"{most} data sets.", "", *table]


def coverage_section(found: Mapping[str, Measured]) -> list[str]:
    """Write how often intervals hold the true effect."""
    rows = []
    names = [f"coverage of {level}" for level in COVERAGES]
    for slug in (slug for slug in found if SCENARIOS[slug].intervals and names[0] in found[slug].rates):
        each = summary(found[slug].rates)
        for method in (AVERAGED, "Wald", TRUE):
            if method in each.mean.index:
                cells = [f"{100 * each.mean.loc[method, n]:.2f} ± {100 * each.error.loc[method, n]:.2f}" for n in names]
                rows.append([SCENARIOS[slug].title, method, *cells])
    head = ["scenario", "method", *(f"{100 * level:.0f} %" for level in COVERAGES)]
    return ["", "## Intervals", "", *wrapped(INTERVALS), "", *markdown(head, rows)] if rows else []


def deseq2_section(found: Mapping[str, Measured], version: str) -> list[str]:
    """Write the differences between countnest and DESeq2, summed over data sets, of log p the largest."""
    rows = []
    for slug, measured in found.items():
        for method, each in measured.apart.groupby(level=0, sort=False) if len(measured.apart) else ():
            total = each.sum()
            sets = [f"{total[f'by one only at {at}']:.0f} of {total[f'called at {at}']:,.0f}" for at in LEVELS]
            apart = [f"{total['p missing in one']:.0f}", f"{each['log p'].max():.1e}"]
            rows.append([SCENARIOS[slug].title, method, str(len(each)), *sets, *apart])
    text = (
        f"Genes that only one of countnest and DESeq2 in R ({version.split(',')[0]}) calls, of those that countnest "
        "calls. DESeq2 was run on the first data sets of some scenarios."
    )
    head = ["scenario", "method", "data sets", *(f"called at {level}" for level in LEVELS)]
    head += ["p missing in one", "largest relative difference of log p"]
    return ["", "## Beside DESeq2", "", *wrapped(text), "", *markdown(head, rows)] if rows else []
