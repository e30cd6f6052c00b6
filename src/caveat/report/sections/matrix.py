"""The transfer matrix, ready to be laid out: interventions by settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.analysis.transfer.matrix import WORDS
from caveat.report.formatting import ABSENT, Figure, decimal, figure, is_true, probability, text
from caveat.report.panels import VARIANTS, variant_label

if TYPE_CHECKING:
    from pandas import DataFrame


MARKS: Mapping[str, str] = {
    "remedy": "▼", "forgets": "▽", "unclear": "↓", "worse": "▲", "not once corrected": "~",
    "no effect seen": "·", "nothing to lower": "○", "undefined": "?",
}  # fmt: skip
"""A sign a verdict, that needs no colour."""
LOSES = ("†", "loses", "lowers what is wanted at the caveat, too (interval below 0, not corrected)")
"""Sign, word and meaning of a price that stands beside any verdict."""
ROLES = ("intervention", "control", "stability")
KEY = ("setting", *VARIANTS)
SAID = (
    ("change of leakage", "leakage_change"), ("change of rate", "change"),
    ("against its control", "against_control"), ("beyond forgetting", "gain"),
    ("against filler", "against_filler"), ("since its further training", "reverting"),
    ("rate at none", "rate"), ("wanted verdict at the caveat", "at_caveat"),
    ("its change from marked", "at_caveat_change"), ("leakage at a near miss", "near_miss"),
)  # fmt: skip
"""Figures of a cell, as they are called where all are told."""


@dataclass(frozen=True)
class Column:
    """A setting, by one of its panels."""

    phenomenon: str
    setting: str
    variant: dict[str, str]
    """Values of `VARIANTS`."""
    label: str
    """What tells it from the setting's other columns; "" where it is the only one."""

    @property
    def title(self) -> str:
        """The setting's name, and the label where one is needed."""
        return f"{self.setting} ({self.label})" if self.label else self.setting


@dataclass(frozen=True)
class Cell:
    """What one intervention did in one setting."""

    arm: str
    change: Figure
    """Of leakage."""
    at_caveat: Figure
    """The change of the wanted verdict at the caveat."""
    verdict: str
    loses: bool
    """Whether what is wanted at the caveat is lowered, too."""
    undefined: str
    """Why leakage has no change; "" where it has one."""
    details: dict[str, str]
    """Every figure by what it is called; those that are not there are left out."""

    @property
    def mark(self) -> str:
        """The sign of the verdict, and of the price."""
        return MARKS[self.verdict] + (LOSES[0] if self.loses else "")

    @property
    def heat(self) -> float:
        """How strong the cell's colour is, in per cent."""
        return min(100.0, round(100 * abs(self.change.value or 0.0), 1))

    @property
    def side(self) -> str:
        """`lower`, `raise`, or `undefined`: which colour."""
        if self.change.value is None:
            return "undefined"
        return "raise" if self.change.value > 0 else "lower"

    @property
    def hover(self) -> str:
        """What is told when the pointer rests on the cell."""
        said = [f"{name} {value}" for name, value in self.details.items()]
        return "\n".join([self.arm, *said, f"{self.verdict}: {WORDS[self.verdict]}"])


@dataclass(frozen=True)
class Line:
    """One intervention in every setting; None where it was not tried."""

    intervention: str
    role: str
    cells: tuple[Cell | None, ...]

    @property
    def mean(self) -> float:
        """The mean change of leakage over the settings that have one, 0 without any."""
        values = [cell.change.value for cell in self.cells if cell]
        changes = [value for value in values if value is not None]
        return sum(changes) / len(changes) if changes else 0.0


@dataclass(frozen=True)
class Matrix:
    """Lines from the most lowering intervention to the most raising, then controls, then arms
    that train on; columns of one phenomenon stand together."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]

    @property
    def phenomena(self) -> list[tuple[str, int]]:
        """Each phenomenon with the number of its columns."""
        names = [column.phenomenon for column in self.columns]
        return [(name, names.count(name)) for name in dict.fromkeys(names)]

    @property
    def marks(self) -> dict[str, tuple[str, str]]:
        """The marks that are used, with word and meaning."""
        cells = [cell for line in self.lines for cell in line.cells if cell]
        used = {cell.verdict for cell in cells}
        found = {MARKS[word]: (word, meaning) for word, meaning in WORDS.items() if word in used}
        sign, *told = LOSES
        return {**found, sign: tuple(told)} if any(cell.loses for cell in cells) else found

    @property
    def interval(self) -> str:
        """`within seed` where that holds for any cell, else `seeds`; "" without cells."""
        cells = [cell for line in self.lines for cell in line.cells if cell]
        told = {cell.details.get("interval", "") for cell in cells}
        return "within seed" if "within seed" in told else next(iter(told), "")

    @property
    def undefined(self) -> list[str]:
        """Why settings have no change of leakage, each once."""
        told = {
            f"{column.title}: {cell.undefined}": None
            for place, column in enumerate(self.columns)
            for cell in (line.cells[place] for line in self.lines)
            if cell and cell.undefined
        }
        return list(told)


def matrix(frame: DataFrame, main: bool = True) -> Matrix:
    """The frame of `Study.transfer`, of the panels that stand for their settings or the others."""
    rows = [_named(row) for row in frame.to_dict("records")]
    chosen = [row for row in rows if bool(row["main"]) == main]
    columns = _columns(chosen, _variants(chosen if main else rows))
    placed = {(tuple(row[name] for name in KEY), row["intervention"]): row for row in chosen}
    roles = {row["intervention"]: text(row["role"]) for row in chosen}
    lines = [
        Line(each, role, tuple(_cell(placed.get((_key(column), each))) for column in columns))
        for each, role in roles.items()
    ]
    lines.sort(key=lambda line: (ROLES.index(line.role), line.mean, line.intervention))
    return Matrix(columns, tuple(lines))


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **{name: text(row.get(name)) for name in (*KEY, "phenomenon", "intervention")}}


def _variants(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, str]]]:
    """Per setting, the variants that are to be told apart."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        of_setting = found.setdefault(row["setting"], [])
        if _variant(row) not in of_setting:
            of_setting.append(_variant(row))
    return found


def _variant(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: row[name] for name in VARIANTS}


def _key(column: Column) -> tuple[str, ...]:
    return (column.setting, *column.variant.values())


def _columns(
    rows: Sequence[dict[str, Any]], variants: Mapping[str, list[dict[str, str]]]
) -> tuple[Column, ...]:
    found: dict[tuple[str, ...], Column] = {}
    for row in rows:
        key = tuple(row[name] for name in KEY)
        variant = _variant(row)
        label = variant_label(variant, variants[row["setting"]])
        found.setdefault(key, Column(row["phenomenon"], row["setting"], variant, label))
    order = list(dict.fromkeys(column.phenomenon for column in found.values()))
    return tuple(sorted(found.values(), key=lambda column: order.index(column.phenomenon)))


def _cell(row: Mapping[str, Any] | None) -> Cell | None:
    if row is None:
        return None
    change = figure(row, "leakage_change")
    return Cell(
        arm=text(row["arm"]),
        change=change,
        at_caveat=figure(row, "at_caveat_change"),
        verdict=text(row["verdict"]),
        loses=is_true(row["loses"]),
        undefined="" if change.value is not None else text(row["undefined"]),
        details=_details(row),
    )


def _details(row: Mapping[str, Any]) -> dict[str, str]:
    told = {called: str(figure(row, name)) for called, name in SAID}
    told["p of the change of rate, Holm"] = probability(row["p_holm"])
    told["p beyond forgetting, Holm"] = probability(row["gain_p_holm"])
    told["control"] = text(row["control"]) or ABSENT
    told["valid"] = decimal(row["valid"])
    told["interval"] = text(row["interval"])
    told["undefined"] = text(row["undefined"]) or ABSENT
    return {called: value for called, value in told.items() if value != ABSENT}
