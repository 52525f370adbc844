"""DESeq2's numbers, quantity by quantity: missing values first, then sizes within named tolerances."""

import pytest
import quantities
import reference

CHECKS = [
    pytest.param(name, quantity, id=f"{name}-{quantity.name}")
    for name in reference.NAMES
    if name not in quantities.SKIPPED
    for quantity in quantities.quantities(name)
]


@pytest.mark.parametrize(("name", "quantity"), CHECKS)
def test_quantity_is_that_of_deseq2(run_of, name, quantity):
    found = quantity.measure(run_of(name))
    assert found.same_missing, found.message()
    assert found.outside.empty, found.message()


@pytest.mark.parametrize("name", sorted(quantities.SKIPPED))
def test_data_set_that_cannot_be_run_yet(name):
    pytest.skip(quantities.SKIPPED[name])


@pytest.mark.parametrize("name", [name for name in reference.CASES if name not in quantities.SKIPPED])
def test_coefficients_have_the_names_of_deseq2(run_of, name):
    run = run_of(name)
    assert list(run.wald.results_names()) == run.truth.coefficients
