"""Simulated studies with known truth, for tests, error rates and vignettes."""

from countnest.simulate.groups import groups
from countnest.simulate.nested import nested
from countnest.simulate.study import NestedStudy, SimulatedStudy

__all__ = ["NestedStudy", "SimulatedStudy", "groups", "nested"]
