"""Names and arguments of DESeq2 and PyDESeq2 are answered with the ones of countnest."""

import ast
import inspect
import pickle
import re
import subprocess
import sys

import pytest

import countnest as cn
from countnest.counterparts import ARGUMENTS, NAMES, OBJECTS
from countnest.errors import ArgumentError, CountnestError, OptionError, UnknownNameError
from countnest.public import HOMES
from countnest.signature import checked_arguments
from unit.api.simulated import study
from unit.test_from_deseq2 import FUNCTIONS

# Names that are the same here.
SAME = {"DESeq", "design", "DESeqDataSet", "fpkm", "fpm", "results", "rlog", "unmix", "vst"}
METHODS = {"counts", "dispersions", "summary"}  # of a data set or of results
PYDESEQ2 = [
    "DeseqDataSet", "DeseqStats", "DefaultInference", "deseq2", "fit_size_factors", "fit_genewise_dispersions",
    "fit_dispersion_trend", "fit_dispersion_prior", "fit_MAP_dispersions", "fit_LFC", "calculate_cooks", "refit",
    "results_df", "run_wald_test", "plot_MA", "p_values", "LFC", "SE", "base_mean", "load_example_data",
    "layers", "obs", "var", "X", "obsm", "varm", "uns", "n_obs", "n_vars", "obs_names", "var_names",
]  # fmt: skip


@pytest.fixture(scope="module")
def dds():
    return cn.make_example_dataset(200, 6).deseq(quiet=True)


def answers():
    yield from NAMES.items()
    for names in OBJECTS.values():
        yield from names.items()


def test_what_is_answered_exists():
    """Every name of the package in an answer exists, with its arguments."""
    owners = {"cn": cn, "dds": cn.DESeqDataSet}
    seen = 0
    for _, text in answers():
        for owner, name, arguments in re.findall(r"\b(cn|dds)\.(\w+)((?:\((?:[^()]|\([^()]*\))*\))?)", text):
            function = getattr(owners[owner], name)
            outermost = re.sub(r"\{.*?\}|\([^()]*\)", "", arguments[1:-1])
            for argument in re.findall(r"\b(\w+)=(?!=)", outermost):
                assert argument in _parameters(function), text
            seen += 1
    assert seen > 80
    functions = [
        getattr(cn, name) for name, home in HOMES.items() if home not in ("countnest.errors", "countnest.version")
    ]
    known = {name for function in functions for name in _parameters(function)}
    for name, text in ARGUMENTS.items():
        for argument in re.findall(r"(\w+)=", text):
            assert argument in known | {name}, (name, argument)


def _parameters(function):
    return inspect.signature(function).parameters


def test_every_function_of_the_other_packages_is_answered(dds):
    for function in (*FUNCTIONS, *PYDESEQ2):
        if function in SAME:
            continue
        with pytest.raises(AttributeError, match=rf"has no attribute '{function}'") as caught:
            getattr(cn, function)
        assert isinstance(caught.value, UnknownNameError)
        assert isinstance(caught.value, CountnestError)
        assert not hasattr(cn, function)
        if function not in METHODS:
            assert re.search(r"Here it is \S", str(caught.value)), function
        if not hasattr(dds, function):
            with pytest.raises(UnknownNameError, match=f"DESeqDataSet has no attribute '{function}'. Here it is "):
                getattr(dds, function)


def test_functions_are_not_methods(dds):
    for name in HOMES:
        if name.startswith("_") or name[0].isupper() or hasattr(dds, name):
            continue
        with pytest.raises(UnknownNameError, match=rf"Here it is cn\.{name}\("):
            getattr(dds, name)


def test_slips_get_a_suggestion(dds):
    for it, name, near in ((cn, "plot_mma", "plot_ma"), (dds, "smaples", "samples"), (dds.results(), "tabel", "table")):
        with pytest.raises(UnknownNameError, match=f"Did you mean '{near}'"):
            getattr(it, name)


def test_names_with_an_underscore_get_pythons_answer(dds):
    for it in (cn, dds, dds.results(), dds.effect("condition")):
        with pytest.raises(AttributeError) as caught:
            it.__array_priority__  # noqa: B018
        assert not isinstance(caught.value, CountnestError)


def test_an_error_inside_a_property_stays_its_own():
    class Broken(cn.DESeqDataSet):
        @property
        def broken(self):
            return None.nothing

    counts, sheet = study(n=6)
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'nothing'"):
        Broken(counts, sheet, "~ group").broken  # noqa: B018


def test_names_that_are_imported_are_answered():
    code = (
        "from countnest import api, DESeq\ntry:\n    from countnest import lfcShrink\nexcept ImportError as e: print(e)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Here it is cn.lfc_shrink(dds" in run.stdout
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from countnest import nothing  # noqa: F401


ASKED = [
    (lambda _: cn.DESeqDataSet(countData=1, colData=2), "DESeqDataSet", ["counts=", "samples="]),
    (lambda _: cn.DESeqDataSet(counts=1, metadata=2, design_factors="x"), "DESeqDataSet", ["samples=", 'design="~']),
    (lambda _: cn.DESeqDataSet(1, 2, ref_level=["x", "a"]), "DESeqDataSet", ["reference="]),
    (lambda dds: cn.DESeq(dds, fitType="local", sfType="ratio"), "DESeq", ["fit_type=", "size_factor_type="]),
    (lambda dds: cn.DESeq(dds, BPPARAM=1, parallel=True), "DESeq", ["n_threads="]),
    (lambda dds: cn.DESeq(dds, minReplicatesForReplace=3), "DESeq", ["min_replicates_for_replace="]),
    (lambda dds: dds.deseq(betaPrior=True, n_cpus=2), "deseq", ["beta_prior=", "n_threads="]),
    (lambda dds: dds.deseq(refit_cooks=False), "deseq", ["min_replicates_for_replace=np.inf"]),
    (lambda dds: dds.deseq(inference=1), "deseq", ["n_threads="]),
    (lambda dds: cn.results(dds, lfcThreshold=1), "results", ["lfc_threshold="]),
    (lambda dds: cn.results(dds, altHypothesis="less"), "results", ["alt_hypothesis="]),
    (lambda dds: dds.results(independentFiltering=False), "results", ["independent_filtering="]),
    (lambda dds: dds.results(cooksCutoff=False, pAdjustMethod="BH"), "results", ["cooks_cutoff=", "p_adjust="]),
    (lambda dds: dds.results(addMLE=True, saveCols=1), "results", ["add_mle=", "not needed"]),
    (lambda dds: cn.lfc_shrink(dds, lfcThreshold=1), "lfc_shrink", ["lfc_threshold="]),
    (lambda _: cn.plot_pca(1, returnData=True, pcsToUse=1), "plot_pca", ["return_data=", "pcs="]),
    (lambda dds: cn.collapse_replicates(dds, "a", renameCols=False), "collapse_replicates", ["rename="]),
    (lambda dds: cn.estimate_size_factors(dds, geoMeans=1), "estimate_size_factors", ["geo_means="]),
    (lambda dds: cn.vst(dds, fitType="mean"), "vst", ["fit_type="]),
    (lambda dds: dds.effect("condition").test(lfcThreshold=1), "test", ["lfc_threshold="]),
    (lambda dds: dds.counts(normalised=True), "counts", ["normalized"]),
]


def test_arguments_are_answered(dds):
    for ask, called, told in ASKED:
        with pytest.raises(ArgumentError, match=rf"^{called}\(\) has no argument ") as caught:
            ask(dds)
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, OptionError)
        for text in told:
            assert text in str(caught.value), str(caught.value)


def test_an_unknown_argument_gets_the_list(dds):
    with pytest.raises(ArgumentError, match=r"'frob'. Its arguments are 'contrast', 'name', 'list_values', "):
        dds.results(frob=1)


def test_every_public_function_checks_its_arguments(dds):
    for name in cn.__all__:
        function = getattr(cn, name)
        if inspect.isfunction(function) and inspect.signature(function).parameters:
            options = [p for p in inspect.signature(function).parameters.values() if p.kind is p.VAR_KEYWORD]
            if not options:
                with pytest.raises(ArgumentError, match=rf"^{name}\(\) has no argument 'frob'"):
                    function(*[dds] * (HOMES[name] == "countnest.api.functions"), frob=1)


CALLED = [
    (lambda dds: cn.lfc_shrink(dds, "x"), r"lfc_shrink\(\) takes 1 argument by position, dds, and was given 2. "
     r"Name the others: lfc_shrink\(dds, coef=...\). Those with a name are 'coef', 'contrast', 'query'"),
    (lambda dds: cn.results(dds, ("a", "b"), "c"), r"results\(\) takes 2 arguments by position, dds, contrast, and was "
     r"given 3. Name the others: results\(dds, contrast, name=...\)"),
    (lambda dds: dds.results(("a", "b"), "c"), r"results\(\) takes 1 argument by position, contrast, and was given 2"),
    (lambda dds: dds.effect("a", "b"), r"effect\(\) takes 1 .* Name the others: effect\(variable, levels=...\)"),
    (lambda dds: dds.cell("B", "E"), r"cell\(\) takes no argument by position and was given 2. Name each: cell\(name="),
    (lambda dds: cn.DESeqDataSet(dds, dds, "~ a", 0), r"DESeqDataSet\(\) takes 3 arguments by position, counts,"),
    (lambda dds: dds.copy(1), r"copy\(\) takes no argument by position and was given 1.$"),
    (lambda dds: dds.results().top(1, "padj", 2), r"top\(\) takes 2 arguments by position, n, by, and was given 3.$"),
    (lambda dds: cn.plot_ma(dds, "x.pdf"), r"plot_ma\(\) takes 1 argument by position, results, and was given 2"),
    (lambda dds: cn.pseudobulk(dds), r"pseudobulk\(\) lacks 'by': write pseudobulk\(adata, by=...\)."),
    (lambda dds: dds.effect(), r"effect\(\) lacks 'variable': write effect\(variable=...\)."),
    (lambda _: cn.vst(), r"vst\(\) lacks 'dds': write vst\(dds=...\)."),
    (lambda dds: dds.results("a", contrast="b"), r"results\(\) was given 'contrast' twice: by position, and by name."),
]  # fmt: skip


def test_calls_that_python_cannot_make_are_answered_with_those_it_can(dds):
    for ask, text in CALLED:
        with pytest.raises(ArgumentError, match=f"^{text}"):
            ask(dds)
    for function in (cn.results, cn.DESeq):
        with pytest.raises(OptionError, match="needs a DESeqDataSet; got None"):
            function()


def test_checked_functions_stay_themselves():
    def function(a, *, b=1):
        """Return both."""
        return a, b

    checked = checked_arguments(function)
    assert checked(1, b=2) == (1, 2)
    assert (checked.__name__, checked.__doc__) == ("function", "Return both.")
    assert list(inspect.signature(checked).parameters) == ["a", "b"]
    assert checked_arguments(any_option)(a=1) == {"a": 1}
    for each in (cn.DESeq, cn.vst, cn.plot_ma):
        assert pickle.loads(pickle.dumps(each)) is each


def any_option(**options):
    return options


def test_the_package_shows_its_public_names_only():
    import countnest.stats  # noqa: F401 (a module of the package becomes an attribute of it)

    assert dir(cn) == sorted(cn.__all__)
    assert not {"annotations", "TYPE_CHECKING", "importlib", "sys", "stats", "api"} & set(dir(cn))


def test_type_checkers_see_the_same_names():
    tree = ast.parse(inspect.getsource(cn))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {alias.asname: node.module for node in block.body for alias in node.names}
    assert sorted(typed) == cn.__all__
    for name, home in HOMES.items():
        assert typed[name] == home
