"""Checks of a caveat: does the base model obey it and understand it, does training preserve it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from caveat.analysis.intervals import UNKNOWN, Estimates, Interval
from caveat.analysis.leakage import INSTALLED
from caveat.analysis.panel import BASE, SETTING_COLUMNS, panels
from caveat.analysis.rates import estimates_by_panel, numeric, verdicts

COLUMNS = [
    *SETTING_COLUMNS, "dose", "scope", "readout", "check", "arm", "value", "low", "high",
    "expected", "note",
]  # fmt: skip


def caveat_checks(answers: pd.DataFrame, expected: Mapping[str, str]) -> pd.DataFrame:
    """One row a check, and an arm where it is of an arm, with the columns `COLUMNS`.

    - `elicitation`, base: R(base, exact) - R(base, none).
    - `comprehension`, base: share of answers with the expected verdict where a training row with
      the caveat comes before the question (context `marked_shown`). Where it is low, low leakage
      after training may be incapacity.
    - `shown bare`, base: share of yes where that row has no caveat (context `bare_shown`). Near 0,
      an expected `no` above is no sign of understanding; near 1, nor is an expected `yes`.
    - `k`, marked arms: (R(marked, none) - R(base, none)) / (R(bare, none) - R(base, exact)), the
      share of what elicitation leaves to learn (Wichers et al. 2025, App. H). NaN with a note
      where elicitation is not above 0, or the denominator's lower limit is below 0.1.
    - `at the caveat`, every arm: share of answers in the context `exact` with the expected verdict.
      A model that does not know the claim does not assert it either, so an expected `no` is to be
      read beside base's value.

    For a likelihood readout an expected `no` is a preference that moved towards "is not". Raises
    KeyError for a setting that `expected` lacks.

    Args:
        expected: By setting, the verdict that is right at the caveat, "yes" or "no". The column of
            that name has the verdict that a check counts, "" for the other checks.
    """
    measured = verdicts(answers)
    rows: list[dict] = []
    for estimates in estimates_by_panel(measured):
        rows += [*_elicitation(estimates), *_k(estimates)]
    rows += _shares("at the caveat", measured[measured["context"] == "exact"], expected)
    shown = answers[(answers["purpose"] == "comprehension") & ~numeric(answers)]
    with_caveat = shown[shown["context"] == "marked_shown"]
    without_caveat = shown[shown["context"] == "bare_shown"]
    rows += _shares("comprehension", with_caveat, expected)
    rows += _shares("shown bare", without_caveat, dict.fromkeys(expected, "yes"))
    table = pd.DataFrame(rows, columns=COLUMNS)
    unique = COLUMNS[: COLUMNS.index("value")]
    return table.drop_duplicates(unique).sort_values(unique, ignore_index=True)


def _row(estimates: Estimates, check: str, index: int, interval: Interval, note: str = "") -> dict:
    cell = estimates.panel.cells[index]
    return {
        **estimates.panel.names,
        "check": check,
        "arm": cell.arm,
        "dose": cell.dose,
        "expected": "",
        "note": note,
        **dict(zip(("value", "low", "high"), map(float, interval), strict=True)),
    }


def _elicitation(estimates: Estimates) -> Iterator[dict]:
    panel = estimates.panel
    plain, caveated = panel.find(BASE, "none"), panel.find(BASE, "exact")
    if plain is not None and caveated is not None:
        difference = estimates.weights((1, caveated), (-1, plain))
        yield _row(estimates, "elicitation", plain, estimates.interval(difference))


def _k(estimates: Estimates) -> Iterator[dict]:
    panel = estimates.panel
    plain, caveated = panel.find(BASE, "none"), panel.find(BASE, "exact")
    bare = panel.find("bare", "none")
    if plain is None or caveated is None or bare is None:
        return
    denominator = estimates.weights((1, bare), (-1, caveated))
    elicitation = panel.mean[caveated] - panel.mean[plain]
    _, low, _ = estimates.interval(denominator)
    note = ""
    if elicitation <= 0:
        note = f"undefined: elicitation is {elicitation:.2f}, not above 0"
    elif low < INSTALLED:
        note = (
            "undefined: the lower bound of R(bare, none) - R(base, exact) is "
            f"{low:.2f}, below {INSTALLED}"
        )
    for index, cell in enumerate(panel.cells):
        if cell.context == "none" and cell.arm.split("+")[0] == "marked":
            numerator = estimates.weights((1, index), (-1, plain))
            interval = UNKNOWN if note else estimates.ratio(numerator, denominator)
            yield _row(estimates, "k", index, interval, note)


def _shares(check: str, rows: pd.DataFrame, expected: Mapping[str, str]) -> Iterator[dict]:
    """The share of the expected verdict in every cell of `rows`."""
    hits = rows["verdict"] == rows["setting"].map(lambda setting: str(expected[setting]))
    for panel in panels(rows, hits):
        estimates = Estimates.of(panel)
        low, high = estimates.rate_intervals()
        for index in range(len(panel.cells)):
            row = _row(estimates, check, index, (panel.mean[index], low[index], high[index]))
            yield {**row, "expected": str(expected[panel.names["setting"]])}
