"""Answers in a folder, so that runs can be taken up again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mixed.methods import METHODS, Answer, Studied, answered
from mixed.studies import Scenario, Study

__all__ = ["Cache"]


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder, and what its studies are.

    Attributes
    ----------
    folder
        Has a folder for each scenario, which has one for each seed.
    genes
        Number of genes of a study.
    studies
        Number of studies of a scenario at most.
    first
        The first seed.
    methods
        Which methods answer.
    """

    folder: Path
    genes: int
    studies: int
    first: int = 1
    methods: tuple[str, ...] = tuple(METHODS)

    def seeds(self, scenario: Scenario) -> range:
        """Return the seeds of a scenario."""
        return range(self.first, self.first + min(self.studies, scenario.studies))

    def draw(self, scenario: Scenario, seed: int) -> Study:
        """Draw a study."""
        return scenario.draw(self.genes, seed)

    def run(self, scenarios: list[Scenario], again: set[str]) -> Iterator[str]:
        """Run the methods that have no answer yet, or are to be run again; yield what was done.

        All scenarios have a study before any has the next one.
        """
        for seed in range(self.first, self.first + self.studies):
            for scenario in (each for each in scenarios if seed in self.seeds(each)):
                before = time.process_time()
                done = self._run(scenario, seed, again)
                if done:
                    yield f"{scenario.slug} {seed}: {done} methods in {time.process_time() - before:.1f} s of CPU"

    def _run(self, scenario: Scenario, seed: int, again: set[str]) -> int:
        files = {name: self._file(scenario, seed, name) for name in self.methods}
        missing = [name for name, path in files.items() if name in again or not path.exists()]
        if missing:
            studied = Studied(self.draw(scenario, seed))
            for name in missing:
                answer = answered(METHODS[name], studied)
                files[name].parent.mkdir(parents=True, exist_ok=True)
                np.savez_compressed(files[name], pvalue=answer.pvalue, padj=answer.padj)
        return len(missing)

    def done(self, scenario: Scenario) -> int:
        """Return the number of studies of a scenario that all methods have answered."""
        return sum(self.is_done(scenario, seed) for seed in self.seeds(scenario))

    def is_done(self, scenario: Scenario, seed: int) -> bool:
        """Return whether all methods have answered a study."""
        return all(self._file(scenario, seed, name).exists() for name in self.methods)

    def answers(self, scenario: Scenario, seed: int) -> dict[str, Answer]:
        """Return the answers that there are for a study, by method."""
        files = {name: self._file(scenario, seed, name) for name in self.methods}
        return {name: _load(path) for name, path in files.items() if path.exists()}

    def _file(self, scenario: Scenario, seed: int, method: str) -> Path:
        name = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-")
        return self.folder / scenario.slug / str(seed) / f"{name}.npz"


def _load(path: Path) -> Answer:
    with np.load(path) as file:
        return Answer(**file)
