"""One word for what an intervention did in a setting, from intervals alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caveat.measure.inference import ALPHA

WORDS: Mapping[str, str] = {
    "remedy": "lowers the rate, and more than it lowers that of a model that saw no caveat",
    "forgets": "lowers the rate, but not seen to do so more than in a model that saw no caveat, "
    "whose rate it lowers too",
    "unclear": "lowers the rate; whether by forgetting cannot be told, as there is no control, or "
    "its figures are too wide",
    "worse": "raises the rate",
    "not once corrected": "the rate is distinguishable from marked's, but not once corrected for "
    "the number of arms",
    "no effect seen": "the rate is not distinguishable from marked's",
    "nothing to lower": "marked itself is not above base, so no remedy could show",
    "undefined": "leakage is undefined in this setting, or the arm was not asked",
}
"""What each word means."""


def verdict(row: Mapping[str, Any]) -> str:
    """The word for one row of the transfer matrix, a key of `WORDS`.

    What lowers or raises the rate does so after Holm's correction; so does what a remedy does
    beyond forgetting (`gain`). That the rate of the control is lowered (`control_change`), that
    marked is above base (`leaks`), and what is `not once corrected`, is read off uncorrected 95%
    intervals.
    """
    if row["undefined"]:
        return "undefined"
    if _told(row["p_holm"]):
        return "worse" if row["change"] > 0 else _lowers(row)
    if not row["change_low"] <= 0 <= row["change_high"]:
        return "not once corrected"
    return "no effect seen" if row["leaks_low"] > 0 else "nothing to lower"


def _lowers(row: Mapping[str, Any]) -> str:
    if row["gain"] < 0 and _told(row["gain_p_holm"]):
        return "remedy"
    return "forgets" if row["control_change_high"] < 0 else "unclear"


def _told(p: float) -> bool:
    """Missing figures tell nothing."""
    return p <= ALPHA
