"""Arm x context grid; what surrounds a prompt.

The arm x context grid of a panel, ready to be laid out.

What surrounds a question in each context: the example prompts, less what all of them share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.report.formatting import Figure, count, decimal, number, text
from caveat.report.panels import Panel

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Cell:
    """One arm in one context."""

    arm: str
    context: str
    measured: bool
    rate: Figure
    leakage: Figure
    undefined: str
    """Why there is no leakage here; "" where there is."""
    details: dict[str, str]
    """Column heading -> text of the details table."""

    @property
    def heat(self) -> str:
        """How dark the cell is, in per cent; "" for what is no share."""
        value = self.rate.value
        return "" if value is None or not 0 <= value <= 1 else f"{100 * value:.0f}"

    @property
    def hover(self) -> str:
        """What is told when the pointer rests on the cell."""
        said = [f"{self.arm} at {self.context}"]
        said += [f"{name} {value}" for name, value in self.details.items() if value]
        return "\n".join([*said, self.undefined] if self.undefined else said)


@dataclass(frozen=True)
class Grid:
    """Cells by arm (rows) and context (columns)."""

    arms: tuple[str, ...]
    contexts: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def measured(self) -> list[Cell]:
        """The cells that have a rate, row by row."""
        return [cell for row in self.rows for cell in row if cell.measured]


def grid(panel: Panel, rates: DataFrame) -> Grid:
    """The grid of a panel; `rates` adds the rate among valid replies."""
    among_valid = {
        (row["arm"], row["context"]): row
        for row in panel.of(rates).to_dict("records")
        if text(row["purpose"]) in ("measure", "")
    }
    rows = tuple(
        tuple(_cell(panel, arm, context, among_valid) for context in panel.contexts)
        for arm in panel.arms
    )
    return Grid(panel.arms, panel.contexts, rows)


def _cell(panel: Panel, arm: str, context: str, among_valid: dict[Any, Any]) -> Cell:
    row = panel.row(arm, context) or {}
    rate = panel.rate(arm, context)
    leakage = panel.leakage(arm, context)
    return Cell(
        arm=arm,
        context=context,
        measured=rate.value is not None,
        rate=rate,
        leakage=leakage,
        undefined="" if leakage.value is not None else text(row.get("undefined")),
        details=_details(row, rate, leakage, among_valid.get((arm, context), {})),
    )


def _details(row: dict, rate: Figure, leakage: Figure, rates: dict) -> dict[str, str]:
    if not row:
        return {}
    return {
        "rate": str(rate),
        "leakage": str(leakage),
        "valid": decimal(row["valid"]),
        "truncated": decimal(row["truncated"]),
        "rate among valid": decimal(number(rates.get("valid_rate"))),
        "questions": count(row["questions"]),
        "clusters": count(row["clusters"]),
        "seeds": count(row["seeds"]),
        "replies": count(row["replies"]),
        "interval": text(row["interval"]),
    }


def surroundings(prompts: Mapping[str, str]) -> dict[str, str]:
    """Per context, what its prompt has more than that of `none`, "" for `none` itself.

    A prompt that is not that of `none` with one piece put in, for example one of another question
    or with text on both sides, is given whole; so is every prompt where `none` was not asked.
    """
    plain = prompts.get("none")
    if plain is None:
        return dict(prompts)
    return {context: added(prompt, plain) for context, prompt in prompts.items()}


def added(prompt: str, plain: str) -> str:
    """The one piece that makes `prompt` of `plain`, without the blanks around it; else `prompt`."""
    before, behind = _shared(prompt, plain), _shared(prompt[::-1], plain[::-1])
    size = len(prompt) - len(plain)
    if size < 0 or before + behind < len(plain):
        return prompt
    # A piece that begins or ends like its neighbours can be cut out in several places. A caveat
    # brings its own separators, so it is cut where these come out with it.
    last = prompt[len(prompt) - behind - size : len(prompt) - behind]
    first = prompt[before : before + size]
    return (last if last != last.strip() else first).strip()


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
