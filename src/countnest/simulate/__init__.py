"""Simulated studies with known truth, for tests, error rates and vignettes."""

from countnest.simulate.groups import groups
from countnest.simulate.hidden import HiddenFactor
from countnest.simulate.nested import nested
from countnest.simulate.study import NestedStudy, SimulatedStudy
from countnest.simulate.thinning import ThinnedStudy, thinning

__all__ = ["HiddenFactor", "NestedStudy", "SimulatedStudy", "ThinnedStudy", "groups", "nested", "thinning"]
