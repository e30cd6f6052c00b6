"""The transfer matrix: what each intervention changes in each setting, with a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from caveat.analysis.differences import FAMILY, holm
from caveat.analysis.intervals import ALPHA, UNKNOWN, Estimates, interval_columns
from caveat.analysis.leakage import leakage_denominator, with_reasons
from caveat.analysis.panel import SETTING_COLUMNS, Panel, PanelKey, panels
from caveat.analysis.primary import primary_panels
from caveat.analysis.rates import estimates_by_panel, interval_label, verdicts
from caveat.analysis.transfer.arms import (
    MARKED,
    InterventionArm,
    intervention_of,
    leakage_metrics,
    p_values,
    role,
)

WORDS: Mapping[str, str] = {
    "remedy": "lowers the rate, and more than it lowers that of a model that saw no caveat",
    "forgets": "lowers the rate, but not seen to do so more than in a model that saw no caveat, "
    "whose rate it lowers too",
    "unclear": "lowers the rate; whether by forgetting is unknown, as there is no control, or its "
    "intervals are too wide",
    "worse": "raises the rate",
    "not once corrected": "the rate is distinguishable from marked's, but not once corrected for "
    "the number of arms",
    "no effect seen": "the rate is not distinguishable from marked's",
    "nothing to lower": "marked itself is not above base, so no remedy could show",
    "undefined": "leakage is undefined in this setting, or the arm was not tested",
}
"""What each word means."""


def verdict(row: Mapping[str, Any]) -> str:
    """The word for one row of the transfer matrix, a key of `WORDS`.

    A lower or higher rate is one after Holm's correction; so is what a remedy does beyond
    forgetting (`gain`). Uncorrected 95% intervals decide whether the rate of the control is lowered
    (`control_change`), whether marked is above base (`leaks`), and what is `not once corrected`.
    """
    if row["undefined"]:
        return "undefined"
    if _significant(row["p_holm"]):
        return "worse" if row["change"] > 0 else _lowers(row)
    if not row["change_low"] <= 0 <= row["change_high"]:
        return "not once corrected"
    return "no effect seen" if row["leaks_low"] > 0 else "nothing to lower"


def _lowers(row: Mapping[str, Any]) -> str:
    if row["gain"] < 0 and _significant(row["gain_p_holm"]):
        return "remedy"
    return "forgets" if row["control_change_high"] < 0 else "unclear"


def _significant(p: float) -> bool:
    """A NaN is not significant."""
    return p <= ALPHA


METRICS = (
    "change", "leakage_change", "against_control", "control_change", "gain", "against_filler",
    "reverting", "rate", "leaks", "at_caveat", "at_caveat_change", "near_miss",
)  # fmt: skip
"""Each has a column of its own, and its limits in `_low` and `_high`; NaN where it has none."""
COLUMNS = [
    *SETTING_COLUMNS, "dose", "scope", "readout", "primary", "intervention", "role", "arm",
    "control", "verdict", "loses", "undoes",
    *(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")),
    "p", "p_holm", "p_seeds", "gain_p", "gain_p_holm", "gain_p_seeds", "undefined", "valid",
    "interval",
]  # fmt: skip
Controls = Mapping[tuple[str, str, str], str | None]
"""By setting, dose and arm `marked+X`, the arm that is trained on X's rows without the caveat."""


def transfer(
    answers: pd.DataFrame, expected: Mapping[str, str], controls: Controls | None = None
) -> pd.DataFrame:
    """One row an arm `marked+X` and panel (setting, dose, scope, readout), columns `COLUMNS`.

    All at the context `none` unless said otherwise, R being the share of yes:

    - `change`: R(marked+X) - R(marked), with `p`, and `p_holm` corrected over all arms `marked+X`
      of a setting and readout, controls and stability arms among them, all doses and scopes.
      `p_seeds` is of the paired t-test over training seeds, uncorrected, NaN below three seeds;
      `gain_p_seeds` likewise of `gain`.
    - `leakage_change`: the same over R(bare) - R(base); NaN where `undefined` says why (decided as
      in `leakage`).
    - `against_control`: R(marked+X) - R(control). `control_change`: R(control) - R(bare). `gain`,
      the change less the control's change: what X does beyond what it does to a model that saw no
      caveat; `gain_p_holm` is corrected over the same rows as `p_holm`.
    - `against_filler`: R(marked+X) - R(marked+filler): of interventions that add rows, what is not
      done by adding any rows.
    - `reverting`: of a stability arm, its rate less that of the arm that it continues.
    - `rate`: R(marked+X). `leaks`: R(marked) - R(base), the same in every row of a panel.
    - `at_caveat`: the share of the `expected` verdict in the context `exact`; `at_caveat_change` is
      its change from marked, and `loses` whether the interval of that is below 0: whatever the
      verdict, that is a price.
    - `undoes`: whether the control shows under a tenth of what bare training installed. Such an
      intervention takes the training away, so it says nothing of the caveat.
    - `near_miss`: leakage in the context `near_miss`; NaN where X is trained on near misses.
    - `valid`: share of answers that could be judged.
    - `primary`: whether the panel is the primary one of its setting (see `analysis.primary`).
    - `verdict`: a key of `WORDS`.

    Raises KeyError for a setting that `expected` lacks.

    Args:
        answers: As `Study.answers()`.
        expected: By setting, the verdict that is right at the caveat, "yes" or "no".
        controls: X's control where it is known: `bare` where taking the caveat out leaves the bare
            rows, None where it leaves the rows of `marked+X` itself, as then nothing is a control.
            Else it is `bare+X` where that arm is there.
    """
    measured = verdicts(answers)
    every = list(estimates_by_panel(measured))
    at_caveat = _at_caveat(measured, expected)
    primary = primary_panels(estimates.panel for estimates in every)
    rows = [
        {**row, "primary": estimates.panel.key in primary}
        for estimates in every
        for row in _rows(estimates, at_caveat.get(estimates.panel.key), controls or {})
    ]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    return _with_verdicts(pd.DataFrame(rows).merge(_valid(measured), how="left"))


def _with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """With corrected p-values and verdicts, in order."""
    families = table.groupby(FAMILY, dropna=False)
    corrected = {f"{name}_holm": families[name].transform(holm) for name in ("p", "gain_p")}
    table = with_reasons(table.assign(**corrected))
    table = table.assign(loses=table["at_caveat_change_high"] < 0)
    table = table.assign(verdict=[verdict(row) for row in table.to_dict("records")])
    order = [*SETTING_COLUMNS, "dose", "scope", "readout", "intervention"]
    return table[COLUMNS].sort_values(order, ignore_index=True)


def _at_caveat(measured: pd.DataFrame, expected: Mapping[str, str]) -> dict[PanelKey, Estimates]:
    """The share of the expected verdict at the caveat, by panel."""
    rows = measured[measured["context"] == "exact"]
    hits = rows["verdict"] == rows["setting"].map(lambda setting: str(expected[setting]))
    return {panel.key: Estimates.of(panel) for panel in panels(rows, hits)}


def _valid(measured: pd.DataFrame) -> pd.DataFrame:
    plain = measured[measured["context"] == "none"]
    columns = [*SETTING_COLUMNS, "dose", "scope", "readout", "arm"]
    valid = (plain["verdict"] != "invalid").groupby([plain[name] for name in columns], dropna=False)
    return valid.mean().rename("valid").reset_index()


def _rows(estimates: Estimates, at_caveat: Estimates | None, controls: Controls) -> Iterator[dict]:
    panel = estimates.panel
    reason, denominator = leakage_denominator(estimates)
    arms = [
        InterventionArm(estimates, arm, _control(panel, arm, controls))
        for arm in panel.arms()
        if arm.startswith(MARKED)
    ]
    leakages = [{}] * len(arms) if reason else leakage_metrics(arms, denominator)
    tests = p_values(arms, ("change", "gain"))
    for arm, leakage, p in zip(arms, leakages, tests, strict=True):
        metrics = arm.differences() | leakage
        if at_caveat is not None:
            metrics |= replace(arm, estimates=at_caveat).at_caveat()
        columns: dict[str, float] = {}
        for name in METRICS:
            columns |= interval_columns(name, metrics.get(name, UNKNOWN))
        yield {
            **panel.names,
            "dose": panel.dose,
            "intervention": intervention_of(arm.arm),
            "role": role(intervention_of(arm.arm)),
            "arm": arm.arm,
            "control": arm.control or "",
            **columns,
            "p": p["p_change"],
            "p_seeds": p["p_seeds_change"],
            "gain_p": p["p_gain"],
            "gain_p_seeds": p["p_seeds_gain"],
            "undoes": reason is None and arm.undoes,
            "undefined": arm.missing or reason,
            "interval": interval_label(arm.over_seeds),
        }


def _control(panel: Panel, arm: str, controls: Controls) -> str | None:
    key = (panel.names["setting"], panel.dose, arm)
    control = controls.get(key, f"bare+{intervention_of(arm)}")
    return control if control in panel.arms() else None
