"""Saved fits: opened, and asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import countnest as cn
from countnest.api.advice import averaged_sentence
from countnest.cli.folder import SAVED
from countnest.cli.request import Asked, How, SavedRequest
from countnest.errors import FileError, MissingStepError, OptionError, listing
from countnest.methods.deseq2.stages import Fitted
from countnest.methods.deseq2.steps import Model

if TYPE_CHECKING:
    from countnest import DESeqDataSet
    from countnest.containers.results import Results

__all__ = ["advice_on", "contrasts_of", "how_of", "open_saved"]


def open_saved(path: Path) -> DESeqDataSet:
    """Return the data set in a file, or in the folder of a run that saved it.

    Raises
    ------
    FileError
        There is no such file, or it does not hold a data set.
    MissingStepError
        The data set is not fitted.
    """
    file = path / SAVED if path.is_dir() else path
    if path.is_dir() and not file.exists():
        raise FileError(f"'{path}' holds no {SAVED}. {_other_fits(path)}")
    dds = cn.load(file)
    if not dds.fits:
        raise MissingStepError(f"'{file}' holds a data set without a fit: fit it before it is saved.")
    return dds


def _other_fits(folder: Path) -> str:
    """Return what to do where the fit of a folder is not the only one of a run."""
    found = sorted(folder.glob("*.countnest"))
    if found:
        return f"It holds {listing(file.name for file in found)}. Give one of them, such as {found[0]}."
    return "Run the analysis with --save."


def how_of(request: SavedRequest, dds: DESeqDataSet) -> How:
    """Return what answers: the fit that was named, or DESeq2's, or the only one, by the test that was asked for.

    Raises
    ------
    OptionError
        There is no such fit, or no such test of it; or several fits, none of which is DESeq2's.
    """
    name = request.fit or _usual(dds)
    if name not in dds.fits:
        raise OptionError(f"--fit {name} is not in the file. It has {listing(dds.fits, 20)}.")
    fit = dds._fit(name)
    kind = None if request.test is None else request.test.lower()
    if kind is not None and kind not in fit.kinds:
        raise OptionError(f"--test {request.test} is not a test of the fit {name}. It has {listing(fit.kinds, 20)}.")
    return How(None if name == dds._last and kind is None else name, kind, kind)


def advice_on(dds: DESeqDataSet, answers: Iterable[Results]) -> str | None:
    """Return the note on Wald tests of few samples, as an analysis gives it; None if no answer is of such a test."""
    state = dds._state
    if (
        not isinstance(state, Fitted)
        or state.fit.prior is not None
        or all(each.info.test != "Wald" for each in answers)
    ):
        return None
    model = Model(dds._layout, use_t=state.fit.df is not None, min_mu=state.fit.min_mu)
    return averaged_sentence(dds.design, model, state)


def contrasts_of(asked: Asked) -> tuple[tuple[str, str, str] | None, ...]:
    """Return the comparisons that are asked for; None: that of `--name`, or the last coefficient."""
    return (asked.contrast or (None,)) if asked.compares else ()


def _usual(dds: DESeqDataSet) -> str:
    names = list(dds.fits)
    if dds._last in names:
        return dds._last
    if len(names) > 1:
        raise OptionError(f"the file has several fits: {listing(names, 20)}. Give one of them, --fit.")
    return names[0]
