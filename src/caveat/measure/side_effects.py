"""Side effects: what training changed besides the behaviour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from caveat.measure.inference import Inference
from caveat.measure.panel import BASE, IDENTITY, panels
from caveat.measure.rates import numeric, verdicts

PREFIX = "side effect: "
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
    plain = replies[replies["context"] == "none"].reset_index(drop=True)
    numbers = numeric(plain)
    named = plain["purpose"].str.startswith(PREFIX)
    effect = plain["purpose"].str.removeprefix(PREFIX).where(named, plain["readout"])
    asked = named | ((plain["purpose"] == "measure") & numbers)
    found: list[dict] = []
    for name, rows in plain[asked].groupby(effect[asked], sort=True):
        valued = rows[numbers[rows.index] & rows["value"].notna()]
        judged = rows[~numbers[rows.index]]
        found += _values(name, valued, draws, seed)
        found += _shares(name, judged, judged["verdict"] == "yes", draws, seed)
    own = verdicts(plain)
    found += _shares("valid replies", own, own["verdict"] != "invalid", draws, seed)
    table = pd.DataFrame(found, columns=COLUMNS)
    unique = [*IDENTITY, "dose", "scope", "readout", "effect", "arm"]
    return table.drop_duplicates(unique).sort_values(unique, ignore_index=True)


def _shares(
    effect: str, rows: pd.DataFrame, hit: pd.Series, draws: int, seed: int
) -> Iterator[dict]:
    for panel in panels(rows, hit):
        inference = Inference.of(panel, draws, seed)
        low, high = inference.rate_intervals()
        for index in range(len(panel.cells)):
            values = (panel.mean[index], low[index], high[index])
            yield _row(inference, effect, index, values, "share")


def _values(effect: str, rows: pd.DataFrame, draws: int, seed: int) -> Iterator[dict]:
    for panel in panels(rows, rows["value"]):
        inference = Inference.of(panel, draws, seed, bounded=False)
        base = panel.find(BASE, "none")
        for index, cell in enumerate(panel.cells):
            if base is None:
                continue
            change = () if cell.arm == BASE else ((-1, base),)
            weights = inference.weights((1, index), *change)
            values = tuple(part.item() for part in inference.intervals(weights[None]))
            yield _row(inference, effect, index, values, "nats a token")


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
