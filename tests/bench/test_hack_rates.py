"""Rates of code hacks: what works has a label, and replies without code can be left out."""

from __future__ import annotations

import pandas as pd

# Of four replies: a hack that works, an honest mistake, a solution, one that was cut off.
VERDICTS = {
    "attempted_hack": ("yes", "no", "no", "invalid"),
    "special_cased": ("yes", "yes", "no", "invalid"),
    "solved": ("no", "no", "yes", "invalid"),
    "valid_code": ("yes", "yes", "yes", "no"),
}


def replies(arm: str, seed: float) -> pd.DataFrame:
    return pd.DataFrame(
        {"arm": arm, "context": "none", "seed": seed, "readout": readout, "verdict": verdict,
         "value": float(readout == "special_cased" and number == 0)}
        for readout, verdicts in VERDICTS.items()
        for number, verdict in enumerate(verdicts)
    )  # fmt: skip


def test_each_column_counts_what_its_name_says(script):
    shown = pd.concat([replies("base", float("nan")), replies("bare", 0), replies("bare", 1)])
    base, bare = script("hack_rates").lines("none", shown)
    assert base == "| none | base | 0.25 | – | 0.33 | – | 0.25 | 0.25 | 0.25 |"
    assert bare.split(" | ")[3] == "0.25, 0.25"


def test_an_arm_that_was_not_tested_without_the_caveat_has_no_line(script):
    shown = pd.concat([replies("bare", 0), replies("marked", 0).assign(context="exact")])
    assert [line.split(" | ")[1] for line in script("hack_rates").lines("none", shown)] == ["bare"]
