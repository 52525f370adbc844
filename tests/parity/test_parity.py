"""DESeq2's numbers, from counts to adjusted p-values: missing values first, then sizes within named tolerances.

Nothing is put in the way of a fit: every quantity of every data set comes from the counts. A difference is allowed for
genes that are named, with their reason: those that rounding decides (`reference.movements`), and those that DESeq2 left
to its quasi-Newton search (`quantities.KINDS`).
"""

import catalogue
import numpy as np
import pytest
import reference
import runs

JUMPING = [name for name in reference.NAMES if reference.jumping_genes(name)]
# A trend that has jumped moves some fold changes a few times as far as itself.
BEYOND_TREND = 5
# Sets of genes may gain or lose one at their edge, and far smaller changes decide where the search of apeglm ends.
NOT_SMOOTH = ("padj < alpha", "filter threshold", "classes", "apeglm", "s-value")


def comparisons(run):
    return [(quantity, quantity.measure(run)) for quantity in catalogue.quantities(run.truth.name)]


@pytest.mark.parametrize("name", reference.NAMES)
def test_every_number_is_that_of_deseq2(run_of, name):
    found = comparisons(run_of(name))
    failed = [one.message() for _, one in found if not one.passed]
    assert not failed, "\n".join([f"{len(failed)} of {len(found)} quantities:", *failed])


def test_nothing_of_the_reference_is_left_out():
    every = {name: catalogue.quantities(name) for name in reference.NAMES}
    assert sum(map(len, every.values())) > 1850
    for name, quantities in every.items():
        assert len(quantities) > 50, name
        assert len({quantity.label for quantity in quantities}) == len(quantities), name
        named = " ".join(quantity.name for quantity in quantities)
        assert [table for table in reference.table_columns(name) if "results" in table and table not in named] == []


@pytest.mark.parametrize("name", JUMPING)
def test_samples_as_given_differ_by_the_trend_that_rounding_moves(run_of, name):
    """The trend moves as far in DESeq2 when its samples come in another order."""
    run = runs.Run(name, as_given=True)
    if run_of(name).order.equals(run.order):
        pytest.skip("rounding decides as in DESeq2, so that this is the fit of the test above")
    found = [
        one for quantity, one in comparisons(run) if quantity.kind == "ordinary" and quantity.group not in NOT_SMOOTH
    ]
    limit = BEYOND_TREND * reference.trend_movement(name)
    failed = [one.message() for one in found if not one.same_missing or (one.outside > limit).any()]
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("name", reference.CASES)
def test_coefficients_have_the_names_of_deseq2(run_of, name):
    run = run_of(name)
    assert list(run.wald.results_names()) == run.truth.coefficients


@pytest.mark.parametrize("name", reference.NAMES)
def test_formula_gives_the_model_matrix_of_r(run_of, name):
    run = run_of(name)
    design = run.dataset(run.truth.formula).design
    np.testing.assert_allclose(
        design.matrix, run.truth.design_matrix.loc[run.order_for(run.truth.formula)].astype(float), rtol=1e-15
    )
