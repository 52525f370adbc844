import pytest

from countnest.design.name import duplicates, make_names, result_name


@pytest.mark.parametrize(
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


def test_duplicates():
    assert duplicates(["b", "a", "b", "c", "a"]) == ["b", "a"]
