"""The study of error rates counts right, and writes its tables."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "error_rates.py"


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("error_rates", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def answered(study, pvalue, padj, null):
    padj = np.array(padj, dtype=float)
    return study.Tested(np.array(pvalue), dict.fromkeys(study.LEVELS, padj), np.array(null, dtype=bool))


def test_rates_of_ten_genes(study):
    null = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    padj = [0.001, 0.02, 0.3, np.nan, 0.005, 0.07, 0.2, 0.5, np.nan, np.nan]
    pvalue = [1e-4, 1e-3, 0.1, 0.2, 0.0005, 0.006, 0.04, 0.3, 0.9, np.nan]
    found = study.rates(answered(study, pvalue, padj, null))
    assert found == pytest.approx(
        {
            "FDR at 0.01": 1 / 2,
            "FDR at 0.05": 1 / 3,
            "FDR at 0.1": 2 / 4,
            "power at 0.01": 1 / 4,
            "power at 0.05": 2 / 4,
            "power at 0.1": 2 / 4,
            "null p < 0.001": 1 / 5,
            "null p < 0.01": 2 / 5,
            "null p < 0.05": 3 / 5,
        }
    )


def test_rates_at_the_edges(study):
    nothing_called = study.rates(answered(study, [0.5, 0.6], [1.0, np.nan], [0, 1]))
    assert nothing_called["FDR at 0.1"] == 0
    assert nothing_called["power at 0.1"] == 0
    nothing_true = study.rates(answered(study, [1e-9, 0.6], [1e-8, 0.6], [1, 1]))
    assert nothing_true["FDR at 0.01"] == 1
    assert np.isnan(nothing_true["power at 0.01"])
    everything_true = study.rates(answered(study, [1e-9, 0.6], [1e-8, 0.6], [0, 0]))
    assert np.isnan(everything_true["null p < 0.05"])
    assert everything_true["power at 0.01"] == 0.5


def test_differences_of_two_programs(study):
    ours = answered(study, [1e-4, 0.2, np.nan, 0.5], [0.001, 0.04, np.nan, 0.5], [0, 0, 1, 1])
    theirs = answered(study, [1e-4, 0.2 * np.exp(0.01), 0.3, 0.5], [0.001, 0.06, 0.4, 0.5], [0, 0, 1, 1])
    found = study.difference(ours, theirs)
    assert [found[f"called at {level}"] for level in study.LEVELS] == [1, 2, 2]
    assert [found[f"by one only at {level}"] for level in study.LEVELS] == [0, 1, 0]
    assert found["p missing in one"] == 1
    assert found["log p"] == pytest.approx(0.01 / -np.log(0.2 * np.exp(0.01)))
    assert study.difference(ours, ours)["log p"] == 0


def test_null_hypotheses(study):
    design = study.DESIGNS[1]
    drawn = design.simulate(300, 4)
    null, effect = study.nulls(drawn, design), drawn.truth["group[B]"].abs() / np.log(2)
    assert 0 < (~null["Wald"]).sum() < 100
    np.testing.assert_array_equal(null["Wald"], effect == 0)
    np.testing.assert_array_equal(null["LRT"], effect == 0)
    np.testing.assert_array_equal(null[study.GREATER], effect <= 0.5)
    assert (~null[study.GREATER]).sum() < (~null["Wald"]).sum()
    nested = study.FAMILIES.simulate(300, 4)
    null = study.nulls(nested, study.FAMILIES)
    np.testing.assert_array_equal(null[study.USE_T], nested.truth["treat1[B]:treat2[E]"] == 0)
    np.testing.assert_array_equal(null["joint F"], nested.truth["null_interaction"])


def test_what_is_above_its_level_is_bold(study):
    values = {"FDR at 0.01": [0.012, 0.02], "FDR at 0.05": [0.07, 0.08], "FDR at 0.1": [0.09, 0.1]}
    values |= {"power at 0.05": [0.9, 0.9], "null p < 0.05": [0.05, 0.05]}
    rows = pd.DataFrame(values, index=pd.MultiIndex.from_tuples([(study.HERE, "Wald", seed) for seed in (1, 2)]))
    *_, line = study.rate_table(rows)
    assert line == ("| countnest | Wald | 1.60 ± 0.40 | **7.50** ± 0.50 | 9.50 ± 0.50 | 90.00 ± 0.00 | 5.00 ± 0.00 |")
    assert study.excess("3 v 3", rows) == "- 3 v 3. Wald: 7.5 % at 0.05."


def test_small_run_without_r(study, tmp_path):
    out = tmp_path / "error_rates.md"
    study.main(["--data-sets", "1", "--genes", "200", "--skip-r", "--out", str(out)])
    text = out.read_text(encoding="utf-8")
    assert f"--data-sets 1 --genes 200 --skip-r --out {out}" in text
    assert "DESeq2 " not in text
    sections = dict(zip(*[iter(re.split(r"^## (.*)\n", text, flags=re.M)[1:])] * 2, strict=True))
    assert list(sections) == ["3 v 3", "6 v 6", "12 v 12", "Nested", "Reading the tables"]
    methods = {"Wald", "LRT", study.USE_T, study.TRUE_ALPHA}
    more = {"6 v 6": {study.GREATER, study.FORMER}, "Nested": {"joint Wald", "joint F"}}
    for design in study.DESIGNS:
        lines = [line for line in sections[design.name].splitlines() if line.startswith("|")]
        head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        table = pd.DataFrame(rows, columns=head)
        assert set(table["program"]) == {"countnest"}
        assert set(table["method"]) == methods | more.get(design.name, set())
        assert [name for name in head if name.startswith("null")] == [f"null p < {p}" for p in study.NULL_LEVELS]
        rates = table.iloc[:, 2:].apply(lambda column: column.str.strip("*").astype(float))
        assert rates.shape[1] == 9
        assert rates.ge(0).all(axis=None)
        assert rates.le(100).all(axis=None)
        assert rates["power at 0.1"].max() > 20
