"""What each intervention changes in each setting, with a verdict.

One word for what an intervention did in a setting, from intervals alone.

The transfer matrix: what each intervention changes in each setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from caveat.analysis.differences import FAMILY, holm
from caveat.analysis.intervals import ALPHA, Inference
from caveat.analysis.leakage import installed
from caveat.analysis.panel import IDENTITY, Key, Panel, key, main_panels, panels
from caveat.analysis.rates import inferences, interval_label, verdicts
from caveat.analysis.transfer.arms import (
    MARKED,
    UNKNOWN,
    Compared,
    Interval,
    intervention_of,
    leakages,
    role,
)

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


METRICS = (
    "change", "leakage_change", "against_control", "control_change", "gain", "against_filler",
    "reverting", "rate", "leaks", "at_caveat", "at_caveat_change", "near_miss",
)  # fmt: skip
"""Each has a column of its own, and its limits in `_low` and `_high`; NaN where it has none."""
COLUMNS = [
    *IDENTITY, "dose", "scope", "readout", "main", "intervention", "role", "arm", "control",
    "verdict", "loses", *(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")),
    "p", "p_holm", "gain_p", "gain_p_holm", "undefined", "valid", "interval",
]  # fmt: skip
Controls = Mapping[tuple[str, str, str], str | None]
"""By setting, dose and arm `marked+X`, the arm that is trained on X's rows without the caveat."""


def transfer(
    replies: pd.DataFrame,
    wanted: Mapping[str, str],
    controls: Controls | None = None,
) -> pd.DataFrame:
    """One row an arm `marked+X` and panel (setting, dose, scope, readout), columns `COLUMNS`.

    All at the context `none` but where said otherwise, R being the share of yes:

    - `change`: R(marked+X) - R(marked), with `p`, and `p_holm` corrected over all arms `marked+X`
      of a setting and readout, controls and stability arms among them, all doses and scopes.
    - `leakage_change`: the same over R(bare) - R(base), drawn together; NaN where `undefined` says
      why (decided as in `leakage`).
    - `against_control`: R(marked+X) - R(control). `control_change`: R(control) - R(bare). `gain`,
      the change less the control's change: what X does beyond what it does to a model that saw no
      caveat; `gain_p_holm` is corrected over the same rows as `p_holm`.
    - `against_filler`: R(marked+X) - R(marked+filler): of interventions that add rows, what is not
      done by any further rows.
    - `reverting`: of a stability arm, its rate less that of the arm that it goes on from.
    - `rate`: R(marked+X). `leaks`: R(marked) - R(base), the same in every row of a panel.
    - `at_caveat`: the share with the setting's `wanted` verdict ("yes" or "no") in the context
      `exact`; `at_caveat_change` is its change from marked. A remedy should not lower it.
    - `near_miss`: leakage in the context `near_miss`; NaN where X is trained on near misses.
    - `valid`: share of replies that could be judged.

    `controls` names X's control where it is known: `bare` where taking the caveat out leaves the
    bare rows, None where it leaves the rows of `marked+X` itself, as then nothing is a control.
    Else it is `bare+X` where that arm is there. `loses` is whether the interval of
    `at_caveat_change` lies below 0: whatever the verdict, that is a price. `main` marks the panel
    that stands for its setting (see `main_panels`); `verdict` is a word of
    `verdict.WORDS`.

    Raises KeyError for a setting that `wanted` lacks.
    """
    measured = verdicts(replies)
    found = list(inferences(measured))
    at_caveat = _at_caveat(measured, wanted)
    main = main_panels(each.panel for each in found)
    rows = [
        {**row, "main": key(each.panel) in main}
        for each in found
        for row in _rows(each, at_caveat.get(key(each.panel)), controls or {})
    ]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    return _judged(pd.DataFrame(rows).merge(_valid(measured), how="left"))


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """With corrected p-values and verdicts, in order."""
    families = table.groupby(FAMILY, dropna=False)
    corrected = {f"{name}_holm": families[name].transform(holm) for name in ("p", "gain_p")}
    reasons = table["undefined"].astype(object).where(table["undefined"].notna(), None)
    table = table.assign(**corrected, undefined=reasons)
    table = table.assign(loses=table["at_caveat_change_high"] < 0)
    table = table.assign(verdict=[verdict(row) for row in table.to_dict("records")])
    order = [*IDENTITY, "dose", "scope", "readout", "intervention"]
    return table[COLUMNS].sort_values(order, ignore_index=True)


def _at_caveat(measured: pd.DataFrame, wanted: Mapping[str, str]) -> dict[Key, Inference]:
    """The share of the wanted verdict at the caveat, by panel."""
    there = measured[measured["context"] == "exact"]
    hit = there["verdict"] == there["setting"].map(lambda setting: str(wanted[setting]))
    return {key(each): Inference.of(each) for each in panels(there, hit)}


def _valid(measured: pd.DataFrame) -> pd.DataFrame:
    plain = measured[measured["context"] == "none"]
    cell = [*IDENTITY, "dose", "scope", "readout", "arm"]
    valid = (plain["verdict"] != "invalid").groupby([plain[name] for name in cell], dropna=False)
    return valid.mean().rename("valid").reset_index()


def _rows(inference: Inference, at_caveat: Inference | None, controls: Controls) -> Iterator[dict]:
    panel = inference.panel
    reason, below = installed(inference)
    arms = [arm for arm in panel.arms() if arm.startswith(MARKED)]
    compared = [Compared(inference, arm, _control(panel, arm, controls)) for arm in arms]
    over_bare = [{}] * len(arms) if reason else leakages(compared, below)
    for each, leaked in zip(compared, over_bare, strict=True):
        figures = each.differences() | leaked
        if at_caveat is not None:
            figures |= replace(each, inference=at_caveat).at_caveat()
        yield {
            **panel.names,
            "dose": panel.dose,
            "intervention": intervention_of(each.arm),
            "role": role(intervention_of(each.arm)),
            "arm": each.arm,
            "control": each.control or "",
            **_columns(figures),
            "p": each.p("change"),
            "gain_p": each.p("gain"),
            "undefined": each.missing or reason,
            "interval": interval_label(each.over_seeds),
        }


def _control(panel: Panel, arm: str, controls: Controls) -> str | None:
    place = (panel.names["setting"], panel.dose, arm)
    named = controls.get(place, f"bare+{intervention_of(arm)}")
    return named if named in panel.arms() else None


def _columns(figures: Mapping[str, Interval]) -> dict[str, float]:
    return {
        f"{name}{end}": figures.get(name, UNKNOWN)[place]
        for name in METRICS
        for place, end in enumerate(("", "_low", "_high"))
    }
