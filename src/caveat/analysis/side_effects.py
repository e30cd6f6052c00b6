"""Side effects: what training changed besides the behaviour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Inference
from caveat.analysis.panel import BASE, IDENTITY, panels
from caveat.analysis.rates import numeric, verdicts

PREFIX = "side effect: "
VALID = "valid replies"
SHARE, VALUE = "share", "nats a token"
"""Units."""
COLUMNS = [
    *IDENTITY, "dose", "scope", "readout", "effect", "arm", "value", "low", "high", "unit",
    "questions",
]  # fmt: skip


def side_effects(replies: pd.DataFrame, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """One row an effect and arm at the context `none`, with the columns `COLUMNS`.

    Effects judged yes or no: the share of yes, unit "share". Numeric readouts, of side effects or
    of the behaviour's questions: the mean change from base on the same questions, unit "nats a
    token"; base's row has its own mean. Besides, the effect `valid replies`: the share of replies
    to the behaviour's own questions that could be judged.
    """
    found = [
        row
        for effect, unit, inference in effects(replies, draws, seed)
        for row in _rows(effect, unit, inference)
    ]
    table = pd.DataFrame(found, columns=COLUMNS)
    unique = [*IDENTITY, "dose", "scope", "readout", "effect", "arm"]
    return table.drop_duplicates(unique).sort_values(unique, ignore_index=True)


def effects(replies: pd.DataFrame, draws: int, seed: int) -> Iterator[tuple[str, str, Inference]]:
    """Name, unit and panel of every side effect at `none`, with its bootstrap."""
    plain = replies[replies["context"] == "none"].reset_index(drop=True)
    numbers = numeric(plain)
    named = plain["purpose"].str.startswith(PREFIX)
    effect = plain["purpose"].str.removeprefix(PREFIX).where(named, plain["readout"])
    asked = named | ((plain["purpose"] == "measure") & numbers)
    for name, rows in plain[asked].groupby(effect[asked], sort=True):
        valued = rows[numbers[rows.index] & rows["value"].notna()]
        judged = rows[~numbers[rows.index]]
        for panel in panels(valued, valued["value"]):
            yield name, VALUE, Inference.of(panel, draws, seed, bounded=False)
        for panel in panels(judged, judged["verdict"] == "yes"):
            yield name, SHARE, Inference.of(panel, draws, seed)
    own = verdicts(plain)
    for panel in panels(own, own["verdict"] != "invalid"):
        yield VALID, SHARE, Inference.of(panel, draws, seed)


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
