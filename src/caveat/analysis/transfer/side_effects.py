"""The price of an intervention: what it changes besides the behaviour."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from caveat.analysis.intervals import Inference
from caveat.analysis.panel import IDENTITY
from caveat.analysis.side_effects import effects
from caveat.analysis.transfer.arms import MARKED, intervention_of, role

COLUMNS = [
    *IDENTITY, "dose", "scope", "readout", "effect", "unit", "intervention", "role", "arm", "value",
    "low", "high", "change", "change_low", "change_high", "distinguishable", "questions",
]  # fmt: skip


def transfer_effects(replies: pd.DataFrame, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """One row a side effect (see `side_effects`) and arm `marked+X`, with the columns `COLUMNS`.

    `value` is the share of yes, or the mean in nats a token; `change` is that less marked's, on the
    same questions, with 95% limits, not corrected; `distinguishable` whether these leave out 0.
    """
    rows = [
        row
        for effect, unit, inference in effects(replies, draws, seed)
        for row in _rows(effect, unit, inference)
    ]
    order = [*IDENTITY, "dose", "effect", "readout", "intervention"]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(order, ignore_index=True)


def _rows(effect: str, unit: str, inference: Inference) -> Iterator[dict]:
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
