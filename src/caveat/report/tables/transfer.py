"""Transfer for the terminal and for markdown, and its correlations in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from caveat.analysis.transfer.correlations import AVERAGED, BETWEEN, LESS, MEAN, SAME, WITHIN
from caveat.analysis.transfer.forgetting import PARTS
from caveat.report.formatting import ABSENT, Figure, decimal, figure, probability, text
from caveat.report.panels import variant_label
from caveat.report.sections.matrix import Cell, Matrix, matrix
from caveat.report.tables.summary import OVER, Summary

if TYPE_CHECKING:
    from pandas import DataFrame


CORRELATION = (
    "compared", "pairs", "interventions", "rank correlation", "with other interventions",
    "p, Holm", "ceiling",
)  # fmt: skip
ABOUT_CORRELATIONS = (
    "Spearman's correlation of the changes of leakage over interventions; controls and arms that "
    "train on are not ranked. Intervals: other seeds and questions (they lean towards 0), then "
    "other interventions. Ceiling: what the agreement between training seeds allows."
)
RELIABILITY = ("setting", "interventions", "seeds", "between seeds", "of their mean")
ABOUT_RELIABILITY = (
    "Mean rank correlation of one training seed's changes with another's, and what that makes the "
    "ranking by their mean worth (Spearman and Brown)."
)
FORGETTING = ("compared", "interventions", "all of the change", "forgetting", "beyond forgetting")
ABOUT_FORGETTING = (
    "The same correlation of the parts of a change: what the intervention does to a model that saw "
    "no caveat (forgetting), and what it does beyond that. Over interventions that have a control "
    "in both settings. Intervals: other interventions."
)
SIDES = ("readout", "scope", "dose")


def transfer_summaries(
    frame: DataFrame, correlations: DataFrame, reliability: DataFrame, forgetting: DataFrame
) -> list[Summary]:
    """The matrix, that of further readouts and scopes, and how settings agree where any do."""
    made = [
        _matrix("Change of leakage from marked, at none", matrix(frame)),
        _matrix("The same by further readouts and scopes", matrix(frame, main=False)),
    ]
    if len(correlations):
        made.append(correlation_summary(correlations))
    if len(forgetting):
        made.append(forgetting_summary(forgetting))
    if reliability["between_seeds"].notna().any():
        made.append(reliability_summary(reliability))
    return [each for each in made if each.rows]


def _matrix(title: str, made: Matrix) -> Summary:
    columns = ("intervention", *(column.title for column in made.columns))
    rows = tuple(
        (_named(line.intervention, line.role), *(_cell(cell) for cell in line.cells))
        for line in made.lines
    )
    key = [f"{mark} {word}: {meaning}." for mark, (word, meaning) in made.marks.items()]
    undefined = [f"Undefined in {reason}." for reason in made.undefined]
    note = "\n".join([*key, *undefined, OVER.get(made.interval, "")])
    return Summary(title, columns, rows, note.strip())


def _named(intervention: str, role: str) -> str:
    return intervention if role == "intervention" else f"{intervention} ({role})"


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ABSENT
    if cell.change.value is None:
        return f"{cell.mark} undefined"
    return f"{decimal(cell.change.value)} {cell.mark} {cell.change.interval}".strip()


def correlation_summary(frame: DataFrame) -> Summary:
    """Means of pairs first, then phenomena, then pair by pair."""
    rows = in_order(frame)
    told = [f"{compared(row)}: {row['undefined']}." for row in rows if text(row["undefined"])]
    known = [row for row in rows if not text(row["undefined"])]
    return Summary(
        "Do settings rank the interventions alike?",
        CORRELATION,
        tuple(map(_correlation, known)),
        "\n".join([ABOUT_CORRELATIONS, *told]),
    )


def forgetting_summary(frame: DataFrame) -> Summary:
    """What of these correlations is that of forgetting, pair by pair."""
    rows = in_order(frame)
    told = [f"{compared(row)}: {row['undefined']}." for row in rows if text(row["undefined"])]
    known = [row for row in rows if not text(row["undefined"])]
    return Summary(
        "Is what they share forgetting?",
        FORGETTING,
        tuple(map(_forgetting, known)),
        "\n".join([ABOUT_FORGETTING, *told]),
    )


def _forgetting(row: Mapping[str, Any]) -> tuple[str, ...]:
    parts = (str(figure(row, part)) for part in PARTS)
    return (compared(row), str(row["interventions"]), *parts)


def in_order(frame: DataFrame) -> list[dict[str, Any]]:
    """The rows of the correlations, as they are told."""
    order = (MEAN, LESS, AVERAGED, BETWEEN, WITHIN, SAME)
    return sorted(frame.to_dict("records"), key=lambda row: order.index(row["level"]))


def _correlation(row: Mapping[str, Any]) -> tuple[str, ...]:
    other = Figure.of(row["value"], row["low_interventions"], row["high_interventions"])
    return (
        compared(row),
        str(row["pairs"]),
        str(row["interventions"]),
        str(Figure.of(row["value"], row["low"], row["high"])),
        other.interval or ABSENT,
        probability(row["p_holm"]),
        decimal(row["ceiling"]),
    )


def compared(row: Mapping[str, Any]) -> str:
    """What a row of the correlations compares, in words."""
    if row["level"] == LESS:
        return "within a phenomenon less between phenomena"
    if row["level"] == MEAN:
        of = text(row["behaviours"])
        return f"mean {row['first_setting']}{f', {of} behaviour' if of else ''}"
    if row["level"] == AVERAGED:
        return f"{row['first_phenomenon']} and {row['second_phenomenon']}, averaged"
    sides = [{name: text(row[f"{side}_{name}"]) for name in SIDES} for side in ("first", "second")]
    named = [f"{row[f'{side}_setting']}" for side in ("first", "second")]
    if row["level"] == SAME:
        filled = [{"model": "", "kind": "", **side} for side in sides]
        return f"{named[0]}: {' and '.join(variant_label(side, filled) for side in filled)}"
    return f"{row['level']}: {' and '.join(named)}"


def reliability_summary(frame: DataFrame) -> Summary:
    """How well each setting's ranking agrees with itself."""
    rows = tuple(
        (
            row["setting"],
            str(row["interventions"]),
            str(row["seeds"]),
            decimal(row["between_seeds"]),
            decimal(row["reliability"]),
        )
        for row in frame.to_dict("records")
        if row["main"]
    )
    return Summary("How far does a ranking hold?", RELIABILITY, rows, ABOUT_RELIABILITY)


def lead(correlations: DataFrame) -> str:
    """The score in one sentence; "" where no two phenomena could be compared."""
    means = correlations[correlations["level"] == MEAN]
    by_level = {
        row["first_setting"]: row for row in means.to_dict("records") if not text(row["behaviours"])
    }
    if BETWEEN not in by_level:
        return ""
    said = f"Between phenomena, interventions rank alike with {_mean(by_level[BETWEEN])}"
    if WITHIN in by_level:
        said += f"; between settings of one phenomenon with {_mean(by_level[WITHIN])}"
    return f"{said}. 1 is the same order, 0 none, -1 the reverse."


def _mean(row: Mapping[str, Any]) -> str:
    figure = Figure.of(row["value"], row["low"], row["high"])
    pairs = "1 pair" if row["pairs"] == 1 else f"{row['pairs']} pairs"
    return f"a correlation of {figure} (mean of {pairs})"
