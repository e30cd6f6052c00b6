"""Checks of a caveat: does the base model obey it and understand it, does training keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from caveat.measure.inference import Inference
from caveat.measure.leakage import INSTALLED
from caveat.measure.panel import BASE, IDENTITY, panels
from caveat.measure.rates import inferences, numeric, verdicts

COLUMNS = [
    *IDENTITY, "dose", "scope", "readout", "check", "arm", "value", "low", "high", "note",
]  # fmt: skip


def caveat_checks(
    replies: pd.DataFrame, wanted: Mapping[str, str], draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """One row a check, and an arm where it is of an arm, with the columns `COLUMNS`.

    - `elicitation`, base: R(base, exact) - R(base, none).
    - `comprehension`, base: how much less the base model shows the behaviour when the training row
      in front of the question carries the caveat, R(bare_shown) - R(marked_shown). Near 0, leakage
      after training may be incapacity.
    - `k`, marked arms: (R(marked, none) - R(base, none)) / (R(bare, none) - R(base, exact)), the
      share of what elicitation leaves to learn (Wichers et al. 2025, App. H). NaN with a note
      where elicitation is not above 0, or the denominator's lower limit is below 0.1.
    - `at the caveat`, every arm: share of replies in the context `exact` with the wanted verdict.

    `wanted` gives each setting's wanted verdict, "yes" or "no" (`Caveat.wanted`). Raises KeyError
    for a setting that it lacks.
    """
    found: list[dict] = []
    for inference in inferences(verdicts(replies), draws, seed):
        found += [*_elicitation(inference), *_k(inference)]
    shown = replies[(replies["purpose"] == "comprehension") & ~numeric(replies)]
    for inference in inferences(shown, draws, seed):
        found += _comprehension(inference)
    found += _at_the_caveat(verdicts(replies), wanted, draws, seed)
    table = pd.DataFrame(found, columns=COLUMNS)
    unique = [column for column in COLUMNS if column not in ("value", "low", "high", "note")]
    return table.drop_duplicates(unique).sort_values(unique, ignore_index=True)


def _row(inference: Inference, check: str, index: int, values: tuple, note: str) -> dict:
    cell = inference.panel.cells[index]
    numbers = dict(zip(("value", "low", "high"), map(float, values), strict=True))
    named = {"check": check, "arm": cell.arm, "dose": cell.dose, "note": note}
    return {**inference.panel.names, **named, **numbers}


def _difference(inference: Inference, first: int, second: int) -> tuple[float, float, float]:
    weights = inference.weights((1, first), (-1, second))[None]
    value, low, high = inference.intervals(weights)
    return value.item(), low.item(), high.item()


def _elicitation(inference: Inference) -> Iterator[dict]:
    panel = inference.panel
    plain, caveated = panel.find(BASE, "none"), panel.find(BASE, "exact")
    if plain is not None and caveated is not None:
        values = _difference(inference, caveated, plain)
        yield _row(inference, "elicitation", plain, values, "")


def _comprehension(inference: Inference) -> Iterator[dict]:
    panel = inference.panel
    marked, bare = panel.find(BASE, "marked_shown"), panel.find(BASE, "bare_shown")
    if marked is not None and bare is not None:
        note = f"shown with the caveat {panel.mean[marked]:.2f}, without {panel.mean[bare]:.2f}"
        yield _row(inference, "comprehension", bare, _difference(inference, bare, marked), note)


def _k(inference: Inference) -> Iterator[dict]:
    panel = inference.panel
    plain, caveated = panel.find(BASE, "none"), panel.find(BASE, "exact")
    bare = panel.find("bare", "none")
    if plain is None or caveated is None or bare is None:
        return
    denominator = inference.weights((1, bare), (-1, caveated))
    elicitation = panel.mean[caveated] - panel.mean[plain]
    _, low, _ = inference.intervals(denominator[None])
    note = ""
    if elicitation <= 0:
        note = f"undefined: elicitation is {elicitation:.2f}, not above 0"
    elif low[0] < INSTALLED:
        note = (
            "undefined: the lower bound of R(bare, none) - R(base, exact) is "
            f"{low[0]:.2f}, below {INSTALLED}"
        )
    for index, cell in enumerate(panel.cells):
        if cell.context == "none" and cell.arm.split("+")[0] == "marked":
            values = (np.nan, np.nan, np.nan)
            if not note:
                above = inference.weights((1, index), (-1, plain))[None]
                values = tuple(part.item() for part in inference.ratios(above, denominator))
            yield _row(inference, "k", index, values, note)


def _at_the_caveat(
    measured: pd.DataFrame, wanted: Mapping[str, str], draws: int, seed: int
) -> Iterator[dict]:
    at = measured[measured["context"] == "exact"]
    hit = at["verdict"] == at["setting"].map(lambda setting: str(wanted[setting]))
    for panel in panels(at, hit):
        inference = Inference.of(panel, draws, seed)
        low, high = inference.rate_intervals()
        note = f"wanted: {wanted[panel.names['setting']]}"
        for index in range(len(panel.cells)):
            values = (panel.mean[index], low[index], high[index])
            yield _row(inference, "at the caveat", index, values, note)
