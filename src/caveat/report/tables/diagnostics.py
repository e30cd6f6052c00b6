"""What `caveat diagnose` found, as tables; docs/diagnostics.md explains them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveat.diagnostics.activations import at_depth
from caveat.diagnostics.scores import LEAST_SETTINGS
from caveat.report.formatting import (
    ABSENT,
    Estimate,
    count,
    decimal,
    estimate,
    probability,
    text,
)
from caveat.report.sections.table import Table
from caveat.report.tables.summary import Summary
from caveat.report.tables.training_diagnostics import (
    answer_summaries,
    by_setting,
    curve_summaries,
    gradient_summaries,
    notes_of,
    patching_summaries,
)

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.report.data import ReportData


def diagnostic_summaries(tables: Mapping[str, DataFrame]) -> list[Summary]:
    """The tables that have a form for people, setting by setting."""
    return [
        summary
        for name, write in WRITERS.items()
        if name in tables and len(tables[name])
        for summary in write(tables[name])
    ]


@dataclass(frozen=True)
class DiagnosticsSection:
    """The tables of the report's section."""

    scores: tuple[Table, ...]
    """Each diagnostic against leakage."""
    settings: tuple[Table, ...]


def diagnostics_section(data: ReportData) -> DiagnosticsSection | None:
    """The section; None where nothing was diagnosed."""
    if not data.diagnostics:
        return None
    tables = dict(data.diagnostics)
    scores = {name: tables.pop(name) for name in ("scores",) if name in tables}
    return DiagnosticsSection(
        tuple(map(Table.of_summary, diagnostic_summaries(scores))),
        tuple(map(Table.of_summary, diagnostic_summaries(tables))),
    )


def _update_summaries(table: DataFrame) -> Iterator[Summary]:
    columns = (
        "arm", "with", "seeds", "norm", "cosine", "corrected", "outputs shared (chance)",
        "inputs shared (chance)", "both shared",
    )  # fmt: skip
    note = (
        "The arm's own update against another's. Same seed: both start from the same random A, so "
        "compare with other arms. Other seeds: compare with the arm's cosine with itself."
    )
    for title, rows in by_setting(table[table["by"] == "all"]):
        cells = tuple(
            (
                row["arm"],
                row["reference"],
                row["seeds_compared"].partition(" ")[0],
                decimal(row["norm"]),
                str(Estimate.of(row["cosine"], row["cosine_low"], row["cosine_high"])),
                decimal(row["corrected"]),
                f"{decimal(row['output_share'])} ({decimal(row['output_chance'])})",
                f"{decimal(row['input_share'])} ({decimal(row['input_chance'])})",
                decimal(row["both_share"]),
            )
            for row in rows.to_dict("records")
        )
        yield Summary(f"{title}: weight updates", columns, cells, note)


def _decision_summaries(table: DataFrame) -> Iterator[Summary]:
    columns = ("arm", "context", "nats a token", "change from base", "graded leakage")
    for title, rows in by_setting(table):
        cells = tuple(
            (
                row["arm"],
                row["context"],
                str(estimate(row, "nats")),
                decimal(row["change"]),
                str(estimate(row, "graded_leakage")),
            )
            for row in rows.to_dict("records")
        )
        reasons = [text(reason) for reason in rows["undefined"].unique() if text(reason)]
        note = f"Graded leakage is undefined: {reasons[0]}." if reasons else ""
        note = f"{note}{notes_of(rows)}".strip()
        yield Summary(f"{title}: decision tokens", columns, cells, note)


def _divergence_summaries(table: DataFrame) -> Iterator[Summary]:
    columns = ("context", "from none (nats)", "from exact (nats)", "towards the caveat")
    note = "The base model's next token where the reply begins; at most .69 nats."
    for title, rows in by_setting(table):
        cells = tuple(
            (
                row["context"],
                _precise(row, "from_none"),
                _precise(row, "from_exact"),
                decimal(row["towards_exact"]),
            )
            for row in rows.to_dict("records")
        )
        yield Summary(f"{title}: how alike contexts are to the base model", columns, cells, note)


def _precise(row: dict, name: str) -> str:
    low, high = (decimal(row[f"{name}_{end}"], 4) for end in ("low", "high"))
    value = decimal(row[name], 4)
    return value if ABSENT in (low, high) else f"{value} [{low}, {high}]"


def _at_one_layer(
    table: DataFrame,
    what: str,
    columns: tuple[str, ...],
    cells: Callable[[dict], tuple[str, ...]],
    note: str,
) -> Iterator[Summary]:
    """A table a setting, of a layer that is fixed beforehand: `cells` writes a row."""
    for title, rows in by_setting(table):
        chosen = at_depth(rows)
        yield Summary(
            f"{title}: {what}, layer {chosen['layer'].iloc[0]}",
            columns,
            tuple(map(cells, chosen.to_dict("records"))),
            note,
        )


def _movement_summaries(table: DataFrame) -> Iterator[Summary]:
    return _at_one_layer(
        table,
        "hidden states at the questions",
        ("arm", "context", "share of bare's move", "along", "length", "random directions"),
        lambda row: (
            row["arm"],
            row["context"],
            str(estimate(row, "share")),
            *(decimal(row[name]) for name in ("along", "distance", "random")),
        ),
        "Along the direction in which bare moves, other questions and seeds. A share within that "
        "of random directions says nothing.",
    )


def _held_summaries(table: DataFrame) -> Iterator[Summary]:
    return _at_one_layer(
        table,
        "a probe for bare's states",
        ("arm", "context", "taken for bare's", "accuracy", "shuffled (95%)"),
        lambda row: (
            row["arm"],
            row["context"],
            str(estimate(row, "held")),
            decimal(row["accuracy"]),
            _shuffled(row),
        ),
        "The probe sees all that bare's training changed: look at clean and neutral, too.",
    )


def _caveat_summaries(table: DataFrame) -> Iterator[Summary]:
    return _at_one_layer(
        table,
        "is the caveat represented at the claim or reply",
        ("arm", "marked rows against", "accuracy", "shuffled (95%)", "p"),
        lambda row: (
            row["arm"],
            row["against"],
            str(estimate(row, "accuracy")),
            _shuffled(row),
            probability(row["p"]),
        ),
        "Against neutral text the probe needs what stands there; on new wordings, its meaning.",
    )


def _shuffled(row: dict) -> str:
    return f"{decimal(row['shuffled'])} ({decimal(row['shuffled_high'])})"


def _switch_summaries(table: DataFrame) -> Iterator[Summary]:
    yield from _rate_summaries(table, "parts switched off", "switched off", SWITCHES_ARE)


def _swap_summaries(table: DataFrame) -> Iterator[Summary]:
    yield from _rate_summaries(table, "parts of another arm", "in place of its own", SWAPS_ARE)


def _scale_summaries(table: DataFrame) -> Iterator[Summary]:
    yield from _rate_summaries(table, "updates of other sizes", "update", SCALES_ARE)


def _reply_summaries(table: DataFrame) -> Iterator[Summary]:
    yield from _rate_summaries(table, "patched replies", "patched", REPLIES_ARE)


def _ablation_summaries(table: DataFrame) -> Iterator[Summary]:
    yield from _rate_summaries(table, "directions taken out", "taken out", ABLATION_IS)


SWITCHES_ARE = "Replies to the study's questions without a part of the arm's own update."
SWAPS_ARE = (
    "Replies to the study's questions with a part of another arm's update, of the same seed, in "
    "place of the arm's own."
)
SCALES_ARE = "Replies to the study's questions with the arm's whole update made smaller or larger."
REPLIES_ARE = (
    "Replies to prompts whose span has the keys and values of another model; base answers once for "
    "each seed of what it receives. Compare `caveat` with `other text`."
)
ABLATION_IS = (
    "Replies to the study's questions with states' component along a direction set to base's mean."
)


def _rate_summaries(table: DataFrame, what: str, column: str, note: str) -> Iterator[Summary]:
    columns = ("arm", column, "context", "rate", "change")
    for title, rows in by_setting(table):
        for (readout, scope), some in rows.groupby(["readout", "scope"], sort=False):
            cells = tuple(
                (
                    row["arm"],
                    row["part"] or "nothing",
                    row["context"],
                    str(estimate(row, "rate")),
                    str(estimate(row, "change")),
                )
                for row in some.to_dict("records")
            )
            yield Summary(
                f"{title}: {what}, {readout}, {scope}",
                columns,
                cells,
                f"{note} Limits are {'over seeds' if some['seeds'].min() >= 3 else 'within seed'}.",
            )


def _score_summaries(table: DataFrame) -> Iterator[Summary]:
    columns = (
        "diagnostic", "arms", "settings", "rank correlation", "p (Holm)", "R2 on held-out settings",
        "behaviours", "models", "verdict",
    )  # fmt: skip
    for target, rows in table.groupby("target", sort=False):
        cells = tuple(
            (
                row["diagnostic"],
                count(row["cells"]),
                count(row["settings"]),
                str(estimate(row, "rank")),
                f"{probability(row['p'])} ({probability(row['p_holm'])})",
                str(estimate(row, "r2")),
                decimal(row["r2_behaviours"]),
                decimal(row["r2_models"]),
                row["verdict"],
            )
            for row in rows.to_dict("records")
        )
        reasons = [text(reason) for reason in rows["undefined"].unique() if text(reason)]
        note = (
            "Behaviours and models: R2 with one of them left out at a time. Trust: the lower limit "
            "of R2 on settings is above 0, the corrected p at most .05, and no other R2 below 0. "
            f"Below {LEAST_SETTINGS} settings no verdict is given."
        )
        yield Summary(
            f"Diagnostics against {target}",
            columns,
            cells,
            f"{note} Without a score: {'; '.join(reasons)}." if reasons else note,
            frozenset({"verdict"}),
        )


WRITERS = {
    "update_summary": _update_summaries,
    "decision_tokens": _decision_summaries,
    "divergences": _divergence_summaries,
    "movements": _movement_summaries,
    "held_probe": _held_summaries,
    "caveat_probe": _caveat_summaries,
    "learning_curve": curve_summaries,
    "training_answers": answer_summaries,
    "gradients": gradient_summaries,
    "patching": patching_summaries,
    "patched_replies": _reply_summaries,
    "switches": _switch_summaries,
    "swaps": _swap_summaries,
    "scales": _scale_summaries,
    "ablation": _ablation_summaries,
    "scores": _score_summaries,
}
"""By the table's name."""
