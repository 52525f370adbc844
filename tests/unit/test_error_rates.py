"""The study of error rates draws what it says, counts right, and writes its tables."""

import importlib
import re
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
PARTS = ("cache", "data", "here", "measures", "reading", "report", "scenarios", "targets", "there")
NAMES = ("error_rates", "rates", *(f"rates.{part}" for part in PARTS))


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(FOLDER))
    yield types.SimpleNamespace(**{name.split(".")[-1]: importlib.import_module(name) for name in NAMES})
    sys.path.remove(str(FOLDER))
    for name in NAMES:
        sys.modules.pop(name, None)


def answered(study, pvalue, padj):
    return study.here.Answer(np.array(pvalue), np.tile(np.array(padj, dtype=float), (3, 1)))


def truth(study, null, effect=None, **more):
    null = np.array(null, dtype=bool)
    effect = np.where(null, 0.0, 1.0) if effect is None else np.array(effect)
    return study.data.Data(None, None, "~ group", {}, null, effect, None, None, **more)


def test_rates_of_ten_genes(study):
    null = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    padj = [0.001, 0.02, 0.3, np.nan, 0.005, 0.07, 0.2, 0.5, np.nan, np.nan]
    pvalue = [1e-4, 1e-3, 0.1, 0.2, 0.0005, 0.006, 0.04, 0.3, 0.9, np.nan]
    expected = {
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
    answer = answered(study, pvalue, padj)
    assert study.measures.rates(answer, truth(study, null)) == pytest.approx(expected)
    edge = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 0], dtype=bool)
    expected |= {"null p < 0.001": 0, "null p < 0.01": 0, "null p < 0.05": 1 / 3}
    assert study.measures.rates(answer, truth(study, null, edge=edge)) == pytest.approx(expected)


def test_rates_at_the_edges(study):
    rates = study.measures.rates
    nothing_called = rates(answered(study, [0.5, 0.6], [1.0, np.nan]), truth(study, [0, 1]))
    assert nothing_called["FDR at 0.1"] == 0
    assert nothing_called["power at 0.1"] == 0
    nothing_true = rates(answered(study, [1e-9, 0.6], [1e-8, 0.6]), truth(study, [1, 1]))
    assert nothing_true["FDR at 0.01"] == 1
    assert np.isnan(nothing_true["power at 0.01"])
    everything_true = rates(answered(study, [1e-9, 0.6], [1e-8, 0.6]), truth(study, [0, 0]))
    assert np.isnan(everything_true["null p < 0.05"])
    assert everything_true["power at 0.01"] == 0.5


def test_coverage_is_of_genes_with_intervals(study):
    low, high = np.array([[-1, 0.5, np.nan, 2], [-2, 0, np.nan, 1]]), np.array([[1, 2, np.nan, 3], [2, 3, np.nan, 4]])
    answer = study.here.Answer(np.ones(4), np.ones((3, 4)), low, high)
    found = study.measures.coverage(answer, truth(study, [1, 1, 1, 1], effect=[0, 0, 0, 2.5]))
    assert found == {"coverage of 0.95": pytest.approx(2 / 3), "coverage of 0.99": 1.0}
    assert study.measures.coverage(answered(study, [1], [1]), truth(study, [1])) == {}


def test_differences_of_two_programs(study):
    ours = answered(study, [1e-4, 0.2, np.nan, 0.5], [0.001, 0.04, np.nan, 0.5])
    theirs = answered(study, [1e-4, 0.2 * np.exp(0.01), 0.3, 0.5], [0.001, 0.06, 0.4, 0.5])
    found = study.measures.difference(ours, theirs)
    assert [found[f"called at {level}"] for level in study.here.LEVELS] == [1, 2, 2]
    assert [found[f"by one only at {level}"] for level in study.here.LEVELS] == [0, 1, 0]
    assert found["p missing in one"] == 1
    assert found["log p"] == pytest.approx(0.01 / -np.log(0.2 * np.exp(0.01)))
    assert study.measures.difference(ours, ours)["log p"] == 0


def test_every_scenario_draws_what_it_asks_about(study):
    for slug, scenario in study.scenarios.SCENARIOS.items():
        data = scenario.draw(200, 4)
        assert data.counts.shape == (200, len(data.samples)), slug
        assert len(data.null) == len(data.effect) == 200, slug
        assert 0 < (~data.null).sum() < 140, slug
        assert (data.counts >= 0).all(axis=None), slug
        again = scenario.draw(200, 4)
        pd.testing.assert_frame_equal(again.counts, data.counts)
        np.testing.assert_array_equal(again.null, data.null)
        query = scenario.query(study.here.Fits(data).unfitted())
        assert len(query) == (3 if slug == "nested3" else 1), slug
        assert scenario.in_r or scenario.data_sets == 10 or slug.endswith("-fresh")


def test_null_hypotheses_of_thresholds(study):
    data = study.data.boundary(4000, 2, size=3)
    np.testing.assert_array_equal(data.null, np.abs(data.effect) <= 0.5)
    np.testing.assert_array_equal(data.edge, np.abs(data.effect) == 0.5)
    np.testing.assert_allclose([data.null.mean(), data.edge.mean()], [0.9, 0.3], atol=0.02)
    data = study.data.one_sided(4000, 2, size=3)
    np.testing.assert_array_equal(data.null, data.effect <= 0)
    np.testing.assert_array_equal(data.edge, data.effect == 0)
    means = np.log2(data.counts.T.groupby(data.samples["group"]).mean().T + 0.1)
    assert np.corrcoef(means["B"] - means["A"], data.effect)[0, 1] > 0.5


def test_weights_and_factors_are_those_of_the_counts(study):
    data = study.data.down_weighted(2000, 2, size=6)
    assert set(np.unique(data.weights)) == {0.0, 1.0}
    assert 0.03 < (data.weights == 0).mean() < 0.05
    data = study.data.uneven_precision(4000, 2, size=6)
    depth = data.counts.sum() / data.counts.sum().mean()
    mu = np.outer(data.counts.mean(axis=1), depth)
    squares = (data.counts - mu) ** 2 / (mu + data.alpha[:, np.newaxis] * mu**2)
    some = data.null & (mu[:, 0] > 20)
    low, high = (squares.to_numpy()[some][mask[some]].mean() for mask in (data.weights < 0.4, data.weights > 0.8))
    assert 2.3 < low / high < 3.7  # the ratio of the weights, on average, is 0.9 / 0.3
    data = study.data.known_factors(2000, 2, size=3)
    np.testing.assert_allclose(np.log(data.factors).mean(axis=1), 0, atol=1e-12)
    logs = np.log(data.counts.to_numpy() + 0.5)[data.counts.mean(axis=1) > 500]
    expected = np.log(data.factors)[data.counts.mean(axis=1) > 500]
    assert np.corrcoef((logs - logs.mean(axis=1, keepdims=True)).ravel(), expected.ravel())[0, 1] > 0.6


def test_real_counts_keep_their_cell_lines_apart(study):
    data = study.data.thinned_airway(100, 3, treated=True)
    assert list(data.samples) == ["group", "cell", "dex"]
    assert (pd.crosstab(data.samples["group"], data.samples["dex"]) == 2).all(axis=None)
    assert study.data.thinned_airway(100, 3, treated=False).counts.shape == (100, 4)


def made_up(study, values):
    """Return the rates of methods in four data sets: each value is given or taken 0.004 from its number."""
    rows = {}
    for method, (fdr, power) in values.items():
        for seed, sign in enumerate((-1, 1, -1, 1), start=1):
            rates = {f"FDR at {level}": fdr * level / 0.05 + 0.004 * sign for level in study.here.LEVELS}
            rates |= {f"power at {level}": power for level in study.here.LEVELS}
            rates |= {f"null p < {level}": level for level in study.measures.NULL_LEVELS}
            rows[method, seed] = rates
    return study.measures.Measured(pd.DataFrame.from_dict(rows, orient="index"), pd.DataFrame())


def test_targets_and_reading(study):
    here = study.here
    good = made_up(study, {here.AVERAGED: (0.05, 0.5), "edgeR QL": (0.04, 0.4), "limma voom": (0.2, 0.9)})
    bad = made_up(study, {here.AVERAGED: (0.09, 0.3), here.TRUE_LRT: (0.05, 0.6), "edgeR QL": (0.04, 0.4)})
    like_true = made_up(study, {here.AVERAGED: (0.09, 0.3), here.TRUE_LRT: (0.09, 0.6)})
    others = made_up(study, {here.AVERAGED: (0.09, 0.3), here.TRUE_LRT: (0.05, 0.6)})
    found = {"3v3": good, "6v6": bad, "12v12": like_true, "3v3-fresh": others}
    assert study.targets.held(good.rates, "FDR at 0.05").within
    assert not study.targets.held(bad.rates, "FDR at 0.05").holds
    kept = study.targets.held(like_true.rates, "FDR at 0.05")
    assert (kept.within, kept.as_true) == (False, True)
    assert str(kept) == "9.00 ± 0.23, as true (9.00)"
    assert [each.level for each in study.targets.powers(good.rates, "limma voom")] == []
    assert [each.less for each in study.targets.powers(bad.rates, "edgeR QL")] == [True] * 3
    lines = study.targets.target_table(found)
    first, second, third, _ = (line for line in lines if re.match(r"\| \d+ v", line))
    assert "+10.0 ± 0.0; +10.0 ± 0.0; +10.0 ± 0.0 | above; above; above |" in first
    assert "**9.00 ± 0.23**" in second
    assert "**-10.0 ± 0.0**" in second
    assert "as true (9.00)" in third
    text = "\n".join(study.reading.reading(found))
    assert (
        "*averaged LRT* keeps the false discovery rate at all three levels in 2 of 3 scenarios. Above it: 6 v 6" in text
    )
    assert "*limma voom* keeps the false discovery rate at all three levels in 0 of 1 scenarios." in text
    assert "more in 3, less in 3, in percent points: 6 v 6 at 0.01 (-10.0)" in text
    assert "at the three levels: 3 v 3, other seeds, 1.8 ± 0.2 %, 9.0 ± 0.2 % and 18.0 ± 0.2 %." in text
    assert "At 0.05: 50.0 % beside 40.0 % (3 v 3) and 30.0 % beside 40.0 % (6 v 6)." in text


def test_what_is_above_its_level_is_bold(study):
    values = {"FDR at 0.01": [0.012, 0.02], "FDR at 0.05": [0.07, 0.08], "FDR at 0.1": [0.09, 0.1]}
    values |= {"power at 0.05": [0.9, 0.9], "null p < 0.05": [0.05, 0.05]}
    rows = pd.DataFrame(values, index=pd.MultiIndex.from_tuples([("Wald", seed) for seed in (1, 2)]))
    *_, line = study.report.rate_table(rows, 2)
    assert line == "| Wald | 1.60 ± 0.40 | **7.50** ± 0.50 | 9.50 ± 0.50 | 90.00 ± 0.00 | 5.00 ± 0.00 |"
    assert study.report.rate_table(rows, 20)[0] == "2 data sets."


def test_small_run_without_r(study, tmp_path):
    out, cache = tmp_path / "error_rates.md", tmp_path / "cache"
    slugs = ["3v3", "nested3", "cohort", "airway2v2", "6v6-threshold", "6v6-dropped", "3v3-factors"]
    some = ["--data-sets", "1", "--genes", "400", "--skip-r", "--cache", str(cache), "--scenarios", *slugs]
    study.error_rates.main([*some, "--out", str(out)])
    text = out.read_text(encoding="utf-8")
    assert max(len(line) for line in text.splitlines() if not line.startswith("|")) <= 120
    sections = dict(zip(*[iter(re.split(r"^## (.*)\n", text, flags=re.M)[1:])] * 2, strict=True))
    known, averaged = {study.here.TRUE, study.here.TRUE_LRT}, study.here.AVERAGED
    expected = {
        "3v3": {averaged, "Wald", "LRT", "Wald (t)"} | known,
        "nested3": {averaged, "Wald", "LRT", "Wald (t)"} | known,
        "cohort": {averaged, f"{averaged}, hidden factors", f"{averaged}, batch known", "Wald", "LRT"},
        "airway2v2": {averaged, "Wald", "LRT"},
        "6v6-threshold": {averaged, "Wald", study.here.TRUE},
        "6v6-dropped": {averaged, "Wald", "LRT"} | known,
        "3v3-factors": {averaged, "Wald", "LRT"} | known,
    }
    for slug, methods in expected.items():
        lines = [line for line in sections[study.scenarios.SCENARIOS[slug].title].splitlines() if line.startswith("|")]
        head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        table = pd.DataFrame(rows, columns=head).set_index("method")
        assert methods <= set(table.index)
        rates = table.apply(lambda column: column.str.strip("*").astype(float))
        assert rates.shape[1] == 9
        assert rates.ge(0).all(axis=None)
        assert rates.le(100).all(axis=None)
        assert rates["power at 0.1"].max() > 5
    assert "| 3 v 3 | Wald | 9" in sections["Intervals"]


def test_answers_are_taken_from_the_cache_and_made_again_on_demand(study, tmp_path):
    cache = study.cache.Cache(tmp_path, 100, 1)
    scenario = study.scenarios.SCENARIOS["3v3"]
    (first,) = cache.run_here([scenario], set())
    assert first.startswith("3v3 1: ")
    assert list(cache.run_here([scenario], set())) == []
    assert list(cache.run_here([scenario], {"Wald"})) == ["3v3 1: Wald"]


def test_adjusted_p_values_are_those_of_the_tables(study):
    scenario = study.scenarios.SCENARIOS["3v3"]
    fits = study.here.Fits(scenario.draw(1500, 1), scenario.reduced)
    for method, kind in {"Wald": "wald", study.here.AVERAGED: "averaged"}.items():
        answer = study.here.tested(method, scenario, fits)
        for level, padj in zip(study.here.LEVELS, answer.padj, strict=True):
            np.testing.assert_array_equal(padj, scenario.query(fits.usual()).test(kind, alpha=level).table["padj"])
    lrt = study.here.tested("LRT", scenario, fits)
    np.testing.assert_array_equal(lrt.padj[1], fits.reduced().results(alpha=0.05).table["padj"])


def test_r_gets_the_question_and_its_answers_are_read(study, tmp_path):
    cache, scenario = study.cache.Cache(tmp_path, 50, 6), study.scenarios.SCENARIOS["nested3"]
    data, folder = cache.draw(scenario, 1), cache.of(scenario, 1)
    study.there.write(folder, data, scenario)
    counts = np.fromfile(folder / "counts.bin", dtype="<i4").reshape(50, 48)
    np.testing.assert_array_equal(counts, data.counts)
    assert pd.read_csv(folder / "contrasts.csv", index_col=0).shape == (28, 3)
    assert pd.read_csv(folder / "model.csv", index_col=0).shape == (48, 28)
    lines = study.there.queue([(seed, cache.of(scenario, seed)) for seed in cache.seeds(scenario)])
    assert sum(line.startswith("edgeR\t") for line in lines) == 6
    assert sum(line.startswith("DESeq2\t") for line in lines) == study.there.DESEQ2_SETS
    table = pd.DataFrame({f"test|{name}": [0.1, np.nan] for name in ("pvalue", *study.here.LEVELS)})
    table.to_csv(folder / "edgeR.csv", index=False)
    (key, answer), *others = study.there.answers(folder).items()
    assert (key, others) == (("edgeR", "edgeR QL"), [])
    np.testing.assert_array_equal(answer.padj, [[0.1, np.nan]] * 3)
