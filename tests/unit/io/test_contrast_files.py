"""Files of contrasts in the forms of nf-core/differentialabundance."""

import re

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import ContrastError, CountnestWarning, FileError, FormulaError, OptionError, SamplesError

SAMPLES = pd.DataFrame(
    {
        "genotype": ["WT"] * 4 + ["KO"] * 4,
        "treatment": ["Control", "Control", "Treated", "Treated"] * 2,
        "time": [1, 16] * 4,
        "batch": [1, 2, 10, 2, 1, 10, 2, 10],
        "use": ["yes"] * 7 + ["no"],
    },
    index=[f"s{i}" for i in range(8)],
)
TABLE = """id,variable,reference,target,blocking,exclude_samples_col,exclude_samples_values
plain,treatment,Control,Treated,,,
blocked,treatment,Control,Treated,batch;genotype,,
fewer,genotype,WT,KO,NA,use,no;maybe
"""
YAML = """
contrasts:
  - id: plain
    comparison: ["treatment", "Control", "Treated"]
  - id: blocked
    comparison: [treatment, Control, Treated]
    blocking_factors: [batch, genotype]
  - id: fewer
    comparison: [genotype, WT, KO]
    exclude_samples_col: use
    exclude_samples_values: [no, maybe]
    blocking_factors:
  - id: interaction
    formula: "~ genotype * treatment"
    make_contrasts_str: "genotypeWT.treatmentTreated"
  - id: cells
    formula: "~ 0 + treatment"
    make_contrasts_str: "treatmentTreated - treatmentControl"
"""


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_table_and_yaml_say_the_same(tmp_path):
    pytest.importorskip("yaml")
    table = cn.read_contrasts(written(tmp_path, "a.csv", TABLE), SAMPLES)
    yaml = cn.read_contrasts(written(tmp_path, "a.yaml", YAML), SAMPLES)
    tabs = cn.read_contrasts(written(tmp_path, "a.tsv", TABLE.replace(",", "\t")), SAMPLES)
    assert table == yaml[:3] == tabs
    plain, blocked, fewer = table
    assert (plain.design, plain.contrast) == ("~ treatment", ("treatment", "Treated", "Control"))
    assert (blocked.design, blocked.blocking) == ("~ batch + genotype + treatment", ("batch", "genotype"))
    assert plain.kept(SAMPLES) == list(SAMPLES.index)
    assert fewer.kept(SAMPLES) == [f"s{i}" for i in range(7)]


def test_columns_of_numbers_are_factors_unless_a_formula_is_given(tmp_path):
    pytest.importorskip("yaml")
    blocked = cn.read_contrasts(written(tmp_path, "a.csv", TABLE), SAMPLES)[1]
    assert blocked.coding(SAMPLES) == {"reference": {"treatment": "Control"}, "levels": {"batch": ["1", "2", "10"]}}
    numbers = "id,variable,reference,target\ntime,time,1,16\n"
    (time,) = cn.read_contrasts(written(tmp_path, "b.csv", numbers), SAMPLES)
    assert time.coding(SAMPLES) == {"reference": {"time": "1"}, "levels": {"time": ["1", "16"]}}
    assert cn.read_contrasts(written(tmp_path, "a.yaml", YAML))[3].coding(SAMPLES) == {}


def counts():
    values = np.random.default_rng(1).negative_binomial(5, 0.05, (60, len(SAMPLES)))
    return pd.DataFrame(values, index=[f"g{i}" for i in range(60)], columns=SAMPLES.index)


def weights(each):
    """Return the weights of the coefficients that a contrast has in its own model, by name."""
    dds = cn.DESeqDataSet(counts(), SAMPLES, design=each.design, quiet=True, **each.coding(SAMPLES))
    row = dds.contrast(each.contrast).matrix[0]
    return {name: weight for name, weight in zip(dds.results_names(), row, strict=True) if weight}


@pytest.mark.filterwarnings("ignore::countnest.errors.CountnestWarning")
def test_the_language_of_limma_names_coefficients(tmp_path):
    pytest.importorskip("yaml")
    listed = cn.read_contrasts(written(tmp_path, "a.yml", YAML), SAMPLES)
    assert weights(listed[0]) == {"treatment_Treated_vs_Control": 1.0}
    assert weights(listed[1]) == {"treatment_Treated_vs_Control": 1.0}
    assert weights(listed[3]) == {"genotypeWT.treatmentTreated": 1.0}
    assert weights(listed[4]) == {"treatmentTreated": 1.0, "treatmentControl": -1.0}
    one = "contrasts:\n- {id: a, formula: ~ treatment, make_contrasts_str: X.Intercept. + treatmentTreated / 2}\n"
    (sum_,) = cn.read_contrasts(written(tmp_path, "b.yaml", one), SAMPLES)
    assert weights(sum_) == {"Intercept": 1.0, "treatment_Treated_vs_Control": 0.5}


def test_a_table_without_ids_names_contrasts_by_what_they_compare(tmp_path):
    text = "variable,reference,target,blocking\ntreatment,Control,Treated,\ntreatment,Control,Treated,batch;time\n"
    found = cn.read_contrasts(written(tmp_path, "a.csv", text))
    assert [each.id for each in found] == ["treatment_Control_Treated_", "treatment_Control_Treated_batch_time"]


WRONG_NAMES = {
    "comparison: [tratment, Control, Treated]": (SamplesError, "no column 'tratment'.*Did you mean 'treatment'"),
    "comparison: [treatment, Control, Treeted]": (ContrastError, "no sample has 'Treeted' in the column 'treatment'"),
    "comparison: [treatment, Control, Treated], blocking_factors: [lane]": (SamplesError, "no column 'lane'"),
    "comparison: [use, yes, no], exclude_samples_col: use, exclude_samples_values: [no]": (
        ContrastError, "no sample has 'no' in the column 'use', which has 'yes'",
    ),
    "comparison: [use, yes, no], exclude_samples_col: usable, exclude_samples_values: [no]": (
        SamplesError, "no column 'usable'",
    ),
    'formula: "~ genotype + lane", make_contrasts_str: genotypeWT': (FormulaError, "lane"),
}  # fmt: skip


def test_names_that_the_samples_lack_are_told_with_file_and_contrast(tmp_path):
    pytest.importorskip("yaml")
    for text, (error, message) in WRONG_NAMES.items():
        path = written(
            tmp_path, "a.yaml", f"contrasts:\n- {{id: good, comparison: [use, yes, no]}}\n- {{id: x, {text}}}\n"
        )
        assert len(cn.read_contrasts(path)) == 2, text
        with pytest.raises(error, match=f"a\\.yaml', contrast 'x': .*{message}"):
            cn.read_contrasts(path, SAMPLES)


WRONG_YAML = {
    "": "has no list of contrasts",
    "contrasts:\n": "has no list of contrasts",
    "- id: a\n": "has no list of contrasts",
    "contrasts: [a": "is not YAML",
    "contrasts:\n- comparison: [a, b, c]\n": "contrast 1 has no id",
    "contrasts:\n- {id: a, comparson: [a, b, c]}\n": "'a': unknown field 'comparson'.*Did you mean 'comparison'",
    "contrasts:\n- {id: a, comparison: [a, b]}\n": "'a': a comparison has three parts.*'a', 'b'",
    "contrasts:\n- {id: a, comparison: [a, b, {c: d}]}\n": "'a': comparison is a list of words; got",
    "contrasts:\n- {id: a, formula: [~ a, ~ b]}\n": "'a': formula is one word or line; got",
    "contrasts:\n- {id: a, formula: ~ a}\n": "'a' says not what is compared",
    "contrasts:\n- {id: a, comparison: [a, b, c], make_contrasts_str: ab}\n": "make_contrasts_str needs the formula",
    "contrasts:\n- {id: a, comparison: [a, b, c], exclude_samples_col: d}\n": "exclude_samples_col and .* together",
    "contrasts:\n- {id: a, comparison: [a, b, c]}\n- {id: a, comparison: [a, c, b]}\n": "the same id: 'a'",
}


def test_yaml_of_another_form_is_refused_with_file_and_contrast(tmp_path):
    pytest.importorskip("yaml")
    for text, message in WRONG_YAML.items():
        path = written(tmp_path, "a.yaml", text)
        with pytest.raises((FileError, ContrastError), match=f"a\\.yaml'.*{message}"):
            cn.read_contrasts(path)


def test_a_table_of_another_form_is_refused_or_told(tmp_path):
    with pytest.raises(FileError, match=r"a\.csv' has no column 'target'.*Did you mean 'targe'"):
        cn.read_contrasts(written(tmp_path, "a.csv", "id,variable,reference,targe\na,b,c,d\n"))
    with pytest.raises(ContrastError, match=r"a\.csv', contrast 'a': a comparison has three parts"):
        cn.read_contrasts(written(tmp_path, "a.csv", "id,variable,reference,target\na,b,c,\n"))
    path = written(tmp_path, "a.csv", "id,variable,reference,target,bloking\na,b,c,d,e\n")
    with pytest.warns(
        CountnestWarning, match=re.escape("columns that are not used: 'bloking'. Did you mean 'blocking'")
    ):
        cn.read_contrasts(path)


def test_without_the_library_it_is_told_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(OptionError, match=re.escape("pip install 'countnest[yaml]'")):
        cn.read_contrasts(written(tmp_path, "a.yaml", YAML))


def test_samples_that_are_left_out_leave_the_model(tmp_path):
    text = "id,variable,reference,target,blocking,exclude_samples_col,exclude_samples_values\n"
    text += "a,treatment,Control,Treated,batch,batch,10\n"
    (each,) = cn.read_contrasts(written(tmp_path, "a.csv", text), SAMPLES)
    whole = cn.DESeqDataSet(counts(), SAMPLES, design=each.design, quiet=True, **each.coding(SAMPLES))
    left = each.kept(SAMPLES)
    assert left == ["s0", "s1", "s3", "s4", "s6"]
    some = SAMPLES.loc[left].astype({"batch": str})
    expected = cn.DESeqDataSet(counts()[left], some, design=each.design, reference={"treatment": "Control"}, quiet=True)
    with pytest.warns(CountnestWarning, match="no sample has batch '10' any more"):
        found = whole[:, left]
    assert found.results_names() == expected.results_names() == [
        "Intercept", "batch_2_vs_1", "treatment_Treated_vs_Control",
    ]  # fmt: skip
    np.testing.assert_array_equal(found.design.matrix, expected.design.matrix)


def test_samples_to_leave_out_that_are_all_or_none_are_named(tmp_path):
    text = "id,variable,reference,target,exclude_samples_col,exclude_samples_values\na,treatment,Control,Treated,batch,"
    everything = ";".join(str(value) for value in SAMPLES["batch"].unique())
    with pytest.raises(SamplesError, match=r"contrast 'a': no sample is left, all have .* in the column 'batch'"):
        cn.read_contrasts(written(tmp_path, "a.csv", f"{text}{everything}\n"), SAMPLES)
    with pytest.warns(CountnestWarning, match="contrast 'a': no sample is left out, because none has '99'"):
        cn.read_contrasts(written(tmp_path, "a.csv", f"{text}99\n"), SAMPLES)
