"""Table, Entry; differences, checks, side effects; Titled.

The plain tables of a setting: differences, caveat checks, side effects.

Tables of the terminal as a section of the report shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveat.report.data import ReportData
from caveat.report.formatting import ABSENT, Figure, count, is_true, probability, survives, text
from caveat.report.panels import NO_DOSE, VARIANTS, arm_order, dose_text
from caveat.report.tables.summary import Summary

if TYPE_CHECKING:
    from pandas import DataFrame, Series


@dataclass(frozen=True)
class Entry:
    """One cell of a table: text, or a figure with its interval."""

    text: str = ""
    figure: Figure | None = None
    span: tuple[float, float] | None = None
    """The axis on which the figure's interval is drawn; None draws none."""
    quiet: bool = False
    """Whether it is to recede."""

    @property
    def places(self) -> dict[str, str] | None:
        """Where value, interval and zero lie on the axis, in per cent; None draws nothing."""
        figure = self.figure
        if self.span is None or figure is None or None in (figure.value, figure.low, figure.high):
            return None
        low, high = self.span

        def place(value: float) -> str:
            return f"{100 * (min(max(value, low), high) - low) / (high - low):.1f}%"

        return {
            "low": place(figure.low),
            "high": place(figure.high),
            "at": place(figure.value),
            "zero": place(0.0),
        }


@dataclass(frozen=True)
class Table:
    """Headings and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]

    @property
    def drawn(self) -> bool:
        """Whether some figure is drawn, so that the others must leave room."""
        return any(entry.places for row in self.rows for entry in row)


SIGNED, SHARE = (-1.0, 1.0), (0.0, 1.0)
PRIMARY = ("bare - base", "marked - base", "bare - marked")
CHECKS = ("elicitation", "comprehension", "shown bare", "k", "at the caveat")


def differences(data: ReportData, setting: str) -> Table:
    """Differences of rates with intervals and Holm-corrected p-values."""

    def entries(row: Series) -> tuple[Entry, ...]:
        told = is_true(row["distinguishable"])
        figure = Figure.of(row["value"], row["low"], row["high"])
        said = "distinguishable" if told else "not distinguishable"
        if told and not survives(row["p_holm"]):
            said = "not once corrected"
        return (
            Entry(text(row["difference"])),
            Entry(text(row["context"])),
            Entry(figure=figure, span=SIGNED, quiet=not told),
            Entry(probability(row["p"])),
            Entry(probability(row["p_holm"])),
            Entry(ABSENT if figure.value is None else said, quiet=not told),
        )

    columns = ("difference", "context", "rates apart", "p", "p, Holm", "")
    frame = _in_order(data.frame("differences"), "difference", PRIMARY)
    return _table(frame, setting, columns, entries, ["difference", "context"])


def caveat_checks(data: ReportData, setting: str) -> Table:
    """Elicitation, comprehension and what it is beside, k and the behaviour at the caveat."""

    def entries(row: Series) -> tuple[Entry, ...]:
        check = text(row["check"])
        span = None if check == "k" else SIGNED
        figure = Figure.of(row["value"], row["low"], row["high"])
        arm, wanted, note = (Entry(text(row[name])) for name in ("arm", "wanted", "note"))
        return (Entry(check), arm, Entry(figure=figure, span=span), wanted, note)

    frame = _in_order(data.frame("caveat_checks"), "check", CHECKS)
    columns = ("check", "arm", "value", "wanted verdict", "note")
    return _table(frame, setting, columns, entries, ["check", "arm"])


def side_effects(data: ReportData, setting: str) -> Table:
    """What else training changed; arms of one effect stand together."""

    def entries(row: Series) -> tuple[Entry, ...]:
        unit = text(row["unit"])
        span = SHARE if unit == "share" else None
        figure = Figure.of(row["value"], row["low"], row["high"])
        return (
            Entry(text(row["effect"])),
            Entry(text(row["arm"])),
            Entry(figure=figure, span=span),
            Entry(unit),
            Entry(count(row["questions"])),
        )

    frame = data.frame("side_effects")
    frame = _in_order(frame, "effect", tuple(dict.fromkeys(frame["effect"])))
    columns = ("effect", "arm", "value", "unit", "questions")
    return _table(frame, setting, columns, entries, ["effect", "arm"])


def failures(data: ReportData) -> Table:
    """Cells that failed, at which stage and why."""
    frame = data.frame("failures")
    rows = tuple(
        tuple(Entry(text(value)) for value in row)
        for row in frame[["cell", "stage", "reason"]].itertuples(index=False)
    )
    return Table(("cell", "stage", "reason"), rows)


def _in_order(frame: DataFrame, column: str, values: tuple[str, ...]) -> DataFrame:
    """Rows sorted by a column, in the order of `values`, and then by arm."""

    def place(row: Series) -> tuple:
        known = values.index(row[column]) if row[column] in values else len(values)
        return (known, arm_order(text(row["arm"])))

    places = [place(row) for _, row in frame.iterrows()]
    return frame.iloc[sorted(range(len(frame)), key=places.__getitem__)]


def _table(
    frame: DataFrame,
    setting: str,
    columns: tuple[str, ...],
    entries: Callable[[Series], tuple[Entry, ...]],
    names: list[str],
) -> Table:
    """Rows of one setting; in front, the variants that tell rows of the same `names` apart."""
    rows = frame[frame["setting"] == setting]
    variants = [
        name
        for name in VARIANTS
        if name in rows and any(len(_values(same[name])) > 1 for _, same in rows.groupby(names))
    ]
    made = tuple(
        (*(_variant(name, row[name], rows) for name in variants), *entries(row))
        for _, row in rows.iterrows()
    )
    return Table((*variants, *columns), made)


def _values(column: Series) -> list[str]:
    return [value for value in dict.fromkeys(column.map(text)) if value not in NO_DOSE]


def _variant(name: str, value: object, rows: DataFrame) -> Entry:
    if name != "dose" or text(value) in NO_DOSE:
        return Entry(text(value).removeprefix("{}"))
    return Entry(dose_text(text(value), _values(rows["dose"])))


@dataclass(frozen=True)
class Titled:
    """A table with its title and what to know of it, line by line."""

    title: str
    table: Table
    notes: tuple[str, ...]


def titled(summary: Summary) -> Titled:
    """A summary's cells as they are."""
    rows = tuple(tuple(Entry(text=cell) for cell in row) for row in summary.rows)
    return Titled(summary.title, Table(summary.columns, rows), tuple(summary.note.splitlines()))
