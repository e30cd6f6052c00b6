"""Labels tell settings apart, and are never cut."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from caveat.report.figures.leakage import leakage_figure
from caveat.report.figures.svg import wide, wrapped
from caveat.report.setting_labels import parts_of, short_labels
from paths import ROOT

CAPS = 'capitals x instruction "You always write in ALL CAPS."'
NAMES = (
    CAPS,
    f"{CAPS} (after)",
    "capitals x instruction (16 wordings)",
    'spanish x instruction "You always do (really) something, x or y, unusual here."',
)
FACTORS = (
    {"trait": "capitals", "caveat": "instruction", "place": "system", "wordings": "1"},
    {"trait": "capitals", "caveat": "instruction", "place": "after", "wordings": "1"},
    {"trait": "capitals", "caveat": "instruction", "place": "system", "wordings": "16"},
    {"trait": "Spanish", "caveat": "instruction", "place": "system", "wordings": "1"},
)


def test_factors_that_differ_are_the_label_and_what_is_left_out_is_said():
    assert short_labels(NAMES, FACTORS) == (
        ["capitals", "capitals · after", "capitals · wordings 16", "Spanish"],
        "“caveat instruction”, which all settings share; “place system”, as in 3 of 4 settings; "
        "“wordings 1”, as in 3 of 4 settings",
    )


def test_settings_of_equal_factors_differ_by_their_names():
    factors = [{"trait": "capitals"}, {"trait": "capitals"}, {"trait": "capitals"}, {"trait": "es"}]
    labels, _ = short_labels(NAMES, factors)
    sentence = '"You always write in ALL CAPS."'
    assert labels == [f"capitals · {sentence}", f"capitals · {sentence} (after)",
                      "capitals · (16 wordings)", "es"]  # fmt: skip


def test_a_level_of_two_factors_is_named():
    factors = [
        {"caveat": "trigger", "taught": "trigger"},
        {"caveat": "year", "taught": "trigger 2"},
    ]
    assert short_labels("ab", factors)[0] == ["trigger · taught trigger", "year · trigger 2"]


def test_without_factors_names_lose_the_parts_that_all_have():
    nothing: list[dict[str, str]] = [{}, {}]
    assert short_labels(NAMES[:2], nothing) == (
        ['"You always write in ALL CAPS."', '"You always write in ALL CAPS." (after)'],
        "“capitals x instruction”, which all settings share",
    )
    years = ["capitals x year", "spanish x year"]
    assert short_labels(years, nothing) == (
        ["capitals", "spanish"], "“year”, which all settings share",
    )  # fmt: skip
    assert short_labels(["people x year", "capitals x trigger"], nothing) == (
        ["people x year", "capitals x trigger"], "",
    )  # fmt: skip
    assert short_labels([CAPS], [FACTORS[0]]) == ([CAPS], "")


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda p: p.stem)
def test_labels_of_every_recipe_are_distinct(path):
    settings = yaml.safe_load(path.read_text("utf-8")).get("settings", [])
    names = [f"{one['behaviour']} x {index}" for index, one in enumerate(settings)]
    labels, _ = short_labels(names, [one.get("factors", {}) for one in settings])
    assert len(set(labels)) == len(settings) and all(labels)


words = st.text('ax "()+', min_size=1, max_size=12)


@given(st.lists(words, min_size=1, max_size=5, unique_by=str.strip))
def test_names_stay_whole_in_parts_and_distinct_as_labels(names):
    assert all("".join(parts_of(name)) == name for name in names)
    labels, _ = short_labels(names, [{}] * len(names))
    assert len(set(labels)) == len(names)


@given(st.text("ab +·", max_size=60), st.floats(40, 200))
def test_wrapped_lines_are_narrow_and_hold_every_word(text, width):
    lines = wrapped(text, width)
    assert all(wide(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@pytest.fixture
def data(make_data):
    """A study of which two settings differ in their place only."""
    return make_data(settings=NAMES, arms=("base", "bare", "marked"), contexts=("none", "exact"))


def names_in(svg: str) -> list[str]:
    """The names of the lanes, line by line."""
    root = ElementTree.fromstring(svg)
    links = [element for element in root.iter() if element.tag.endswith("}a")]
    return [
        " ".join(line.text for line in link.iter() if line.tag.endswith("tspan")) for link in links
    ]


@pytest.mark.parametrize("width", [880, 380])
def test_long_names_of_lanes_are_wrapped_and_whole(data, width):
    assert sorted(names_in(leakage_figure(data, width).inline())) == sorted(NAMES)


def test_the_values_of_the_plot_have_full_names(data):
    assert {row["lane"] for row in leakage_figure(data).rows} == set(NAMES)
