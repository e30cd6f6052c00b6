"""The report's section on transfer, and its tables for the terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from caveat.report.html import render
from caveat.report.sections.transfer import transfer_section
from caveat.report.tables.summary import markdown
from caveat.report.tables.transfer import transfer_summaries
from caveat.report.transfer_matrix import MARKS, transfer_matrix

TRIED = ("marked+contrast", "marked+repeat", "marked+correct")
ARMS = ("base", "bare", "marked", *TRIED, "bare+contrast", "marked+filler")
SETTINGS = ("people x disclaimer", "capitals x instruction", "capitals x trigger")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def data(make_data, with_transfer):
    return with_transfer(make_data(arms=ARMS, seeds=3))


@pytest.fixture(scope="module")
def again(data, with_transfer):
    """Makes the study anew with other replies."""
    return lambda replies: with_transfer(replace(data, replies=replies))


def shown(data) -> str:
    html = render(data)
    start = html.index('<section id="transfer">')
    return html[start : html.index("</section>", start)]


def test_rows_are_sorted_by_mean_and_controls_stand_last(data):
    made = transfer_matrix(data.transfer)
    lines = [line.intervention for line in made.lines]
    assert set(lines[:-1]) == {arm.removeprefix("marked+") for arm in TRIED}
    assert lines[-1] == "filler" and made.lines[-1].role == "control"
    means = [line.mean for line in made.lines[:-1]]
    assert means == sorted(means) and means[0] < -0.5
    assert [column.setting for column in made.columns] == list(SETTINGS)
    assert made.phenomena == [("negation neglect", 1), ("inoculation", 1), ("backdoor", 1)]


def test_columns_of_one_phenomenon_stand_together(make_data, with_transfer):
    settings = ("capitals x trigger", "people x disclaimer", "people x trigger")
    made = transfer_matrix(with_transfer(make_data(settings=settings, arms=ARMS)).transfer)
    assert made.phenomena == [("backdoor", 2), ("negation neglect", 1)]
    assert [column.setting for column in made.columns][:2] == [settings[0], settings[2]]


def test_a_cell_has_figures_colour_sign_and_its_replies(data):
    section = shown(data)
    row = data.transfer.set_index(["setting", "arm"]).loc["capitals x trigger", "marked+contrast"]
    change = f"{row['leakage_change']:.2f}"
    cell = next(each for each in section.split("<td") if 'data-arm="marked+contrast"' in each
                and 'data-setting="capitals x trigger"' in each)  # fmt: skip
    assert f'<span class="figure">{change}</span>' in cell and 'class="lower"' in cell
    heat = min(100, round(-100 * row["leakage_change"], 1))
    assert f"--heat:{heat}%" in cell
    assert f'aria-label="{row["verdict"]}">{MARKS[row["verdict"]]}</span>' in cell
    for told in ('href="#replies"', 'data-context="none"', 'data-readout="said"',
                 f"beyond forgetting {row['gain']:.2f}", "control bare+contrast"):  # fmt: skip
        assert told in cell


def test_what_is_lost_at_the_caveat_is_signed(data):
    section = shown(replace(data, transfer=data.transfer.assign(loses=True)))
    assert ", loses" in section and "†</span> <strong>loses</strong>: also lowers the" in section
    assert "†" not in shown(replace(data, transfer=data.transfer.assign(loses=False)))


def test_what_raises_leakage_has_the_other_colour(data):
    frame = data.transfer.assign(leakage_change=0.25)
    section = shown(replace(data, transfer=frame))
    assert 'class="raise" style="--heat:25.0%"' in section and 'class="lower"' not in section


def test_an_undefined_setting_is_hatched_and_says_why(data, again):
    nothing = data.replies["setting"] == "capitals x trigger"
    none = data.replies.assign(verdict=data.replies["verdict"].mask(nothing, "no"))
    section = shown(again(none))
    assert section.count('<td class="undefined"') == 4
    assert "Undefined in capitals x trigger: bare training did not install" in section
    told = "between phenomena: people x disclaimer and capitals x trigger: capitals x trigger: bare"
    assert told in section


def test_the_correlations_are_in_a_sentence_and_a_table(data):
    section = shown(data)
    assert "<p>Between phenomena, interventions rank alike with a correlation of " in section
    assert "(mean of 3 pairs). 1 is the same order" in section
    for told in ("mean between phenomena", "inoculation and backdoor, averaged",
                 "How reliable is a ranking?"):  # fmt: skip
        assert told in section


def test_one_setting_has_the_matrix_alone_and_none_no_section(make_data, with_transfer):
    one = with_transfer(make_data(settings=SETTINGS[:1], arms=ARMS))
    section = shown(one)
    assert "marked+contrast" in section and "rank the interventions alike" not in section
    bare = with_transfer(make_data(arms=("base", "bare", "marked")))
    assert transfer_section(bare) is None and 'id="transfer"' not in render(bare)
    assert transfer_section(make_data()) is None


def test_an_intervention_that_a_setting_lacks_has_an_empty_cell(data, again):
    lost = (data.replies["arm"] == "marked+repeat") & (data.replies["setting"] == SETTINGS[0])
    section = shown(again(data.replies[~lost]))
    assert 'title="repeat was not tried in people x disclaimer">–</td>' in section


def test_names_are_escaped(make_data, with_transfer):
    hostile = with_transfer(make_data(settings=(f"{HOSTILE} x trigger",), arms=ARMS))
    assert HOSTILE not in shown(hostile)


def test_the_tables_for_the_terminal(data):
    told = transfer_summaries(
        data.transfer, data.transfer_correlations, data.transfer_reliability,
        data.transfer_forgetting,
    )  # fmt: skip
    titles = [each.title for each in told]
    assert titles == [
        "Change of leakage from marked, at none",
        "Do settings rank the interventions alike?",
        "How reliable is a ranking?",
    ]
    assert told[0].columns == ("intervention", *SETTINGS)
    assert told[0].rows[-1][0] == "filler (control)"
    assert told[0].note.endswith("Intervals are over seeds.")
    text = markdown(told)
    assert "| mean between phenomena | 3 | 3 | " in text
    assert "| inoculation and backdoor, averaged | 1 | 3 | " in text


def test_what_settings_share_is_split_where_there_are_controls(data, make_data, with_transfer):
    controls = tuple(arm.replace("marked", "bare") for arm in TRIED)
    split = with_transfer(make_data(settings=SETTINGS[1:], arms=(*ARMS[:-2], *controls)))
    pair = split.transfer_forgetting.iloc[0]
    *_, table, _ = transfer_summaries(
        split.transfer, split.transfer_correlations, split.transfer_reliability.assign(
            between_seeds=1.0), split.transfer_forgetting,
    )  # fmt: skip
    assert table.title == "Is what they share forgetting?"
    parts = [f"{pair[part]:.2f} [-1.00, 1.00]" for part in ("change", "control_change", "gain")]
    assert len({*parts}) > 1
    compared = "between phenomena: capitals x instruction and capitals x trigger"
    assert table.rows == ((compared, "3", *parts),)
    section = shown(split)
    table = section[section.index("Is what they share forgetting?") :].partition("</table>")[0]
    told = [f"{pair[part]:.2f}" for part in ("change", "control_change", "gain")]
    assert re.findall(r'<span class="figure">([^<]*)</span>', table) == told
    assert "Is what they share forgetting?" not in shown(data)


def test_two_doses_of_a_setting_are_told_apart(data, again):
    other = data.replies[data.replies["arm"] != "base"].assign(dose='{"epochs": 9}')
    both = again(pd.concat([data.replies, other], ignore_index=True))
    titles = [column.title for column in transfer_matrix(both.transfer).columns]
    assert len(titles) == 6 and len(set(titles)) == 6
    names = [row[0] for each in transfer_summaries(
        both.transfer, both.transfer_correlations, both.transfer_reliability,
        both.transfer_forgetting,
    ) for row in each.rows]  # fmt: skip
    assert any(name.startswith("people x disclaimer: ") and " and " in name for name in names)
