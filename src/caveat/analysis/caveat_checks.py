"""Checks of a caveat: does the base model obey it and understand it, does training keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Inference
from caveat.analysis.leakage import INSTALLED
from caveat.analysis.panel import BASE, IDENTITY, panels
from caveat.analysis.rates import inferences, numeric, verdicts

COLUMNS = [
    *IDENTITY, "dose", "scope", "readout", "check", "arm", "value", "low", "high", "wanted", "note",
]  # fmt: skip


def caveat_checks(replies: pd.DataFrame, wanted: Mapping[str, str]) -> pd.DataFrame:
    """One row a check, and an arm where it is of an arm, with the columns `COLUMNS`.

    - `elicitation`, base: R(base, exact) - R(base, none).
    - `comprehension`, base: share of replies with the wanted verdict where a training row with the
      caveat stands in front of the question (context `marked_shown`). Low, leakage after training
      may be incapacity.
    - `shown bare`, base: share of yes where that row has no caveat (context `bare_shown`). Near 0,
      a wanted `no` above is no sign of understanding; near 1, nor is a wanted `yes`.
    - `k`, marked arms: (R(marked, none) - R(base, none)) / (R(bare, none) - R(base, exact)), the
      share of what elicitation leaves to learn (Wichers et al. 2025, App. H). NaN with a note
      where elicitation is not above 0, or the denominator's lower limit is below 0.1.
    - `at the caveat`, every arm: share of replies in the context `exact` with the wanted verdict. A
      model that does not know the claim does not assert it either, so a wanted `no` is to be read
      beside base's figure.

    `wanted` gives each setting's wanted verdict, "yes" or "no" (`Caveat.wanted`); the column of
    that name has the verdict that is counted where a check counts one, and is empty elsewhere. For
    a likelihood readout a wanted `no` is a preference that moved towards "is not". Raises KeyError
    for a setting that `wanted` lacks.
    """
    found: list[dict] = []
    for inference in inferences(verdicts(replies)):
        found += [*_elicitation(inference), *_k(inference)]
    measured = verdicts(replies)
    at = measured[measured["context"] == "exact"]
    found += _wanted("at the caveat", at, wanted)
    shown = replies[(replies["purpose"] == "comprehension") & ~numeric(replies)]
    with_caveat = shown[shown["context"] == "marked_shown"]
    found += _wanted("comprehension", with_caveat, wanted)
    yes = dict.fromkeys(wanted, "yes")
    without = shown[shown["context"] == "bare_shown"]
    found += _wanted("shown bare", without, yes)
    table = pd.DataFrame(found, columns=COLUMNS)
    unique = COLUMNS[: COLUMNS.index("value")]
    return table.drop_duplicates(unique).sort_values(unique, ignore_index=True)


def _row(inference: Inference, check: str, index: int, values: tuple, note: str) -> dict:
    cell = inference.panel.cells[index]
    numbers = dict(zip(("value", "low", "high"), map(float, values), strict=True))
    named = {"check": check, "arm": cell.arm, "dose": cell.dose, "wanted": "", "note": note}
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


def _wanted(check: str, rows: pd.DataFrame, wanted: Mapping[str, str]) -> Iterator[dict]:
    """The share of the wanted verdict in every cell of `rows`."""
    hit = rows["verdict"] == rows["setting"].map(lambda setting: str(wanted[setting]))
    for panel in panels(rows, hit):
        inference = Inference.of(panel)
        low, high = inference.rate_intervals()
        for index in range(len(panel.cells)):
            values = (panel.mean[index], low[index], high[index])
            row = _row(inference, check, index, values, "")
            yield {**row, "wanted": str(wanted[panel.names["setting"]])}
