"""Levels that name a control."""

from studies import sheet

from countnest.design.levels.controls import control_levels
from countnest.design.samples import prepare_samples

CONTROLS = (
    "control|Control|ctrl|ctl|CTRL_2|control2|siCtrl|shControl|untreated|untrt|unstim|unstimulated|uninfected|none",
    "mock-infected|no_treatment|not treated|non-treated|vehicle|veh|mock|DMSO|dmso_24h|placebo|sham|Sham-op|PBS|saline",
    "scramble|scr|siScr|NT|EV|empty.vector|non-targeting|WT|wt|wildtype|wild-type|wild type|WildType|parental|naive",
    "normal|healthy|normoxia|pre|pre-treatment|before|baseline|0|0.0|0h|0hr|0 min|0uM|0\N{MICRO SIGN}M|0%|0ng/ml|t0",
    "T0|day0|Day_0|d0|time0|week0|dose 0|siA 0h",
)
OTHERS = (
    "trt|treated|KO|WT1|EV71|post|after|0.5uM|10|10h|day10|t10|abnormal|non-healthy|not control|E0x2|infected|tumor",
    "disease|scrib|prefrontal|nonet|evening|hypoxia|ntrk1|vehicular|T2|unity|0.5",
)


def test_words_that_name_a_control():
    controls, others = "|".join(CONTROLS).split("|"), "|".join(OTHERS).split("|")
    assert control_levels(controls) == controls
    assert control_levels(others) == []


def test_a_control_that_is_not_the_reference_is_reported():
    for control, other in (("wild type", "KO"), ("pre", "post"), ("mock", "infected"), ("0h", "-2h"), ("normal", "A")):
        samples = sheet(g=[other, control, other, control])
        (found,) = prepare_samples(samples, ["g"]).warnings
        assert f"'{control}', which is not the reference level" in found
    assert prepare_samples(sheet(g=["mock", "infected"]), ["g"], reference={"g": "infected"}).warnings == ()
