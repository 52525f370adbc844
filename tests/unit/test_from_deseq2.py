"""Every name and argument in docs/from_deseq2.md exists."""

import ast
import inspect
import re
from pathlib import Path

import pandas as pd

import countnest as cn
from cases import each
from countnest.api.query import BoundQuery
from countnest.design.design import Design

PAGE = Path(__file__).parents[2] / "docs" / "from_deseq2.md"
ROWS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ") and "---" not in line]
CODE = [code for row in ROWS for code in re.findall(r"`([^`]+)`", row.split(" | ", 1)[1]) if re.search(r"\w\.", code)]
# What a name stands for, and what is returned by what is called.
STANDS_FOR = {
    "pd": pd,
    "res.padj": pd.Series,
    "cn": cn,
    "dds": cn.DESeqDataSet,
    "res": cn.Results,
    "dds.design": Design,
    "dds.samples": pd.DataFrame,
}
RETURNS = {"effect": BoundQuery, "interaction": BoundQuery, "joint": BoundQuery} | dict.fromkeys(
    ("vst", "rlog", "variance_stabilizing_transformation", "norm_transform"), cn.Transformed
)


def resolve(node):
    """Return what an expression names, None for what is not ours; fail where a name is missing."""
    if ast.unparse(node) in STANDS_FOR:
        return STANDS_FOR[ast.unparse(node)]
    if isinstance(node, ast.Attribute) and (home := resolve(node.value)) is not None:
        assert hasattr(home, node.attr), ast.unparse(node)
        return getattr(home, node.attr)
    if isinstance(node, ast.Call):
        return RETURNS.get(getattr(resolve(node.func), "__name__", ""))
    return None


def calls():
    for code in CODE:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call):
                yield node


def test_the_page_is_about_something():
    assert len(ROWS) > 70
    assert len(list(calls())) > 60


@each("code", CODE)
def test_names_exist(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute):
            resolve(node)


@each("call", list(calls()), ids=map(ast.unparse, calls()))
def test_arguments_exist(call):
    function = resolve(call.func)
    assert function is not None, ast.unparse(call.func)
    signature = inspect.signature(function)
    accepted = signature.parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
    for keyword in call.keywords:
        assert keyword.arg in accepted or takes_any, f"{ast.unparse(call.func)} has no argument {keyword.arg}"
    positional = [p for p in accepted.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    assert len(call.args) <= len(positional)


FUNCTIONS = [
    "collapseReplicates",
    "counts",
    "DESeq",
    "DESeqDataSet",
    "DESeqDataSetFromHTSeqCount",
    "DESeqDataSetFromMatrix",
    "DESeqDataSetFromTximport",
    "design",
    "dispersionFunction",
    "dispersions",
    "estimateDispersions",
    "estimateDispersionsGeneEst",
    "estimateDispersionsMAP",
    "estimateSizeFactors",
    "estimateSizeFactorsForMatrix",
    "fpkm",
    "fpm",
    "lfcShrink",
    "makeExampleDESeqDataSet",
    "nbinomLRT",
    "nbinomWaldTest",
    "normalizationFactors",
    "normTransform",
    "plotCounts",
    "plotDispEsts",
    "plotMA",
    "plotPCA",
    "plotSparsity",
    "priorInfo",
    "removeResults",
    "replaceOutliers",
    "results",
    "resultsNames",
    "rlog",
    "sizeFactors",
    "summary",
    "unmix",
    "varianceStabilizingTransformation",
    "vst",
]


@each("function", FUNCTIONS)
def test_every_function_of_deseq2_is_on_the_page(function):
    left = "\n".join(row.split(" | ", 1)[0] for row in ROWS)
    assert re.search(rf"\b{function}\b", left)
