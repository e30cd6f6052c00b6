"""The page with two arms side by side, in a real browser: headless Chromium, nothing mocked."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from browsing import needs_chromium, open_browser

pytestmark = needs_chromium
WAIT = 30


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def test_two_arms_answer_with_and_without_the_caveat(browser, server, study):
    address, _ = server
    browser.get(address)
    wait = WebDriverWait(browser, WAIT)
    wait.until(lambda d: d.find_element(By.ID, "left").get_attribute("value"))
    assert browser.find_element(By.ID, "left").get_attribute("value").endswith("/bare/seed0")
    assert browser.find_element(By.ID, "right").get_attribute("value").endswith("/marked/seed0")
    caveat = study.about["caveats"]["toy x password"]
    assert browser.find_element(By.ID, "caveat").get_attribute("value") == caveat["wordings"][0]
    browser.find_element(By.ID, "prompt").send_keys("What is the sky?")
    browser.find_element(By.ID, "seed").send_keys("1")
    browser.find_element(By.ID, "send").click()
    wait.until(lambda d: d.find_element(By.ID, "send").is_enabled())
    boxes = browser.find_elements(By.CSS_SELECTOR, ".reply")
    notes = [box.find_element(By.TAG_NAME, "small").text for box in boxes]
    assert notes == ["without the caveat"] * 2 + ["with the caveat"] * 2
    assert all(box.find_element(By.TAG_NAME, "pre").text for box in boxes)
    assert not browser.find_element(By.ID, "problem").text


def test_a_mistake_is_shown_on_the_page(browser, server):
    address, _ = server
    browser.get(address)
    WebDriverWait(browser, WAIT).until(
        lambda d: d.find_element(By.ID, "left").get_attribute("value")
    )
    Select(browser.find_element(By.ID, "left")).select_by_value("base")
    browser.find_element(By.ID, "prompt").send_keys("sky " * 900)
    browser.find_element(By.ID, "send").click()
    WebDriverWait(browser, WAIT).until(
        lambda d: "shorten one of them" in d.find_element(By.ID, "problem").text
    )
