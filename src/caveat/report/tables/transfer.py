"""Transfer as tables: the matrix, and how alike settings rank the interventions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from caveat.analysis.transfer.correlations import AVERAGED, BETWEEN, LESS, MEAN, SAME, WITHIN
from caveat.analysis.transfer.forgetting import PARTS
from caveat.report.formatting import ABSENT, Estimate, decimal, estimate, number, probability, text
from caveat.report.panels import variant_label
from caveat.report.tables.summary import INTERVALS, Summary
from caveat.report.transfer_matrix import Matrix, mark, transfer_matrix

if TYPE_CHECKING:
    from pandas import DataFrame


Row = Mapping[str, Any]
CORRELATION = (
    "compared", "pairs", "interventions", "rank correlation", "with other interventions",
    "p, Holm", "p", "leaving one out", "without what undoes", "ceiling",
)  # fmt: skip
ABOUT_CORRELATIONS = (
    "Spearman's correlation of the changes of leakage over interventions; controls and arms that "
    "train on are not ranked. Intervals: other seeds and questions (biased towards 0), then other "
    "interventions. p: interventions in random order. Leaving one out: how far the value hangs on "
    "one intervention. Without what undoes: without interventions whose control, bare+X, has lost "
    "nine tenths of the behaviour: they take the training away. Ceiling: what the agreement "
    "between training seeds allows."
)
RELIABILITY = ("setting", "interventions", "seeds", "between seeds", "of their mean")
ABOUT_RELIABILITY = (
    "Mean rank correlation of one training seed's changes with another's, and the reliability of "
    "the ranking by their mean that follows from it (Spearman and Brown)."
)
FORGETTING = ("compared", "interventions", "all of the change", "forgetting", "beyond forgetting")
ABOUT_FORGETTING = (
    "The same correlation for the parts of a change: what the intervention does to a model that "
    "saw no caveat (forgetting), and what it does beyond that. Over interventions that have a "
    "control in both settings. Intervals: other interventions."
)
SIDES = ("readout", "scope", "dose")


def transfer_summaries(
    frame: DataFrame, correlations: DataFrame, reliability: DataFrame, forgetting: DataFrame
) -> list[Summary]:
    """The matrix, that of further readouts and scopes, and how settings agree where any do."""
    tables = [
        _matrix("Change of leakage from marked, at none", transfer_matrix(frame)),
        _matrix("The same by further readouts and scopes", transfer_matrix(frame, main=False)),
    ]
    if len(correlations):
        tables.append(correlation_summary(correlations))
    if len(forgetting):
        tables.append(forgetting_summary(forgetting))
    if reliability["between_seeds"].notna().any():
        tables.append(reliability_summary(reliability))
    return [table for table in tables if table.rows]


def _matrix(title: str, matrix: Matrix) -> Summary:
    columns = ("intervention", *(column.title for column in matrix.columns))
    rows = tuple(
        (_named(line.intervention, line.role), *(_cell(row) for row in line.cells))
        for line in matrix.lines
    )
    key = [f"{sign} {word}: {meaning}." for sign, (word, meaning) in matrix.marks.items()]
    undefined = [f"Undefined in {reason}." for reason in matrix.undefined]
    note = "\n".join([*key, *undefined, INTERVALS.get(matrix.interval, "")])
    return Summary(title, columns, rows, note.strip())


def _named(intervention: str, role: str) -> str:
    return intervention if role == "intervention" else f"{intervention} ({role})"


def _cell(row: Row | None) -> str:
    if row is None:
        return ABSENT
    if number(row["leakage_change"]) is None:
        return f"{mark(row)} undefined"
    change = estimate(row, "leakage_change")
    return f"{decimal(change.value)} {mark(row)} {change.interval}".strip()


def correlation_summary(frame: DataFrame) -> Summary:
    """Means of pairs first, then phenomena, then pair by pair."""
    rows = tuple(map(_correlation, defined(frame)))
    note = "\n".join([ABOUT_CORRELATIONS, *(f"{line}." for line in not_compared(frame))])
    return Summary("Do settings rank the interventions alike?", CORRELATION, rows, note)


def forgetting_summary(frame: DataFrame) -> Summary:
    """How much of these correlations is that of forgetting, pair by pair."""
    rows = tuple(
        (compared(row), str(row["interventions"]), *(str(estimate(row, part)) for part in PARTS))
        for row in defined(frame)
    )
    note = "\n".join([ABOUT_FORGETTING, *(f"{line}." for line in not_compared(frame))])
    return Summary("Is what they share forgetting?", FORGETTING, rows, note)


def defined(frame: DataFrame) -> list[Row]:
    """The rows of the correlations that have a value, in reading order."""
    return [row for row in _in_order(frame) if not text(row["undefined"])]


def not_compared(frame: DataFrame) -> list[str]:
    """Which comparisons have no value, and why."""
    rows = [row for row in _in_order(frame) if text(row["undefined"])]
    return [f"{compared(row)}: {row['undefined']}" for row in rows]


def _in_order(frame: DataFrame) -> list[dict[str, Any]]:
    order = (MEAN, LESS, AVERAGED, BETWEEN, WITHIN, SAME)
    return sorted(frame.to_dict("records"), key=lambda row: order.index(row["level"]))


def _correlation(row: Row) -> tuple[str, ...]:
    interventions = Estimate.of(row["value"], row["low_interventions"], row["high_interventions"])
    return (
        compared(row),
        str(row["pairs"]),
        str(row["interventions"]),
        str(Estimate.of(row["value"], row["low"], row["high"])),
        interventions.interval or ABSENT,
        probability(row["p_holm"]),
        probability(row["p"]),
        leaving_one_out(row),
        without_undoing(row),
        decimal(row["ceiling"]),
    )


def leaving_one_out(row: Row) -> str:
    """The lowest and highest correlation without one intervention, with the name of each."""
    if number(row["least"]) is None:
        return ABSENT
    ends = (
        f"{decimal(row[end])} without {text(row[f'{end}_without'])}" for end in ("least", "most")
    )
    return " to ".join(ends)


def without_undoing(row: Row) -> str:
    """The correlation without interventions that undo the training, and over how many."""
    value = number(row["kept_value"])
    return ABSENT if value is None else f"{decimal(value)} ({decimal(row['kept'], 0)} left)"


def compared(row: Row) -> str:
    """What a row of the correlations compares, in words."""
    if row["level"] == LESS:
        return "within a phenomenon less between phenomena"
    if row["level"] == MEAN:
        behaviours = text(row["behaviours"])
        return f"mean {row['first_setting']}{f', {behaviours} behaviour' if behaviours else ''}"
    if row["level"] == AVERAGED:
        return f"{row['first_phenomenon']} and {row['second_phenomenon']}, averaged"
    sides = [{name: text(row[f"{side}_{name}"]) for name in SIDES} for side in ("first", "second")]
    first, second = (row[f"{side}_setting"] for side in ("first", "second"))
    if row["level"] == SAME:
        variants = [{"model": "", "kind": "", **side} for side in sides]
        return f"{first}: {' and '.join(variant_label(side, variants) for side in variants)}"
    return f"{row['level']}: {first} and {second}"


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
        if row["primary"]
    )
    return Summary("How reliable is a ranking?", RELIABILITY, rows, ABOUT_RELIABILITY)


def lead(correlations: DataFrame) -> str:
    """The score in one sentence; "" where no two phenomena could be compared."""
    means = correlations[correlations["level"] == MEAN]
    by_level = {
        row["first_setting"]: row for row in means.to_dict("records") if not text(row["behaviours"])
    }
    if BETWEEN not in by_level:
        return ""
    sentence = f"Between phenomena, interventions rank alike with {_mean(by_level[BETWEEN])}"
    if WITHIN in by_level:
        sentence += f"; between settings of one phenomenon with {_mean(by_level[WITHIN])}"
    return f"{sentence}. 1 is the same order, 0 no relation, -1 the reverse order."


def _mean(row: Row) -> str:
    correlation = Estimate.of(row["value"], row["low"], row["high"])
    pairs = "1 pair" if row["pairs"] == 1 else f"{row['pairs']} pairs"
    return f"a correlation of {correlation} (mean of {pairs})"
