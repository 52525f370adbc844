"""Announcements of compilation: how long it takes, and why a later process would have to compile again.

The cache of kernels reports each kernel that it does not find, and each that has been compiled. `listening` sets the
progress display that is told. Nothing is announced if every kernel is found.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from countnest.progress import Advance, Progress

__all__ = ["EDGER", "EXPECTED", "FIT", "compiled", "listening", "missed", "not_kept"]

# For each kernel that other modules call, including all that it calls: seconds to compile, and number of kernels.
EXPECTED: Final[Mapping[str, tuple[float, int]]] = {
    "edger.leverage.leverage_chunk": (0.6, 2),
    "edger.unit_weights.weights_chunk": (0.4, 2),
    "edger.one_group.one_way_chunk": (0.9, 4),
    "edger.deviance.deviance_chunk": (0.4, 1),
    "edger.levenberg.levenberg_chunk": (4.0, 22),
    "edger.profile.profile_chunk": (1.2, 5),
    "negbin.moments.rough_dispersion_chunk": (0.4, 2),
    "negbin.moments.projected_mean_chunk": (0.3, 1),
    "negbin.irls.nb_log_start_chunk": (0.2, 1),
    "negbin.irls.nb_log_irls_chunk": (2.7, 22),
    "negbin.inference.nb_log_inference_chunk": (2.0, 15),
    "negbin.inference.nb_log_variance_chunk": (0.5, 1),
    "negbin.inference.nb_log_covariance_chunk": (0.9, 1),
    "negbin.dispersion.nb_logalpha_fit_chunk": (5.4, 14),
    "negbin.dispersion.nb_logalpha_grid_chunk": (0.6, 1),
    "negbin.nodes.nb_node_loglik_chunk": (1.6, 6),
    "negbin.nodes.nb_node_ratio_chunk": (0.6, 1),
    "negbin.nodes.nb_node_variance_chunk": (0.8, 1),
    "negbin.inference.nb_log_mean_chunk": (0.5, 3),
    "negbin.inference.nb_log_hat_chunk": (0.5, 1),
    "negbin.robust.robust_dispersion_chunk": (0.6, 3),
    "linear.lines.lines_chunk": (0.6, 2),
    "linear.curve.curve_weights_chunk": (0.4, 1),
    "linear.normal_equations.normal_equations_chunk": (1.4, 8),
    "linear.array_weights.array_weights_chunk": (2.0, 6),
    "mixed.counts.fit.count_mixed_chunk": (11.0, 59),
    "mixed.counts.grid.count_grid_chunk": (4.0, 7),
    "mixed.fit.mixed_chunk": (7.0, 34),
    "mixed.joint.likelihood.joint_chunk": (7.0, 24),
    "mixed.joint.likelihood.details_chunk": (2.5, 3),
    "mixed.general.fit.prepare_chunk": (0.6, 2),
    "mixed.general.fit.fit_general_chunk": (14.0, 28),
    "mixed.general.moments.moments_chunk": (7.0, 6),
    "mixed.general.moments.predictions_chunk": (2.0, 1),
    "negbin.density.nb_loglik_chunk": (0.2, 1),
    "r_search.negbin.nb_log_search_chunk": (5.9, 15),
    "r_search.apeglm.nb_cauchy_chunk": (9.4, 26),
    "shrinkage.rlog.nb_rlog_chunk": (3.3, 5),
}
# An analysis needs these, one after the other.
FIT: Final = frozenset(
    {
        "negbin.moments.rough_dispersion_chunk",
        "negbin.irls.nb_log_start_chunk",
        "negbin.irls.nb_log_irls_chunk",
        "negbin.inference.nb_log_inference_chunk",
        "negbin.dispersion.nb_logalpha_fit_chunk",
        "negbin.dispersion.nb_logalpha_grid_chunk",
        "negbin.inference.nb_log_mean_chunk",
        "negbin.robust.robust_dispersion_chunk",
    }
)
# And so does an analysis by edgeR's method.
EDGER: Final = frozenset(name for name in EXPECTED if name.startswith("edger."))
# Shorter times, in seconds, are not announced.
WORTH_A_WORD = 0.5


class _Here(threading.local):
    """State of this thread: the progress display, the depth of nested compilations, and the bar."""

    progress: Progress | None = None
    all_of_it: bool = False
    depth: int = 0
    bar: ExitStack | None = None
    advance: Advance | None = None


class _Announced:
    """What this process has announced: a set of kernels, their number, and how many of them are compiled."""

    def __init__(self) -> None:
        self.blocks: set[str] = set()
        self.total = 0
        self.done = 0
        self.told_of_keeping = False
        self.lock = threading.Lock()


_here = _Here()
_announced = _Announced()


@contextmanager
def listening(progress: Progress, *, all_of_it: bool = False) -> Iterator[None]:
    """Report what is compiled in this thread to `progress`; of nested contexts, the outermost one gets the reports.

    `all_of_it` means that every kernel will be needed.
    """
    if _here.progress is not None:
        yield
        return
    _here.progress, _here.all_of_it = progress, all_of_it
    try:
        yield
    finally:
        _close()
        _here.progress, _here.all_of_it, _here.depth = None, False, 0


def missed(kernel: str, folder: Path | None, drawback: str | None) -> None:
    """Report that a kernel was not found in the folder of compiled kernels, if there is one, and is compiled now.

    `drawback` is a sentence on why later processes will compile it again; None: they will not.
    """
    if _here.progress is None:
        return
    _here.depth += 1
    if _here.depth == 1:
        _announce(_here.progress, kernel, folder, drawback)


def compiled() -> None:
    """Report that the kernel that was missed last is compiled."""
    if _here.depth == 0:
        return
    _here.depth -= 1
    if _here.advance is not None:
        _announced.done += 1
        _here.advance(1)
    if _here.depth == 0:
        _close()


def not_kept(reason: str, advice: str) -> None:
    """Report that a compiled kernel could not be written, and what the user can do about it."""
    if _here.progress is not None and not _announced.told_of_keeping:
        _announced.told_of_keeping = True
        text = f"the compiled code cannot be kept ({reason}): the next process compiles again"
        _here.progress.announce(f"{text}. {advice}")


def _announce(progress: Progress, kernel: str, folder: Path | None, drawback: str | None) -> None:
    """Announce the time, once for all kernels that are used together, and show a bar."""
    with _announced.lock:
        if kernel not in _announced.blocks:
            wanted = (
                set(EXPECTED)
                if _here.all_of_it
                else next((group for group in (FIT, EDGER) if kernel in group), {kernel})
            )
            missing = _missing(wanted - _announced.blocks, folder)
            _announced.blocks |= wanted | {kernel}
            seconds = sum(EXPECTED[name][0] for name in missing)
            _announced.total, _announced.done = sum(EXPECTED[name][1] for name in missing), 0
            if seconds >= WORTH_A_WORD:
                progress.announce(_text(seconds, folder, drawback))
        if _announced.total > 1:
            _here.bar = ExitStack()
            bar = progress.passing_bar(max(_announced.total, _announced.done), _announced.done, "compiling")
            _here.advance = _here.bar.enter_context(bar)


def _close() -> None:
    if _here.bar is not None:
        _here.bar.close()
    _here.bar = _here.advance = None


def _missing(kernels: Collection[str], folder: Path | None) -> set[str]:
    """Return those kernels that have a known time and are not in the folder."""
    kept = set() if folder is None else {file.name.rsplit("-", 1)[0] for file in folder.glob("*.kernel")}
    return {name for name in kernels if name in EXPECTED and name not in kept}


def _text(seconds: float, folder: Path | None, drawback: str | None) -> str:
    about = f"about {max(1, round(seconds))} s"
    if drawback is None:
        return f"compiling, once: {about}"
    _announced.told_of_keeping = True
    return f"{'compiling in every process' if folder is None else 'compiling'}: {about}. {drawback}"
