import numpy as np
from matplotlib.text import Text

from countnest.plots.agreement import Points, draw_agreement


def drawn(x, y, panel, labels=None, is_clipped=False, names=("one", "two")):
    nothing = np.zeros(len(x), dtype=bool)
    calls = {"both": ~nothing, "only first": nothing, "only second": nothing, "neither": nothing}
    return draw_agreement(Points(x, y, names, calls, labels or {}, is_clipped), panel, "title", None).axes[0]


def test_axes_of_p_values_are_alike_unless_one_reaches_much_further():
    x = np.array([1.0, 1e-3, 1e-9])
    near = drawn(x, np.array([1.0, 1e-2, 1e-20]), "pvalues")
    assert near.get_xlim() == near.get_ylim()
    far = drawn(x, np.array([1.0, 1e-2, 1e-150]), "pvalues")
    assert far.get_xlim()[1] < 10.0
    assert far.get_ylim()[1] > 150.0


def test_triangles_at_the_border_point_outwards():
    x, y = np.random.default_rng(1).uniform(-1.0, 1.0, (2, 5000))
    x[:2], y[2:4] = (40.0, -40.0), (30.0, -30.0)
    ax = drawn(x, y, "changes", is_clipped=True)
    single = [each for each in ax.collections if len(each.get_offsets()) == 1]
    assert len(single) == 4
    for each in single:
        place = np.asarray(each.get_offsets())[0]
        axis = int(np.argmax(np.abs(place)))  # the border that it stands at
        along = np.unique(np.round(each.get_paths()[0].vertices[:3, axis], 6))
        tip = along[np.argmax([np.isclose(each.get_paths()[0].vertices[:3, axis], one).sum() == 1 for one in along])]
        assert np.sign(tip - along.mean()) == np.sign(place[axis])


def test_names_do_not_overlap():
    x = np.random.default_rng(2).normal(0.0, 1.0, 300)
    ax = drawn(x, x, "changes", {k: f"ENSG000001{k:04d}" for k in range(12)})
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without the lines to the points
    assert len(boxes) == 12
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_a_legend_of_long_names_stays_in_the_figure():
    x = np.linspace(-2.0, 2.0, 50)
    ax = drawn(x, x, "changes", names=("limma voom with weights of samples", "DESeq2 with hidden factors, averaged"))
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().x1 <= ax.figure.bbox.x1
