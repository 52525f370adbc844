"""Size factors and normalization factors of a data set: every argument against DESeq2, and arguments that are wrong."""

import logging

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from cases import each
from countnest.api.htseq import dataset_from_htseq
from countnest.api.normalization import estimate_size_factors_for_matrix
from countnest.api.tximport import dataset_from_tximport
from countnest.errors import CountnestWarning, CountsError, FileError, NormalizationError, OptionError, SamplesError
from unit.api.simulated import study

GENES, SAMPLES = [f"g{i}" for i in range(1, 13)], [f"s{j}" for j in range(1, 5)]
COUNTS = pd.DataFrame(
    [
        [12, 25, 40, 9], [103, 180, 350, 70], [5, 0, 22, 3], [510, 1010, 1900, 420], [33, 71, 160, 20], [0, 0, 0, 0],
        [8, 19, 30, 11], [64, 130, 240, 55], [0, 3, 9, 1], [220, 410, 930, 150], [17, 30, 81, 10], [41, 95, 150, 39],
    ],
    GENES, SAMPLES,
)  # fmt: skip
SHEET = pd.DataFrame({"group": list("aabb")}, SAMPLES)
MATRIX = pd.DataFrame((1 + (np.arange(48) * 7 % 10) / 10).reshape(12, 4), GENES, SAMPLES)
LENGTHS = pd.DataFrame((500.0 + np.arange(48) * 137 % 1000).reshape(12, 4), GENES, SAMPLES)
GEO_MEANS = pd.Series([10, 150, 0, 800, 60, 0, 15, 100, 2, 350, 30, 70], GENES)
CONTROL = ["g1", "g2", "g5", "g8", "g9", "g12"]
GIVEN = {
    "control_genes": CONTROL, "geo_means": GEO_MEANS, "norm_matrix": MATRIX, "locfunc": np.mean,
    "poscounts": "poscounts", "iterate": "iterate",
}  # fmt: skip

# DESeq2 1.38.3, for the arguments that the keys name.
SIZE_FACTORS = {
    "": [0.636937128738915, 1.26959212229569, 2.37290302863518, 0.496462637947031],
    "poscounts": [0.650507338314097, 1.27697324616131, 2.4110946578723, 0.499288703953543],
    "locfunc": [0.633304055754567, 1.28187146592974, 2.47417628536022, 0.497866162440601],
    "control_genes": [0.630642700326209, 1.35683732494427, 2.3444281496715, 0.496462637947031],
    "geo_means": [0.624179972246208, 1.25574673438016, 2.50765776846378, 0.508768069465164],
    "geo_means control_genes": [0.621047449127465, 1.2889298072582, 2.45490559285043, 0.508875046701865],
    "poscounts control_genes locfunc": [0.632124441094195, 1.29968930002956, 2.58084468276651, 0.471624116530461],
}
OF_MATRIX = {
    "": SIZE_FACTORS[""],
    "poscounts": [0.646825346990763, 1.26974534243822, 2.39744741811474, 0.496462637947031],
    "geo_means": SIZE_FACTORS["geo_means"],
    "control_genes": SIZE_FACTORS["control_genes"],
}
# Of the genes 1, 3 and 11.
NORMALIZATION_FACTORS = {
    "norm_matrix": [
        0.497571950780551, 1.68578469086143, 3.02387095362066, 0.394256398984203, 0.738482519009755, 1.19580642616052,
        2.00354713550108, 0.565196330515865, 0.497571950780551, 1.68578469086143, 3.02387095362066, 0.394256398984203,
    ],
    "norm_matrix poscounts": [
        0.534009693957466, 1.54856828261028, 2.92187263651814, 0.413865493314038, 0.792562409015826, 1.09847236941479,
        1.93596540361137, 0.593307448530734, 0.534009693957466, 1.54856828261028, 2.92187263651814, 0.413865493314038,
    ],
    "norm_matrix geo_means control_genes": [
        0.443321817720841, 1.79215343271154, 3.35189603769487, 0.37550451754147, 0.657965972898782, 1.27125878121897,
        2.22088898892326, 0.538314091929483, 0.443321817720841, 1.79215343271154, 3.35189603769487, 0.37550451754147,
    ],
}  # fmt: skip
FROM_LENGTHS = {
    "": [
        0.576592058535658, 1.23034938787217, 2.50359351394604, 0.563039764985044, 0.601537028457983, 1.23911168945728,
        2.46297250611739, 0.544712844242644, 0.661821608251908, 1.26345102785122, 2.37539921342841, 0.503458915533959,
    ],
    "poscounts": [
        0.544570039379114, 1.17940343659496, 2.93060641334602, 0.531283552650545, 0.568129648034514, 1.18780291133264,
        2.88305708658987, 0.513990295288117, 0.625066221312518, 1.2111344134484, 2.78054729346149, 0.47506314454642,
    ],
}  # fmt: skip
WEIGHTS = pd.DataFrame((1 - np.arange(48) * 11 % 7 / 10).reshape(12, 4), GENES, SAMPLES)
ITERATE_WEIGHTED = [0.646407020300962, 1.26280604424161, 2.53782110866725, 0.482721095327291]
ITERATE = [0.650398104184461, 1.25961622362237, 2.52440823325324, 0.483529415755286]
# After DESeq(fitType = "mean") with the lengths; g6 has no counts.
LFC = [
    -0.363053579895092, -0.0382558008969281, 0.966208986464908, 1.04139482005355, -0.0772594885173654, np.nan,
    0.235029437597356, 1.46431386721427, 1.129837403704, 0.459305236696741, 0.152322470343886, -0.180668689219907,
]  # fmt: skip


def options(words):
    """Return the arguments that the words of a key name."""
    return {("type" if isinstance(GIVEN[word], str) else word): GIVEN[word] for word in words.split()}


def rows(frame):
    return frame.loc[["g1", "g3", "g11"]].to_numpy().ravel()


@pytest.fixture
def dds():
    return cn.DESeqDataSet(COUNTS, SHEET, "~ group")


@pytest.fixture
def with_lengths():
    return cn.DESeqDataSet(COUNTS, SHEET, "~ group", avg_tx_length=LENGTHS)


# ---- against DESeq2 ----


@pytest.mark.parametrize("words", list(SIZE_FACTORS))
def test_size_factors(dds, words):
    assert dds.estimate_size_factors(**options(words)) is dds
    np.testing.assert_allclose(dds.size_factors, SIZE_FACTORS[words], rtol=1e-12)
    assert dds.normalization_factors is None


@pytest.mark.parametrize("words", list(NORMALIZATION_FACTORS))
def test_normalization_factors(dds, words):
    dds.estimate_size_factors(**options(words))
    np.testing.assert_allclose(rows(dds.normalization_factors), NORMALIZATION_FACTORS[words], rtol=1e-12)
    assert dds.size_factors is None


@pytest.mark.parametrize("words", list(FROM_LENGTHS))
def test_normalization_factors_from_lengths(with_lengths, words):
    with_lengths.estimate_size_factors(**options(words))
    np.testing.assert_allclose(rows(with_lengths.normalization_factors), FROM_LENGTHS[words], rtol=1e-12)


def test_a_length_of_zero_says_the_two_ways_out():
    lengths = LENGTHS.copy()
    lengths.loc["g3"] = 0.0
    lengths.loc["g11", COUNTS.columns[0]] = 0.0
    with pytest.raises(NormalizationError, match=r"are 0 in 2 genes: 'g3', 'g11'; .*leave these genes out .*or put"):
        cn.DESeqDataSet(COUNTS, SHEET, "~ group", avg_tx_length=lengths)
    with pytest.raises(NormalizationError, match="There are two ways out"):
        dataset_from_tximport(COUNTS, lengths, SHEET, "~ group")
    stay = (lengths > 0).all(axis=1)
    for counts, usable in ((COUNTS[stay], lengths[stay]), (COUNTS, lengths.mask(lengths == 0, 1.0))):
        dds = cn.DESeqDataSet(counts, SHEET, "~ group", avg_tx_length=usable).estimate_size_factors()
        assert (dds.normalization_factors > 0).all(axis=None)


def test_the_analysis_uses_lengths(with_lengths, capsys):
    assert with_lengths.normalization_factors is None
    with_lengths.deseq(fit_type="mean")
    assert "using 'avg_tx_length', correcting for library size" in capsys.readouterr().err
    np.testing.assert_allclose(rows(with_lengths.normalization_factors), FROM_LENGTHS[""], rtol=1e-12)
    assert with_lengths.size_factors is None
    np.testing.assert_allclose(with_lengths.results().table["log2FoldChange"], LFC, rtol=1e-8)
    with_lengths.size_factors = np.ones(4)  # these take precedence over lengths
    assert with_lengths.deseq(fit_type="mean", quiet=True).normalization_factors is None


def test_iterate(dds):
    dds.estimate_size_factors(type="iterate")
    np.testing.assert_allclose(dds.size_factors, ITERATE, rtol=1e-8)
    other = cn.DESeqDataSet(COUNTS, SHEET, "~ group")
    other.deseq(size_factor_type="iterate", fit_type="mean", quiet=True)
    np.testing.assert_array_equal(other.size_factors, dds.size_factors)


def test_iterate_heeds_observation_weights():
    dds = cn.DESeqDataSet(COUNTS, SHEET, "~ group", weights=WEIGHTS)
    np.testing.assert_allclose(dds.estimate_size_factors(type="iterate").size_factors, ITERATE_WEIGHTED, rtol=1e-8)
    other = cn.DESeqDataSet(COUNTS, SHEET, "~ group", weights=WEIGHTS)
    other.deseq(size_factor_type="iterate", fit_type="mean", quiet=True)
    np.testing.assert_array_equal(other.size_factors, dds.size_factors)


@pytest.mark.parametrize("words", list(OF_MATRIX))
def test_size_factors_of_a_table(words):
    found = estimate_size_factors_for_matrix(COUNTS, **options(words))
    assert list(found.index) == SAMPLES
    np.testing.assert_allclose(found, OF_MATRIX[words], rtol=1e-12)
    by_position = {"control_genes": COUNTS.index.isin(CONTROL), "geo_means": GEO_MEANS.to_numpy()}
    given = {name: by_position.get(name, value) for name, value in options(words).items()}
    plain = estimate_size_factors_for_matrix(COUNTS.to_numpy(), **given)
    np.testing.assert_array_equal(plain, found)
    assert isinstance(plain, np.ndarray)


def test_columns_that_describe_genes_are_no_samples():
    described = COUNTS.assign(Length=range(12), symbol="x", Chr="1")
    pd.testing.assert_series_equal(
        estimate_size_factors_for_matrix(described), estimate_size_factors_for_matrix(COUNTS)
    )


# ---- precedence ----


@pytest.mark.parametrize(
    ("lengths", "words", "like", "warning"),
    [
        (False, "poscounts geo_means", "poscounts", "type='poscounts' is used, and geo_means is not"),
        (True, "norm_matrix", "", "avg_tx_length is used, and norm_matrix is not"),
        (False, "iterate control_genes locfunc", "iterate", "'iterate' is used, and locfunc, control_genes are not"),
        (True, "iterate", "iterate", "'iterate' is used, and avg_tx_length is not"),
    ],
)
def test_what_is_not_used_is_said(lengths, words, like, warning):
    def new():
        return cn.DESeqDataSet(COUNTS, SHEET, "~ group", avg_tx_length=LENGTHS if lengths else None)

    found = new()
    with pytest.warns(CountnestWarning, match=warning) as caught:
        found.estimate_size_factors(**options(words))
    assert caught[0].filename == __file__
    expected = new() if like != "iterate" else cn.DESeqDataSet(COUNTS, SHEET, "~ group")
    expected.estimate_size_factors(**options(like))
    pd.testing.assert_frame_equal(found.counts(normalized=True), expected.counts(normalized=True), check_exact=True)


def test_geometric_means_go_before_the_type_for_a_table():
    with pytest.warns(CountnestWarning, match="geo_means are used, and type='poscounts' is not"):
        found = estimate_size_factors_for_matrix(COUNTS, type="poscounts", geo_means=GEO_MEANS)
    np.testing.assert_allclose(found, OF_MATRIX["geo_means"], rtol=1e-12)


def test_new_factors_replace_the_old_and_the_analysis_keeps_them(dds):
    dds.estimate_size_factors(norm_matrix=MATRIX)
    dds.deseq(fit_type="mean", quiet=True)
    np.testing.assert_allclose(rows(dds.normalization_factors), NORMALIZATION_FACTORS["norm_matrix"], rtol=1e-12)
    dds.estimate_size_factors()
    assert dds.normalization_factors is None
    np.testing.assert_allclose(dds.size_factors, SIZE_FACTORS[""], rtol=1e-12)


def test_what_is_corrected_for_is_logged(dds, caplog):
    with caplog.at_level(logging.INFO, "countnest"):
        dds.estimate_size_factors(norm_matrix=MATRIX)
    assert "using 'norm_matrix', adding normalization factors which correct for library size" in caplog.messages


# ---- forms of the arguments ----


@pytest.mark.parametrize(
    "control",
    [
        CONTROL, tuple(CONTROL), set(CONTROL), pd.Index(CONTROL), pd.Series(CONTROL), [0, 1, 4, 7, 8, 11],
        np.array([11, 0, 1, 4, 7, 8, 8]), COUNTS.index.isin(CONTROL), list(COUNTS.index.isin(CONTROL)),
        pd.Series(COUNTS.index.isin(CONTROL), GENES)[::-1],
    ],
    ids=lambda values: type(values).__name__,
)  # fmt: skip
def test_control_genes_in_every_form(dds, control):
    dds.estimate_size_factors(control_genes=control)
    np.testing.assert_allclose(dds.size_factors, SIZE_FACTORS["control_genes"], rtol=1e-12)


def test_one_control_gene(dds):
    dds.estimate_size_factors(control_genes="g2")
    row = COUNTS.loc["g2"]
    np.testing.assert_allclose(dds.size_factors, row / np.exp(np.log(row).mean()), rtol=1e-12)


def test_tables_are_matched_by_label(dds):
    shuffled = np.random.default_rng(1).permutation(12)
    dds.estimate_size_factors(norm_matrix=MATRIX.iloc[shuffled, ::-1], geo_means=GEO_MEANS.iloc[shuffled])
    other = cn.DESeqDataSet(COUNTS, SHEET, "~ group")
    other.estimate_size_factors(norm_matrix=MATRIX.to_numpy(), geo_means=list(GEO_MEANS))
    pd.testing.assert_frame_equal(dds.normalization_factors, other.normalization_factors, check_exact=True)
    lengths = cn.DESeqDataSet(COUNTS, SHEET, "~ group", avg_tx_length=LENGTHS.iloc[shuffled, ::-1])
    lengths.estimate_size_factors()
    np.testing.assert_allclose(rows(lengths.normalization_factors), FROM_LENGTHS[""], rtol=1e-12)


# ---- bad input ----


def changed(table, value):
    table = table.astype(float)
    table.loc[["g2", "g7"], "s3"] = value
    return table


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_matrix_to_normalize_by_is_positive(dds, value):
    message = f"must be finite and greater than 0; 2 of 48 are not, such as {value}, in 'g2', 'g7'"
    with pytest.raises(NormalizationError, match=f"norm_matrix {message}"):
        dds.estimate_size_factors(norm_matrix=changed(MATRIX, value))
    of_lengths = "are 0 in 2 genes: 'g2', 'g7'" if value == 0 else message
    with pytest.raises(NormalizationError, match=f"average transcript lengths {of_lengths}"):
        cn.DESeqDataSet(COUNTS, SHEET, "~ group", avg_tx_length=changed(LENGTHS, value))
    with pytest.raises(NormalizationError, match=f"normalization factors {message}"):
        dds.normalization_factors = changed(MATRIX, value)
    assert dds.size_factors is None


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"type": "ratios"}, OptionError, "type='ratios' is not known.*Did you mean 'ratio'"),
        ({"locfunc": "mean"}, OptionError, "locfunc='mean' must be a function"),
        ({"locfunc": np.sort}, NormalizationError, "locfunc.*must return one number; it returned 9"),
        ({"control_genes": ["g2", "G3x", "x"]}, NormalizationError, "2 labels not among the genes: 'G3x', 'x'. Did yo"),
        ({"control_genes": [1, 12, -1]}, NormalizationError, "positions, from 0 to 11; not among them are '12', '-1'"),
        ({"control_genes": [True, False]}, NormalizationError, "has 2 truth values; give one for each of the 12 genes"),
        ({"control_genes": [False] * 12}, NormalizationError, "selects no gene"),
        ({"control_genes": []}, NormalizationError, "selects no gene"),
        ({"control_genes": ["g3", "g6", "g9"]}, NormalizationError, "none of the 3 control genes has a geometric mean"),
        ({"control_genes": ["g6"], "type": "poscounts"}, NormalizationError, "none of the 1 control genes"),
        ({"geo_means": [1.0, 2.0]}, NormalizationError, r"one number for each of the 12 genes; got shape \(2,\)"),
        ({"geo_means": GEO_MEANS[1:]}, NormalizationError, "geo_means: 1 gene of the counts missing: 'g1'"),
        ({"geo_means": -GEO_MEANS}, NormalizationError, "finite and not negative; 10 of 12 are not, such as -10.0, in"),
        ({"geo_means": GEO_MEANS * 0}, NormalizationError, "no gene has a geometric mean greater than 0"),
        ({"geo_means": ["a"] * 12}, NormalizationError, "geo_means must be numbers"),
        ({"norm_matrix": MATRIX.iloc[:, :3]}, NormalizationError, "norm_matrix: 1 sample of the counts missing: 's4'"),
        ({"norm_matrix": MATRIX.to_numpy().T}, NormalizationError, r"norm_matrix must have the shape.*got \(4, 12\)"),
    ],
)  # fmt: skip
def test_arguments_that_are_wrong_leave_the_data_set_as_it_was(dds, given, error, message):
    with pytest.raises(error, match=message):
        dds.estimate_size_factors(**given)
    assert dds.size_factors is None


def test_every_gene_has_a_zero():
    counts = COUNTS.copy()
    counts.iloc[::2, 0] = 0
    counts.iloc[1::2, 1] = 0
    with pytest.raises(NormalizationError, match=r"every gene contains at least one zero.*poscounts.*geo_means"):
        cn.DESeqDataSet(counts, SHEET, "~ group").deseq(quiet=True)
    found = cn.DESeqDataSet(counts, SHEET, "~ group").estimate_size_factors(geo_means=GEO_MEANS).size_factors
    assert np.isfinite(found).all()


@pytest.mark.parametrize("other", ["size_factors", "normalization_factors"])
def test_lengths_beside_factors_are_refused(other):
    factors = np.ones(4) if other == "size_factors" else MATRIX
    with pytest.raises(NormalizationError, match=f"avg_tx_length and {other} are both given.*give one of them"):
        cn.DESeqDataSet(COUNTS, SHEET, "~ group", avg_tx_length=LENGTHS, **{other: factors})


@each(
    ("counts", "given", "error", "message"),
    [
        (COUNTS, {"type": "iterate"}, OptionError, "type='iterate' is not known; use one of 'ratio', 'poscounts'"),
        (-COUNTS, {}, CountsError, "not negative; 42 of 48 are not, such as -12.0, in 'g1', 'g2'"),
        (COUNTS * np.nan, {}, CountsError, "counts must be finite"),
        (COUNTS.assign(s5="1,5"), {}, CountsError, "counts must be numbers"),
        (np.ones(3), {}, CountsError, r"its shape is \(3,\)"),
        (COUNTS, {"control_genes": ["h1"]}, NormalizationError, "1 label not among the genes: 'h1'"),
    ],
)
def test_tables_that_have_no_size_factors(counts, given, error, message):
    with pytest.raises(error, match=message):
        estimate_size_factors_for_matrix(counts, **given)


# ---- tximport ----


def test_tximport_counts_are_rounded_and_lengths_used(with_lengths):
    shift = np.resize([0.5, 0.3, -0.4], 48).reshape(12, 4) * (COUNTS > 0)
    found = dataset_from_tximport(COUNTS + shift, LENGTHS, SHEET, "~ group")
    np.testing.assert_array_equal(found.counts(), COUNTS + (shift == 0.5) * (COUNTS % 2))  # halves to even
    with_lengths.estimate_size_factors()
    plain = dataset_from_tximport(COUNTS, LENGTHS, SHEET, "~ group").estimate_size_factors()
    pd.testing.assert_frame_equal(plain.normalization_factors, with_lengths.normalization_factors, check_exact=True)


@pytest.mark.parametrize("word", ["scaledTPM", "lengthScaledTPM"])
def test_lengths_are_not_used_for_counts_from_abundance(word):
    found = dataset_from_tximport(
        COUNTS, LENGTHS * 0, SHEET, "~ group", counts_from_abundance=word, reference={"group": "b"}
    )
    assert found.estimate_size_factors().normalization_factors is None
    assert found.results_names() == ["Intercept", "group_a_vs_b"]


@pytest.mark.parametrize(
    ("counts", "length", "word", "error", "message"),
    [
        (COUNTS, None, "no", OptionError, "the lengths are missing"),
        (COUNTS, LENGTHS, "dtuScaledTPM", OptionError, "counts_from_abundance='dtuScaledTPM' is not known"),
        (COUNTS, changed(LENGTHS, -1.0), "no", NormalizationError, "average transcript lengths must be.*'g2', 'g7'"),
        (COUNTS.to_dict(), LENGTHS, "no", CountsError, "counts is of type dict"),
        (COUNTS.assign(name="x"), LENGTHS, "no", CountsError, "counts must be numbers"),
    ],
)
def test_bad_tximport(counts, length, word, error, message):
    with pytest.raises(error, match=message):
        dataset_from_tximport(counts, length, SHEET, "~ group", counts_from_abundance=word)


# ---- htseq-count ----

NOT_COUNTED = "__no_feature\t1000\n__ambiguous\t20\nnot_aligned\t3\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with a file for each sample, with a column of names, and the table that goes with it."""
    for sample in SAMPLES:
        lines = "".join(f"{gene}\tname\t{count}\n" for gene, count in COUNTS[sample].items())
        (tmp_path / f"{sample}.txt").write_text(lines + NOT_COUNTED, encoding="utf-8")
    return tmp_path


def table():
    return pd.DataFrame({"sample": SAMPLES, "file": [f"{s}.txt" for s in SAMPLES], "group": list("aabb")})


def test_htseq_files_become_a_data_set(folder):
    found = dataset_from_htseq(table(), folder, "~ group", reference={"group": "b"})
    pd.testing.assert_frame_equal(found.counts(), COUNTS.astype(float), check_names=False)
    assert list(found.samples.columns) == ["group"]
    assert found.results_names() == ["Intercept", "group_a_vs_b"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, FileError, "s3.txt' does not exist"),
        ("", FileError, "s3.txt' has no counts of genes"),
        ("gene\tcount\ng1\t3\n", FileError, "s3.txt' is not a file of htseq-count: line 1 .*'gene"),
        ("g1 3\n", FileError, "s3.txt' is not a file of htseq-count: line 1"),
        ("g1\t3\ng2\t-1\n", FileError, "line 2 does not end"),
        ("g1\t3\ng1\t4\n", CountsError, "s3.txt': genes occur more than once: 'g1'"),
        (
            "".join(f"{g}\t1\n" for g in GENES[:-1]),
            CountsError,
            r"s3.txt' does not have.*s1.txt': it ends after gene 11, 'g11'.*\(not in both: 'g12'\)",
        ),
        ("".join(f"{g}\t1\n" for g in GENES[::-1]), CountsError, "s3.txt' does not have.*their order differs"),
    ],
)
def test_bad_htseq_files_are_named(folder, text, error, message):
    place = folder / "s3.txt"
    place.unlink()
    if text is not None:
        place.write_text(text, encoding="utf-8")
    with pytest.raises(error, match=message):
        dataset_from_htseq(table(), folder, "~ group")


@pytest.mark.parametrize("bad", [table()[["sample"]], table()[:0], {"sample": SAMPLES}])
def test_bad_sample_tables(folder, bad):
    with pytest.raises(SamplesError, match="names of samples in the first column"):
        dataset_from_htseq(bad, folder)


def test_a_larger_study_runs_with_every_type():
    for kind in ("ratio", "poscounts", "iterate"):
        found = cn.DESeqDataSet(*study(), design="~ batch + group").deseq(size_factor_type=kind, quiet=True)
        assert found.size_factors.between(0.3, 3.0).all()


# ---- a single gene ----


def test_normalization_factors_of_a_single_gene_are_no_size_factors(caplog):
    counts = pd.DataFrame([[10, 12, 30, 33, 8, 41]], index=["g"], columns=[f"s{j}" for j in range(6)])
    sheet = pd.DataFrame({"group": list("aabbab")}, index=counts.columns)
    factors = np.array([[0.5, 2.0, 1.0, 1.5, 0.8, 1.1]])
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", normalization_factors=factors)
    for step in (lambda: None, dds._normalized):
        step()
        assert dds.size_factors is None
        np.testing.assert_array_equal(dds.normalization_factors, factors)
    with caplog.at_level(logging.DEBUG, "countnest"):
        dds._normalize("ratio", dds._engine(1, True))
    assert caplog.messages == ["using pre-existing normalization factors"]
    dds.size_factors = factors[0]
    assert dds.normalization_factors is None
    np.testing.assert_array_equal(dds.size_factors, factors[0])
    dds.normalization_factors = factors
    assert dds.size_factors is None
    dds.estimate_size_factors()
    assert dds.normalization_factors is None
    dds.estimate_size_factors(norm_matrix=factors)
    assert dds.size_factors is None
    assert dds.normalization_factors.shape == (1, 6)
    lengths = cn.DESeqDataSet(counts, sheet, design="~ group", avg_tx_length=factors).estimate_size_factors()
    assert lengths.size_factors is None
