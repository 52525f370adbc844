"""A report in a browser: it opens without a complaint, genes are found and clicked on, tables sorted and downloaded."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from unit.api.simulated import study
from unit.reporting.browser import Page, open_browser

pytest.importorskip("bokeh")

ODD = "<script>throw 1</script>Δ'\""


@pytest.fixture(scope="module")
def dds():
    counts, sheet = study(n_genes=400)
    counts = counts.rename(index={"g9": ODD})
    symbols = pd.Series([f"Sym{i}" for i in range(len(counts))], index=counts.index, name="symbol")
    return cn.DESeqDataSet(counts, sheet, design="~ batch + group", gene_info=symbols, quiet=True).deseq(quiet=True)


@pytest.fixture(scope="module")
def page(dds, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    driver = open_browser(folder)
    try:
        path = folder / "report.html"
        cn.report(dds, {"b - a": ("group", "b", "a"), "<i>any</i>": "joint(group[pairwise])"}, path)
        page = Page(driver, path, folder / "downloads")
        assert page.log() == []
        yield page
        assert page.log() == []  # and nothing that was done since has made it complain
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def results(dds):
    return dds.results(("group", "b", "a"))


def chosen(page):
    """Return the heading of the panel with the counts of a gene, None while it is closed."""
    is_closed = page.run("return document.getElementById('gene').classList.contains('closed')")
    return None if is_closed else page.text("#gene-name")


def points(page):
    """Return the counts that the panel shows, by sample."""
    source = "window.countnest.counts.model('points').data"
    samples, counts = page.run(f"const found = {source}; return [Array.from(found.sample), Array.from(found.count)]")
    return pd.Series(counts, samples, dtype=float)


def close(page):
    page.find("#gene .close").click()
    assert chosen(page) is None


def test_a_click_on_a_point_shows_the_counts_of_its_gene(page, dds, results):
    normalized = dds.counts(normalized=True)
    for figure, gene in (("ma-0", results.top(1).index[0]), ("volcano-0", results.top(2).index[1])):
        page.click_on_gene(figure, gene)
        page.wait(lambda: chosen(page) is not None)
        assert chosen(page) == f"Sym{dds.gene_names.get_loc(gene)} ({gene})"
        np.testing.assert_allclose(points(page), normalized.loc[gene], rtol=1e-12)
        marks = page.run("return window.countnest.drawn.map((each) => each.mark.data.x.length)")
        assert marks == [1] * len(marks)
        assert len(marks) == 3  # dispersions, MA plot, volcano plot
        close(page)


def test_a_gene_is_found_and_its_row_shows_its_counts(page, dds, results):
    search = page.find(".table[data-question='0'] input")
    for text, label in (("sym57", "g57"), ("g123", "g123"), ("<script>", ODD)):
        search.clear()
        search.send_keys(text)
        rows = page.all(".table[data-question='0'] tbody tr")
        assert [row.text.split()[0] for row in rows] == [label.split()[0]]
        rows[0].find_element("css selector", "button").click()
        assert chosen(page) == f"Sym{dds.gene_names.get_loc(label)} ({label})"
        np.testing.assert_allclose(points(page), dds.counts(normalized=True).loc[label], rtol=1e-12)
        cells = page.run("return [...document.querySelectorAll('#gene-answers tbody tr:first-child td')]"
                         ".map((cell) => cell.textContent)")  # fmt: skip
        assert cells[0] == "b - a"
        np.testing.assert_allclose(float(cells[1]), results.table.loc[label, "log2FoldChange"], rtol=1e-3)
        close(page)
    search.clear()
    search.send_keys("no such thing")
    assert "no such gene" in page.text(".table[data-question='0'] .bar")
    search.clear()
    search.send_keys(" ")
    box = page.find("#find")
    box.send_keys("SYM30\n")
    assert chosen(page) == "Sym30 (g30)"
    close(page)


def test_tables_are_sorted_by_a_click_on_a_heading(page, results):
    def shown():
        rows = page.all(".table[data-question='0'] tbody tr")
        return [row.find_element("css selector", "button").text for row in rows]

    assert shown() == results.top(20).index.tolist()
    heading = page.find(".table[data-question='0'] thead th:nth-child(4) button")
    assert heading.text == "log2FoldChange"
    change = results.table["log2FoldChange"].iloc[2:]
    for ascending in (True, False):
        heading.click()
        assert shown() == change.sort_values(ascending=ascending, kind="stable").index[:20].tolist()


def test_groups_are_chosen_by_the_reader(page, dds):
    page.run("window.countnest.choose(10)")
    assert "Diamonds are the means of the model" in page.text("#gene-words")
    options = [option.text for option in page.all("#groups option")]
    assert options == ["batch, group", "batch", "group"]
    for option in page.all("#groups option"):
        if option.text == "group":
            option.click()
    levels = page.run("return [...window.countnest.counts.plot.below[0].major_label_overrides.values()]")
    assert levels == ["a", "b", "c"]
    assert "Dashes are the means of the samples" in page.text("#gene-words")
    normalized = dds.counts(normalized=True).iloc[2:].iloc[10].groupby(dds.samples["group"], observed=True).mean()
    found = page.run("return Array.from(window.countnest.counts.model('means').data.y)")
    np.testing.assert_allclose(found, normalized + 0.5, rtol=1e-12)
    page.run("const joined = document.getElementById('joined'); joined.value = '1';"
             "joined.dispatchEvent(new Event('change'))")  # fmt: skip
    assert page.run("return window.countnest.counts.model('lines').data.xs.length") == 2
    close(page)


def test_tables_are_downloaded_with_all_digits(page, dds, results):
    page.find("#downloads button").click()
    path = page.downloads / "b_-_a.csv"
    page.wait(path.exists)
    page.wait(lambda: path.read_bytes().endswith(b"\n"))
    found = pd.read_csv(path, index_col="gene", float_precision="round_trip")
    expected = results.table.iloc[2:]
    assert found.index.tolist() == expected.index.tolist()
    for name in ("baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj"):
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert found["symbol"].tolist() == expected["symbol"].tolist()
    counts = page.run("return window.countnest.csv.countsCsv((gene, i) => window.countnest.countOf(gene, i))")
    table = pd.read_csv(io.StringIO(counts), index_col="gene")
    pd.testing.assert_frame_equal(table, dds.counts().iloc[2:].astype(int), check_names=False)
    sheet = pd.read_csv(io.StringIO(page.run("return window.countnest.csv.samplesCsv()")), float_precision="round_trip")
    np.testing.assert_array_equal(sheet["sizeFactor"], dds.size_factors)


def test_it_prints_with_its_figures(page):
    page.run("window.printed = 0; window.addEventListener('beforeprint', () =>"
             "{ window.printed = document.querySelectorAll('canvas.printed').length; })")  # fmt: skip
    found = page.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    pdf = base64.b64decode(found["data"])
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Subtype /Image") >= 8
    assert page.run("return window.printed") == 9
    assert page.all("canvas.printed") == []


def test_it_fits_a_telephone(page):
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        page.wait(lambda: page.run("return document.documentElement.scrollWidth") <= 390)
        width = page.run("return document.getElementById('ma-0').getBoundingClientRect().width")
        assert 300 < width <= 390
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_long_names_can_be_told_apart_in_the_panel_and_most_questions_are_printed_on_a_page(tmp_path):
    counts, sheet = study(n_genes=100)
    levels = {level: f"treated_{'for_many_hours_' * 3}with_{level}" for level in sheet["group"].unique()}
    sheet = sheet.assign(group=sheet["group"].map(levels))
    dds = cn.DESeqDataSet(counts, sheet, design="~ group", quiet=True).deseq(quiet=True)
    cn.report(dds, {"all": "group[pairwise]"}, tmp_path / "report.html")
    driver = open_browser(tmp_path)
    try:
        page = Page(driver, tmp_path / "report.html", tmp_path / "downloads")
        page.run("document.querySelector('tr[data-gene] button').click()")
        axis = "window.countnest.counts.plot.below[0].major_label_overrides"
        labels = page.run(f"return [...new Map({axis}).values()]")
        assert sorted(label[-6:] for label in labels) == sorted(level[-6:] for level in levels.values())
        assert max(map(len, labels)) <= 60
        answers = "document.getElementById('gene-answers')"
        assert page.run(f"return {answers}.scrollWidth <= {answers}.clientWidth")
        cells = f"[...{answers}.querySelectorAll('td:first-child')]"
        assert page.run(f"return {cells}.every((each) => each.scrollWidth <= each.clientWidth)")
        page.run("document.querySelector('aside .close').click()")
        pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
        n_pages = len(re.findall(rb"/Type /Page\b", pdf))
        n_questions = len(page.all("section.question"))
        assert n_pages < 2 * n_questions + 6  # six: design, quality control, methods with records
    finally:
        driver.quit()
