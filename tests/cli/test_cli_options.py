import gc
import math

import pytest

from countnest.cli import main as entry
from countnest.cli.main import cli, main
from countnest.cli.request import How
from countnest.errors import DesignError


def leave(capsys, *arguments):
    """Run `main` in this process; return exit code, output and errors."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


@pytest.fixture
def requests(monkeypatch):
    """Keep the requests that would be run, instead of running them."""
    kept = []
    monkeypatch.setattr("countnest.cli.run.run_request", kept.append)
    return kept


def test_version(capsys):
    code, out, err = leave(capsys, "--version")
    assert (code, err) == (0, "")
    assert out.startswith("countnest ")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_option(capsys, flag):
    code, out, _ = leave(capsys, "run", flag)
    assert code == 0
    assert all(option.opts[0] in out for option in cli.commands["run"].params if option.name != "study")


def test_defaults_are_those_of_the_method(capsys, requests):
    assert leave(capsys, "run", "airway")[0] == 0
    (request,) = requests
    assert (request.study, request.alpha, request.lfc_threshold, request.alt_hypothesis) == (
        "airway",
        0.1,
        0.0,
        "greaterAbs",
    )
    assert (request.test, request.fit_type, request.size_factor_type) == ("Wald", "parametric", "ratio")
    assert (request.min_replicates_for_replace, request.cooks_cutoff, request.minmu) == (7, None, 0.5)
    assert request.independent_filtering
    assert not request.use_t
    assert not request.quiet
    assert str(request.folder) == "countnest-airway"


def test_values_are_taken_apart(capsys, requests):
    data = ("--counts", "c.csv", "--samples", "s.csv", "--design", "~ a + b")
    levels = ("--reference", "a=x", "--reference", "b = y=z", "--contrast", "b, one,y=z")
    numbers = ("--cooks-cutoff", "off", "--min-replicates-for-replace", "OFF", "--no-independent-filtering")
    assert leave(capsys, "run", *data, *levels, *numbers)[0] == 0
    (request,) = requests
    assert request.reference == {"a": "x", "b": "y=z"}
    assert request.contrast == (("b", "one", "y=z"),)
    assert request.cooks_cutoff == request.min_replicates_for_replace == math.inf
    assert not request.independent_filtering
    assert str(request.folder) == "countnest-results"


def test_methods_have_tests_of_their_own(capsys, requests):
    mixed = (("mixed",), ("Mixed", "--mixed-model", "glmm", "--test", "lrt"))
    for words in (("edgeR",), ("edger", "--test", "lrt"), ("VOOM",), ("deseq2",), ("ql",), *mixed):
        assert leave(capsys, "run", "airway", "--method", *words)[0] == 0
    found = [(each.method, each.test, each.how) for each in requests]
    assert found == [
        ("edger", "QL", How("edger")),
        ("edger", "LRT", How("edger")),
        ("voom", None, How("limma")),
        ("deseq2", "Wald", How(None, None, "wald")),
        ("deseq2", "QL", How(None, None, "ql")),
        ("mixed", "t", How("lmm", "t", "t")),
        ("mixed", "LRT", How("glmm", "lrt", "lrt")),
    ]


def test_tests_are_chosen_in_any_case(capsys, requests):
    for test, query_test in (("AVERAGED", "Averaged"), ("ql", "QL"), ("wald", "LRT")):
        words = ("--test", test, "--query", "dex[trt - untrt]", "--query-test", query_test)
        assert leave(capsys, "run", "airway", *words)[0] == 0
    assert [each.test for each in requests] == ["averaged", "QL", "Wald"]
    assert [each.query_test for each in requests] == ["averaged", "ql", "lrt"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "Missing --counts and --samples and --design. For example: countnest run --counts"),
        (("--counts", "c.csv", "--design", "~ a"), "Missing --samples. For example"),
        (("airway", "--counts", "c.csv"), "has its own counts"),
        (("airway", "--contrast", "dex,trt,untrt", "--name", "x"), "Give one of them"),
        (("airway", "--contrast", "dex,trt"), "variable,level,level"),
        (("airway", "--contrast", "dex,,untrt"), "variable,level,level"),
        (("airway", "--reference", "untrt"), "variable=level"),
        (("airway", "--reference", "dex=a", "--reference", "dex=b"), "two reference levels for 'dex'"),
        (("airway", "--levels", "dex"), "variable=level,level"),
        (("airway", "--levels", "dex=trt"), "variable=level,level"),
        (("airway", "--levels", "dex=trt,,untrt"), "variable=level,level"),
        (("airway", "--levels", "dex=trt,untrt", "--levels", "dex=untrt,trt"), "two orders of levels for 'dex'"),
        (("airway", "--alpha", "1"), "not in the range"),
        (("airway", "--alpha", "small"), "not a valid float"),
        (("airway", "--lfc-threshold", "-1"), "not in the range"),
        (("airway", "--alt-hypothesis", "two-sided"), "is not one of 'greaterAbs'"),
        (("airway", "--test", "LRT"), "--reduced"),
        (("airway", "--test", "LRT", "--reduced", "~ cell", "--lfc-threshold", "1"), "are for --test Wald"),
        (("airway", "--alt-hypothesis", "lessAbs"), "needs an --lfc-threshold"),
        (("airway", "--method", "pydeseq2"), "is not one of 'deseq2', 'edger', 'voom', 'mixed', 'ql', 'limma'"),
        (
            ("airway", "--compat", "bioc3.16"),
            "--compat is for --method edger and voom. Leave it out with --method deseq2",
        ),
        (("airway", "--method", "edger", "--block", "cell"), "--block is for --method voom. Leave it out with"),
        (("airway", "--method", "edger", "--no-independent-filtering"), "--no-independent-filtering is for"),
        (("airway", "--method", "edger", "--test", "averaged"), "--method edger has the tests QL and LRT"),
        (("airway", "--method", "voom", "--test", "QL"), "moderated t and F tests alone. Leave out --test."),
        (("airway", "--method", "voom", "--minmu", "0.5"), "--minmu is for --method deseq2. Leave it out"),
        (("airway", "--method", "edger", "--fit-type", "mean", "--use-t"), "--fit-type and --use-t are for"),
        (("airway", "--method", "ql", "--test", "wald"), "--method ql has the QL test. Leave out --test Wald"),
        (("airway", "--test", "dream"), "--method deseq2 has the tests Wald, LRT, averaged and QL. Give one"),
        (("airway", "--df", "residual"), "--df is for --method mixed. Leave it out with --method deseq2"),
        (("airway", "--method", "mixed", "--use-t"), "--use-t is for --method deseq2. Leave it out with"),
        (("airway", "--method", "mixed", "--mixed-model", "glmm", "--test", "dream"), "glmm has the tests t and LRT"),
        (("airway", "--method", "mixed", "--mixed-model", "glmm", "--no-bounded"), "--no-bounded is for --mixed-model"),
        (
            ("airway", "--method", "mixed", "--mixed-model", "glmm", "--df", "satterthwaite"),
            "take containment, residual",
        ),
        (("airway", "--method", "mixed", "--test", "LRT", "--lfc-threshold", "1"), "are not for --test LRT"),
        (("airway", "--cooks-cutoff", "0"), "neither a positive number nor 'off'"),
        (("airway", "--min-replicates-for-replace", "many"), "neither a positive number nor 'off'"),
        (("airway", "--threads", "0"), "not in the range"),
        (("airway", "--nonsense"), "No such option"),
    ],
)
def test_usage_errors(capsys, requests, arguments, problem):
    code, out, err = leave(capsys, "run", *arguments)
    assert (code, out, requests) == (2, "", [])
    assert problem in err
    assert "Traceback" not in err


def test_orders_of_levels(capsys, requests):
    levels = ("--levels", "minute = 0, 5,15", "--levels", 'g="a,b",c')
    assert leave(capsys, "run", "airway", *levels)[0] == 0
    (request,) = requests
    assert request.levels == {"minute": ["0", "5", "15"], "g": ["a,b", "c"]}


def test_errors_are_one_message(capsys, monkeypatch):
    def fail(_):
        raise DesignError("the model is not good. Do this.")

    monkeypatch.setattr("countnest.cli.run.run_request", fail)
    assert leave(capsys, "run", "airway") == (1, "", "error: the model is not good. Do this.\n")


def test_interruption(capsys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("countnest.cli.run.run_request", interrupt)
    code, _, err = leave(capsys, "run", "airway")
    assert (code, err.strip()) == (130, "interrupted")


def test_faults_are_not_hidden(monkeypatch):
    def fail(_):
        raise ZeroDivisionError

    monkeypatch.setattr("countnest.cli.run.run_request", fail)
    with pytest.raises(ZeroDivisionError):
        entry.main(["run", "airway"])


@pytest.mark.parametrize("failing", [False, True])
def test_garbage_is_sought_less_often_during_the_command_only(capsys, monkeypatch, failing):
    during = []

    def run_request(request):
        during.append(gc.get_threshold())
        if failing:
            raise DesignError(f"no {request.study}")

    monkeypatch.setattr("countnest.cli.run.run_request", run_request)
    before = gc.get_threshold()
    assert leave(capsys, "run", "airway")[0] == int(failing)
    assert gc.get_threshold() == before
    ((young, *older),) = during
    assert young > before[0]
    assert tuple(older) == before[1:]
