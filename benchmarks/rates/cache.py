"""Answers and data sets in a folder, so that runs can be taken up again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rates import here, there
from rates.data import Data
from rates.here import Answer
from rates.scenarios import Scenario

__all__ = ["HERE", "Cache", "Key"]

HERE = "countnest"
FEW = 5  # data sets of each scenario are run before the next ones
Key = tuple[str, str]  # program and method


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder, and what its data sets are.

    Attributes
    ----------
    folder
        Has a folder for each scenario, which has one for each seed.
    genes
        Number of genes of a data set.
    data_sets
        Number of data sets of a scenario at most.
    """

    folder: Path
    genes: int
    data_sets: int

    def seeds(self, scenario: Scenario) -> range:
        """Return the seeds of a scenario."""
        return range(1, min(self.data_sets, scenario.data_sets) + 1)

    def of(self, scenario: Scenario, seed: int) -> Path:
        """Return the folder of a data set."""
        return self.folder / scenario.slug / str(seed)

    def draw(self, scenario: Scenario, seed: int) -> Data:
        """Draw a data set."""
        return scenario.draw(self.genes, seed)

    def run_r(self, scenarios: list[Scenario]) -> None:
        """Run R's methods: the first data sets of all scenarios, then the next ones, and DESeq2 last."""
        found = [(seed, scenario) for scenario in scenarios if scenario.in_r for seed in self.seeds(scenario)]
        found.sort(key=lambda each: (each[0] - 1) // FEW)
        for seed, scenario in found:
            if not there.is_written(self.of(scenario, seed)):
                there.write(self.of(scenario, seed), self.draw(scenario, seed), scenario)
        there.run(there.queue([(seed, self.of(scenario, seed)) for seed, scenario in found]), self.folder)

    def run_here(self, scenarios: list[Scenario], again: set[str]) -> Iterator[str]:
        """Run the methods of countnest that have no answer yet, or are to be run again; yield what was done."""
        for scenario in scenarios:
            for seed in self.seeds(scenario):
                done = self._run_here(scenario, seed, again)
                if done:
                    yield f"{scenario.slug} {seed}: {', '.join(done)}"

    def _run_here(self, scenario: Scenario, seed: int, again: set[str]) -> list[str]:
        files = {name: self._file(scenario, seed, name) for name in here.METHODS}
        missing = [name for name, path in files.items() if name in again or not path.exists()]
        if not missing:
            return []
        data = self.draw(scenario, seed)
        fits, done = here.Fits(data, scenario.reduced), []
        for name in missing:
            if here.offered(name, scenario, data, fits):
                save(here.tested(name, scenario, fits), files[name])
                done.append(name)
        return done

    def answers(self, scenario: Scenario, seed: int) -> dict[Key, Answer]:
        """Return the answers that there are for a data set, by program and method."""
        files = {name: self._file(scenario, seed, name) for name in here.METHODS}
        found: dict[Key, Answer] = {(HERE, name): load(path) for name, path in files.items() if path.exists()}
        if scenario.in_r:
            found |= there.answers(self.of(scenario, seed))
        return found

    def version(self) -> str:
        """Return the versions of R's packages; empty if they were not run."""
        path = self.folder / there.VERSIONS
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def _file(self, scenario: Scenario, seed: int, method: str) -> Path:
        return self.of(scenario, seed) / f"{re.sub(r'[^a-z]+', '-', method.lower()).strip('-')}.npz"


def save(answer: Answer, path: Path) -> None:
    """Write an answer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {name: getattr(answer, name) for name in ("pvalue", "padj", "low", "high")}
    np.savez_compressed(path, **{name: values for name, values in given.items() if values is not None})


def load(path: Path) -> Answer:
    """Read an answer."""
    with np.load(path) as file:
        return Answer(**file)
