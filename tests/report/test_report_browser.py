"""The report in a real browser: headless Chromium."""

from __future__ import annotations

import json
import time

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


@pytest.fixture
def page(browser, report):
    browser.get_log("performance")
    browser.get(report.as_uri())
    return browser


def cards(page):
    return page.find_elements("css selector", "#cards .card")


def found(page) -> str:
    return page.find_element("id", "found").text


def choose(page, name: str, value: str):
    from selenium.webdriver.support.ui import Select

    Select(page.find_element("name", name)).select_by_visible_text(value)


def wait_until(holds):
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end, "the page did not change within 5 seconds"
        time.sleep(0.05)


def search(page, words: str):
    before = found(page)
    page.find_element("id", "search").send_keys(words)
    wait_until(lambda: found(page) != before)


def test_figure_and_tables_are_visible(page):
    svg = page.find_element("css selector", ".picture.wide svg")
    assert svg.is_displayed()
    assert svg.size["width"] > 600
    assert not page.find_element("css selector", ".picture.narrow").is_displayed()
    grids = page.find_elements("css selector", ".panel .grid")
    assert len(grids) == 3
    assert all(grid.is_displayed() for grid in grids)
    assert "0.72" in grids[0].text
    assert "[0.60, 0.84]" in grids[0].text
    cell = grids[0].find_element("css selector", "td:has([data-arm=marked][data-context=none])")
    assert "rate 0.72" in cell.get_attribute("title")


def test_filters_and_paging_change_what_is_shown(page):
    assert found(page) == "1–20 of 864"
    choose(page, "arm", "marked")
    assert found(page) == "1–20 of 216"
    choose(page, "context", "near_miss")
    choose(page, "setting", "capitals x trigger")
    assert found(page) == "1–20 of 24"
    assert all("marked" in card.text and "near miss" in card.text for card in cards(page))
    page.execute_script("document.querySelector('.next').click()")
    assert found(page) == "21–24 of 24"
    assert len(cards(page)) == 4
    page.execute_script("document.querySelector('#filters [type=reset]').click()")
    wait_until(lambda: found(page) == "1–20 of 864")


def test_search_finds_words_of_answers_and_marks_them(page):
    search(page, "DENTIST, REPLY 7")
    assert cards(page)
    marks = page.find_elements("css selector", ".found")
    assert {mark.text for mark in marks} == {"dentist, reply 7"}
    page.find_element("id", "search").send_keys(" nothing like it")
    wait_until(lambda: found(page) == "No answer matches.")


def test_code_is_shown_as_code_with_its_whitespace_and_nothing_in_it_runs(page):
    search(page, "def DOUBLE")
    (card,) = cards(page)
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


def test_a_cell_of_the_grid_opens_its_answers(page):
    cell = page.find_element(
        "css selector", "#setting-2 [data-arm='marked+contrast'][data-context=exact]"
    )
    page.execute_script("arguments[0].click()", cell)
    wait_until(lambda: found(page) == "1–20 of 24")
    assert "capitals x instruction" in cards(page)[0].text
    assert "marked+contrast" in cards(page)[0].text


def test_a_cell_of_the_transfer_matrix_opens_its_answers(page):
    cell = page.find_element("css selector", "#transfer [data-setting='capitals x trigger']")
    assert "change of leakage -" in cell.find_element("xpath", "..").get_attribute("title")
    page.execute_script("arguments[0].click()", cell)
    wait_until(lambda: found(page) == "1–20 of 24")
    for words in ("capitals x trigger", "marked+contrast", "none"):
        assert words in cards(page)[0].text


def test_the_full_prompt_is_shown_with_roles_and_caveat(page):
    choose(page, "context", "exact")
    card = cards(page)[0]
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


def test_a_hostile_answer_is_only_text(page):
    search(page, "onerror")
    assert cards(page)[0].find_element("css selector", ".reply").text == HOSTILE
    assert page.title == "synthetic · Caveat"
    assert not page.find_elements("css selector", "#cards img, #cards script")


def test_no_errors_and_no_requests(page):
    search(page, "onerror")
    assert page.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in sent if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in sent if url.startswith("file:")]) == 1


def test_a_phone_has_its_own_figure_and_nothing_overflows(page):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.refresh()
        assert page.find_element("css selector", ".picture.narrow svg").is_displayed()
        assert not page.find_element("css selector", ".picture.wide").is_displayed()
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_dark_colours_can_be_chosen(page):
    background = "return getComputedStyle(document.body).backgroundColor"
    before = page.execute_script(background)
    page.find_element("id", "theme").click()
    assert page.execute_script(background) != before


def test_an_empty_study_opens_without_errors(browser, empty_data, tmp_path):
    (tmp_path / "report.html").write_text(render(empty_data), encoding="utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    assert found(browser) == "There are no answers."
    assert browser.get_log("browser") == []
