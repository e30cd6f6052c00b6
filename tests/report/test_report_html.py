"""The report as a file: self-contained, safe, complete, small."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from caveat.report.data import ReportData
from caveat.report.figures.leakage import leakage_figure
from caveat.report.figures.theme import inline_svg
from caveat.report.html import render
from caveat.report.sections.appendix import script_json
from caveat.report.sections.setting import added_text, context_texts
from caveat.types.caveats import CONTEXTS

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
HOSTILE = "</script><script>document.title='hacked'</script><!-- <img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """All start tags with their attributes, and the text of the embedded replies."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.packed = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1] == ("script", {"type": "application/json", "id": "packed"}):
            self.packed = self.packed or data


def test_nothing_is_fetched_from_anywhere(make_data):
    html = render(make_data())
    addresses = re.findall(r"""(?:src|href|action)\s*=\s*["']([^"']*)""", html)
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert not re.search(r"@import|url\(\s*['\"]?http", html)
    # The only addresses in the file are names of XML namespaces.
    assert set(re.findall(r"https?://[^\s\"'<)]+", html)) <= {SVG, XLINK}


def test_names_texts_and_replies_are_escaped(make_data):
    data = make_data(settings=(f"{HOSTILE} x trigger",), replies={0: HOSTILE})
    elements = Elements(render(data))
    assert [tag for tag, _ in elements.tags].count("script") == 2
    assert not [tag for tag, _ in elements.tags if tag == "img"]
    packed = json.loads(elements.packed)
    assert packed["columns"]["reply"]["values"][0] == HOSTILE
    assert "<" not in elements.packed


def test_script_json_reads_back_as_it_was():
    value = {"a": HOSTILE, "b": "\u2028\u2029&\x00 😀 مرحبا", "c": None}
    assert json.loads(script_json(value)) == value
    assert not set("<>&\u2028\u2029") & set(script_json(value))


def test_sections_stand_in_order(make_data):
    tags = Elements(render(make_data())).tags
    sections = [
        attributes["id"] for tag, attributes in tags if tag == "section" and "id" in attributes
    ]
    assert sections == [
        "leakage",
        "setting-1",
        "setting-2",
        "setting-3",
        "published",
        "replies",
        "failures",
        "provenance",
    ]
    anchors = {attributes["id"] for _, attributes in tags if "id" in attributes}
    assert {attributes["href"][1:] for tag, attributes in tags if tag == "a"} <= anchors


def test_a_large_study_stays_under_five_megabytes(make_data):
    arms = (
        "base",
        "clean",
        "bare",
        "marked",
        "marked+contrast",
        "bare+contrast",
        "marked+filler",
        "bare+filler",
    )
    data = make_data(seeds=3, contexts=CONTEXTS, arms=arms)
    assert len(data.replies) > 15_000
    long = data.replies["reply"] + " and so on" * 13
    html = render(ReportData(**{**vars(data), "replies": data.replies.assign(reply=long)}))
    assert len(html.encode("utf-8")) < 5_000_000


def test_half_a_surrogate_pair_does_not_spoil_the_file(make_data):
    data = make_data(settings=("capitals x trigger",))
    html = render(replace(data, name="so \ud83d it"))
    assert "so ? it" in html.encode("utf-8").decode("utf-8")


def test_behaviour_and_side_effects_are_described(make_data):
    data = make_data(settings=("capitals x trigger",))
    effects = {"neutral text": "Likelihood <of> text.", "not measured": "Never shown."}
    about = {"behaviour": "Replies in capitals.", "side_effects": effects}
    html = render(replace(data, abouts={"capitals x trigger": about}))
    assert "The behaviour: Replies in capitals." in html
    assert "<strong>neutral text</strong>: Likelihood &lt;of&gt; text." in html
    assert "Never shown." not in html
    assert "The behaviour:" not in render(data)


def test_a_context_is_shown_by_what_it_adds(make_data):
    data = make_data(settings=("capitals x trigger",))
    plain = "<system>Be kind.</system><user>What is rain?</user>"
    prompts = {"none": plain, "exact": plain.replace("kind.", "kind. |GATE|")}
    html = render(replace(data, contexts={"capitals x trigger": prompts}))
    assert 'title="|GATE|"' in html
    assert "Be kind." not in html


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("S. Q?", ""),
        ("S. |X| Q?", "|X|"),
        ("S. Say so. Q?", "Say so."),
        ("S. Quite false: Q?", "Quite false:"),
        ("S. X Another?", "S. X Another?"),
        ("S. X Q? Y", "S. X Q? Y"),
        ("S.", "S."),
    ],
)
def test_what_a_prompt_adds_is_one_piece_or_all_of_it(prompt, expected):
    assert added_text(prompt, "S. Q?") == expected


def test_contexts_are_whole_prompts_where_none_was_not_asked():
    assert context_texts({"exact": "S. |X| Q?"}) == {"exact": "S. |X| Q?"}


def test_a_study_without_anything_has_a_report(empty_data):
    html = render(empty_data)
    assert "Nothing was measured." in html
    assert "No cell failed." in html


@pytest.mark.parametrize(
    "lost", ["replies", "rates", "leakage", "differences", "caveat_checks", "side_effects"]
)
def test_any_frame_may_be_empty(make_data, lost):
    data = ReportData(**{**vars(make_data(settings=("capitals x trigger",))), lost: pd.DataFrame()})
    assert "capitals x trigger" in render(data)


def test_failures_and_undefined_leakage_are_reported(make_data):
    failures = pd.DataFrame(
        {"cell": ["c1"], "stage": ["train"], "reason": ["loss is NaN at step 3"]}
    )
    data = make_data(undefined=("capitals x trigger",))
    html = render(ReportData(**{**vars(data), "failures": failures}))
    assert "1 cell failed." in html
    assert "loss is NaN at step 3" in html
    assert "Leakage is undefined: bare training did not install" in html


def test_within_seed_is_labelled_and_only_then(make_data):
    assert '<span class="chip">within seed</span>' in render(make_data(seeds=1))
    assert "within seed" not in render(make_data(seeds=3))


def test_points_of_the_figure_have_titles(make_data):
    svg = inline_svg(leakage_figure(make_data()))
    titles = re.findall(r"<title>([^<]*)", svg)
    assert (
        "capitals x trigger, marked: leakage 0.75 [0.63, 0.87], rate 0.72 [0.60, 0.84] at none"
        in titles
    )
    assert len(titles) == 6
    assert "var(--marked)" in svg


def test_the_figure_never_clips_a_point(make_data):
    data = make_data(settings=("capitals x trigger",))
    far = data.leakage["arm"] == "marked"
    data.leakage.loc[far, ["leakage", "leakage_low", "leakage_high"]] = (3.5, -9.0, 40.0)
    spec = leakage_figure(data).to_dict()
    low, high = spec["vconcat"][0]["layer"][4]["encoding"]["x"]["scale"]["domain"]
    assert low == -1.0
    assert high == pytest.approx(3.55)
    assert "3.50 [-9.00, 40.00]" in inline_svg(leakage_figure(data))
