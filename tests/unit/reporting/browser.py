"""A browser without a window, and a page of a report in it."""

import shutil
import time
from pathlib import Path

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--window-size=1300,1000",
)  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT = 120.0  # seconds; a busy machine draws slowly


def open_browser(profile: Path):
    """Return a browser with an empty profile; the test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("needs Chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    downloads = profile / "downloads"
    downloads.mkdir()
    for flag in (*FLAGS, f"--user-data-dir={profile / 'profile'}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


class Page:
    """A page in the browser, drawn."""

    def __init__(self, driver, path: Path, downloads: Path):
        self.driver, self.downloads = driver, downloads
        driver.get(path.as_uri())
        self.wait(lambda: self.run("return document.documentElement.dataset.ready") == "true")

    def wait(self, condition):
        end = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < end, self.log()
            time.sleep(0.05)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def log(self):
        """Return what the browser has to complain about, since the last call."""
        return [entry for entry in self.driver.get_log("browser") if entry["level"] not in ("INFO", "DEBUG")]

    def click_on_gene(self, figure, gene):
        """Click where a gene is drawn in a figure; the mouse moves there, as a hand would."""
        target = self.find(f"#{figure}")
        self.run("arguments[0].scrollIntoView({block: 'center'})", target)
        x, y = self.run(PLACE_OF_GENE, figure, gene)
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)


# Where a gene is on the screen, from the ranges of the axes and the frame of the figure.
PLACE_OF_GENE = """
const [target, gene] = arguments;
const { view, place } = window.countnest.roots.find((each) => each.place.id === target);
const figure = window.countnest.drawn.find((each) => each.plot.id === view.model.id);
const i = figure.at.get(window.countnest.genes.indexOf(gene));
const { left, top } = view.canvas_view.el.getBoundingClientRect();
return [left + view.frame.x_scale.compute(figure.x[i]), top + view.frame.y_scale.compute(figure.y[i])];
"""
