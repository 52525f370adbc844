"""The analyses whose columns `same_bits` compares: for each data set all fits and steps, and questions in every form.

Only public names of the package are used. `FIRST` genes are taken where the whole set is slow, with `first` in the name
of the table.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import reference

import countnest as cn

FIRST = 2000
MEANS = np.geomspace(0.1, 1e6, 50)
ALTERNATIVES = ("greaterAbs", "greaterAbs2014", "greaterAbsUPSHOT", "lessAbs", "greater", "less")
ADJUSTMENTS = ("BY", "holm", "hochberg", "hommel", "bonferroni", "none")
TWO_GROUPS = ("condition[trt - ctl]", ("effect", "condition", {}), ("means", "condition", {}))
# fmt: off
# Questions to each data set: text of a query, or a method with what it is about and its options.
QUESTIONS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(reference.CASES, TWO_GROUPS),
    "pasilla": ("condition[treated - untreated] | type=paired-end",
                "joint(condition[treated - untreated]; type[pairwise])",
                ("effect", "condition", {"weights": "proportional"}), ("means", ["condition", "type"], {})),
    "airway": ("mean(cell[reference])", "cell[pairwise]", ("effect", "dex", {}), ("means", "dex", {})),
    "study48": ("treat2[E - None] : treat1[B - A]", "treat1[B - A]", ("effect", "treat2", {"by": "treat1"}),
                ("interaction", None, {"treat2": "reference", "treat1": "pairwise"}),
                ("means", ["treat1", "treat2"], {})),
    "study94": ("treat2[E - None] : treat3[H - None] | father=yes, mother=no",
                "treat2[E - None] : father[yes - no] : mother[yes - no]",
                ("effect", "treat3", {"by": ["father", "mother"]}),
                ("interaction", None, {"treat2": "reference", "treat3": "reference", "by": "father"})),
    "replace_batch_32": (*TWO_GROUPS, "condition[trt - ctl] | batch=y", ("means", ["batch", "condition"], {})),
    "factorial_12": ("genotype[helmert]", "condition[B - A] | genotype",
                     ("effect", "genotype", {"levels": "pairwise"}),
                     ("effect", "condition", {"at": {"genotype": "II"}}),
                     ("interaction", None, {"condition": ("B", "A"), "genotype": "pairwise"}),
                     ("means", ["genotype", "condition"], {})),
    "continuous_14": ("slope(age)", "slope(age, sd)", "joint(age[4 - 2]; sex[m - f])",
                      ("effect", "age", {"from_": 2, "to": 5}), ("means", "sex", {"at": {"age": 4}})),
    "no_intercept_9": ("group[b - a]", ("effect", "group", {"levels": "pairwise"}), ("means", "group", {})),
    "nested_unbalanced_22": ("cnd[B - A] : grp[Y - X]", ("effect", "cnd", {"by": "grp"}),
                             ("means", ["grp", "cnd"], {})),
}
# fmt: on
# Fits besides that with the defaults.
FITS: dict[str, dict[str, Any]] = {
    "t": {"use_t": True},
    "local": {"fit_type": "local"},
    "mean": {"fit_type": "mean", "min_replicates_for_replace": np.inf},
    "gene-wise": {"sharing": "gene_est_only"},
    "trend alone": {"sharing": "fit_only", "minmu": 0.1},
    "prior, standard": {"beta_prior": True, "model_matrix_type": "standard"},
    "prior, expanded": {"beta_prior": True, "model_matrix_type": "expanded"},
}


class Record(Protocol):
    """What keeps the tables, or their digests."""

    def call(self, name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return what a call returns; or None, and record the class of its error."""

    def take(self, name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Record the table that a call returns, and return it."""


def data_set(truth: Any, genes: int | None, design: Any = None, **options: Any) -> Any:
    """Return the data set, or its first genes, without any step."""
    for name in ("normalization_factors", "weights"):
        given = getattr(truth, name)
        options.setdefault(name, None if given is None else given.iloc[:genes])
    levels = None if isinstance(design, pd.DataFrame) else truth.reference_levels or None
    design = truth.formula if design is None else design
    return cn.DESeqDataSet(
        truth.counts.iloc[:genes], truth.samples, design=design, reference=levels, n_threads=2, quiet=True, **options
    )


def fitted(record: Record, name: str, dds: Any, truth: Any, **options: Any) -> Any:
    """Fit, record what the data set shows, and return it; None where the fit is refused."""
    kind = truth.info["size_factor_type"]
    dds = record.call(name, dds.deseq, size_factor_type=kind, quiet=True, **options)
    if dds is not None:
        shown = {"genes": dds.genes, "size factors": dds.size_factors, "dispersions": dds.dispersions}
        for what, table in {**shown, "coef": dds.coef(), "coef, se": dds.coef(se=True)}.items():
            record.take(f"{name}: {what}", lambda table=table: table)
        record.take(f"{name}: trend", lambda: dds.dispersion_trend(MEANS))
        record.take(f"{name}: results", dds.results)
    return dds


def steps(record: Record, truth: Any) -> None:
    """Record each step of the analysis, and every way to size factors."""
    for kind in ("ratio", "poscounts", "iterate"):
        dds = data_set(truth, FIRST)
        if record.call(f"first: size factors, {kind}", dds.estimate_size_factors, type=kind):
            record.take(f"first: size factors, {kind}", lambda dds=dds: dds.size_factors)
    lengths = pd.DataFrame(1000.0 + np.arange(truth.counts.size).reshape(truth.counts.shape) % 97).to_numpy()
    dds = data_set(truth, None, avg_tx_length=lengths, normalization_factors=None)
    record.call("factors from lengths", dds.estimate_size_factors, type=truth.info["size_factor_type"])
    record.take("factors from lengths", lambda: dds.normalization_factors)
    dds = data_set(truth, None)
    for step, options in (
        ("estimate_size_factors", {"type": truth.info["size_factor_type"]}),
        ("estimate_dispersions", {"quiet": True}),
        ("nbinom_wald_test", {"quiet": True}),
        ("replace_outliers", {"quiet": True, "min_replicates": 4}),
    ):
        record.call(step, getattr(dds, step), **options)
        record.take(f"{step}: genes", lambda: dds.genes)
    record.take("replaced counts", dds.counts, replaced=True)
    record.take("normalized counts", dds.counts, normalized=True)


def contrasts(dds: Any, truth: Any) -> dict[str, dict[str, Any]]:
    """Return comparisons in R's forms: names, factor and levels, lists, numbers."""
    names = dds.results_names()
    found: dict[str, dict[str, Any]] = {f"name {name}": {"name": name} for name in {*names[:2], *names[-4:]}}
    for factor, levels in truth.samples.select_dtypes(exclude="number").items():
        first, second = sorted(levels.unique())[:2]
        found[f"contrast {factor}"] = {"contrast": (factor, second, first)}
    found["contrast of lists"] = {"contrast": ([names[-1]], [names[-2]]), "list_values": (1.0, -0.5)}
    found["contrast of numbers"] = {"contrast": [0.0] * (len(names) - 2) + [-0.5, 1.0]}
    return found


def r_forms(record: Record, name: str, dds: Any, truth: Any) -> None:
    """Record the answers to comparisons in R's forms."""
    for label, asked in contrasts(dds, truth).items():
        record.take(f"{name}: results of {label}", partial(dds.results, **asked))
    for alternative in ALTERNATIVES:
        record.take(f"{name}: results", dds.results, lfc_threshold=0.5, alt_hypothesis=alternative)


def results_options(record: Record, dds: Any) -> None:
    """Record the options of the results."""
    for options in (
        {"alpha": 0.01, "confint": 0.95},
        {"outliers": "model"},
        {"independent_filtering": False, "cooks_cutoff": False},
        {"cooks_cutoff": 2.0},
        {"theta": [0.0, 0.2, 0.5]},
        {"add_mle": True},
        *({"p_adjust": method} for method in ADJUSTMENTS),
    ):
        record.take("results", dds.results, **options)


def questions(record: Record, name: str, dds: Any, asked: Iterable[Any]) -> None:
    """Record the answers to questions about cells and coefficients."""
    last, previous = dds.results_names()[-1], dds.results_names()[-2]
    for one in (
        *asked,
        ("contrast", {"last": last, "previous": previous}, {}),
        ("contrast", f"{last} - {previous}", {}),
    ):
        if isinstance(one, str):
            query = record.call(one, dds.query, one)
        else:
            method, about, options = one
            query = record.call(str(one), getattr(dds, method), *([] if about is None else [about]), **options)
        if query is None:
            continue
        label = f"{name}: {one}"
        record.take(f"{label}, matrix", lambda query=query: query.matrix)
        refused = record.take(label, query.test) is None
        fixed = {"allow_fixed_blocks": True} if refused else {}
        variants: list[dict[str, Any]] = [{"kind": kind} for kind in ("wald", "t", "lrt")]
        variants += [{"confint": 0.9, "alpha": 0.05}, {"lfc_threshold": 0.5, "alt_hypothesis": "greaterAbs2014"}]
        variants += [{"outliers": "model", "p_adjust": "BY"}]
        if len(query) > 1:
            variants += [{"kind": kind, "joint": True} for kind in ("wald", "t", "lrt")]
            variants += [{"stagewise": True}, {"stagewise": True, "kind": "lrt"}]
        for options in variants:
            if not (refused and options.get("kind") == "lrt"):  # slow, for it breaks up the blocks
                record.take(label, query.test, **options, **fixed)
        for kind in ("apeglm", "ashr") if len(query) == 1 else ():
            record.take(f"{label}, {kind}", partial(cn.lfc_shrink, dds, query=query, type=kind, quiet=True))


def shrinkage(record: Record, name: str, dds: Any) -> None:
    """Record shrunken fold changes of every kind."""
    last, *others = reversed(dds.results_names())
    numbers = [0.0] * (len(others) - 1) + ([-1.0, 1.0] if len(others) > 1 else [0.0, 2.0])
    for kind in ("apeglm", "ashr", "normal"):
        record.take(f"{name}: {kind}", cn.lfc_shrink, dds, coef=last, type=kind, quiet=True)
        for options in (
            {"contrast": numbers, "confint": 0.95},
            {"coef": last, "svalue": True},
            {"coef": last, "lfc_threshold": 1.0},
            *([{"coef": last, "converge": True}, {"coef": last, "adapt": False}] if kind == "apeglm" else []),
        ):
            record.take(f"{name}: {kind}", cn.lfc_shrink, dds, type=kind, quiet=True, **options)


def access(record: Record, dds: Any) -> None:
    """Record what the fit gives beside answers, and transformed counts."""
    record.take("mu", dds.mu)
    record.take("cooks", dds.cooks)
    record.take("covariance", cn.covariance, dds, list(dds.gene_names[:40]))
    cells = dds.samples.drop_duplicates().iloc[:4]
    record.take("predict", cn.predict, dds, cells, count_interval=0.9)
    for kind in ("raw", "pearson", "deviance", "quantile"):
        record.take("residuals", cn.residuals, dds, kind)
    record.take("find_outliers", cn.find_outliers, dds, level=0.5)
    record.take("fpm", cn.fpm, dds)
    record.take("norm_transform", cn.norm_transform, dds)
    for function in (cn.vst, cn.variance_stabilizing_transformation, cn.rlog):
        for options in ({"blind": True}, {"blind": False}, {"blind": True, "fit_type": "mean"}):
            sub = {"nsub": 200} if function is cn.vst else {}
            record.take(function.__name__, function, dds, quiet=True, **sub, **options)


def analyse(name: str, record: Record) -> None:
    """Make all tables of one data set."""
    truth = reference.load(name)
    steps(record, truth)
    whole = fitted(record, "deseq", data_set(truth, None), truth)
    matrix = data_set(truth, None, truth.design_matrix, same_as=None)
    fitted(record, "matrix", matrix, truth, min_replicates_for_replace=np.inf)
    first = fitted(record, "first: deseq", data_set(truth, FIRST), truth)
    for label, options in FITS.items():
        dds = fitted(record, f"first, {label}", data_set(truth, FIRST), truth, **options)
        if dds is not None and "beta_prior" in options:
            r_forms(record, f"first, {label}", dds, truth)
            record.take(f"first, {label}: results", dds.results, add_mle=True)
    reduced = "~ 1" if truth.reduced_matrix is None else truth.reduced_matrix
    design = None if truth.reduced_matrix is None else truth.design_matrix
    lrt = fitted(record, "lrt", data_set(truth, None, design), truth, test="LRT", reduced=reduced)
    if lrt is not None:
        record.take("lrt: results", lrt.results, test="Wald")
    r_forms(record, "deseq", whole, truth)
    results_options(record, whole)
    record.take("apeglm", cn.lfc_shrink, whole, coef=whole.results_names()[-1], quiet=True)
    record.take("vst", cn.vst, whole, quiet=True)
    record.take("results, filter by variance", partial(whole.results, filter=whole.genes["baseVar"]))
    with tempfile.TemporaryDirectory() as folder:
        cn.save(whole, Path(folder) / "file.countnest")
        loaded = cn.load(Path(folder) / "file.countnest")
    record.take("loaded: results", loaded.results)
    record.take("loaded: cooks", loaded.cooks)
    shrinkage(record, "first", first)
    questions(record, "first", first, QUESTIONS[name])
    access(record, first)
