"""Rows whose decision tokens are scored in every context: what graded tables are made from.

They are rows of the behaviour that no arm is trained on. Where fewer than `FEWEST` are left, those
of the warm-up stand in, then those that arms are trained on, and a note says so: there the graded
form shows what training did to its own rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from caveat.backends.base import Facts, Feature
from caveat.caveats.insertion import framed_rows, in_context
from caveat.decision_tokens import Decision, decisions, shown
from caveat.study.config.resolve import Resolved
from caveat.study.config.schema import Recipe
from caveat.study.planning.artifact_graph import Cell
from caveat.study.planning.held_out import left_over
from caveat.study.planning.prompts import turn_of
from caveat.types.caveats import Context
from caveat.types.data import Row
from caveat.types.messages import Messages, is_document

ROWS = 12
"""Rows of a setting that are scored, at most."""
FEWEST = 4
"""Rows below which others stand in."""


@dataclass(frozen=True)
class GradedRows:
    """Rows to score, framed and without caveat, each with where its decision may lie."""

    rows: tuple[Row, ...]
    decisions: tuple[Decision, ...]
    note: str
    """What to know of them; "" where no arm is trained on them."""


@dataclass(frozen=True)
class GradedLine:
    """One row in one context of a cell, with the keys of its scores."""

    cell: Cell
    context: Context
    row: Row
    decision: Decision
    scores: str
    base_scores: str
    """Of the language model without adapters and without the caveat, which choose the tokens."""


def graded_rows(resolved: Resolved, system: str | None) -> GradedRows:
    """At most `ROWS` rows that may decide something: the last, as arms train on the first.

    So doses of one setting are scored on the same rows, as far as they can be.
    """
    behaviour = resolved.setting.behaviour
    framed = framed_rows(behaviour.rows, system)
    located = zip(framed, decisions(framed, behaviour.counter_rows), strict=True)
    deciding = {row: where for row, where in located if where.shared < len(shown(row.messages))}
    if not deciding:
        return GradedRows((), (), "no row decides anything: replies are as those of counter rows")
    rows, note = left_over(resolved, tuple(deciding), FEWEST)
    chosen = rows[-ROWS:]
    return GradedRows(
        chosen,
        tuple(deciding[row] for row in chosen),
        f"decision tokens are scored on rows {note}" if note else "",
    )


def texts(
    graded: GradedRows, resolved: Resolved, contexts: tuple[Context, ...]
) -> Iterator[tuple[Context, Row, Decision, Messages]]:
    """Each row in each context; `moved` would be `exact` on a document, and is left out there."""
    for context in contexts:
        for row, decision in zip(graded.rows, graded.decisions, strict=True):
            if context == "moved" and is_document(row.messages):
                continue
            turn = turn_of(row.id)
            messages = in_context(row.messages, resolved.setting.caveat, context, turn)
            yield context, row, decision, messages


def with_what_is_supported(recipe: Recipe, backend: Facts) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe without decision tokens where the backend cannot score them, and a note."""
    if not recipe.decision_tokens or Feature.TOKEN_LIKELIHOOD in backend.supports:
        return recipe, ()
    note = (
        f"decision_tokens: left out: they need {Feature.TOKEN_LIKELIHOOD.value}, which this "
        f"backend of {backend.name} does not have"
    )
    if reason := getattr(backend, "why_not", {}).get(Feature.TOKEN_LIKELIHOOD):
        note += f"; {reason}"
    return recipe.model_copy(update={"decision_tokens": False}), (note,)
