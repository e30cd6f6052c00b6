"""The transfer matrix, interventions by settings, arranged for tables and figures alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.analysis.transfer.matrix import WORDS
from caveat.report.formatting import ABSENT, decimal, estimate, is_true, number, probability, text
from caveat.report.panels import VARIANTS, variant_label

if TYPE_CHECKING:
    from pandas import DataFrame


MARKS: Mapping[str, str] = {
    "remedy": "▼", "forgets": "▽", "unclear": "↓", "worse": "▲", "not once corrected": "~",
    "no effect seen": "·", "nothing to lower": "○", "undefined": "?",
}  # fmt: skip
"""A sign for each verdict, which needs no colour."""
LOSES = (
    "†",
    "loses",
    "also lowers the expected verdict at the caveat (interval below 0, not corrected)",
)
"""Sign, word and meaning of a price that stands beside any verdict."""
UNDOES = (
    "‡",
    "undoes",
    "takes the training itself away: its control, bare+X, keeps under a tenth of the behaviour",
)
"""The same of an intervention whose effect says nothing of the caveat."""
ROLES = ("intervention", "control", "stability")
KEY = ("setting", *VARIANTS)
COLUMNS: Mapping[str, str] = {
    "leakage_change": "change of leakage",
    "change": "change of rate",
    "against_control": "against its control",
    "gain": "beyond forgetting",
    "against_filler": "against filler",
    "reverting": "since its further training",
    "rate": "rate at none",
    "at_caveat": "expected verdict at the caveat",
    "at_caveat_change": "its change from marked",
    "near_miss": "leakage at a near miss",
}
"""What the estimates of a cell are called."""

Row = Mapping[str, Any]
"""A row of `Study.transfer()`: one arm in one setting."""


@dataclass(frozen=True)
class Column:
    """A setting, by one of its panels."""

    phenomenon: str
    setting: str
    variant: dict[str, str]
    """Values of `VARIANTS`."""
    label: str
    """What distinguishes it from the setting's other columns; "" where it is the only one."""

    @property
    def title(self) -> str:
        """The setting's name, and the label where one is needed."""
        return f"{self.setting} ({self.label})" if self.label else self.setting


@dataclass(frozen=True)
class Line:
    """One intervention in every setting; None where it was not tried."""

    intervention: str
    role: str
    cells: tuple[Row | None, ...]

    @property
    def mean(self) -> float:
        """The mean change of leakage over the settings that have one, 0 without any."""
        changes = [number(row["leakage_change"]) for row in self.cells if row]
        numbers = [change for change in changes if change is not None]
        return sum(numbers) / len(numbers) if numbers else 0.0


@dataclass(frozen=True)
class Matrix:
    """Lines from the most lowering intervention to the most raising, then controls, then arms
    that train on; columns of one phenomenon stand together."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]

    def rows(self) -> Iterator[tuple[Line, Column, Row]]:
        """The cells that were measured, line by line."""
        for line in self.lines:
            for column, row in zip(self.columns, line.cells, strict=True):
                if row is not None:
                    yield line, column, row

    @property
    def phenomena(self) -> list[tuple[str, int]]:
        """Each phenomenon with the number of its columns."""
        names = [column.phenomenon for column in self.columns]
        return [(name, names.count(name)) for name in dict.fromkeys(names)]

    @property
    def marks(self) -> dict[str, tuple[str, str]]:
        """The signs that are used, with word and meaning."""
        verdicts = {text(row["verdict"]) for _, _, row in self.rows()}
        marks = {
            MARKS[word]: (word, meaning) for word, meaning in WORDS.items() if word in verdicts
        }
        for sign, word, meaning in (LOSES, UNDOES):
            if any(is_true(row[word]) for _, _, row in self.rows()):
                marks[sign] = (word, meaning)
        return marks

    @property
    def interval(self) -> str:
        """`within seed` where that holds for any cell, else `seeds`; "" without cells."""
        kinds = {text(row["interval"]) for _, _, row in self.rows()}
        return "within seed" if "within seed" in kinds else next(iter(kinds), "")

    @property
    def undefined(self) -> list[str]:
        """Why settings have no change of leakage, each once."""
        reasons = {
            f"{column.title}: {reason}": None
            for index, column in enumerate(self.columns)
            for line in self.lines
            if (reason := undefined(line.cells[index]))
        }
        return list(reasons)


def undefined(row: Row | None) -> str:
    """Why a cell has no change of leakage; "" where it has one."""
    if row is None or number(row["leakage_change"]) is not None:
        return ""
    return text(row["undefined"])


def mark(row: Row) -> str:
    """The sign of a cell's verdict, of the price, and of what undoes the training."""
    beside = (sign for sign, word, _ in (LOSES, UNDOES) if is_true(row[word]))
    return MARKS[text(row["verdict"])] + "".join(beside)


def details(row: Row) -> dict[str, str]:
    """Every value of a cell by what it is called; missing ones are left out."""
    values = {called: str(estimate(row, name)) for name, called in COLUMNS.items()}
    values["p of the change of rate, Holm"] = probability(row["p_holm"])
    values["p of the change of rate, seeds"] = probability(row["p_seeds"])
    values["p beyond forgetting, Holm"] = probability(row["gain_p_holm"])
    values["control"] = text(row["control"]) or ABSENT
    values["valid"] = decimal(row["valid"])
    values["interval"] = text(row["interval"])
    values["undefined"] = text(row["undefined"]) or ABSENT
    return {called: value for called, value in values.items() if value != ABSENT}


def transfer_matrix(frame: DataFrame, main: bool = True) -> Matrix:
    """The frame of `Study.transfer()` as a matrix.

    Args:
        main: Take the panels that stand for their settings; else the further readouts and scopes.
    """
    names = (*KEY, "phenomenon", "intervention")
    rows = [
        {**row, **{name: text(row.get(name)) for name in names}} for row in frame.to_dict("records")
    ]
    chosen = [row for row in rows if bool(row["primary"]) == main]
    columns = _columns(chosen, _variants(chosen if main else rows))
    by_key = {(tuple(row[name] for name in KEY), row["intervention"]): row for row in chosen}
    roles = {row["intervention"]: text(row["role"]) for row in chosen}
    keys = [(column.setting, *column.variant.values()) for column in columns]
    lines = [
        Line(name, role, tuple(by_key.get((key, name)) for key in keys))
        for name, role in roles.items()
    ]
    lines.sort(key=lambda line: (ROLES.index(line.role), line.mean, line.intervention))
    return Matrix(columns, tuple(lines))


def _variants(rows: Sequence[Row]) -> dict[str, list[dict[str, str]]]:
    """Per setting, the variants that labels have to distinguish."""
    variants: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        of_setting = variants.setdefault(row["setting"], [])
        if _variant(row) not in of_setting:
            of_setting.append(_variant(row))
    return variants


def _variant(row: Row) -> dict[str, str]:
    return {name: row[name] for name in VARIANTS}


def _columns(
    rows: Sequence[Row], variants: Mapping[str, list[dict[str, str]]]
) -> tuple[Column, ...]:
    columns: dict[tuple[str, ...], Column] = {}
    for row in rows:
        key = tuple(row[name] for name in KEY)
        label = variant_label(_variant(row), variants[row["setting"]])
        column = Column(row["phenomenon"], row["setting"], _variant(row), label)
        columns.setdefault(key, column)
    order = list(dict.fromkeys(column.phenomenon for column in columns.values()))
    return tuple(sorted(columns.values(), key=lambda column: order.index(column.phenomenon)))
