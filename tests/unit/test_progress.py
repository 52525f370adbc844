import logging
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import countnest as cn
from countnest.progress import Mute, SilentProgress, TqdmProgress, progress


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


class Kept(logging.Handler):
    """A handler of the user."""

    def __init__(self, level=logging.NOTSET):
        super().__init__(level)
        self.lines = []

    def emit(self, record):
        self.lines.append((record.levelname, record.getMessage()))


@pytest.fixture
def logger():
    """Return the logger, which is as before at the end; so is the root."""
    loggers = [logging.getLogger("countnest"), logging.getLogger()]
    before = [(each, each.level, list(each.handlers), each.propagate) for each in loggers]
    yield loggers[0]
    for each, level, handlers, propagate in before:
        each.setLevel(level)
        each.handlers[:] = handlers
        each.propagate = propagate


def speak(quiet):
    display = progress(quiet)
    display.step("estimating size factors")
    display.note("a local fit was used")
    display.announce("compiling, once: about 12 s")
    with display.bar(10, "work") as advance:
        advance(10)


SAID = ["estimating size factors", "a local fit was used", "compiling, once: about 12 s", "work"]
SHOWN = "estimating size factors\n-- note: a local fit was used\ncompiling, once: about 12 s\nwork\n"


def test_handlers_of_the_user_get_everything(logger, capsys):
    for quiet in (False, True):
        kept, above = Kept(), Kept()
        logger.handlers[1:] = [kept]
        logging.getLogger().addHandler(above)
        speak(quiet)
        assert kept.lines == [("INFO", text) for text in SAID]  # without a level having been set
        assert above.lines == []  # the root takes warnings
        logger.setLevel(logging.INFO)
        speak(quiet)
        assert above.lines == [("INFO", text) for text in SAID]
        logger.setLevel(logging.NOTSET)
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("", "" if quiet else 2 * SHOWN)


def test_the_level_of_the_logger_holds_for_all(logger, capsys):
    kept = Kept()
    logger.addHandler(kept)
    logger.setLevel(logging.WARNING)
    speak(quiet=False)
    assert (kept.lines, capsys.readouterr().err) == ([], "")
    logger.setLevel(logging.DEBUG)
    speak(quiet=False)
    assert (len(kept.lines), capsys.readouterr().err) == (4, SHOWN)


def test_a_handler_may_be_choosy(logger, capsys):
    kept = Kept(logging.WARNING)
    logger.addHandler(kept)
    speak(quiet=False)
    assert (kept.lines, capsys.readouterr().err) == ([], SHOWN)


def test_no_line_is_doubled_where_the_root_writes_to_the_terminal(logger, capsys):
    logging.getLogger().handlers[:] = [logging.StreamHandler()]
    for level, lines in ((logging.WARNING, SHOWN.splitlines()), (logging.INFO, SAID)):
        logging.getLogger().setLevel(level)
        speak(quiet=False)
        assert capsys.readouterr().err.splitlines() == lines
    logger.propagate = False
    speak(quiet=False)
    assert capsys.readouterr().err == SHOWN
    logger.propagate = True
    logger.setLevel(logging.INFO)  # now the root's handler gets them, whatever its logger's level
    logging.getLogger().setLevel(logging.WARNING)
    speak(quiet=False)
    assert capsys.readouterr().err.splitlines() == SAID


@pytest.mark.usefixtures("logger")
def test_lines_go_to_a_file_and_to_the_terminal(capsys, tmp_path):
    logging.getLogger().handlers[:] = [logging.FileHandler(tmp_path / "log.txt")]
    logging.getLogger().setLevel(logging.INFO)
    speak(quiet=False)
    assert capsys.readouterr().err == SHOWN
    assert (tmp_path / "log.txt").read_text().splitlines() == SAID
    logging.getLogger().handlers[0].close()


def test_the_display_can_be_taken_away(logger, capsys):
    logger.handlers.clear()
    speak(quiet=False)
    assert capsys.readouterr().err == ""


def test_records_name_the_caller(logger):
    places = []
    kept = Kept()
    kept.emit = lambda record: places.append(record.filename)
    logger.addHandler(kept)
    progress(quiet=False).step("a step")
    progress(quiet=True).note("a note")
    assert places == ["test_progress.py"] * 2


def test_work_inside_of_work_announces_and_says_nothing_else(capsys, caplog):
    with caplog.at_level(logging.INFO, logger="countnest"):
        for display in (Mute(progress(quiet=False)), Mute(progress(quiet=True)), Mute()):
            display.step("a step")
            display.note("a note")
            display.announce("compiling")
            with display.bar(10, "work") as advance:
                advance(10)
        progress(quiet=False).aside().step("aside")
    assert caplog.messages == ["compiling", "compiling", "aside"]
    assert capsys.readouterr().err == "compiling\n"


def test_steps_of_an_analysis_are_logged(logger, capsys):
    kept = Kept()
    logger.addHandler(kept)
    dds = cn.make_example_dataset(100, 6)
    assert capsys.readouterr().err == "-- reference levels: condition A\n"
    dds.deseq(quiet=True).effect("condition").test("lrt")
    said = [text for _, text in kept.lines]
    for text in (
        "estimating size factors",
        "estimating dispersions",
        "fitting model and testing",
        "fitting the null model",
    ):
        assert said.count(text) == 1
    assert any(text.startswith("-- reference levels: condition A") for text in said)
    assert capsys.readouterr().err == ""
