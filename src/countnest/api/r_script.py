"""An analysis as an R script with its files, which DESeq2, edgeR, limma or lme4 can redo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from countnest.api.r_refusal import refuse
from countnest.containers.counts import CountData
from countnest.containers.table_file import write_table
from countnest.design.design import Design
from countnest.errors import ContrastError, FileError, OptionError, listing
from countnest.files import FilePath, check_path, whole_folder
from countnest.methods.deseq2.fit import DESeq2Fit
from countnest.methods.edger.fit import EdgeRFit
from countnest.methods.fit import Fit
from countnest.methods.limma.fit import LimmaFit
from countnest.queries.coefficients import coefficients
from countnest.queries.export import matrix_lines
from countnest.queries.query import Query

__all__ = ["SCRIPT", "asked_of", "write_r"]

SCRIPT = "analysis.R"
_READ = """\
# Run this script in its folder: Rscript analysis.R
table_of <- function(name) as.matrix(read.csv(name, row.names = 1, check.names = FALSE))
counts <- table_of("counts.csv")
X <- table_of("design.csv")  # the model matrix
"""
_WRITE = """\
for (i in seq_len(ncol(L))) {{
  found <- {table}
  write.table(format(as.data.frame(found), digits = 17, trim = TRUE), sprintf("results_%d.tsv", i),
              sep = "\\t", quote = FALSE, col.names = NA)
}}
"""


def asked_of(design: Design, query: Query | None) -> Query:
    """Return the query, or that of the last coefficient; `ContrastError` where it belongs to another design."""
    if query is None:
        return coefficients(design, design.names[-1])
    if query.design is not design:
        raise ContrastError("the query belongs to another data set; make it with this one.")
    return query


def write_r(data: CountData, query: Query, fit: Fit, path: FilePath) -> None:
    """Write the folder of a script that tests each row of a query, by a fit of this data.

    Raises
    ------
    OptionError
        The fit has what the script cannot redo.
    FileError
        The folder has files of these names that no earlier call wrote, such as the counts that were read.
    """
    check_path(path)
    files: dict[str, pd.DataFrame] = {
        "counts.csv": pd.DataFrame(data.counts.astype(np.int64), data.genes, data.samples),
        "samples.csv": data.sheet,
        "design.csv": pd.DataFrame(query.design.matrix, data.samples, list(query.design.columns)),
    }
    if isinstance(fit, DESeq2Fit):
        lines = _deseq2(fit, files)
    elif isinstance(fit, EdgeRFit):
        lines = _edger(fit, files)
    elif isinstance(fit, LimmaFit):
        lines = _limma(fit, files)
    elif fit.method == "linear mixed model":
        from countnest.api.r_script_mixed import linear_mixed  # late: few fits are of this kind

        lines = linear_mixed(fit, files)
    else:
        raise OptionError(
            f"to_r() writes scripts for DESeq2, edgeR, limma and lme4's linear models, and this is a {fit.method}. "
            "Choose another, fit=."
        )
    weights = matrix_lines(query.design.columns, query.labels, query.matrix)
    _refuse_other_files(Path(path).expanduser(), [*files, SCRIPT])
    with whole_folder(path) as folder:
        for name, table in files.items():
            write_table(table, Path(folder) / name, "")
        script = "\n".join([_READ + lines[0], *weights, *lines[1:]])
        (Path(folder) / SCRIPT).write_text(script, encoding="utf-8")


def _refuse_other_files(folder: Path, names: list[str]) -> None:
    """Raise `FileError` if files of the user would be overwritten: those in a folder without a script of ours."""
    taken = [name for name in names if (folder / name).exists()]
    if not taken:
        return
    try:
        begins = (folder / SCRIPT).read_text(encoding="utf-8").split("\n", 1)[0]
    except (OSError, ValueError):
        begins = ""
    if begins != _READ.split("\n", 1)[0]:
        raise FileError(
            f"'{folder}' holds {listing(taken)}, which would be overwritten, and no {SCRIPT} that was written before. "
            "Give another folder for the R script."
        )


def _deseq2(fit: DESeq2Fit, files: dict[str, pd.DataFrame]) -> list[str]:
    """Return what comes before and after the contrasts, and add the files that it reads."""
    state, details = fit.state, fit.notes.details
    trend = details["dispersion_trend"]
    wrong = {
        "observation weights": state.weights is not None,
        "coefficients with priors": state.fit.prior is not None,
        f"dispersions of the kind '{details['dispersions']}'": details["dispersions"] != "MAP",
        f"a trend of the kind '{trend}'": trend not in ("parametric", "local", "mean"),
    }
    refuse(wrong)
    if state.by_gene:
        files["factors.csv"] = pd.DataFrame(state.factors, fit.data.genes, fit.data.samples)
        factors = 'normalizationFactors(dds) <- table_of("factors.csv")'
    else:
        files["factors.csv"] = pd.DataFrame({"size_factor": state.factors[0]}, fit.data.samples)
        factors = 'sizeFactors(dds) <- table_of("factors.csv")[, 1]'
    replaced = "Inf" if state.replacement is None else "7"
    use_t = "TRUE" if details["t_distribution"] else "FALSE"
    head = [
        "library(DESeq2)",
        'samples <- read.csv("samples.csv", row.names = 1, check.names = FALSE)',
        'storage.mode(counts) <- "integer"',
        "dds <- DESeqDataSetFromMatrix(counts, samples, design = X)",
        factors,
        f'dds <- DESeq(dds, fitType = "{trend}", minReplicatesForReplace = {replaced}, useT = {use_t},',
        f"             minmu = {details['fit_min_mu']:.17g})",
    ]
    return ["\n".join(head), _WRITE.format(table="results(dds, contrast = L[, i])")]


def _edger(fit: EdgeRFit, files: dict[str, pd.DataFrame]) -> list[str]:
    stored = fit.stored
    options, given = stored.options, stored.given
    refuse(
        {
            "observation weights": given.weights is not None,
            "offsets by gene": given.factors.shape[0] > 1,
            "given dispersions": options is None or options.dispersion is not None,
            "likelihood ratio tests": stored.quasi is None,
            "priors without a trend": options is not None and not (options.trend and options.abundance_trend),
            "a prior count that is not 0.125": given.prior_count != 0.125,
        }
    )
    robust = "TRUE" if options is not None and options.robust else "FALSE"
    head = [
        "library(edgeR)",
        f"# Releases of edgeR differ: the fit is that of {fit.notes.compat}.",
        *_fitted_genes(given.kept, given.factors[0], fit.data, files),
        "y <- DGEList(counts[kept, ], lib.size = library_sizes)",
        f"y <- estimateDisp(y, X, robust = {robust})",
        f"fit <- glmQLFit(y, X, robust = {robust})",
    ]
    table = 'topTags(glmQLFTest(fit, contrast = L[, i]), n = Inf, sort.by = "none")$table'
    return ["\n".join(head), _WRITE.format(table=table)]


def _limma(fit: LimmaFit, files: dict[str, pd.DataFrame]) -> list[str]:
    stored = fit.stored
    options = stored.options
    refuse(
        {
            "sample weights": stored.sample_weights is not None,
            "blocks": bool(stored.block),
            "no record of its options": options is None,
            "a prior of the variances with a trend": options is not None and options.trend is not False,
        }
    )
    robust = "TRUE" if options is not None and options.robust else "FALSE"
    span = "" if options is None else f", span = {options.samples.span:.17g}"
    head = [
        "library(limma)",
        f"# Releases of limma differ: the fit is that of {fit.notes.compat}.",
        *_fitted_genes(stored.kept, stored.library, fit.data, files),
        f"v <- voom(counts[kept, ], X, lib.size = library_sizes{span})",
    ]
    tail = f"fit <- eBayes(contrasts.fit(lmFit(v, X), contrasts = L), robust = {robust})"
    return ["\n".join(head), tail, _WRITE.format(table='topTable(fit, coef = i, number = Inf, sort.by = "none")')]


def _fitted_genes(kept: Any, library: Any, data: CountData, files: dict[str, pd.DataFrame]) -> list[str]:  # noqa: ANN401
    """Return the lines that read which genes are fitted, and effective library sizes."""
    files["kept.csv"] = pd.DataFrame({"kept": np.asarray(kept, dtype=np.int64)}, data.genes)
    files["library_sizes.csv"] = pd.DataFrame({"size": library}, data.samples)
    return ['kept <- table_of("kept.csv")[, 1] == 1', 'library_sizes <- table_of("library_sizes.csv")[, 1]']
