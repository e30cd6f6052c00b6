"""The published results as tables: for the terminal, and for a page of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caveat.published.results import Rate, Result
from caveat.report.numbers import ABSENT, Figure

COLUMNS = (
    "setting", "model", "caveat", "base", "bare", "marked", "exact", "near miss", "leakage",
    "source",
)  # fmt: skip
KEY = "≤ upper bound, ~ read off a figure or text. Leakage: (marked - base) / (bare - base)."


@dataclass(frozen=True)
class Listed:
    """A result as the cells of a table."""

    cells: tuple[str, ...]
    """In the order of `COLUMNS`."""
    why: str
    """Why there is no leakage; "" where there is."""
    caution: str


@dataclass(frozen=True)
class Listing:
    """The results of one phenomenon."""

    phenomenon: str
    rows: tuple[Listed, ...]


def listings(results: Sequence[Result]) -> list[Listing]:
    """One table a phenomenon, in the order of the results."""
    names = dict.fromkeys(each.phenomenon for each in results)
    return [
        Listing(name, tuple(_listed(each) for each in results if each.phenomenon == name))
        for name in names
    ]


def _listed(result: Result) -> Listed:
    rates = [figure(result, name) for name in ("base", "bare", "marked", "exact", "near_miss")]
    on_top = f" + {result.intervention}" if result.intervention else ""
    near = f"near miss: {result.near_miss_kind}" if result.near_miss_kind else ""
    low, high = result.interval or (None, None)
    cells = (
        result.setting,
        result.model,
        result.caveat + on_top,
        *rates,
        str(Figure.of(result.leakage, low, high)),
        f"{result.source}, {result.locator} ({result.evidence})",
    )
    told = "; ".join(part for part in (near, result.note) if part)
    return Listed(cells, result.undefined or "", told)


def figure(result: Result, name: Rate) -> str:
    """A rate as it was reported, with a sign where it is not exact."""
    value = getattr(result, name)
    if value is None:
        return ABSENT
    sign = ("≤ " if name in result.upper else "") + ("~ " if name in result.read_off else "")
    return f"{sign}{value:g}"
