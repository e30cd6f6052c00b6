"""The report in a real browser: headless Chromium."""

from __future__ import annotations

import json
import time
from xml.etree import ElementTree

import pytest

from browsing import needs_chromium, open_browser
from caveat.report.html import render

HACK = "document.title='hacked'"
HOSTILE = f'Sure! <script>{HACK}</script><img src=x onerror="{HACK}"> مرحبا 😀'
SOURCE = f"def double(x):\n\tif x < 1 & 2:\n        return '<b>{HOSTILE}</b>'\n"
CODE = f"A <i>draft</i>:\n```python\n{SOURCE}```\nand\n~~~\nx = 1\n  ~~~\ncut off:\n```\ndef half("
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def report(make_data, with_transfer, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    data = with_transfer(make_data(replies={3: HOSTILE, 5: CODE}))
    path.write_text(render(data), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def long_names(make_data, tmp_path_factory):
    """A report whose settings have long names."""
    path = tmp_path_factory.mktemp("long") / "report.html"
    data = make_data(settings=LONG, arms=("base", "bare", "marked"), contexts=("none",))
    path.write_text(render(data), encoding="utf-8")
    return path


def found(page) -> str:
    return page.find_element("id", "found").text


def chosen(page):
    """The card of the chosen answer."""
    return page.find_element("css selector", "#reading > .card")


def lines(page):
    """The rows of the list that exist, which are those in view and a few more."""
    return page.find_elements("css selector", "#rows .row")


def choose(page, name: str, value: str):
    from selenium.webdriver.support.ui import Select

    Select(page.find_element("name", name)).select_by_visible_text(value)


def press(page, key: str):
    from selenium.webdriver.common.keys import Keys

    page.find_element("id", "rows").send_keys(getattr(Keys, key))


def wait_until(holds):
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "the page did not change within 20 seconds"
        time.sleep(0.05)


def opened(browser, path):
    """The page, once its answers were read."""
    browser.get(path.as_uri())
    wait_until(lambda: "answers" in found(browser) and "being read" not in found(browser))
    return browser


def search(page, words: str):
    before = found(page)
    page.find_element("id", "search").send_keys(words)
    wait_until(lambda: found(page) != before)


@pytest.fixture
def page(browser, report):
    browser.get_log("performance")
    browser.get_log("browser")
    return opened(browser, report)


def test_the_first_screen_holds_plot_and_boxes(page):
    """At 1280 by 900, without scrolling: the plot, the strongest remedy, and what is not known."""
    svg = page.find_element("css selector", "#plot-leakage .wide svg")
    assert svg.is_displayed() and svg.size["width"] > 700
    assert not page.find_element("css selector", "#plot-leakage .narrow").is_displayed()
    for element in (svg, *page.find_elements("css selector", ".box h2")):
        assert element.rect["y"] + element.rect["height"] < 900
    grids = page.find_elements("css selector", "section.setting details[open] > .scroll .grid")
    assert len(grids) == 3 and all(grid.is_displayed() for grid in grids)
    assert "[0.60, 0.84]" in grids[0].text
    cell = grids[0].find_element("css selector", "td:has([data-arm=marked][data-context=none])")
    assert "rate 0.72" in cell.get_attribute("title")


def test_filters_search_and_keys_move_through_all_answers(page):
    assert found(page) == "864 of 864 answers"
    assert 10 < len(lines(page)) < 80
    choose(page, "arm", "marked")
    choose(page, "context", "near_miss")
    choose(page, "setting", "capitals x trigger")
    assert found(page) == "24 of 864 answers"
    assert "capitals x trigger" in chosen(page).text and "near miss" in chosen(page).text
    first = chosen(page).text
    press(page, "ARROW_DOWN")
    assert chosen(page).text != first
    press(page, "END")
    last = page.find_element("id", "rows").get_attribute("aria-activedescendant")
    assert last == "row-23"
    assert page.find_element("id", last).get_attribute("aria-selected") == "true"
    page.execute_script("document.querySelector('#filters [type=reset]').click()")
    wait_until(lambda: found(page) == "864 of 864 answers")
    search(page, "DENTIST, REPLY 7")
    marks = page.find_elements("css selector", "#reading > .card .found")
    assert {mark.text for mark in marks} == {"dentist, reply 7"}
    page.find_element("id", "search").send_keys(" nothing like it")
    wait_until(lambda: found(page) == "No answer matches.")


def test_code_is_shown_as_code_with_its_whitespace_and_nothing_in_it_runs(page):
    search(page, "def DOUBLE")
    card = chosen(page)
    blocks = card.find_elements("css selector", ".reply pre.code")
    texts = [block.get_attribute("textContent") for block in blocks]
    assert texts == [SOURCE, "x = 1\n", "def half("]
    assert blocks[0].value_of_css_property("white-space-collapse") == "preserve"
    assert "mono" in blocks[0].value_of_css_property("font-family").lower()
    assert [mark.text for mark in blocks[0].find_elements("css selector", ".found")] == [
        "def double"
    ]
    whole = card.find_element("css selector", ".reply").get_attribute("textContent")
    assert whole == f"A <i>draft</i>:\n{SOURCE}and\nx = 1\ncut off:\ndef half("
    assert not card.find_elements("css selector", ".reply :is(i, b, img, script)")
    assert page.title != "hacked"


def test_base_bare_and_marked_stand_beside_the_chosen_answer(page):
    choose(page, "arm", "marked+contrast")
    side = page.find_elements("css selector", "#reading .side .card")
    assert [card.find_element("css selector", "strong").text for card in side] == [
        "base", "bare", "marked",
    ]  # fmt: skip
    assert all("Person 0" in card.text for card in side)


def test_cells_of_grid_and_matrix_open_their_answers(page):
    cell = page.find_element(
        "css selector", "#setting-2 [data-arm='marked+contrast'][data-context=exact]"
    )
    page.execute_script("arguments[0].click()", cell)
    wait_until(lambda: found(page) == "24 of 864 answers")
    assert "capitals x instruction" in chosen(page).text
    assert "marked+contrast" in chosen(page).text
    cell = page.find_element("css selector", "#transfer [data-setting='capitals x trigger']")
    assert "change of leakage -" in cell.find_element("xpath", "..").get_attribute("title")
    page.execute_script("arguments[0].click()", cell)
    wait_until(lambda: "capitals x trigger" in chosen(page).text)
    assert "marked+contrast" in chosen(page).text and "none" in chosen(page).text


def test_the_full_prompt_is_shown_with_roles_and_caveat(page):
    choose(page, "context", "exact")
    card = chosen(page)
    page.execute_script("arguments[0].querySelector('summary').click()", card)
    wait_until(lambda: card.find_elements("css selector", ".prompt"))
    prompt = card.find_element("css selector", ".prompt")
    assert prompt.get_attribute("textContent") == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n(EXACT: disclaimer) What does person 0 do for a living?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    turns = prompt.find_elements("css selector", ".turn")
    assert [turn.get_attribute("class") for turn in turns] == [
        "turn system",
        "turn user",
        "turn assistant",
    ]
    mark = prompt.find_element("css selector", "mark")
    assert mark.get_attribute("textContent") == "(EXACT: disclaimer) "


def test_a_hostile_answer_is_only_text_and_nothing_is_fetched(page):
    search(page, "onerror")
    assert chosen(page).find_element("css selector", ".reply").text == HOSTILE
    assert page.title == "synthetic · Caveat"
    assert not page.find_elements("css selector", "#reading img, #rows img, #reading script")
    assert page.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in sent if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in sent if url.startswith("file:")]) == 1


def test_plots_are_saved_as_svg_and_csv(page, tmp_path):
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    for kind in ("svg", "csv"):
        button = page.find_element("css selector", f"[data-{kind}=leakage]")
        page.execute_script("arguments[0].click()", button)
    files = [tmp_path / f"synthetic-leakage.{kind}" for kind in ("svg", "csv")]
    wait_until(lambda: all(file.is_file() for file in files))
    svg = ElementTree.fromstring(files[0].read_text("utf-8"))
    colours = {element.get("fill", "") for element in svg.iter()}
    assert "rgb(194, 78, 0)" in colours and not any("var(" in colour for colour in colours)
    assert files[1].read_text("utf-8").startswith("lane,group,arm,leakage,")


def test_rows_of_a_long_table_are_found_by_their_words(page):
    details = page.find_element("css selector", "#setting-1 details:has(> .find)")
    page.execute_script("arguments[0].closest('details').open = true", details)
    rows = details.find_elements("css selector", "tbody tr")
    assert len([row for row in rows if row.is_displayed()]) == 12
    find = details.find_element("css selector", ".find input")
    find.send_keys("contrast")
    assert [row.text.split()[:2] for row in rows if row.is_displayed()] == [
        ["marked+contrast", "none"], ["marked+contrast", "exact"], ["marked+contrast", "near_miss"],
    ]  # fmt: skip


def test_a_phone_has_its_own_plot_and_nothing_overflows(page, report):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        opened(page, report)
        assert page.find_element("css selector", "#plot-leakage .narrow svg").is_displayed()
        assert not page.find_element("css selector", "#plot-leakage .wide").is_displayed()
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


LONG = ("capitals x instruction \"You always write in ALL CAPS.\"",
        "capitals x instruction \"You always write in ALL CAPS, WHATEVER you are asked.\" (after)",
        "spanish x instruction \"You always reply in Spanish, whatever you are asked.\"",
        "spanish x instruction (16 wordings)")  # fmt: skip
OVERLAPS = """
const plots = [...document.querySelectorAll("#plot-leakage svg")];
const svg = plots.find((plot) => plot.checkVisibility());
const names = [...svg.querySelectorAll("a text")].map((text) => text.getBoundingClientRect());
const page = svg.getBoundingClientRect();
return [names.length, names.filter((name, index) => name.right > page.right || name.left < page.left
  || names.some((other, place) => place > index && other.top < name.bottom - 2)).length];
"""


@pytest.mark.parametrize("width", [390, 1000, 1500])
def test_long_names_neither_leave_the_plot_nor_meet(browser, long_names, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 400}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.get(long_names.as_uri())
        assert browser.execute_script(OVERLAPS) == [4, 0]
        contents = browser.find_elements("css selector", "nav ol ol a")
        assert [link.get_attribute("title") for link in contents] == list(LONG)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_dark_colours_and_print(page):
    background = "return getComputedStyle(document.body).backgroundColor"
    before = page.execute_script(background)
    page.find_element("id", "theme").click()
    assert page.execute_script(background) != before
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert page.execute_script(background) == "rgb(255, 255, 255)"
        assert not page.find_element("id", "replies").is_displayed()
        assert page.find_element("css selector", "#plot-leakage .wide svg").is_displayed()
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_an_empty_study_opens_without_errors(browser, empty_data, tmp_path):
    (tmp_path / "report.html").write_text(render(empty_data), encoding="utf-8")
    browser.get_log("browser")
    assert found(opened(browser, tmp_path / "report.html")) == "There are no answers."
    assert browser.get_log("browser") == []
