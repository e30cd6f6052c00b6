"""The report's section on transfer: what each intervention changes in each setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caveat.analysis.transfer.forgetting import PARTS
from caveat.analysis.transfer.matrix import WORDS
from caveat.report.data import ReportData
from caveat.report.formatting import (
    ABSENT,
    Estimate,
    decimal,
    estimate,
    is_true,
    probability,
    text,
)
from caveat.report.panels import dose_text
from caveat.report.sections.table import SIGNED, Cell, Table
from caveat.report.tables.transfer import (
    ABOUT_CORRELATIONS,
    ABOUT_FORGETTING,
    ABOUT_RELIABILITY,
    FORGETTING,
    RELIABILITY,
    Row,
    compared,
    defined,
    lead,
    leaving_one_out,
    not_compared,
    reliability_summary,
    without_undoing,
)
from caveat.report.transfer_matrix import (
    COLUMNS,
    Column,
    Line,
    Matrix,
    details,
    mark,
    transfer_matrix,
)

CORRELATIONS = (
    "compared", "rank correlation", "with other interventions", "p, Holm", "p", "leaving one out",
    "without what undoes", "ceiling", "pairs", "interventions",
)  # fmt: skip


P_VALUES = {
    "p_holm": "p, Holm", "p_seeds": "p, seeds", "gain_p_holm": "p beyond forgetting, Holm",
    "gain_p_seeds": "p beyond forgetting, seeds",
}  # fmt: skip
"""Columns of p-values and what they are called; of seeds: the t-test over training seeds alone."""


@dataclass(frozen=True)
class TransferSection:
    """What is shown of transfer."""

    matrices: tuple[tuple[Matrix, Table], ...]
    """By the panels that stand for their settings, then, where there are any, by the others."""
    lead: str
    correlations: Table
    not_compared: tuple[str, ...]
    forgetting: Table
    """Pairs of settings whose correlation is split."""
    reliability: Table
    values: Table
    effects: Table
    about_correlations: str = ABOUT_CORRELATIONS
    about_forgetting: str = ABOUT_FORGETTING
    about_reliability: str = ABOUT_RELIABILITY


def transfer_section(data: ReportData) -> TransferSection | None:
    """The section; None where no arm has an intervention. Of one setting, the matrix alone."""
    frame = data.frame("transfer")
    if frame.empty:
        return None
    several = frame["setting"].nunique() > 1
    correlations = data.frame("transfer_correlations").iloc[: None if several else 0]
    matrices = (transfer_matrix(frame), transfer_matrix(frame, main=False))
    return TransferSection(
        matrices=tuple((matrix, matrix_table(matrix)) for matrix in matrices if matrix.columns),
        lead=lead(correlations),
        correlations=Table.of(CORRELATIONS, map(_correlation, defined(correlations))),
        not_compared=tuple(not_compared(correlations)),
        forgetting=_forgetting(data),
        reliability=_reliability(data),
        values=_values(frame.to_dict("records")),
        effects=_effects(data),
    )


def matrix_table(matrix: Matrix) -> Table:
    """Interventions by settings: the change of leakage, coloured by its sign and size."""
    heads = [
        Cell(column.setting, column.label, hover=f"readout {column.variant['readout']}")
        for column in matrix.columns
    ]
    rows = tuple(
        (
            Cell(line.intervention, "" if line.role == "intervention" else line.role),
            *(_cell(line, *pair) for pair in zip(matrix.columns, line.cells, strict=True)),
        )
        for line in matrix.lines
    )
    groups = tuple(matrix.phenomena)
    return Table((Cell("intervention"), *heads), rows, groups=groups, layout="grid transfer")


def _cell(line: Line, column: Column, row: Row | None) -> Cell:
    if row is None:
        hover = f"{line.intervention} was not tried in {column.title}"
        return Cell(ABSENT, kind="absent", hover=hover)
    verdict, change = text(row["verdict"]), estimate(row, "leakage_change")
    lines = [f"{name} {value}" for name, value in details(row).items()]
    kind = "undefined" if change.value is None else "raise" if change.value > 0 else "lower"
    return Cell(
        estimate=change,
        note="undefined" if change.value is None else "",
        kind=kind,
        heat=min(100.0, round(100 * abs(change.value or 0.0), 1)),
        mark=mark(row),
        mark_label=f"{verdict}, loses" if is_true(row["loses"]) else verdict,
        hover="\n".join([text(row["arm"]), *lines, f"{verdict}: {WORDS[verdict]}"]),
        answers={
            "setting": column.setting,
            "arm": text(row["arm"]),
            "context": "none",
            **{name: column.variant[name] for name in ("readout", "scope", "dose")},
        },
    )


def _correlation(row: Row) -> tuple[str | Cell, ...]:
    correlation = Estimate.of(row["value"], row["low"], row["high"])
    interventions = Estimate.of(row["value"], row["low_interventions"], row["high_interventions"])
    return (
        compared(row),
        Cell(estimate=correlation, span=SIGNED),
        interventions.interval,
        probability(row["p_holm"]),
        probability(row["p"]),
        leaving_one_out(row),
        without_undoing(row),
        decimal(row["ceiling"]),
        text(row["pairs"]),
        text(row["interventions"]),
    )


def _forgetting(data: ReportData) -> Table:
    rows = [
        (
            compared(row),
            text(row["interventions"]),
            *(Cell(estimate=estimate(row, part), span=SIGNED) for part in PARTS),
        )
        for row in defined(data.frame("transfer_forgetting"))
    ]
    return Table.of(FORGETTING, rows)


def _reliability(data: ReportData) -> Table:
    frame = data.frame("transfer_reliability")
    if not frame["between_seeds"].notna().any():
        return Table.of(RELIABILITY, ())
    return Table.of_summary(reliability_summary(frame))


def _values(rows: list[dict[str, Any]]) -> Table:
    """Every value of every cell."""
    doses = list(dict.fromkeys(text(row["dose"]) for row in rows))
    names = ("arm", "setting", "readout", "scope")
    columns = (*names, "dose", "verdict", "control", *COLUMNS.values())
    return Table.of(
        (*columns, *P_VALUES.values(), "valid"),
        [
            (
                *(text(row[name]) for name in names),
                dose_text(text(row["dose"]), doses),
                text(row["verdict"]),
                text(row["control"]),
                *(Cell(estimate=estimate(row, name)) for name in COLUMNS),
                *(probability(row[name]) for name in P_VALUES),
                decimal(row["valid"]),
            )
            for row in rows
        ],
    )


def _effects(data: ReportData) -> Table:
    rows = data.frame("transfer_effects").to_dict("records")
    return Table.of(
        ("effect", "setting", "arm", "value", "change from marked", "unit"),
        [
            (
                *(text(row[name]) for name in ("effect", "setting", "arm")),
                Cell(estimate=Estimate.of(row["value"], row["low"], row["high"])),
                Cell(estimate=estimate(row, "change"), quiet=not is_true(row["distinguishable"])),
                text(row["unit"]),
            )
            for row in rows
        ],
    )
