"""The methods, and what they say of a study."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import countnest as cn
from countnest.api.query import BoundQuery
from mixed.counts import adjusted, count_tests, fitted_counts
from mixed.studies import QUESTIONS, Study

__all__ = ["ALPHA", "FIXED", "METHODS", "Answer", "Method", "Studied", "answered", "query_of"]

ALPHA = 0.05
MIXED = "~ treat1*treat2 + (1 | family)"
FIXED = "~ family + treat1*treat2"
IGNORED = "~ treat1*treat2"
ALL, ONE, WITHIN = (0, 1, 2, 3), (0, 2), (0, 1)  # questions


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """P-values and adjusted p-values, (questions, G) each; nan where there are none."""

    pvalue: np.ndarray
    padj: np.ndarray


class Studied:
    """A study with the fits that were made, each when it is first asked for."""

    def __init__(self, study: Study) -> None:
        self.study, self._made = study, {}

    def data_set(self, design: str) -> cn.DESeqDataSet:
        """Return a data set without fits."""
        study = self.study
        return cn.DESeqDataSet(study.counts, study.samples, design=design, reference=study.reference, quiet=True)

    def once(self, name: str, make: Callable[[], object]) -> object:
        """Return what is made under a name."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def kept(self) -> np.ndarray:
        """Return the genes (G,) with enough counts."""
        return self.once("kept", lambda: cn.filter_by_expr(self.data_set(MIXED)).to_numpy())


@dataclass(frozen=True, slots=True)
class Method:
    """A method.

    Attributes
    ----------
    run
        Takes a `Studied`, and returns a function from queries to p-values (G,) and adjusted ones.
    questions
        Places in `QUESTIONS` of those that it answers.
    balanced
        Whether it is for balanced studies only.
    """

    run: Callable[[Studied], Callable[[str], tuple[np.ndarray, np.ndarray]]]
    questions: tuple[int, ...] = ALL
    balanced: bool = False


def query_of(dds: cn.DESeqDataSet, question: str) -> BoundQuery:
    """Return a question as a query of a data set."""
    one, levels = "one row" in question, ("B", "A")
    if question.startswith("within"):
        found = dds.interaction(treat1=levels if one else "reference", treat2=("E", "None"))
    else:
        found = dds.effect("treat1", levels=levels if one else "reference")
    return found if one else found.joint()


def _tested(dds: cn.DESeqDataSet, kind: str | None, fit: str | None) -> Callable[[str], tuple[np.ndarray, np.ndarray]]:
    def test(question: str) -> tuple[np.ndarray, np.ndarray]:
        table = query_of(dds, question).test(kind, fit=fit, alpha=ALPHA).table
        return table["pvalue"].to_numpy(dtype=np.float64), table["padj"].to_numpy(dtype=np.float64)

    return test


def _linear(values: str, kind: str, **options: object) -> Method:
    """Return linear mixed models with a kind of test, or t tests by a rule for degrees of freedom."""
    rule = {"df": kind} if kind not in ("strata", "averaged", "dream", "lrt") else {}
    name = f"{values}{rule}{options}"

    def run(studied: Studied) -> Callable[[str], tuple[np.ndarray, np.ndarray]]:
        def fit() -> object:
            return cn.lmm(studied.data_set(MIXED), values=values, quiet=True, **rule, **options)

        return _tested(studied.once(name, fit), "t" if rule else kind, "lmm")

    return Method(run, ONE if kind == "dream" else ALL, kind == "strata")


def _counts(*, reml: bool) -> Method:
    def run(studied: Studied) -> Callable[[str], tuple[np.ndarray, np.ndarray]]:
        dds, kept = studied.data_set(MIXED), studied.kept()
        fits = fitted_counts(dds, kept, reml=reml)

        def test(question: str) -> tuple[np.ndarray, np.ndarray]:
            p = count_tests(fits, query_of(dds, question), kept)
            return p, adjusted(p)

        return test

    return Method(run)


def _fitted(design: str, fit: str, kind: str | None, questions: tuple[int, ...] = ALL, **options: object) -> Method:
    """Return a method with fixed effects; `fit` is "edger", "limma" or "" for DESeq2's."""

    def make(studied: Studied) -> cn.DESeqDataSet:
        dds = studied.data_set(design)
        return getattr(cn, fit)(dds, quiet=True, **options) if fit else dds.deseq(quiet=True)

    def run(studied: Studied) -> Callable[[str], tuple[np.ndarray, np.ndarray]]:
        dds = studied.once(f"{design}{fit}{options}", lambda: make(studied))
        return _tested(dds, kind, fit or None)

    return Method(run, questions)


KR, SATTERTHWAITE, CONTAINMENT = "kenward-roger", "satterthwaite", "containment"
TESTS = {
    "Kenward-Roger": KR, "Satterthwaite": SATTERTHWAITE, "containment": CONTAINMENT, "strata": "strata",
    "averaged": "averaged", "dream": "dream", "LRT": "lrt",
}  # fmt: skip
METHODS: dict[str, Method] = {
    f"LMM {values}, {title}": _linear(values, kind)
    for values in ("log2", "vst", "voom")
    for title, kind in TESTS.items()
    if not (values == "voom" and kind in ("strata", "averaged"))
}
METHODS |= {
    "LMM log2, Kenward-Roger, unbounded": _linear("log2", KR, bounded=False),
    "NB mixed REML, t by containment": _counts(reml=True),
    "NB mixed ML, z": _counts(reml=False),
    "DESeq2 Wald, families fixed": _fitted(FIXED, "", "wald", WITHIN),
    "averaged LRT, families fixed": _fitted(FIXED, "", "averaged", WITHIN),
    "edgeR QL, families fixed": _fitted(FIXED, "edger", None, WITHIN),
    "voom, families fixed": _fitted(FIXED, "limma", None, WITHIN),
    "voom, duplicateCorrelation": _fitted(IGNORED, "limma", None, block="family"),
    "edgeR QL, families ignored": _fitted(IGNORED, "edger", None),
}


def answered(method: Method, studied: Studied) -> Answer:
    """Return the answer of a method."""
    genes = len(studied.study.counts)
    answer = Answer(*(np.full((len(QUESTIONS), genes), np.nan) for _ in range(2)))
    if method.balanced and studied.study.samples["family"].value_counts().nunique() > 1:
        return answer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cn.CountnestWarning)
        test = method.run(studied)
        for place in method.questions:
            answer.pvalue[place], answer.padj[place] = test(QUESTIONS[place])
    return answer
