"""Draw the figure of averaged_test.md from simulated studies: ``python docs/averaged_figure.py`` (two minutes)."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import countnest as cn

LEVELS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2)
SIZES = (3, 6, 12)
SEEDS = range(1, 21)
TESTS = {"Wald": ("Wald test", "#c44e52"), "averaged": ("averaged test", "#1f5a99")}


def rates(size: int, seed: int) -> dict[str, list[float]]:
    """Return, for each test, the share of false calls at each level, in one study of two groups."""
    study = cn.simulate.groups(genes=5000, sizes=(size, size), dispersion_sd=0.7, rng=seed)
    dds = cn.DESeqDataSet(study.counts, study.samples, design=study.design, quiet=True).deseq(quiet=True)
    null = study.truth["null_group"].to_numpy()
    found = {}
    for test in TESTS:
        called = [(dds.results(test=test, alpha=level).padj < level).to_numpy() for level in LEVELS]
        found[test] = [100 * (each & null).sum() / max(each.sum(), 1) for each in called]
    return found


def main() -> None:
    """Write ``averaged_test.png`` beside this file, with 64 colours to keep it small, and print the numbers."""
    figure, panels = plt.subplots(1, len(SIZES), figsize=(9, 3.4), sharey=True, layout="constrained")
    promised = 100 * np.array(LEVELS)
    for panel, size in zip(panels, SIZES, strict=True):
        drawn = [rates(size, seed) for seed in SEEDS]
        panel.plot([0, 22], [0, 22], color="#999999", linewidth=1, label="as promised")
        for test, (name, colour) in TESTS.items():
            each = np.array([one[test] for one in drawn])
            mean, error = each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(len(each))
            panel.errorbar(promised, mean, 2 * error, color=colour, marker="o", markersize=4, capsize=2, label=name)
            print(size, test, " ".join(f"{m:.1f} ± {e:.1f}" for m, e in zip(mean, error, strict=True)))
        panel.set(title=f"{size} samples a group", xlabel="promised, %", xlim=(0, 22), ylim=(0, 32))
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("false among the genes called, %")
    panels[0].legend(frameon=False, loc="upper left")
    file = Path(__file__).with_name("averaged_test.png")
    figure.savefig(file, dpi=110)
    Image.open(file).convert("RGB").quantize(64).save(file, optimize=True)


if __name__ == "__main__":
    main()
