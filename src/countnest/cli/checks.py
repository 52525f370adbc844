"""Which options of `countnest run` go together."""

from __future__ import annotations

from collections.abc import Collection

import click

from countnest.cli.request import Request

__all__ = ["LACKING", "check_request", "given_options"]

_EXAMPLE = (
    "countnest run --counts counts.csv --samples samples.csv --design '~ batch + condition' "
    "--reference condition=control --contrast condition,treated,control"
)
# Options of DESeq2's method alone.
_DESEQ2 = (
    "reduced", "fit_type", "size_factor_type", "min_replicates_for_replace", "use_t", "minmu", "cooks_cutoff",
    "query_test", "independent_filtering",
)  # fmt: skip
# Options of other methods: by the method, those that it does not have.
LACKING = {
    "deseq2": ("robust", "compat", "block", "quality_weights"),
    "edger": (*_DESEQ2, "block", "quality_weights"),
    "voom": _DESEQ2,
}
_OWNERS = {"robust": "edger and voom", "compat": "edger and voom", "block": "voom", "quality_weights": "voom"}
# Tests of edgeR's method.
_EDGER = ("QL", "LRT")


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
    _check_method(request, given)
    if request.method == "deseq2":
        _check_deseq2(request)
    else:
        _check_other_method(request)
    _check_thresholds(request)


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
    if request.contrast and request.name:
        raise click.UsageError("--contrast and --name exclude each other. Give one of them.")


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
    off = name == "independent_filtering" and not request.independent_filtering
    return f"--{'no-' if off else ''}{name.replace('_', '-')}"


def _check_other_method(request: Request) -> None:
    if request.method == "edger" and request.test not in _EDGER:
        raise click.UsageError(f"--method edger has the tests {' and '.join(_EDGER)}. Give one of them, or no --test.")
    if request.method == "voom" and request.test is not None:
        raise click.UsageError("--method voom has moderated t and F tests alone. Leave out --test.")


def _check_thresholds(request: Request) -> None:
    if request.null == "scaled" and (request.lfc_threshold > 0 or request.alt_hypothesis in ("less", "greater")):
        raise click.UsageError(
            "--null scaled is for two-sided tests of zero. Leave out --lfc-threshold and --alt-hypothesis."
        )
    if not request.query and (request.query_test is not None or request.allow_fixed_blocks):
        raise click.UsageError("--query-test and --allow-fixed-blocks apply to queries. Give a --query, too.")
    if request.alt_hypothesis == "lessAbs" and request.lfc_threshold == 0:
        raise click.UsageError("--alt-hypothesis lessAbs needs an --lfc-threshold above 0.")
