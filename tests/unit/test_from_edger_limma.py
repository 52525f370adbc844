"""The code in docs/from_edger_limma.md runs."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each

PAGE = (Path(__file__).parents[2] / "docs" / "from_edger_limma.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| R |")]
CODE = [code for row in ROWS for code in re.findall(r"`([^`]+)`", row.split(" | ", 1)[1]) if re.search(r"\w\.\w", code)]
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
SAMPLES = pd.DataFrame(
    {"group": np.repeat(["A", "B"], 5), "batch": list("xyxyxyyxyx")}, index=[f"s{j}" for j in range(10)]
)
# Functions of R that the page is to name.
FUNCTIONS = """
    aveLogCPM calcNormFactors cpm decideTests DGEList estimateDisp exactTest filterByExpr glmFit glmLRT glmQLFit
    glmQLFTest glmTreat normLibSizes predFC rpkm topTags arrayWeights camera cameraPR contrasts.fit
    duplicateCorrelation eBayes fry lmFit makeContrasts removeBatchEffect topTable topTableF topTreat treat voom
    voomLmFit voomWithQualityWeights
"""


def small_study():
    """Return the names that the code of the page uses."""
    rng = np.random.default_rng(6)
    genes = [f"g{i}" for i in range(1200)]
    mean = np.exp(rng.normal(4.5, 1.0, (1200, 1))) * np.where(SAMPLES["group"] == "B", rng.choice([1, 2], (1200, 1)), 1)
    counts = pd.DataFrame(rng.negative_binomial(10, 10 / (10 + mean)), genes, SAMPLES.index)
    symbols = pd.Series([f"S{i}" for i in range(1200)], genes, name="symbol")
    return {
        "np": np,
        "cn": cn,
        "counts": counts,
        "samples": SAMPLES,
        "symbols": symbols,
        "sets": {"some": genes[:30], "others": genes[100:130]},
        "f": np.ones(10),
        "offset": np.log(counts.sum().to_numpy()) * np.ones(counts.shape),
        "W": np.full(counts.shape, 0.9),
        "lengths": pd.Series(2000.0, genes),
        "blocks": SAMPLES["batch"].to_numpy() + np.tile(list("12"), 5),
        "values": np.log2(counts + 0.5),
        "groups": cn.DESeqDataSet(counts, SAMPLES, design="~ group", quiet=True),
    }


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Return what the names of the page stand for after its blocks of code have run."""
    found = small_study()
    for number, block in enumerate(BLOCKS, start=1):
        exec(compile(block, f"from_edger_limma.md, Python block {number}", "exec"), found)
    found["dds"].gene_info = found["symbols"]
    sets = tmp_path_factory.mktemp("sets") / "sets.gmt"
    sets.write_text("first\t\tS1\tS2\tS3\tS4\n", encoding="utf-8")
    return found | {"sets.gmt": sets}


def test_code_of_the_tables_runs(names):
    assert len(CODE) > 60
    for code in CODE:
        own = {**names, "dds": names["dds"].copy()}
        try:
            eval(code.replace('"sets.gmt"', repr(str(names["sets.gmt"]))), own)
        except Exception as error:
            raise AssertionError(code) from error
    plt.close("all")


@each("function", FUNCTIONS.split())
def test_functions_of_r_are_on_the_page_and_answered(function):
    left = "\n".join(row.split(" | ", 1)[0] for row in ROWS)
    assert re.search(rf"\b{re.escape(function)}\b", left), function
    if function not in cn.__all__:
        with pytest.raises(AttributeError, match=r"Here it is \S"):
            getattr(cn, function)
