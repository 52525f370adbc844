import itertools

import numpy as np

from countnest.plots.categories import GroupAxis, colour_of, shortened
from countnest.plots.figure import PALETTE, new_axes


def overlap(ax):
    """Return whether the names below an axis overlap; slanted ones do not where their ends are far enough apart."""
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.get_xticklabels()]
    if ax.get_xticklabels()[0].get_rotation() == 0.0:
        return any(a.x1 > b.x0 for a, b in itertools.pairwise(boxes))
    letters = 1.4 * ax.get_xticklabels()[0].get_fontsize() * ax.figure.dpi / 72.0
    return any(b.x1 - a.x1 < letters / np.sqrt(2.0) for a, b in itertools.pairwise(boxes))


def drawn(names, least=0.6):
    axis = GroupAxis(names, least)
    ax = new_axes(*axis.size())
    ax.set_xlim(-0.6, len(names) - 0.4)
    axis.write(ax, np.arange(len(names), dtype=float), is_new=True)
    return ax


def test_names_never_overlap_and_stay_inside_the_figure():
    for names in (
        ["a", "b"],
        [f"group {i}" for i in range(8)],
        [f"a rather long name of group number {i}" for i in range(13)],
        ["one name of a length that fits no axis at all, whatever is done about it", "b", "c"] * 3,
        [f"vehicle control\nspring {i}" for i in range(10)],
    ):
        ax = drawn(names)
        assert not overlap(ax)
        low, high = ax.figure.bbox.extents[:2], ax.figure.bbox.extents[2:]
        for text in ax.get_xticklabels():
            box = text.get_window_extent()
            assert (box.extents[:2] >= low - 2).all()
            assert (box.extents[2:] <= high + 2).all()


def test_names_that_fit_are_level_and_others_slanted_in_one_line():
    assert drawn(["b\nx", "b\ny"]).get_xticklabels()[0].get_text() == "b\nx"
    slanted = drawn([f"vehicle control {i}\nspring" for i in range(12)]).get_xticklabels()[0]
    assert (slanted.get_text(), slanted.get_rotation()) == ("vehicle control 0, spring", 45.0)


def test_given_axes_decide_whether_names_fit():
    axis = GroupAxis([f"group {i}" for i in range(8)])
    narrow = new_axes(3.0, 3.0)
    axis.write(narrow, np.arange(8.0), is_new=False)
    assert narrow.get_xticklabels()[0].get_rotation() == 45.0


def test_long_names_lose_their_middle_unless_they_would_be_alike():
    first, second = "a" * 30 + "_treated_" + "b" * 30, "a" * 30 + "_control_" + "c" * 30
    short = shortened([first, second])
    assert [len(name) for name in short] == [40, 40]
    assert short[0] == "a" * 26 + "…" + "b" * 13
    alike = [f"{'a' * 30}{k}{'b' * 30}" for k in range(3)]
    assert shortened(alike) == alike


def test_colours_are_those_of_the_palette_again_and_again():
    assert [colour_of(place) for place in range(7)] == [*PALETTE, PALETTE[0]]
