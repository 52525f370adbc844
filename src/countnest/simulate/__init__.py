"""Simulated studies of which the truth is known, for tests, for error rates and for the vignettes."""

from countnest.simulate.groups import groups
from countnest.simulate.nested import nested
from countnest.simulate.study import NestedStudy, SimulatedStudy

__all__ = ["NestedStudy", "SimulatedStudy", "groups", "nested"]
