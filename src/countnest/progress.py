"""Progress reporting for long-running work: steps, notes, announcements and bars.

Lines are records of the logger `countnest`, level INFO, which any handler gets. One handler is attached from the start,
the `Display`: it writes them to the standard error stream, unless a call is quiet.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any, Protocol

__all__ = ["Advance", "Mute", "Progress", "SilentProgress", "TqdmProgress", "progress", "say"]

Advance = Callable[[int], None]

_DELAY = 0.3  # seconds: shorter work draws no bar
_LOG_INTERVAL = 10.0  # seconds between two states of a bar where the stream is not a terminal
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} genes [{elapsed}, {remaining} left]"
_PASSING_BAR = "{desc}: {percentage:3.0f}%|{bar}|"

_logger = logging.getLogger("countnest")


class Progress(Protocol):
    """Progress reports of a running analysis."""

    def step(self, text: str) -> None:
        """Announce a step: 'estimating size factors'."""

    def note(self, text: str) -> None:
        """Report something that the user should know: '-- note: ...'."""

    def bar(self, total: int, text: str) -> AbstractContextManager[Advance]:
        """Return a context manager whose value, `advance(k)`, counts `k` of `total` genes as done, from any thread."""

    def announce(self, text: str) -> None:
        """Report what the user is waiting for besides the analysis, such as the compiler."""

    def passing_bar(self, total: int, done: int, text: str) -> AbstractContextManager[Advance]:
        """Return a context manager like that of `bar`, for a bar that is removed at the end."""

    def aside(self) -> Progress:
        """Return a progress that shows announcements only, if this one does."""


class TqdmProgress:
    """Progress on the logger and the standard error stream, with tqdm bars."""

    def step(self, text: str) -> None:
        """Write one line."""
        _tell(text)

    def note(self, text: str) -> None:
        """Write one line that begins with '--'."""
        _tell(text, shown_as=text if text.startswith("--") else f"-- note: {text}")

    def announce(self, text: str) -> None:
        """Write one line."""
        _tell(text)

    @contextmanager
    def bar(self, total: int, text: str) -> Iterator[Advance]:
        """Draw a bar once the work has lasted a moment; the finished bar stays, and short work leaves its text.

        Where the stream is not a terminal, the text comes first and a bar only after a while.
        """
        visible, terminal = _is_visible(), _is_terminal()
        _tell(text, displayed=not terminal)
        if not visible:
            yield _count_nothing
            return
        counter = _Counter(total, text, delay=_DELAY if terminal else _LOG_INTERVAL)
        try:
            yield counter.advance
        finally:
            counter.close()
            if terminal and counter.meter is None and not _is_written_by_another():
                say(text)

    @contextmanager
    def passing_bar(self, total: int, done: int, text: str) -> Iterator[Advance]:
        """Draw a bar at once and remove it at the end; on a terminal only."""
        if not (_is_visible() and _is_terminal()):
            yield _count_nothing
            return
        with _tqdm()(
            total=total, initial=done, desc=text, bar_format=_PASSING_BAR, leave=False, dynamic_ncols=True,
            file=sys.stderr,
        ) as meter:  # fmt: skip
            yield meter.update

    def aside(self) -> Progress:
        """Return a progress that shows announcements only."""
        return SilentProgress(self)


class _Counter:
    """A counter of finished genes, shown as a bar after `delay` seconds."""

    def __init__(self, total: int, text: str, delay: float) -> None:
        self.meter: Any = None
        self._total, self._text, self._delay = total, text, delay
        self._done = 0
        self._start = time.monotonic()
        self._lock = Lock()

    def advance(self, k: int) -> None:
        """Count `k` more; called from any thread."""
        with self._lock:
            self._done += k
            if self.meter is not None:
                self.meter.update(k)
            elif time.monotonic() - self._start > self._delay:
                self.meter = self._new_meter()

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.meter is not None:
            self.meter.close()

    def _new_meter(self) -> Any:  # noqa: ANN401 (a class that depends on the place)
        interval = max(0.1, self._delay - _DELAY)
        return _tqdm()(
            total=self._total,
            initial=self._done,
            desc=self._text,
            bar_format=_BAR,
            mininterval=interval,
            maxinterval=max(interval, _LOG_INTERVAL),
            dynamic_ncols=True,
            file=sys.stderr,
        )


class SilentProgress:
    """Progress that shows nothing; handlers of the logger still get the lines.

    Parameters
    ----------
    besides
        The progress that makes the announcements; None: there is none.
    """

    def __init__(self, besides: Progress | None = None) -> None:
        self._besides = besides

    def step(self, text: str) -> None:
        """Log one line."""
        _tell(text, displayed=False)

    def note(self, text: str) -> None:
        """Log one line."""
        _tell(text, displayed=False)

    @contextmanager
    def bar(self, total: int, text: str) -> Iterator[Advance]:  # noqa: ARG002 (the shape of the protocol)
        """Log the text, and count nothing."""
        self.step(text)
        yield _count_nothing

    def announce(self, text: str) -> None:
        """Log one line, or pass it to the progress that makes the announcements."""
        say_it = self.step if self._besides is None else self._besides.announce
        say_it(text)

    def passing_bar(self, total: int, done: int, text: str) -> AbstractContextManager[Advance]:
        """Count nothing, or use the bar of the progress that makes the announcements."""
        return nullcontext(_count_nothing) if self._besides is None else self._besides.passing_bar(total, done, text)

    def aside(self) -> Progress:
        """Be as silent."""
        return self


class Mute(SilentProgress):
    """Progress that shows and logs announcements only: for steps inside of a step that has been reported."""

    def step(self, text: str) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


def progress(quiet: bool) -> Progress:
    """Return the progress of a call: silent if `quiet`."""
    return SilentProgress() if quiet else TqdmProgress()


def say(text: str) -> None:
    """Write one line to the standard error stream, without breaking an open bar."""
    if sys.stderr is not None:  # a process without a console
        _tqdm().write(text, file=sys.stderr)


class Display(logging.Handler):
    """The handler that writes lines as they are, without level and name.

    Where another handler writes them to the same terminal, as that of `logging.basicConfig(level="INFO")` does, it
    leaves them to that one.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record, unless the call is quiet."""
        try:
            if getattr(record, "displayed", True) and not _is_written_by_another(record.levelno):
                say(getattr(record, "shown_as", None) or self.format(record))
        except Exception:
            self.handleError(record)


def _tell(text: str, *, displayed: bool = True, shown_as: str | None = None) -> None:
    """Pass a line to the handlers of the logger, and to those of its parents if its level allows it.

    While the level of the logger is not set, its own handlers get steps and notes whatever the level of the root.
    """
    if not _is_wanted():
        return
    path, line, function, _ = _logger.findCaller(stacklevel=3)
    about = {"displayed": displayed, "shown_as": shown_as}
    record = _logger.makeRecord(_logger.name, logging.INFO, path, line, text, (), None, function, about)
    if _logger.isEnabledFor(logging.INFO):
        _logger.handle(record)
    elif _logger.filter(record):
        for handler in _logger.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)


def _is_wanted() -> bool:
    """Return whether the logger accepts lines: its own level decides, and without one it does."""
    if _logger.disabled or _logger.manager.disable >= logging.INFO:
        return False
    return _logger.level == logging.NOTSET or _logger.isEnabledFor(logging.INFO)


def _is_visible() -> bool:
    """Return whether lines of this level reach the display."""
    return _is_wanted() and any(isinstance(each, Display) and each.level <= logging.INFO for each in _logger.handlers)


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _is_written_by_another(level: int = logging.INFO) -> bool:
    """Return whether a handler besides the display writes records of a level to the terminal."""
    return any(level >= each.level and _is_console(each) for each in _reached(level) if not isinstance(each, Display))


def _reached(level: int) -> Iterator[logging.Handler]:
    """Yield the handlers that get records of a level."""
    logger: logging.Logger | None = _logger
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate and _logger.isEnabledFor(level) else None


def _is_console(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None) or getattr(getattr(handler, "console", None), "file", None)
    return stream is not None and stream in (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__)


def _count_nothing(_: int) -> None:
    pass


def _tqdm() -> Any:  # noqa: ANN401 (a class that depends on the place)
    """Return the bar class for a terminal or a notebook; imported late because many calls need none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm complains of notebooks without ipywidgets, and then works
        from tqdm.auto import tqdm
    return tqdm


_logger.addHandler(Display())
