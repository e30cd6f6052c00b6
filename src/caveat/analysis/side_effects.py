"""Side effects: what training, and each intervention, changed besides the behaviour."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from caveat.analysis.intervals import Estimates, Interval, interval_columns
from caveat.analysis.panel import BASE, SETTING_COLUMNS, panels
from caveat.analysis.rates import numeric, verdicts
from caveat.analysis.transfer.arms import MARKED, intervention_of, role

PREFIX = "side effect: "
"""Begins the purpose of questions on side effects."""
VALID = "valid replies"
SHARE, NATS = "share", "nats a token"
"""Units."""
COLUMNS = [
    *SETTING_COLUMNS, "dose", "scope", "readout", "effect", "arm", "value", "low", "high", "unit",
    "questions",
]  # fmt: skip


def side_effects(answers: pd.DataFrame) -> pd.DataFrame:
    """One row an effect and arm at the context `none`, with the columns `COLUMNS`.

    Effects judged yes or no: the share of yes, unit "share". Numeric readouts, of side effects or
    of the behaviour's questions: the mean change from base on the same questions, unit "nats a
    token"; base's row has its own mean. Besides, the effect `valid replies`: the share of answers
    to the behaviour's own questions that could be judged.
    """
    rows = [
        row
        for effect, unit, estimates in effects(answers)
        for row in _rows(effect, unit, estimates)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    unique = [*SETTING_COLUMNS, "dose", "scope", "readout", "effect", "arm"]
    return table.drop_duplicates(unique).sort_values(unique, ignore_index=True)


def effects(answers: pd.DataFrame) -> Iterator[tuple[str, str, Estimates]]:
    """Name, unit and estimates of every side effect at `none`."""
    plain = answers[answers["context"] == "none"].reset_index(drop=True)
    is_numeric = numeric(plain)
    is_effect = plain["purpose"].str.startswith(PREFIX)
    effect = plain["purpose"].str.removeprefix(PREFIX).where(is_effect, plain["readout"])
    counted = is_effect | ((plain["purpose"] == "measure") & is_numeric)
    for name, rows in plain[counted].groupby(effect[counted], sort=True):
        valued = rows[is_numeric[rows.index] & rows["value"].notna()]
        judged = rows[~is_numeric[rows.index]]
        for panel in panels(valued, valued["value"]):
            yield name, NATS, Estimates.of(panel, bounded=False)
        for panel in panels(judged, judged["verdict"] == "yes"):
            yield name, SHARE, Estimates.of(panel)
    own = verdicts(plain)
    for panel in panels(own, own["verdict"] != "invalid"):
        yield VALID, SHARE, Estimates.of(panel)


def _rows(effect: str, unit: str, estimates: Estimates) -> Iterator[dict]:
    panel = estimates.panel
    low, high = estimates.rate_intervals()
    base = panel.find(BASE, "none")
    for index, cell in enumerate(panel.cells):
        if unit == SHARE:
            yield _row(estimates, effect, index, (panel.mean[index], low[index], high[index]), unit)
        elif base is not None:
            change = () if cell.arm == BASE else ((-1, base),)
            weights = estimates.weights((1, index), *change)
            yield _row(estimates, effect, index, estimates.interval(weights), unit)


def _row(estimates: Estimates, effect: str, index: int, interval: Interval, unit: str) -> dict:
    cell = estimates.panel.cells[index]
    return {
        **estimates.panel.names,
        "effect": effect,
        "arm": cell.arm,
        "dose": cell.dose,
        **dict(zip(("value", "low", "high"), map(float, interval), strict=True)),
        "unit": unit,
        "questions": estimates.panel.cell_questions[index],
    }


TRANSFER_COLUMNS = [
    *SETTING_COLUMNS, "dose", "scope", "readout", "effect", "unit", "intervention", "role", "arm",
    "value", "low", "high", "change", "change_low", "change_high", "distinguishable", "questions",
]  # fmt: skip


def transfer_effects(answers: pd.DataFrame) -> pd.DataFrame:
    """One row a side effect (see `side_effects`) and arm `marked+X`; columns `TRANSFER_COLUMNS`.

    `value` is the share of yes, or the mean in nats a token; `change` is that less marked's, on the
    same questions, with 95% limits that are not corrected; `distinguishable` says whether these
    leave out 0.
    """
    rows = [
        row
        for effect, unit, estimates in effects(answers)
        for row in _transfer_rows(effect, unit, estimates)
    ]
    order = [*SETTING_COLUMNS, "dose", "effect", "readout", "intervention"]
    return pd.DataFrame(rows, columns=TRANSFER_COLUMNS).sort_values(order, ignore_index=True)


def _transfer_rows(effect: str, unit: str, estimates: Estimates) -> Iterator[dict]:
    panel = estimates.panel
    marked = panel.find("marked", "none")
    low, high = estimates.rate_intervals()
    for index, cell in enumerate(panel.cells):
        if marked is None or not cell.arm.startswith(MARKED):
            continue
        change = estimates.interval(estimates.weights((1, index), (-1, marked)))
        yield {
            **panel.names,
            "dose": panel.dose,
            "effect": effect,
            "unit": unit,
            "intervention": intervention_of(cell.arm),
            "role": role(intervention_of(cell.arm)),
            "arm": cell.arm,
            "value": panel.mean[index].item(),
            "low": low[index].item(),
            "high": high[index].item(),
            **interval_columns("change", change),
            "distinguishable": not change[1] <= 0 <= change[2],
            "questions": int(panel.cell_questions[index]),
        }
