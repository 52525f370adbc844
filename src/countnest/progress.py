"""How work that lasts speaks: steps, notes and bars, on the terminal or nowhere."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any, Protocol

__all__ = ["Advance", "Progress", "SilentProgress", "TqdmProgress", "progress", "say"]

Advance = Callable[[int], None]

_DELAY = 0.3  # seconds: shorter work draws no bar
_LOG_INTERVAL = 10.0  # seconds between two states of a bar where the stream is not a terminal
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} genes [{elapsed}, {remaining} left]"


class Progress(Protocol):
    """What a pipeline may say while it works."""

    def step(self, text: str) -> None:
        """Announce a step: 'estimating size factors'."""

    def note(self, text: str) -> None:
        """Tell something that the user should know: '-- note: ...'."""

    def bar(self, total: int, text: str) -> AbstractContextManager[Advance]:
        """Return a context manager whose value, `advance(k)`, counts `k` of `total` genes as done, from any thread."""


class TqdmProgress:
    """Speak on the standard error stream, with tqdm bars."""

    def step(self, text: str) -> None:
        """Write one line."""
        say(text)

    def note(self, text: str) -> None:
        """Write one line that begins with '--'."""
        say(text if text.startswith("--") else f"-- note: {text}")

    @contextmanager
    def bar(self, total: int, text: str) -> Iterator[Advance]:
        """Draw a bar once the work has lasted a moment; it stays, with its time, and short work leaves its text.

        Where the stream is not a terminal, the text comes first and a bar only after a while.
        """
        terminal = sys.stderr.isatty()
        if not terminal:
            say(text)
        counter = _Counter(total, text, delay=_DELAY if terminal else _LOG_INTERVAL)
        try:
            yield counter.advance
        finally:
            counter.close()
            if terminal and counter.meter is None:
                say(text)


class _Counter:
    """What has been done so far, shown by a bar from `delay` seconds on."""

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
    """Write nothing on the terminal: notes go to the logger 'countnest' (level INFO), steps too (level DEBUG)."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("countnest")

    def step(self, text: str) -> None:
        """Log one line."""
        self._logger.debug(text)

    def note(self, text: str) -> None:
        """Log one line."""
        self._logger.info(text)

    @contextmanager
    def bar(self, total: int, text: str) -> Iterator[Advance]:  # noqa: ARG002 (the shape of the protocol)
        """Count nothing."""
        yield lambda k: None  # noqa: ARG005


def progress(quiet: bool) -> Progress:
    """Return the progress display of a call: none when `quiet`."""
    return SilentProgress() if quiet else TqdmProgress()


def say(text: str) -> None:
    """Write one line to the standard error stream, without breaking an open bar."""
    _tqdm().write(text, file=sys.stderr)


def _tqdm() -> Any:  # noqa: ANN401 (a class that depends on the place)
    """Return the bar class for this place, imported late because many calls need none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm complains of notebooks without ipywidgets, and then works
        from tqdm.auto import tqdm
    return tqdm
