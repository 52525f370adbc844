import logging
import time
from concurrent.futures import ThreadPoolExecutor

from countnest.progress import SilentProgress, TqdmProgress, progress


def test_progress_is_chosen_by_quiet():
    assert isinstance(progress(quiet=True), SilentProgress)
    assert isinstance(progress(quiet=False), TqdmProgress)


def test_steps_and_notes_are_lines_on_stderr(capsys):
    display = progress(quiet=False)
    display.step("estimating size factors")
    display.note("a local fit was used")
    display.note("-- replacing outliers")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "estimating size factors\n-- note: a local fit was used\n-- replacing outliers\n"


def test_short_work_leaves_its_text_and_no_bar(capsys):
    with progress(quiet=False).bar(10, "work") as advance:
        advance(10)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "work\n")


def test_long_work_leaves_its_bar(capsys, monkeypatch):
    monkeypatch.setattr("countnest.progress._DELAY", 0.01)
    monkeypatch.setattr("countnest.progress._LOG_INTERVAL", 0.01)
    with progress(quiet=False).bar(10, "work") as advance:
        for _ in range(5):
            time.sleep(0.02)
            advance(2)
    text = capsys.readouterr().err
    assert "work: 100%" in text
    assert "10/10 genes" in text
    assert text.endswith("\n")


def test_bar_counts_from_many_threads(monkeypatch):
    class Meter:
        n = 0

        def __init__(self, *, initial, **_):
            Meter.n = initial

        def close(self):
            pass

        def update(self, k):
            before = Meter.n
            time.sleep(1e-5)
            Meter.n = before + k

        @staticmethod
        def write(text, file):
            file.write(text)

    monkeypatch.setattr("countnest.progress._tqdm", lambda: Meter)
    monkeypatch.setattr("countnest.progress._LOG_INTERVAL", 0.0)
    with TqdmProgress().bar(2000, "work") as advance, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: advance(2), range(1000)))
    assert Meter.n == 2000


def test_silence_goes_to_the_log(capsys, caplog):
    display = progress(quiet=True)
    with caplog.at_level(logging.DEBUG, logger="countnest"):
        display.step("estimating size factors")
        display.note("a local fit was used")
        with display.bar(10, "work") as advance:
            advance(10)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "estimating size factors"),
        ("INFO", "a local fit was used"),
    ]
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
