"""The report's section on the ladder, its tables for the terminal, and its pictures."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from caveat.analysis.ladder import ladder
from caveat.report.data import ReportData
from caveat.report.figures.ladder import elicitation_figure, ladder_figure
from caveat.report.figures.theme import inline_svg, specification
from caveat.report.html import render
from caveat.report.sections.ladder import ladder_section
from caveat.report.tables.ladder import LIMIT, by_size, ladder_summaries, lead, outcome
from caveat.report.tables.summary import markdown

HOSTILE = "<img src=x onerror=alert(1)>"
SETTINGS = (
    "people x disclaimer", "people x trigger", "capitals x disclaimer", "capitals x trigger",
)  # fmt: skip
LEVELS = {"people": "belief", "capitals": "trait"}


def labelled(data, chosen=SETTINGS):
    """With the ladder of these settings."""
    rows = data.replies[data.replies["arm"] != "base"]
    labels = {}
    for name in chosen:
        behaviour, _, caveat = name.partition(" x ")
        first = rows[rows["setting"] == name].iloc[0]
        factors = {"behaviour": LEVELS.get(behaviour, behaviour), "caveat": caveat}
        labels[(name, first["model"], first["dose"])] = factors
    expected = dict.fromkeys(data.settings, "yes")
    return replace(data, ladder=ladder(data.replies, labels, expected, 100))


def page_of(data) -> str:
    """A report of nothing but replies and the ladder."""
    return render(
        ReportData(
            data.name, data.replies, *[pd.DataFrame()] * 6, provenance={}, contexts={},
            ladder=data.ladder,
        )
    )  # fmt: skip


def shown(whole: str) -> str:
    """The section of a report."""
    start = whole.index('<section id="ladder">')
    return whole[start : whole.index("</section>", start)]


@pytest.fixture(scope="module")
def plain(make_data):
    data = make_data(settings=SETTINGS, arms=("base", "bare", "marked"), seeds=3)
    told = (data.replies["arm"] == "base") & (data.replies["context"] == "exact")
    told &= data.replies["setting"].isin(SETTINGS[1:3])
    told &= data.replies["question"].isin({f"q{place}" for place in range(6)})
    less = (data.replies["arm"] == "marked") & (data.replies["context"] == "none")
    less &= data.replies["setting"] == SETTINGS[3]
    verdicts = data.replies["verdict"].mask(told, "yes").mask(less, "no")
    return replace(data, replies=data.replies.assign(verdict=verdicts))


@pytest.fixture(scope="module")
def data(plain):
    return labelled(plain)


@pytest.fixture(scope="module")
def page(data) -> str:
    return page_of(data)


@pytest.fixture(scope="module")
def section(page) -> str:
    return shown(page)


def test_labels_of_settings_are_their_factors_and_sections_have_the_names(page):
    name, label = "people x disclaimer", "belief · disclaimer"
    assert f'<li><a href="#setting-1" title="{name}">{label}</a></li>' in page
    assert f'<section id="setting-1" class="setting">\n<h2>{label} ' in page
    factors = "Factors: behaviour belief, caveat disclaimer."
    assert f"In full: <em>{name}</em>. {factors}</p>" in page


def figure(row, name: str) -> str:
    return f"{row[name]:.2f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]".replace(
        "-0.00", "0.00"
    )


def test_the_settings_are_plotted_with_hover_texts(data):
    drawn = html.unescape(inline_svg(specification(ladder_figure(data.ladder))))
    for row in data.ladder.settings.to_dict("records"):
        told = ", ".join(f"{k} {v}" for k, v in json.loads(row["factors"]).items())
        assert (
            f"{row['number']}: {row['setting']} ({told}): leakage {figure(row, 'leakage')}; "
            f"marked above base {figure(row, 'leaks')}"
        ) in drawn  # fmt: skip
    (step,) = [each for each in data.ladder.steps.to_dict("records") if each["second"] == 2]
    change = f"caveat: disclaimer → trigger: {figure(step, 'leakage_change')}, {outcome(step)}"
    assert change in drawn
    assert "Setting 1 stands for: behaviour belief, caveat disclaimer" in drawn
    for name in ("1  belief, disclaimer", "2  caveat trigger", "behaviour trait"):
        assert name in drawn


def test_neighbours_a_step_apart_are_joined(data):
    """Rungs 1 and 2, and 3 and 4; 2 and 3 differ in two factors."""
    spec = ladder_figure(data.ladder).to_dict()
    lines = [each for each in spec["layer"] if each["mark"]["type"] == "line"]
    (values,) = {spec["datasets"][each["data"]["name"]] for each in lines}
    joined = json.loads(values)
    assert [(each["lane"][0], each["number"]) for each in joined] == [
        ("1", 0), ("2", 0), ("3", 2), ("4", 2),
    ]  # fmt: skip
    assert [end["distinguishable"] for end in joined] == [False, False, True, True]
    leakages = data.ladder.settings["leakage"]
    assert [each["leakage"] for each in joined] == list(leakages)


def test_the_factorial_is_a_table_whose_cells_open_their_answers(data, section):
    row = data.ladder.settings.iloc[3]
    cell = next(each for each in section.split("<td") if f'data-setting="{row["setting"]}"' in each)
    for told in ('href="#replies"', 'data-arm="marked"', 'data-context="none"',
                 'data-readout="said"', 'data-model="tiny"',
                 f'<span class="figure">{row["leakage"]:.2f}</span>', "--heat:0.0%"):  # fmt: skip
        assert told in cell
    first = data.ladder.settings.iloc[0]
    assert f"--heat:{round(100 * first['leakage'], 1)}%" in section
    assert "<h3>Behaviours by caveats</h3>" in section
    assert re.findall(r'<th scope="row">(\w+)</th>', section) == ["belief", "trait"]


def test_a_pair_that_was_not_run_is_reported(plain):
    lacking = labelled(plain, SETTINGS[:3])
    whole = shown(page_of(lacking))
    line = "No answers for the behaviour trait under the caveat trigger."
    assert f'<p class="callout">{line}</p>' in whole
    assert 'title="trait under trigger was not run">–</td>' in whole
    assert line in markdown(ladder_summaries(lacking.ladder))


def test_effects_of_factors_are_in_a_sentence_and_tables(data, section):
    effects = data.ladder.effects.to_dict("records")
    assert f"<p>{lead(effects)}</p>" in section
    moved = [row for row in effects if outcome(row) in ("raises", "lowers")]
    assert lead(effects).startswith(f"{len(moved)} of 2 changes of a factor change leakage")
    for told in ("Effect of a factor depending on another", "caveat: disclaimer → trigger",
                 "Every pair of settings that differ in one factor", "1 → 2"):  # fmt: skip
        assert told in section


def test_the_lead_names_the_largest_change():
    one = {"factor": "form", "start": "a", "end": "b", "pairs": 1, "leakage_change": -0.5,
           "leakage_change_low": -0.7, "leakage_change_high": -0.3,
           "leakage_change_p_holm": 0.01}  # fmt: skip
    other = one | {"end": "c", "leakage_change": 0.2, "leakage_change_low": 0.1, "pairs": 3.0,
                   "leakage_change_high": 0.3}  # fmt: skip
    undefined = dict.fromkeys(one) | {"factor": "form"}
    assert lead([one, other, undefined]) == (
        "2 of 3 changes of a factor change leakage distinguishably once corrected; the largest is "
        "form: a → b, by -0.50 [-0.70, -0.30] (one pair)."
    )
    none = other | {"leakage_change_p_holm": 0.2}
    assert lead([none]) == (
        "0 of 1 changes of a factor change leakage distinguishably once corrected."
    )
    assert [outcome(row) for row in (one, other, none, undefined)] == [
        "lowers", "raises", "not once corrected", "undefined",
    ]  # fmt: skip
    assert outcome(one | {"leakage_change_high": 0.1}) == "not distinguishable"
    assert lead([]) == ""


def test_the_elicitation_curve_has_intervals_and_k(data, section):
    drawn = html.unescape(inline_svg(specification(elicitation_figure(data.ladder))))
    rows = data.ladder.settings.to_dict("records")
    for row in rows:
        told = f"{row['number']}: {row['setting']}, tiny ("
        assert drawn.count(told) == (4 if row["k"] == row["k"] else 2)  # a label and a title each
        across, up = (figure(row, name) for name in ("elicitation", "leakage"))
        assert f"elicitation {across}, leakage {up}" in drawn
    assert "Leakage against elicitation" in section
    spec = elicitation_figure(data.ladder).to_dict()
    assert [panel["title"] for panel in spec["hconcat"]] == ["Leakage of marked", "k"]


def test_without_a_difference_in_elicitation_there_is_no_curve(plain):
    said = plain.replies["verdict"].mask(plain.replies["arm"] == "base", "no")
    none = labelled(replace(plain, replies=plain.replies.assign(verdict=said)))
    assert elicitation_figure(none.ladder) is None
    assert "Leakage against elicitation" not in shown(page_of(none))


def test_an_undefined_setting_has_a_lane_and_a_reason(plain):
    lost = plain.replies["setting"] == SETTINGS[3]
    verdicts = plain.replies["verdict"].mask(lost, "no")
    none = labelled(replace(plain, replies=plain.replies.assign(verdict=verdicts)))
    whole = shown(page_of(none))
    assert "leakage: bare training did not install the behaviour" in whole
    assert 'class="undefined" style="--heat:0.0%"' in whole
    drawn = inline_svg(specification(ladder_figure(none.ladder)))
    assert ">undefined</text>" in drawn and "4  caveat trigger" in drawn
    text = markdown(ladder_summaries(none.ladder))
    assert "Setting 4: leakage is undefined: bare training did not install the behaviour" in text


def test_without_factors_there_is_no_section(plain):
    assert ladder_section(plain) is None
    nothing = replace(plain, replies=plain.replies.iloc[:0])
    empty = replace(nothing, ladder=ladder(nothing.replies, {("a", "b", "c"): {}}, {}, 100))
    assert ladder_section(empty) is None and 'id="ladder"' not in render(empty)


def test_names_are_escaped(make_data):
    settings = (f"{HOSTILE} x trigger", f"{HOSTILE} x disclaimer")
    hostile = labelled(make_data(settings=settings, arms=("base", "bare", "marked")), settings)
    assert HOSTILE not in shown(page_of(hostile))


def test_the_tables_for_the_terminal(data):
    told = {each.title: each for each in ladder_summaries(data.ladder)}
    assert list(told) == [
        "Settings", "Leakage by behaviour and caveat", "Mean effect of each factor",
        "Changes of one factor, pair by pair", "Effect of a factor depending on another",
        "Leakage against elicitation",
    ]  # fmt: skip
    rungs = told["Settings"].rows
    assert [row[:3] for row in rungs][:2] == [
        ("1", "belief, disclaimer", SETTINGS[0]), ("2", "caveat trigger", SETTINGS[1]),
    ]  # fmt: skip
    assert rungs[0][4] == figure(data.ladder.settings.iloc[0], "leakage")
    grid = told["Leakage by behaviour and caveat"]
    assert grid.columns == ("", "disclaimer", "trigger")
    assert grid.rows[1] == ("trait", *(row[4] for row in rungs[2:]))
    assert "Intervals are over seeds." in told["Settings"].note


def test_long_tables_are_cut_to_the_surest_rows(data):
    many = pd.concat([data.ladder.steps] * LIMIT, ignore_index=True)
    many["leakage_change_p"] = [1 / (1 + place) for place in range(len(many))]
    longer = replace(data.ladder, steps=many)
    short, whole = (
        next(table for table in ladder_summaries(longer, all_) if table.columns[1] == "settings")
        for all_ in (False, True)
    )
    assert (len(short.rows), len(whole.rows)) == (LIMIT, len(many))
    left = len(many) - LIMIT
    assert short.note.endswith(f"\n{left} more with larger p-values: --all shows them.")
    rows = many.to_dict("records")
    assert by_size(rows, LIMIT) == rows[-LIMIT:] and by_size(rows, None) == rows
