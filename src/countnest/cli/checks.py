"""Which options of `countnest run` go together."""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

import click

from countnest.cli.request import Asked, Request
from countnest.options import Method, MixedTest, TestType

__all__ = ["FIXED", "LACKING", "check_asked", "check_request", "given_options", "not_of_model"]

_EXAMPLE = (
    "countnest run --counts counts.csv --samples samples.csv --design '~ batch + condition' "
    "--reference condition=control --contrast condition,treated,control"
)
# Options of DESeq2's method alone.
_DESEQ2 = (
    "reduced", "fit_type", "size_factor_type", "min_replicates_for_replace", "use_t", "minmu", "cooks_cutoff",
    "query_test", "independent_filtering",
)  # fmt: skip
# Options of linear mixed models alone.
_LINEAR = ("values", "bounded")
_MIXED = ("mixed_model", "df", *_LINEAR)
_ROBUST = ("robust", "compat", "block", "quality_weights")
# Options of other methods: by the method, those that it does not have.
LACKING: dict[Method, tuple[str, ...]] = {
    "deseq2": (*_ROBUST, *_MIXED),
    "edger": (*_DESEQ2, "block", "quality_weights", *_MIXED),
    "voom": (*_DESEQ2, *_MIXED),
    "mixed": (*_DESEQ2, *_ROBUST),
}
# What a method does, and no option changes.
_EXPRESSED = {"filter": "filter_by_expr", "norm_factors": "TMM"}
FIXED: dict[Method, dict[str, str]] = {"edger": _EXPRESSED, "voom": _EXPRESSED}
_OWNERS = {
    "robust": "edger and voom",
    "compat": "edger and voom",
    "block": "voom",
    "quality_weights": "voom",
    **dict.fromkeys(_MIXED, "mixed"),
}
# Tests of the methods that have several.
_TESTS: dict[str, tuple[str, ...]] = {
    "deseq2": get_args(TestType),
    "edger": ("QL", "LRT"),
    "lmm": get_args(MixedTest),
    "glmm": ("t", "LRT"),
}
# Rules for degrees of freedom that models of counts have.
_DF_OF_COUNTS = ("containment", "residual", "infinite")


def given_options(context: click.Context) -> set[str]:
    """Return the names of the options that were given on the command line."""
    default = (click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP, None)
    return {name for name in context.params if context.get_parameter_source(name) not in default}


def check_request(request: Request, given: Collection[str] = ()) -> None:
    """Refuse combinations of options that are incomplete or contradictory.

    Parameters
    ----------
    request
        The arguments.
    given
        The names of those that were given, and are not defaults.
    """
    _check_data(request)
    check_asked(request)
    _check_method(request, given)
    _check_test(request)
    _check_written(request)
    if request.method == "deseq2":
        _check_deseq2(request)
    if request.method == "mixed":
        _check_mixed(request, given)
    if not request.query and (request.query_test is not None or request.allow_fixed_blocks):
        raise click.UsageError("--query-test and --allow-fixed-blocks apply to queries. Give a --query, too.")


def check_asked(asked: Asked) -> None:
    """Refuse questions that contradict each other, and thresholds that do."""
    if asked.contrast and asked.name:
        raise click.UsageError("--contrast and --name exclude each other. Give one of them.")
    if asked.null == "scaled" and (asked.lfc_threshold > 0 or asked.alt_hypothesis in ("less", "greater")):
        raise click.UsageError(
            "--null scaled is for two-sided tests of zero. Leave out --lfc-threshold and --alt-hypothesis."
        )
    if asked.alt_hypothesis == "lessAbs" and asked.lfc_threshold == 0:
        raise click.UsageError("--alt-hypothesis lessAbs needs an --lfc-threshold above 0.")


def _check_data(request: Request) -> None:
    if request.study is not None and (request.counts or request.samples):
        raise click.UsageError(
            f"The study {request.study!r} has its own counts and samples. Leave out --counts and --samples, "
            "or the name of the study."
        )
    missing = request.missing()
    if request.study is None and missing:
        raise click.UsageError(
            f"Missing {' and '.join(missing)}. For example: {_EXAMPLE}. "
            "Or try a study that comes with the package: countnest run airway"
        )
    _check_listed(request)


def _check_listed(request: Request) -> None:
    """Refuse what does not go with a file of contrasts, and what goes with nothing else."""
    if request.contrasts is None:
        if request.layout != "countnest":
            raise click.UsageError(
                f"--layout {request.layout} names files by the ids of contrasts. Give their file: --contrasts FILE."
            )
        return
    given = {
        "--design": request.design, "--contrast": request.contrast, "--name": request.name, "--query": request.query,
        "--reduced": request.reduced,
    }  # fmt: skip
    others = [option for option, value in given.items() if value]
    if others:
        raise click.UsageError(
            f"--contrasts names a file of comparisons with their models. Leave out either --contrasts or "
            f"{' and '.join(others)}."
        )
    written = {
        "--shrink": request.shrink, "--vst": request.vst, "--figures": request.figures != "png",
        "--all-figures": request.all_figures, "--r-script": request.r_script, "--json": request.as_json,
    }  # fmt: skip
    without = [option for option, value in written.items() if value]
    if without:
        raise click.UsageError(
            f"{' and '.join(without)} cannot be had with --contrasts. Leave out either --contrasts or "
            f"{' and '.join(without)}."
        )
    if request.test == "LRT":
        raise click.UsageError("--contrasts is for comparisons. Leave out --test LRT.")
    if request.layout == "nf-core" and request.method != "deseq2":
        raise click.UsageError(
            f"--layout nf-core has the names of files of deseq2. Leave it out with --method {request.method}."
        )


def _check_deseq2(request: Request) -> None:
    if request.test == "LRT" and request.reduced is None:
        raise click.UsageError("--test LRT needs the design without the terms tested, such as --reduced '~ batch'.")
    if request.test == "LRT" and (request.lfc_threshold > 0 or request.alt_hypothesis != "greaterAbs"):
        raise click.UsageError("--lfc-threshold and --alt-hypothesis are for --test Wald, averaged and QL.")
    if request.test == "LRT" and request.hidden_factors is not None:
        raise click.UsageError(
            "--hidden-factors is for comparisons. Leave out --test LRT; --query-test lrt goes with it."
        )
    if request.query_test == "lrt" and (request.lfc_threshold > 0 or request.alt_hypothesis != "greaterAbs"):
        raise click.UsageError("--lfc-threshold and --alt-hypothesis are for --query-test wald, t, averaged and ql.")


def _check_method(request: Request, given: Collection[str]) -> None:
    """Refuse options of other methods than the one that is asked for."""
    wrong = [name for name in LACKING[request.method] if name in given]
    if wrong:
        owner = _OWNERS.get(wrong[0], "deseq2")
        same = [_flag(name, request) for name in wrong if _OWNERS.get(name, "deseq2") == owner]
        raise click.UsageError(
            f"{' and '.join(same)} {'is' if len(same) == 1 else 'are'} for --method {owner}. Leave "
            f"{'it' if len(same) == 1 else 'them'} out with --method {request.method}."
        )


def _flag(name: str, request: Request) -> str:
    """Return an option as it was given."""
    off = name in ("independent_filtering", "bounded") and not getattr(request, name)
    return f"--{'no-' if off else ''}{name.replace('_', '-')}"


def _check_test(request: Request) -> None:
    """Refuse a test that the method does not have."""
    if request.test is None:
        return
    if request.method == "voom":
        raise click.UsageError("--method voom has moderated t and F tests alone. Leave out --test.")
    mixed = request.method == "mixed"
    tests = _TESTS[request.mixed_model if mixed else request.method]
    if request.test not in tests:
        which = f"--mixed-model {request.mixed_model}" if mixed else f"--method {request.method}"
        raise click.UsageError(
            f"{which} has the tests {', '.join(tests[:-1])} and {tests[-1]}. Give one of them, or no --test."
        )


def _check_mixed(request: Request, given: Collection[str]) -> None:
    """Refuse options that the kind of mixed model does not have."""
    wrong = [name for name in not_of_model(request) if name in given]
    if wrong:
        raise click.UsageError(
            f"{_flag(wrong[0], request)} is for --mixed-model lmm. Leave it out with --mixed-model glmm."
        )
    if request.mixed_model == "glmm" and request.df not in (None, *_DF_OF_COUNTS):
        raise click.UsageError(
            f"--df {request.df} is for --mixed-model lmm. With --mixed-model glmm take {', '.join(_DF_OF_COUNTS[:-1])} "
            f"or {_DF_OF_COUNTS[-1]}."
        )
    if request.test == "LRT" and (request.lfc_threshold > 0 or request.alt_hypothesis != "greaterAbs"):
        raise click.UsageError("--lfc-threshold and --alt-hypothesis are not for --test LRT. Leave them out.")


def _check_written(request: Request) -> None:
    """Refuse files that cannot be made by the method, or in the place that was given."""
    shrinks = request.method == "deseq2" or (request.method, request.shrink) == ("mixed", "ashr")
    if request.shrink is not None and not shrinks:
        raise click.UsageError(
            f"--shrink {request.shrink} is for --method deseq2"
            + (", ashr for --method mixed, too" if request.method == "mixed" else "")
            + f". Leave it out with --method {request.method}."
        )
    if request.shrink is not None and not request.compares:
        raise click.UsageError("--shrink is of comparisons. Give a --contrast or a --name, or leave it out.")
    if request.r_script is not None and request.r_script.resolve() == request.folder.resolve():
        raise click.UsageError("--r-script needs a folder of its own. Give another than that of the results.")


def not_of_model(request: Request) -> tuple[str, ...]:
    """Return the options of mixed models that the kind of model does not have."""
    return _LINEAR if request.method == "mixed" and request.mixed_model == "glmm" else ()
