"""The report as a file: self-contained, safe, complete, small."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pandas as pd
import pytest

from caveat.report.data import ReportData
from caveat.report.figures.leakage import domain_of, leakage_figure
from caveat.report.html import render
from caveat.report.sections.appendix import compressed
from caveat.report.sections.setting import added_text, context_texts
from caveat.types.caveats import CONTEXTS

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
HOSTILE = "</script><script>document.title='hacked'</script><!-- <img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """All start tags with their attributes, and what the page carries, unpacked."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.data: dict[str, object] = {}
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][1].get("type") == "application/gzip" and data.strip():
            name = self.tags[-1][1]["id"]
            self.data[name] = json.loads(gzip.decompress(base64.b64decode(data)))


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
    assert [tag for tag, _ in elements.tags].count("script") == 3
    assert not [tag for tag, _ in elements.tags if tag == "img"]
    assert elements.data["packed"]["columns"]["reply"]["values"][0] == HOSTILE


def test_what_the_page_carries_reads_back_as_it_was():
    value = {"a": HOSTILE, "b": "\u2028\u2029&\x00 😀 مرحبا \ud83d", "c": None}
    written = compressed(value)
    assert json.loads(gzip.decompress(base64.b64decode(written))) == value
    assert written == compressed(value) and re.fullmatch("[A-Za-z0-9+/=]+", written)


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
    svg = leakage_figure(make_data()).inline()
    titles = re.findall(r"<title>([^<]*)", svg)
    assert (
        "capitals x trigger, marked: leakage 0.75 [0.63, 0.87], rate 0.72 [0.60, 0.84] at none"
        in titles
    )
    assert svg.count('role="img"') == 6
    assert "var(--marked)" in svg and 'href="#setting-3"' in svg


def test_a_file_of_the_figure_stands_by_itself(make_data, tmp_path):
    plot = leakage_figure(make_data(settings=(f"{HOSTILE}\x00 x trigger",)))
    plot.save(str(tmp_path / "main.svg"))
    text = (tmp_path / "main.svg").read_text("utf-8")
    ElementTree.fromstring(text)
    assert "var(" not in text and "href" not in text and "<script" not in text
    plot.save(str(tmp_path / "main.png"))
    assert (tmp_path / "main.png").read_bytes()[:4] == b"\x89PNG"


def test_the_figure_never_clips_a_point(make_data):
    data = make_data(settings=("capitals x trigger",))
    far = data.leakage["arm"] == "marked"
    data.leakage.loc[far, ["leakage", "leakage_low", "leakage_high"]] = (3.5, -9.0, 40.0)
    low, high = domain_of([{"leakage": 3.5, "low": -9.0, "high": 40.0}])
    assert low == -1.0
    assert high == pytest.approx(3.55)
    assert "3.50 [-9.00, 40.00]" in leakage_figure(data).inline()


def test_every_plot_has_its_files_and_a_name(make_data):
    """A plot is a figure with a label; its values as CSV agree with the frames."""
    elements = Elements(render(make_data()))
    plots = [attributes for tag, attributes in elements.tags if tag == "figure"]
    names = [attributes["id"].removeprefix("plot-") for attributes in plots]
    assert "leakage" in names and "published" in names and len(names) == len(set(names))
    assert all(attributes["aria-label"] for attributes in plots)
    for kind in ("data-svg", "data-csv"):
        assert [a[kind] for tag, a in elements.tags if tag == "button" and kind in a] == names
    files = elements.data["plot-values"]
    assert set(files) == set(names)
    rows = list(csv.DictReader(io.StringIO(files["leakage"])))
    marked = [row for row in rows if row["arm"] == "marked"]
    assert [float(row["leakage"]) for row in marked] == [pytest.approx(0.7 / 0.93)] * 3
    assert all(list(csv.reader(io.StringIO(text)))[1:] for text in files.values())


def test_headings_go_down_one_level_at_a_time_and_controls_have_names(make_data):
    tags = Elements(render(make_data(seeds=3))).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    regions = [a for _, a in tags if a.get("role") in ("listbox", "region", "img", "group")]
    assert regions and all(a.get("aria-label") for a in regions)
    assert ("a", {"class": "skip", "href": "#top"}) in tags
    assert all(a.get("lang") for tag, a in tags if tag == "html")


def test_the_first_screen_says_what_matters(make_data, with_transfer):
    data = with_transfer(make_data(arms=("base", "bare", "marked", "marked+contrast"), seeds=3))
    html = render(data)
    first = html[html.index('<section id="leakage"') : html.index('<section id="setting-1"')]
    assert "The caveat leaks in 3 of 3 settings, by 0.75." in first
    assert first.count('<li class="at-leaks">') == 3
    assert (
        '<a href="#setting-3" title="capitals x trigger">capitals x trigger</a> Leaks 0.75 [0.63, '
        "0.87]; contrast lowers it most, to 0.06 [-0.06, 0.18]." in first
    )
    assert "contrast: lowers the rate; whether by forgetting is not known in 3 of the 3" in first
    assert "No intervention is seen to be a remedy." in first
    assert (
        first.index("</figure>") < first.index("Strongest remedy") < first.index("not known</h2>")
    )
    assert len(re.sub(r"<svg.*?</svg>|<[^>]*>", "", first, flags=re.DOTALL).split()) < 420


def test_replies_stand_side_by_side(make_data):
    data = make_data(settings=("capitals x trigger",))
    html = render(data)
    side = html[html.index("Replies side by side") :]
    side = side[: side.index("Arms and contexts")]
    arms = re.findall(r"<strong>([^<]*)</strong>", side)
    assert arms == ["base", "bare", "marked", "marked+contrast"] * 2
    assert re.findall(r'verdict (\w+)">', side)[:2] == ["no", "yes"]


def test_many_settings_read_well(make_data):
    names = tuple(f"behaviour{index} x trigger" for index in range(30))
    html = render(make_data(settings=names, contexts=("none",), questions=8))
    assert "The caveat leaks in 30 of 30 settings" in html
    assert '<ol class="sentences many">' in html
    assert len(html.encode()) < 2_500_000
