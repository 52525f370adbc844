"""Figures as files, in the format that the name says."""

import matplotlib.image
import numpy as np
from matplotlib.figure import Figure

from countnest.plots.saving import save_figure


def drawn():
    figure = Figure(figsize=(2.0, 1.0))
    figure.add_subplot().scatter(np.arange(9.0), np.arange(9.0), rasterized=True)
    return figure


def test_the_ending_decides_the_format(tmp_path):
    starts = {"a.png": b"\x89PNG", "a.PNG": b"\x89PNG", "a.pdf": b"%PDF", "a.svg": b"<?xml"}
    for name, start in starts.items():
        save_figure(drawn(), tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start), name


def test_a_png_has_the_same_picture_at_any_level_of_compression(tmp_path):
    save_figure(drawn(), tmp_path / "a.png")
    drawn().savefig(tmp_path / "b.png", dpi=200, pil_kwargs={"compress_level": 9})
    found = matplotlib.image.imread(tmp_path / "a.png")
    assert found.shape == (200, 400, 4)
    np.testing.assert_array_equal(found, matplotlib.image.imread(tmp_path / "b.png"))
