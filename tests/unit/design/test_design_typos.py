"""Levels that are meant to be the same, and words for a missing value."""

import pandas as pd
import pytest
from studies import sheet

from countnest.design.build import build_design
from countnest.design.levels.typos import seen, spelled, typo_warnings
from countnest.design.samples import prepare_samples
from countnest.errors import SamplesError

SAME = {
    "trt": [
        " trt", "trt ", "trt\t", "Trt", "TRT", "t\u200brt", "trt\ufeff", "\u00a0trt", "t\u00adrt", "trt\u2060",
        "\uff54rt", "t\u200drt", "t\u202ert", "trt\ufe0f", "trt\x00",
    ],
    "cop": ["\u0441op", "c\u043ep", "co\u0440", "\u0421op", "c\u03bfp", "co\u03c1"],
    "wild type": ["wild  type", "wild\u00a0type", "wild\u3000type", "Wild type"],
    "day-1": ["day\u20131", "day\u22121", "day\u20101"],
    "5uM": ["5\u00b5M", "5\u03bcM"],
    "caf\u00e9": ["cafe\u0301"],
}  # fmt: skip
DIFFERENT = [
    ("CD4+", "CD4-"), ("<50", ">50"), ("a b", "a_b"), ("wildtype", "wild type"), ("trt", "trt2"), ("e", "\u00e9"),
    ("ER\u03b1", "ER\u03b2"), ("I", "l"), ("O", "0"), ("None", "E"),
]  # fmt: skip


def found(**levels):
    """Return the warnings about levels with so many samples each."""
    names = {level: list(range(count)) for level, count in levels.items()}
    return typo_warnings(names, "g")


def test_levels_that_look_the_same_are_refused():
    for level, others in SAME.items():
        for other in others:
            with pytest.raises(SamplesError, match="levels of 'g' differ only in") as caught:
                build_design("~ g", sheet(g=[level, level, other, "x", "x"]))
            message = str(caught.value)
            assert "s2" in message, message
            assert message.isprintable() or any(c.isspace() for c in other)
            assert all(c.isascii() for c in message) or level == "caf\u00e9", message


def test_the_remedy_works():
    for level, others in SAME.items():
        samples = sheet(g=[level, level, others[0], "x", "x"])
        with pytest.raises(SamplesError) as caught:
            build_design("~ g", samples)
        line = str(caught.value).partition("If they are the same: ")[2].partition("). If they")[0] + ")"
        exec(line, {"samples": samples})
        assert set(samples["g"]) == {level, "x"}


def test_levels_that_differ_in_signs_or_accents_are_no_slip():
    for pair in DIFFERENT:
        prepared = prepare_samples(sheet(g=[*pair, *pair]), ["g"])
        assert set(prepared.levels["g"]) == set(pair)


def test_the_message_names_samples_characters_and_ways_out():
    with pytest.raises(SamplesError) as caught:
        build_design("~ g", sheet(g=["trt", "trt", "tr\u200bt", " trt ", "Trt", "\u0442rt", "\u0441trl", "ctrl"]))
    message = str(caught.value)
    assert "differ only in invisible characters or spaces or capital letters" in message
    assert "'tr<ZERO WIDTH SPACE>t' ('s2')" in message
    assert "' trt ' ('s3')" in message
    assert "'<CYRILLIC SMALL LETTER ES>trl' ('s6') and 'ctrl' ('s7')" in message
    assert "samples['g'] = samples['g'].replace({'tr\\u200bt': 'trt', ' trt ': 'trt', 'Trt': 'trt'" in message


def test_genotypes_that_differ_in_capital_letters_can_be_named():
    samples = sheet(g=["AA", "Aa", "aa"] * 2)
    with pytest.raises(
        SamplesError, match=r"only in capital letters.*If they are different.*levels=\{'g': \[\.\.\.\]\}"
    ):
        build_design("~ g", samples)
    assert build_design("~ g", samples, levels={"g": ["AA", "Aa", "aa"]}).levels == {"g": ("AA", "Aa", "aa")}
    hidden = sheet(g=["a", "a\u200b"] * 2)
    with pytest.raises(SamplesError, match="invisible"):
        build_design("~ g", hidden, levels={"g": ["a", "a\u200b"]})


def test_text_inside_of_functions_is_looked_at_too():
    with pytest.raises(SamplesError, match="differ only in spaces"):
        prepare_samples(sheet(g=["a", "a ", "b"]), ["g"], computed={"g"})


def test_empty_categories_are_no_slip():
    samples = sheet(g=pd.Categorical(["a", "b", "a"], categories=["a", "A", "b"]))
    assert prepare_samples(samples, ["g"]).levels == {"g": ("a", "b")}


def test_what_is_invisible_only_is_missing():
    for blank in ("\u200b", "\u00a0", "\u3164"):
        with pytest.raises(SamplesError, match="'g' has no value in 1 of 3 samples"):
            prepare_samples(sheet(g=["a", blank, "b"]), ["g"])


def test_words_for_a_missing_value_are_reported():
    for word in ("NA", "nan", "n/a", "N/A", "#N/A", "<NA>", "-", "?", "missing", "Unknown", "not available"):
        (warning,) = prepare_samples(sheet(g=["a", "b", word, "b", "a", word]), ["g"], reference={"g": "a"}).warnings
        assert f"look like missing values and are fitted as groups: '{word}' in 2 samples" in warning
        assert f".isin([{word!r}])" in warning
    (lone,) = found(**{"a": 3, "b": 3, "None": 1})
    assert "'None' in 1 sample" in lone
    for levels in (
        {"None": 2, "E": 2},
        {"None": 1, "E": 2},
        {"None": 4, "E": 2, "F": 2},
        {"+": 2, "-": 2},
        {"Na": 2, "K": 2},
    ):
        assert found(**levels) == [], levels


def test_a_level_that_may_be_misspelt_is_reported():
    for good, slip in [("control", "contrl"), ("control", "controll"), ("control", "cnotrol"), ("treated", "traeted"),
                       ("siControl_1", "siContral_1"), ("CTRL", "CTRK"), ("trt", "trrt")]:  # fmt: skip
        (warning,) = found(**{good: 3, slip: 1, "other": 3})
        assert f"the level '{slip}' of 'g' has one sample, '0', and differs from '{good}' by one letter" in warning
    for levels in (
        {"control": 3, "contrl": 2, "other": 3},  # two samples
        {"trt1": 3, "trt2": 1, "ctrl": 3},  # a digit
        {"cellA": 3, "cellB": 1, "other": 3},  # an initial
        {"KO": 3, "KI": 1, "WT": 3},
        {"Smith": 1, "Smyth": 1, "Meyer": 1, "Mayer": 2},  # one sample of each
        {"CD4+": 3, "CD4-": 1, "other": 3},
        {"treated": 3, "untreated": 1, "other": 3},
    ):
        assert found(**levels) == [], levels


def test_numbers_written_in_two_ways_are_reported():
    pairs = [("5", "5.0"), ("05min", "5min"), ("1e-3", "0.001"), ("5 uM", "5uM"), ("1,000", "1000"), ("0,5", "0.50")]
    for pair in pairs:
        (warning,) = found(**{pair[0]: 2, pair[1]: 2, "other": 2})
        assert "the same number written in different ways" in warning
        assert all(f"'{level}'" in warning for level in pair)
    assert found(**{"5": 2, "50": 2, "1.1": 2}) == []
    for pair in (("0,5", "0,05"), ("v1.1", "v1.10"), ("1_10", "110"), ("5-9", "59")):
        assert found(**{pair[0]: 2, pair[1]: 2, "other": 2}) == []


def test_what_is_seen_and_how_it_is_spelled():
    assert seen(" Wild\u00a0 type\u200b ") == "Wild type"
    assert spelled("a\u00a0b\u200b") == "a<NO-BREAK SPACE>b<ZERO WIDTH SPACE>"
    assert spelled("\x00") == "<U+0000>"
