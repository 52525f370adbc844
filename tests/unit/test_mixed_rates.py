"""The study of error rates of mixed models draws what it says, counts right, and writes its tables."""

import importlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
PARTS = ("agreement", "cache", "counts", "measures", "methods", "reading", "report", "studies")
NAMES = ("mixed_rates", *(f"mixed.{part}" for part in PARTS))


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(FOLDER))
    yield types.SimpleNamespace(**{name.split(".")[-1]: importlib.import_module(name) for name in NAMES})
    sys.path.remove(str(FOLDER))
    for name in [name for name in sys.modules if name.split(".")[0] in ("mixed_rates", "mixed", "rates")]:
        sys.modules.pop(name)


def test_every_family_is_there_and_treated_as_one(study):
    for scenario in study.studies.SCENARIOS.values():
        drawn = scenario.draw(5, 1)
        by = drawn.samples.groupby("family")
        assert len(by) == scenario.families
        assert len(drawn.samples) == drawn.counts.shape[1] == 2 * scenario.families - scenario.lost
        assert (by["treat1"].nunique() == 1).all()
        assert drawn.null.shape == (4, 5)
        assert drawn.null.all() or scenario.effects


def test_families_differ_as_a_scenario_says(study):
    found = {}
    for spread in study.studies.SPREADS:
        drawn = study.studies.Scenario(24, spread, effects=False).draw(2000, 1)
        counts = drawn.counts.to_numpy()
        logs = np.log(counts[counts.mean(axis=1) > 500] + 0.5)
        even, odd = logs[:, 0::2], logs[:, 1::2]
        rows = [each - each.mean(axis=1, keepdims=True) for each in (even - even.mean(axis=0), odd - odd.mean(axis=0))]
        found[spread] = (rows[0] * rows[1]).mean(axis=1) * 24 / 23
    assert abs(found["zero"].mean()) < 0.002
    assert found["equal"].mean() == pytest.approx(0.06, abs=0.005)
    assert found["exponential"].mean() == pytest.approx(0.06, abs=0.008)
    assert found["exponential"].std() > 1.5 * found["equal"].std()


def test_null_hypotheses_are_those_of_the_averaged_effects(study):
    drawn = study.studies.Scenario(24, "zero").draw(400, 1)
    within_one, within, between_one, between = drawn.null
    assert (within <= within_one).all()
    assert (between <= between_one).all()
    assert (between <= within).all()  # an interaction changes the average over treat2
    assert 0.8 < within.mean() < 1.0
    assert 0.6 < between.mean() < 0.85


def test_rates_are_counted(study):
    rates = study.measures.Rates(null=6000, small=(300, 20), calls=40, false=6, changed=100)
    assert rates.type_one(0.05) == 0.05
    assert (rates.fdp, rates.power) == (0.15, 0.34)
    assert rates.is_high
    assert (rates.side(0.05), rates.side(0.001)) == (0, 1)
    assert study.measures.Rates(6000, (200, 0), 0, 0, 0).side(0.05) == -1
    low, high = study.measures.limits(6000, 0.05)
    assert (low, high) == (246, 357)


def test_adjusted_p_values_leave_out_what_is_missing(study):
    found = study.counts.adjusted(np.array([0.01, np.nan, 0.02, 0.5]))
    np.testing.assert_allclose(found, [0.03, np.nan, 0.03, 0.5])


def test_document_of_answers_in_a_folder(study, tmp_path):
    slugs, genes = ("24-zero-null", "24-exponential-lost12-null", "6-equal"), 30
    cache, rng = study.cache.Cache(tmp_path, genes, 1), np.random.default_rng(1)
    for slug in slugs:
        for name, method in study.methods.METHODS.items():
            p = np.full((4, genes), np.nan)
            p[list(method.questions)] = rng.uniform(size=(len(method.questions), genes))
            path = cache._file(study.studies.SCENARIOS[slug], 1, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, pvalue=p, padj=p)
    out = tmp_path / "mixed_rates.md"
    some = ["--studies", "1", "--genes", str(genes), "--step", "write", "--cache", str(tmp_path), "--scenarios", *slugs]
    study.mixed_rates.main([*some, "--out", str(out)])
    lines = out.read_text(encoding="utf-8").splitlines()
    assert max(len(line) for line in lines if not line.startswith("|")) <= 120
    tables = [line.count("|") - 2 for line in lines if line.startswith("| method")]
    assert tables == [2] * 4 + [1] * 8
    within = {name for name, method in study.methods.METHODS.items() if 0 in method.questions}
    start = lines.index("### Type I error: within, one row") + 4
    assert {line.split(" | ")[0].removeprefix("| ") for line in lines[start : start + len(within)]} == within
    assert not any("{" in line for line in lines)


def test_methods_answer_their_questions(study):
    drawn = study.studies.SCENARIOS["6-equal"].draw(200, 1)
    studied = study.methods.Studied(drawn)
    for name in ("LMM log2, Kenward-Roger", "LMM log2, strata", "NB mixed REML, t by containment"):
        method = study.methods.METHODS[name]
        answer = study.methods.answered(method, studied)
        asked = ~np.isnan(answer.pvalue).all(axis=1)
        assert tuple(np.flatnonzero(asked)) == method.questions
        assert (answer.padj[asked] >= answer.pvalue[asked])[~np.isnan(answer.pvalue[asked])].all()
