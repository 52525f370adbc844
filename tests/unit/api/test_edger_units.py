"""edgeR's method gives the same answers whatever the units and the origin of numbers in the design."""

import warnings

import numpy as np
import pandas as pd

import countnest as cn
from countnest.errors import CountnestWarning

GENES, SAMPLES = 80, 8
GROUP = ["a"] * 4 + ["b"] * 4
AGE = np.array([21.0, 34.0, 47.0, 60.0, 25.0, 31.0, 52.0, 58.0])


def study():
    rng = np.random.default_rng(3)
    mean = np.exp2(rng.uniform(4.0, 10.0, (GENES, 1))) * np.ones(SAMPLES)
    mean[:10, 4:] *= 4.0
    mean[10:20] *= np.exp2((AGE - AGE.mean()) / 15.0)
    counts = rng.negative_binomial(10.0, 10.0 / (10.0 + mean))
    return pd.DataFrame(counts, [f"g{i}" for i in range(GENES)], [f"s{j}" for j in range(SAMPLES)])


def fitted(age, **options):
    counts = study()
    sheet = pd.DataFrame({"group": GROUP, "age": age}, index=counts.columns)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=CountnestWarning, message=".*(integer|larger than 5|nearly).*")
        dds = cn.DESeqDataSet(counts, sheet, design="~ group + age", reference={"group": "a"})
        return cn.edger(dds, filter=False, quiet=True, **options)


def test_numbers_are_fitted_alike_in_all_units_and_from_all_origins():
    for options in ({}, {"test": "lrt"}, {"legacy": True}):
        first = fitted(AGE, **options)
        group, age = (first.contrast(name).test(fit="edger") for name in ("group_b_vs_a", "age"))
        assert (group["padj"].iloc[:10] < 0.05).all()
        assert (age["padj"].iloc[10:20] < 0.05).sum() >= 8
        for unit, origin in ((1e-9, 0.0), (1e-4, 0.0), (1e5, 0.0), (1e9, 0.0), (3600.0, 1.7e9)):
            other = fitted(AGE * unit + origin, **options)
            for name, expected, scale in (("group_b_vs_a", group, 1.0), ("age", age, unit)):
                found = other.contrast(name).test(fit="edger")
                log_p = np.log10(found["pvalue"]), np.log10(expected["pvalue"])
                np.testing.assert_allclose(*log_p, rtol=1e-4, atol=1e-4, err_msg=f"{options} {unit} {name}")
                for column in ("log2FoldChange", "lfcSE"):
                    pair = found[column] * scale, expected[column]
                    np.testing.assert_allclose(*pair, rtol=1e-3, atol=1e-5, err_msg=f"{options} {unit} {column}")


def test_thresholds_of_slopes_are_in_the_units_of_the_number():
    expected = cn.glm_treat(fitted(AGE), coef="age", lfc=0.02)["pvalue"]
    found = cn.glm_treat(fitted(AGE * 1e-9), coef="age", lfc=0.02e9)["pvalue"]
    np.testing.assert_allclose(np.log10(found), np.log10(expected), rtol=1e-4, atol=1e-4)
