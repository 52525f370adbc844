"""Results removed from a data set."""

import pandas as pd
import pytest

import countnest as cn
from countnest.api.removal import remove_results
from countnest.errors import MissingStepError
from unit.api.simulated import study


@pytest.fixture
def dds():
    return cn.DESeqDataSet(*study(), design="~ batch + group")


def test_the_fit_goes_and_the_dispersions_stay(dds):
    dds.deseq(quiet=True)
    before, table = dds.genes, dds.results().table
    assert remove_results(dds) is dds
    with pytest.raises(MissingStepError):
        dds.results()
    left = [name for name in before if not name.startswith(("Intercept", "group", "batch", "SE_", "Wald", "beta"))]
    assert "maxCooks" in left
    left = [name for name in left if name not in ("maxCooks", "deviance")]
    pd.testing.assert_frame_equal(dds.genes, before[left])
    pd.testing.assert_frame_equal(dds.nbinom_wald_test(quiet=True).results().table, table)


def test_without_results_nothing_happens(dds):
    assert remove_results(dds) is dds
    dds.estimate_size_factors()
    factors = dds.size_factors
    pd.testing.assert_series_equal(remove_results(dds).size_factors, factors)
