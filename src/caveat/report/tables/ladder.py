"""The ladder as tables: settings, changes of one factor, interactions, the elicitation curve."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from caveat.analysis.ladder import FactorialGrid, factorial_grids
from caveat.report.formatting import (
    ABSENT,
    Estimate,
    estimate,
    number,
    probability,
    survives,
    text,
)
from caveat.report.tables.summary import INTERVALS, Summary

if TYPE_CHECKING:
    from caveat.analysis.ladder import Ladder


Row = Mapping[str, Any]
UNDEFINED, CORRECTED_AWAY, NOTHING = "undefined", "not once corrected", "not distinguishable"
LIMIT = 12
"""Rows of a table of changes, unless all are requested."""
SETTINGS = (
    "", "stands for", "setting", "bare - base", "leakage of marked", "elicitation",
    "comprehension", "shown bare", "k", "marked at exact",
)  # fmt: skip
CHANGED = (
    "change of leakage", "p, Holm", "p, seeds", "", "change of rate above base", "p, Holm",
    "p, seeds",
)  # fmt: skip
ELICITATION = (
    "", "settings", "correlation", "with other settings", "slope", "with other settings", "p", "k",
    "range of k", "p of equal k",
)  # fmt: skip
ABOUT_STEPS = (
    "Changes go from the level that the recipe names first to the later one. Settings of one "
    "behaviour are resampled together, others count as independent. p, seeds: the t-test over "
    "training seeds alone, uncorrected; absent below three seeds."
)
ABOUT_ELICITATION = (
    "Spearman's correlation and the slope of leakage on elicitation over settings. Intervals: "
    "other seeds and questions (biased towards 0), then other settings. k: mean and range over "
    "settings, and Cochran's test of their being equal."
)


def factors_of(row: Row) -> dict[str, str]:
    """The factors of a setting and their levels."""
    factors: dict[str, str] = json.loads(row["factors"])
    return factors


def in_words(factors: Mapping[str, str]) -> str:
    """Such as `form chat, content trait`."""
    return ", ".join(f"{name} {level}" for name, level in factors.items())


def labels(rows: Sequence[Row]) -> list[str]:
    """Per setting what distinguishes it from the one before: the first has its levels, others the
    factors that differ. Settings of the same factors are `the same`."""
    names: list[str] = []
    for index, row in enumerate(rows):
        factors = factors_of(row)
        if index == 0:
            names.append(", ".join(factors.values()))
            continue
        before = factors_of(rows[index - 1])
        changed = {name: level for name, level in factors.items() if before.get(name) != level}
        names.append(in_words(changed) or "the same")
    return names


def outcome(row: Row, name: str = "leakage_change") -> str:
    """One word for a change: whether it raises or lowers, once corrected for the number of rows."""
    change = estimate(row, name)
    if change.value is None:
        return UNDEFINED
    if (change.low or 0.0) <= 0 <= (change.high or 0.0):
        return NOTHING
    if not survives(row[f"{name}_p_holm"]):
        return CORRECTED_AWAY
    return "raises" if change.value > 0 else "lowers"


def is_distinguishable(row: Row, name: str = "leakage_change") -> bool:
    """Whether a change is distinguishable once corrected."""
    return outcome(row, name) in ("raises", "lowers")


def leakage_text(row: Row) -> str:
    """The leakage of a setting."""
    return UNDEFINED if text(row["undefined"]) else str(estimate(row, "leakage"))


def by_size(rows: Sequence[Row], limit: int | None) -> list[Row]:
    """The rows in their order; with a limit, those with the smallest p-values."""
    if limit is None or len(rows) <= limit:
        return list(rows)
    order = sorted(range(len(rows)), key=lambda index: _p(rows[index]))
    return [rows[index] for index in sorted(order[:limit])]


def _p(row: Row) -> float:
    p = number(row["leakage_change_p"])
    return 2.0 if p is None else p


def from_to(row: Row, side: str = "") -> str:
    """Such as `form: document → chat`; `side` is `first_` or `second_` of an interaction."""
    return f"{row[f'{side}factor']}: {row[f'{side}start']} → {row[f'{side}end']}"


def lead(effects: Sequence[Row]) -> str:
    """What the factors do, in a sentence; "" where no setting differs in one factor."""
    if not effects:
        return ""
    moved = [row for row in effects if is_distinguishable(row)]
    sentence = (
        f"{len(moved)} of {len(effects)} changes of a factor change leakage distinguishably once "
        "corrected"
    )
    if not moved:
        return f"{sentence}."
    largest = max(moved, key=lambda row: abs(row["leakage_change"]))
    pairs = "one pair" if largest["pairs"] == 1 else f"the mean of {largest['pairs']:.0f} pairs"
    change = estimate(largest, "leakage_change")
    return f"{sentence}; the largest is {from_to(largest)}, by {change} ({pairs})."


def ladder_summaries(ladder: Ladder, whole: bool = False) -> list[Summary]:
    """Settings, behaviours by caveats, changes, interactions and the elicitation curve, as far as
    there are any; of the changes the `LIMIT` surest ones, unless the `whole` is requested."""
    limit = None if whole else LIMIT
    steps, effects, interactions = (
        frame.to_dict("records") for frame in (ladder.steps, ladder.effects, ladder.interactions)
    )
    tables = [
        _settings(ladder.settings.to_dict("records")),
        *map(_factorial, factorial_grids(ladder.settings)),
        _changes("Mean effect of each factor", "pairs", effects, limit, lead(effects)),
        _changes("Changes of one factor, pair by pair", "settings", steps, limit, ABOUT_STEPS),
        _interactions(interactions, limit),
        _elicitation(ladder.elicitation_curves.to_dict("records")),
    ]
    return [table for table in tables if table.rows]


def _settings(rows: Sequence[Row]) -> Summary:
    names = ("elicitation", "comprehension", "shown_bare", "k", "at_caveat")
    cells = tuple(
        (
            text(row["number"]),
            label,
            text(row["setting"]),
            str(estimate(row, "installed")),
            leakage_text(row),
            *(str(estimate(row, name)) for name in names),
        )
        for row, label in zip(rows, labels(rows), strict=True)
    )
    return Summary("Settings", SETTINGS, cells, _settings_note(rows))


def _settings_note(rows: Sequence[Row]) -> str:
    kinds = {text(row["interval"]) for row in rows} - {""}
    kind = "within seed" if "within seed" in kinds else next(iter(kinds), "")
    reasons = [
        f"Setting {row['number']}: leakage is undefined: {text(row['undefined'])}."
        for row in rows
        if text(row["undefined"])
    ]
    first = "Each setting is named by what differs from the one above. "
    return "\n".join([(first + INTERVALS.get(kind, "")).strip(), *reasons])


def _factorial(grid: FactorialGrid) -> Summary:
    title = in_words(grid.others)
    rows = tuple(
        (behaviour, *(_pair(grid, behaviour, caveat) for caveat in grid.caveats))
        for behaviour in grid.behaviours
    )
    return Summary(
        f"Leakage by behaviour and caveat{f' ({title})' if title else ''}",
        ("", *grid.caveats),
        rows,
        "\n".join(missing(grid)),
    )


def _pair(grid: FactorialGrid, behaviour: str, caveat: str) -> str:
    """The leakage of a pair; repetitions one after the other."""
    rows = grid.settings.get((behaviour, caveat), ())
    return "; ".join(map(leakage_text, rows)) or ABSENT


def missing(grid: FactorialGrid) -> list[str]:
    """A line for each pair that was not run."""
    return [
        f"No answers for the behaviour {behaviour} under the caveat {caveat}."
        for behaviour, caveat in grid.missing
    ]


def _changes(title: str, last: str, rows: Sequence[Row], limit: int | None, note: str) -> Summary:
    shown = by_size(rows, limit)
    cells = tuple((from_to(row), _pairs(row), *_changed(row)) for row in shown)
    return Summary(title, ("", last, *CHANGED), cells, _with_omitted(note, rows, shown))


def _pairs(row: Row) -> str:
    return text(row["pairs"]) if "pairs" in row else f"{row['first']} → {row['second']}"


def _changed(row: Row) -> tuple[str, ...]:
    return (
        str(estimate(row, "leakage_change")),
        probability(row["leakage_change_p_holm"]),
        probability(row["leakage_change_p_seeds"]),
        outcome(row),
        str(estimate(row, "rate_change")),
        probability(row["rate_change_p_holm"]),
        probability(row["rate_change_p_seeds"]),
    )


def _interactions(rows: Sequence[Row], limit: int | None) -> Summary:
    shown = by_size(rows, limit)
    cells = tuple(
        (
            f"{from_to(row, 'first_')}, {row['second_factor']}: {row['second_end']} "
            f"less {row['second_start']}",
            text(row["settings"]),
            *_changed(row),
        )
        for row in shown
    )
    note = "How much more a factor changes at one level of another factor than at another level."
    return Summary(
        "Effect of a factor depending on another", ("", "settings", *CHANGED), cells,
        _with_omitted(note, rows, shown),
    )  # fmt: skip


def _with_omitted(note: str, rows: Sequence[Row], shown: Sequence[Row]) -> str:
    omitted = len(rows) - len(shown)
    return f"{note}\n{omitted} more with larger p-values: --all shows them." if omitted else note


def _elicitation(rows: Sequence[Row]) -> Summary:
    reasons = [f"{row['name']}: {row['undefined']}." for row in rows if text(row["undefined"])]
    cells = tuple(map(elicitation_cells, rows))
    note = "\n".join([ABOUT_ELICITATION, *reasons])
    return Summary("Leakage against elicitation", ELICITATION, cells, note)


def elicitation_cells(row: Row) -> tuple[str, ...]:
    """A row of the elicitation curve, with the columns `ELICITATION`."""
    correlation, slope = (
        Estimate.of(row[name], row[f"{name}_low_settings"], row[f"{name}_high_settings"]).interval
        for name in ("correlation", "slope")
    )
    k, least, most = (Estimate.of(row[name]) for name in ("k_mean", "k_least", "k_most"))
    return (
        text(row["name"]),
        text(row["settings"]),
        str(estimate(row, "correlation")),
        correlation or ABSENT,
        str(estimate(row, "slope")),
        slope or ABSENT,
        probability(row["p"]),
        str(k),
        ABSENT if k.value is None else f"{least} to {most}",
        probability(row["q_p"]),
    )
