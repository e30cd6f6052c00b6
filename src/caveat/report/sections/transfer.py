"""The report's section on transfer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from caveat.analysis.transfer.forgetting import PARTS
from caveat.report.data import ReportData
from caveat.report.formatting import Figure, decimal, figure, is_true, probability, text
from caveat.report.panels import dose_text
from caveat.report.sections.matrix import SAID, Matrix, matrix
from caveat.report.tables.setting import SIGNED, Entry, Table
from caveat.report.tables.transfer import (
    ABOUT_CORRELATIONS,
    ABOUT_FORGETTING,
    ABOUT_RELIABILITY,
    FORGETTING,
    RELIABILITY,
    compared,
    in_order,
    lead,
    reliability_summary,
)

CORRELATIONS = (
    "compared", "rank correlation", "with other interventions", "p, Holm", "ceiling",
    "pairs", "interventions",
)  # fmt: skip


@dataclass(frozen=True)
class TransferSection:
    """What is shown of transfer."""

    matrices: tuple[Matrix, ...]
    """By the panels that stand for their settings, then, where there are any, by the others."""
    lead: str
    correlations: Table
    not_compared: tuple[str, ...]
    forgetting: Table
    """Pairs of settings, of which the correlation is split."""
    reliability: Table
    figures: Table
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
    among = data.frame("transfer_correlations").iloc[: None if several else 0]
    rows = in_order(among)
    made = (matrix(frame), matrix(frame, main=False))
    return TransferSection(
        matrices=tuple(each for each in made if each.columns),
        lead=lead(among),
        correlations=Table(
            CORRELATIONS, tuple(_correlation(row) for row in rows if not text(row["undefined"]))
        ),
        not_compared=tuple(
            f"{compared(row)}: {row['undefined']}" for row in rows if text(row["undefined"])
        ),
        forgetting=_forgetting(data),
        reliability=_reliability(data),
        figures=_figures(frame.to_dict("records")),
        effects=_effects(data),
    )


def _correlation(row: Mapping[str, Any]) -> tuple[Entry, ...]:
    here = Figure.of(row["value"], row["low"], row["high"])
    other = Figure.of(row["value"], row["low_interventions"], row["high_interventions"])
    return (
        Entry(compared(row)),
        Entry(figure=here, span=SIGNED),
        Entry(other.interval),
        Entry(probability(row["p_holm"])),
        Entry(decimal(row["ceiling"])),
        Entry(text(row["pairs"])),
        Entry(text(row["interventions"])),
    )


def _forgetting(data: ReportData) -> Table:
    rows = in_order(data.frame("transfer_forgetting"))
    return Table(
        FORGETTING,
        tuple(
            (
                Entry(compared(row)),
                Entry(text(row["interventions"])),
                *(Entry(figure=figure(row, part), span=SIGNED) for part in PARTS),
            )
            for row in rows
            if not text(row["undefined"])
        ),
    )


def _reliability(data: ReportData) -> Table:
    frame = data.frame("transfer_reliability")
    if not frame["between_seeds"].notna().any():
        return Table(RELIABILITY, ())
    rows = reliability_summary(frame).rows
    return Table(RELIABILITY, tuple(tuple(map(Entry, row)) for row in rows))


def _figures(rows: list[dict[str, Any]]) -> Table:
    """Every figure of every cell."""
    doses = list(dict.fromkeys(text(row["dose"]) for row in rows))
    columns = ("arm", "setting", "readout", "scope", "dose", "verdict", "control")
    figures = (*(called for called, _ in SAID), "p, Holm", "p beyond forgetting, Holm", "valid")
    return Table((*columns, *figures), tuple(_cell(row, doses) for row in rows))


def _cell(row: Mapping[str, Any], doses: list[str]) -> tuple[Entry, ...]:
    names = ("arm", "setting", "readout", "scope")
    dose = dose_text(text(row["dose"]), doses)
    return (
        *(Entry(text(row[name])) for name in names),
        *map(Entry, (dose, text(row["verdict"]), text(row["control"]))),
        *(Entry(figure=figure(row, name)) for _, name in SAID),
        Entry(probability(row["p_holm"])),
        Entry(probability(row["gain_p_holm"])),
        Entry(decimal(row["valid"])),
    )


def _effects(data: ReportData) -> Table:
    rows = data.frame("transfer_effects").to_dict("records")
    return Table(
        ("effect", "setting", "arm", "value", "change from marked", "unit"),
        tuple(
            (
                Entry(text(row["effect"])),
                Entry(text(row["setting"])),
                Entry(text(row["arm"])),
                Entry(figure=Figure.of(row["value"], row["low"], row["high"])),
                Entry(figure=figure(row, "change"), quiet=not is_true(row["distinguishable"])),
                Entry(text(row["unit"])),
            )
            for row in rows
        ),
    )
