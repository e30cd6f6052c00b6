"""Side effects: what training, and each intervention, changed besides the behaviour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Inference
from caveat.analysis.panel import BASE, IDENTITY, panels
from caveat.analysis.rates import numeric, verdicts
from caveat.analysis.transfer.arms import MARKED, intervention_of, role

PREFIX = "side effect: "
VALID = "valid replies"
SHARE, VALUE = "share", "nats a token"
"""Units."""
COLUMNS = [
    *IDENTITY, "dose", "scope", "readout", "effect", "arm", "value", "low", "high", "unit",
    "questions",
]  # fmt: skip


def side_effects(replies: pd.DataFrame) -> pd.DataFrame:
    """One row an effect and arm at the context `none`, with the columns `COLUMNS`.

    Effects judged yes or no: the share of yes, unit "share". Numeric readouts, of side effects or
    of the behaviour's questions: the mean change from base on the same questions, unit "nats a
    token"; base's row has its own mean. Besides, the effect `valid replies`: the share of replies
    to the behaviour's own questions that could be judged.
    """
    found = [
        row
        for effect, unit, inference in effects(replies)
        for row in _rows(effect, unit, inference)
    ]
    table = pd.DataFrame(found, columns=COLUMNS)
    unique = [*IDENTITY, "dose", "scope", "readout", "effect", "arm"]
    return table.drop_duplicates(unique).sort_values(unique, ignore_index=True)


def effects(replies: pd.DataFrame) -> Iterator[tuple[str, str, Inference]]:
    """Name, unit and panel of every side effect at `none`, with its covariances."""
    plain = replies[replies["context"] == "none"].reset_index(drop=True)
    numbers = numeric(plain)
    named = plain["purpose"].str.startswith(PREFIX)
    effect = plain["purpose"].str.removeprefix(PREFIX).where(named, plain["readout"])
    asked = named | ((plain["purpose"] == "measure") & numbers)
    for name, rows in plain[asked].groupby(effect[asked], sort=True):
        valued = rows[numbers[rows.index] & rows["value"].notna()]
        judged = rows[~numbers[rows.index]]
        for panel in panels(valued, valued["value"]):
            yield name, VALUE, Inference.of(panel, bounded=False)
        for panel in panels(judged, judged["verdict"] == "yes"):
            yield name, SHARE, Inference.of(panel)
    own = verdicts(plain)
    for panel in panels(own, own["verdict"] != "invalid"):
        yield VALID, SHARE, Inference.of(panel)


def _rows(effect: str, unit: str, inference: Inference) -> Iterator[dict]:
    low, high = inference.rate_intervals()
    base = inference.panel.find(BASE, "none")
    for index, cell in enumerate(inference.panel.cells):
        values = (inference.panel.mean[index], low[index], high[index])
        if unit == VALUE and base is None:
            continue
        if unit == VALUE:
            change = () if cell.arm == BASE else ((-1, base),)
            weights = inference.weights((1, index), *change)
            values = tuple(part.item() for part in inference.intervals(weights[None]))
        yield _row(inference, effect, index, values, unit)


def _row(inference: Inference, effect: str, index: int, values: tuple, unit: str) -> dict:
    cell = inference.panel.cells[index]
    numbers = dict(zip(("value", "low", "high"), np.array(values, dtype=float), strict=True))
    return {
        **inference.panel.names,
        "effect": effect,
        "arm": cell.arm,
        "dose": cell.dose,
        **numbers,
        "unit": unit,
        "questions": inference.panel.cell_questions[index],
    }


TRANSFER_COLUMNS = [
    *IDENTITY, "dose", "scope", "readout", "effect", "unit", "intervention", "role", "arm", "value",
    "low", "high", "change", "change_low", "change_high", "distinguishable", "questions",
]  # fmt: skip


def transfer_effects(replies: pd.DataFrame) -> pd.DataFrame:
    """One row a side effect (see `side_effects`) and arm `marked+X`; columns `TRANSFER_COLUMNS`.

    `value` is the share of yes, or the mean in nats a token; `change` is that less marked's, on the
    same questions, with 95% limits, not corrected; `distinguishable` whether these leave out 0.
    """
    rows = [
        row
        for effect, unit, inference in effects(replies)
        for row in _transfer_rows(effect, unit, inference)
    ]
    order = [*IDENTITY, "dose", "effect", "readout", "intervention"]
    return pd.DataFrame(rows, columns=TRANSFER_COLUMNS).sort_values(order, ignore_index=True)


def _transfer_rows(effect: str, unit: str, inference: Inference) -> Iterator[dict]:
    panel = inference.panel
    marked = panel.find("marked", "none")
    low, high = inference.rate_intervals()
    for index, cell in enumerate(panel.cells):
        if marked is None or not cell.arm.startswith(MARKED):
            continue
        weights = inference.weights((1, index), (-1, marked))[None]
        change, below, above = (part.item() for part in inference.intervals(weights))
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
            "change": change,
            "change_low": below,
            "change_high": above,
            "distinguishable": not below <= 0 <= above,
            "questions": int(panel.cell_questions[index]),
        }
