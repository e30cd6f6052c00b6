"""Leakage along training, and keys and values that were patched, as tables of `caveat diagnose`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from caveat.report.formatting import decimal, estimate, text
from caveat.report.tables.summary import Summary

if TYPE_CHECKING:
    from pandas import DataFrame


def curve_summaries(table: DataFrame) -> Iterator[Summary]:
    """The change from base at every checkpoint: a column a step, means over seeds."""
    for title, rows in by_setting(table):
        steps = sorted(rows["step"].unique())
        means = rows.groupby(["arm", "context", "step"], sort=False)["change"].mean()
        cells = tuple(
            (arm, context, *(decimal(means.get((arm, context, step))) for step in steps))
            for arm, context in dict.fromkeys((key[0], key[1]) for key in means.index)
        )
        note = (
            "Log-probability of decision tokens less base's, in nats a token; means over "
            f"{rows['seed'].nunique()} seeds of trainings done again."
        )
        yield Summary(
            f"{title}: leakage along training",
            ("arm", "context", *(f"step {step}" for step in steps)),
            cells,
            f"{note}{notes_of(rows)}",
        )


def answer_summaries(table: DataFrame) -> Iterator[Summary]:
    """The two answers from the curves."""
    columns = (
        "arm", "seeds", "leakage when bare has begun", "at the end", "decided early", "gate",
        "half of leakage", "half of the gate", "gate later",
    )  # fmt: skip
    for title, rows in by_setting(table):
        cells = tuple(
            (
                row["arm"],
                str(row["seeds"]),
                str(estimate(row, "leakage_first")),
                str(estimate(row, "leakage_last")),
                text(row["decided_early"]) or text(row["undefined"]),
                str(estimate(row, "gate")),
                f"step {decimal(row['half_none'])}",
                f"step {decimal(row['half_gate'])}",
                text(row["gate_later"]),
            )
            for row in rows.to_dict("records")
        )
        note = "Graded, by decision tokens. Unclear: too few seeds, or limits that hold both."
        yield Summary(f"{title}: when leakage is decided", columns, cells, note)


def gradient_summaries(table: DataFrame) -> Iterator[Summary]:
    """The whole model's gradients at every checkpoint, means over seeds."""
    columns = (
        "arm", "step", "cosine with bare's", "with preference at none", "bare's with it",
        "with preference at exact", "bare's with it ", "size", "pull at none",
        "bare's pull at none",
    )  # fmt: skip
    names = ("cosine_bare", "cosine_none", "bare_cosine_none", "cosine_exact", "bare_cosine_exact",
             "norm", "product_none", "bare_product_none")  # fmt: skip
    for title, rows in by_setting(table[table["by"] == "all"]):
        means = rows.groupby(["arm", "step"], sort=False)[[*names]].mean().reset_index()
        cells = tuple(
            (row["arm"], str(row["step"]), *(decimal(row[name]) for name in names))
            for row in means.to_dict("records")
        )
        note = (
            "Cosines of gradients by marked's own weights: of its rows, of the same rows without "
            "the caveat, and of the preference on held-out rows. Pull: the product with that "
            "preference; below 0 a step on the rows lowers it. "
            f"{rows['seed'].nunique()} seeds."
        )
        yield Summary(f"{title}: gradients along training", columns, cells, note)


def patching_summaries(table: DataFrame) -> Iterator[Summary]:
    """What spans of keys and values carry."""
    columns = ("arm", "context", "span", "direction", "tokens", "change", "share")
    for title, rows in by_setting(table):
        cells = tuple(
            (
                row["arm"],
                row["context"],
                row["part"],
                row["direction"],
                decimal(row["patched_tokens"]),
                str(estimate(row, "change")),
                str(estimate(row, "share")),
            )
            for row in rows.to_dict("records")
        )
        over = rows["limits_over"].iloc[0]
        note = (
            "Restored: the arm with base's keys and values. Written: base with the arm's. Change: "
            "of the decision tokens, nats a token. Share: of what the two models differ by. "
            f"Limits are over {over}.{notes_of(rows)}"
        )
        yield Summary(f"{title}: keys and values from another model", columns, cells, note)


def notes_of(rows: DataFrame) -> str:
    """What to know of the rows that were scored, behind a space; "" where there is nothing."""
    notes = rows["note"].unique() if "note" in rows else ()  # tables that were stored before
    return "".join(f" Note: {text(note)}." for note in notes if text(note))


def by_setting(table: DataFrame) -> Iterator[tuple[str, DataFrame]]:
    """Rows by setting, with its label and model."""
    for (label, model), rows in table.groupby(["label", "model"], sort=False):
        yield f"{label} ({model})", rows
