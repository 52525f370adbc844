import pandas as pd
import pytest

from countnest.design.individuals import renest
from countnest.errors import SamplesError

SAMPLES = pd.DataFrame(
    {"family": ["f9", "f9", "f2", "f5", "f5", "f1"], "treat1": list("AAABBB"), "site": list("xxyxxy")},
    index=[f"s{i}" for i in range(6)],
)


def test_families_are_numbered_in_order_of_appearance():
    labels = renest(SAMPLES, "family", within="treat1")
    assert labels.tolist() == ["1", "1", "2", "1", "1", "2"]
    assert labels.name == "family"
    assert labels.index.equals(SAMPLES.index)


def test_several_parents_and_numbers():
    assert renest(SAMPLES, "family", within=["treat1", "site"]).tolist() == ["1"] * 6
    assert renest(SAMPLES.assign(family=[30, 30, 4, 7, 7, 8]), "family", within="treat1").tolist() == list("112112")


def test_refusals():
    with pytest.raises(SamplesError, match="'family' is not nested in 'treat1': 'f9' occurs in"):
        renest(SAMPLES.assign(family=["f9", "f9", "f2", "f9", "f5", "f1"]), "family", within="treat1")
    with pytest.raises(SamplesError, match=r"'famly' is not a column.*Did you mean 'family'"):
        renest(SAMPLES, "famly", within="treat1")
    with pytest.raises(SamplesError, match="'treat1' has missing values"):
        renest(SAMPLES.assign(treat1=["A", None, "A", "B", "B", "B"]), "family", within="treat1")
