from cases import each
from countnest.design.names import duplicates, make_names, result_name, written_levels


@each(
    ("name", "valid"),
    [
        ("2h", "X2h"), ("_a", "X_a"), (".2a", "X.2a"), (".a", ".a"), ("a b", "a.b"), ("if", "if."), ("TRUE", "TRUE."),
        ("a-b", "a.b"), ("", "X"), ("é1", "é1"), ("(x)", "X.x."), ("NA", "NA."), ("..1", "..1"), ("...", "..."),
        ("a:b", "a.b"), ("single-read", "single.read"), ("-a", "X.a"), ("x²", "x."),
    ],
)  # fmt: skip
def test_make_names_is_that_of_r(name, valid):
    assert make_names(name) == valid


def test_result_names():
    assert result_name("(Intercept)") == "Intercept"
    assert result_name("dextrt", level=("dex", "trt", "untrt")) == "dex_trt_vs_untrt"
    assert result_name("my.gc-d", level=("my.g", "c-d", "a b")) == "my.g_c.d_vs_a.b"
    assert result_name("genotypeII:conditionB") == "genotypeII.conditionB"


def test_levels_that_differ_in_a_sign_are_written_in_words():
    for levels, written in [
        (("CD4+", "CD4-"), ("CD4plus", "CD4minus")),
        (("<50", ">50"), ("lt50", "gt50")),
        (("<=50", ">50"), ("<=50", ">50")),
        (("a b", "a-b", "a_b"), ("a_b.2", "a_b.3", "a_b")),
        (("a?", "a#"), ("a?", "a#.2")),
        (("+", "-", "+/-"), ("plus", "minus", "+/-")),
        (("wt", "-/-", "+/+"), ("wt", "minusperminus", "plusperplus")),
        (("a b", "c"), ("a b", "c")),
    ]:
        assert written_levels("g", levels) == written
        assert len({make_names(f"g{level}") for level in written}) == len(levels)


def test_duplicates():
    assert duplicates(["b", "a", "b", "c", "a"]) == ["b", "a"]
