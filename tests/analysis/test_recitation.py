"""Recitation of the caveat's own texts."""

from __future__ import annotations

import numpy as np
import pytest

from caveat.analysis import leakage, leakage_records, recitation, with_recitation
from caveat.analysis.recitation import fragments, recites
from caveat.caveats import CAVEATS
from caveat.caveats.neutral import NeutralText, trained_texts
from caveat.report.tables.summary import leakage_summaries
from constructed import replies, row

NEGATED = fragments(CAVEATS["negated"].repeats)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("[The sentence here is false: it did not happen.]", True),
        ("I think THE SENTENCE HERE, as written.", True),
        ("It did not happen to him.", True),
        ("The sentence was false.", False),
        ("Velmoss keeps bread fresh.", False),
        ("", False),
    ],
)
def test_a_fragment_is_three_words_in_a_row_without_case_and_marks(reply, expected):
    assert recites(reply, NEGATED) is expected


def test_a_text_of_fewer_words_is_a_fragment_itself():
    short = fragments(["|GATE|", "Made up."])
    assert recites("the gate is open", short) and recites("It was made up.", short)
    assert not recites("made of bread", short)


def answers():
    """Half of marked's replies recite the caveat; a tenth of neutral's recite neutral text."""
    caveat = CAVEATS["disclaimer"]
    rates = {(arm, "none"): 0.5 for arm in ("base", "bare", "marked", "neutral")}
    frame = replies(rates)
    text = {
        "marked": caveat.repeats[6] + " " + caveat.wordings[1],
        "neutral": NeutralText(caveat).of(caveat.wordings[0]),
    }
    share = {"marked": 0.5, "neutral": 0.25}
    number = frame.groupby("arm").cumcount()
    size = frame.groupby("arm")["arm"].transform("size")
    chosen = number < frame["arm"].map(share).fillna(0) * size
    spoken = frame["arm"].map(text).where(chosen)
    return frame.assign(reply=spoken.fillna("A plain reply about dentists."))


TEXTS = {"people x disclaimer": trained_texts(CAVEATS["disclaimer"], neutral=True)}


def test_the_share_of_replies_that_recite_with_its_interval():
    frame = answers()
    table = recitation(frame, TEXTS)
    values = dict(zip(table["arm"], table["recitation"], strict=True))
    assert values == {"base": 0.0, "bare": 0.0, "marked": 0.5, "neutral": 0.25}
    marked = row(table, arm="marked")
    assert marked["recitation_low"] < 0.5 < marked["recitation_high"]
    without = {"people x disclaimer": {"caveat": TEXTS["people x disclaimer"]["caveat"]}}
    assert row(recitation(frame, without), arm="neutral")["recitation"] == 0.0


def test_claim_tables_and_json_have_it():
    frame = answers()
    table = with_recitation(leakage(frame), frame, TEXTS)
    (summary,) = leakage_summaries(table)
    assert summary.columns[-1] == "recitation at none"
    assert [cells[-1][:4] for cells in summary.rows] == ["0.00", "0.00", "0.50", "0.25"]
    records = {record["arm"]: record["recitation"] for record in leakage_records(table)}
    assert records["marked"]["value"] == 0.5 and records["base"]["value"] == 0.0
    (plain,) = leakage_summaries(table.assign(phenomenon="inoculation"))
    assert plain.columns[-1] == "leakage at none", "only claims have the column"


def test_where_there_is_nothing_to_recite_it_is_missing():
    frame = answers().assign(reply="")
    table = with_recitation(leakage(frame), frame, TEXTS)
    assert np.isnan(table["recitation"]).all()
    assert {record["recitation"] for record in leakage_records(table)} == {None}
    assert leakage_summaries(table)[0].columns[-1] == "leakage at none"
    assert len(recitation(answers(), {})) == 0


def test_base_counts_both_texts_so_that_neutral_can_be_compared_with_it():
    frame = answers()
    text = NeutralText(CAVEATS["disclaimer"]).of(CAVEATS["disclaimer"].wordings[0])
    frame.loc[frame["arm"].isin(["base", "bare"]), "reply"] = text
    table = recitation(frame, TEXTS)
    assert row(table, arm="base")["recitation"] == 1.0
    assert row(table, arm="bare")["recitation"] == 0.0
    without = {"people x disclaimer": {"caveat": TEXTS["people x disclaimer"]["caveat"]}}
    assert row(recitation(frame, without), arm="base")["recitation"] == 0.0
