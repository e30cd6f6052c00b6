"""The mixed model as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caveat.report.formatting import Estimate, decimal, probability, text
from caveat.report.tables.summary import Summary

if TYPE_CHECKING:
    from caveat.analysis.mixed_model import MixedModel

COLUMNS = ("term", "logits, given the others", "p", "df", "change of rate by training", "p")
ABOUT = (
    "Logits: logistic mixed model with random intercepts of questions, prompts and trainings. "
    "Change of rate: least squares on the rates of trainings, the simpler figure. nats and rate: "
    "a standard deviation over settings more, in arms with the caveat."
)


def mixed_summary(model: MixedModel) -> Summary:
    """One row a term; the note says why terms have no logits."""
    rows = []
    for row in model.effects.to_dict("records"):
        simple = Estimate.of(row["rate_change"], row["rate_low"], row["rate_high"])
        rows.append(
            (
                text(row["term"]),
                str(Estimate.of(row["estimate"], row["low"], row["high"])),
                probability(row["p"]),
                decimal(row["freedom"], 0),
                str(simple),
                probability(row["rate_p"]),
            )
        )
    reasons = [
        f"{row['term']}: {row['undefined']}."
        for row in model.effects.to_dict("records")
        if text(row["undefined"]) and not model.note
    ]
    spreads = ", ".join(f"{name} {decimal(spread)}" for name, spread in model.spreads.items())
    notes = [f"{model.formula}; {model.rows} answers.", ABOUT, *reasons]
    notes += [f"{line}." for line in model.left_out]
    if spreads:
        notes.append(f"Standard deviations between groups, in logits: {spreads}.")
    if model.note:
        notes.append(f"{model.note[0].upper()}{model.note[1:]}.")
    return Summary("Mixed model", COLUMNS, tuple(rows), "\n".join(notes))
