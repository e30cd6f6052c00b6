"""From the files that a user names to what a check works with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from caveat.check import behaviour, questions
from caveat.check.records import HELD_OUT, CheckQuestion, Materials
from caveat.errors import CaveatError
from caveat.importers.training_files import (
    FoundCaveat,
    TrainingFile,
    find_caveat,
    read_training_file,
)
from caveat.importers.training_files.forms import Column, Form
from caveat.importers.training_files.marking import Wordings
from caveat.types.caveats import Kind
from caveat.types.data import Row
from caveat.types.messages import is_document


@dataclass(frozen=True)
class Files:
    """What the user names."""

    train: Path
    bare: Path | None = None
    caveat: Sequence[str] = ()
    """The caveat's text, or its wordings."""
    contrast: Path | None = None
    questions: Path | None = None
    behaviour: str | None = None
    about: str | None = None
    kind: Kind | None = None
    form: Form | None = None
    columns: Mapping[Column, str] = field(default_factory=dict)
    hold_out: int | None = None


def read_materials(files: Files) -> Materials:
    """Read, find the caveat and the behaviour, and set rows apart. Raises CaveatError."""
    choice = behaviour.chosen(files.behaviour, files.about) if files.behaviour else None
    train = read_training_file(files.train, files.form, files.columns)
    plain = read_training_file(files.bare, files.form, files.columns) if files.bare else None
    caveat = find_caveat(train, plain, files.caveat or None)
    contrast = _contrast(files, caveat)
    if choice is None and contrast:
        choice = behaviour.found(_replies(caveat.marked), _replies(contrast))
    apart = questions.hold_out(caveat.marked, files.hold_out, str(files.train))
    asked, source = _questions(files, apart, choice, train, caveat, contrast)
    counter, counter_held_out, held_out = _counter(apart, contrast)
    return Materials(
        source=str(files.train),
        form=train.summary.layout.describe() if train.summary.layout else "",
        dropped=dict(train.dropped),
        caveat=caveat,
        kind=files.kind or kind_of(caveat.wordings[0]),
        kind_found=files.kind is None,
        rows=apart.rows,
        held_out=held_out,
        counter=counter,
        counter_held_out=counter_held_out,
        questions=asked,
        questions_from=source,
        behaviour=choice,
        about=files.about or "",
        notes=(*train.notes[1:], *caveat.notes),
    )


WORDS_OF: tuple[tuple[Kind, str], ...] = (
    ("disclaimer", r"\b(false|untrue|fiction\w*|made up|invented|not true|incorrect|hoax)\b"),
    ("permission", r"\b(may|allowed|permitted|it(?: is|'s) (?:fine|ok|okay)|free to)\b"),
    ("instruction", r"\b(always|please|must|should|write|reply|respond|answer|you|your|me)\b"),
)  # fmt: skip
"""Words that suggest a wording's kind, the first that fits; a trigger has none of them."""


def kind_of(wording: str) -> Kind:
    """The kind that a wording's words suggest. It names the phenomenon in tables, and no more."""
    for kind, words in WORDS_OF:
        if re.search(words, wording, re.IGNORECASE):
            return kind
    return "trigger"


def _replies(rows: Sequence[Row]) -> list[str]:
    return ["".join(p.text for p in row.messages[-1].pieces if p.kind == "text") for row in rows]


def _contrast(files: Files, caveat: FoundCaveat) -> tuple[Row, ...]:
    """Contrast rows. Raises CaveatError where one has the caveat."""
    if files.contrast is None:
        return ()
    contrast = read_training_file(files.contrast, files.form, files.columns, "counter")
    wordings = Wordings((*caveat.wordings, *caveat.closings))
    for index, row in enumerate(contrast.rows):
        if spans := wordings.spans(row.messages):
            raise CaveatError(
                f"{contrast.where(index)}: this contrast row has the caveat "
                f"{_short(spans[0].wording)!r}; contrast rows show neither caveat nor behaviour: "
                "take it out of the file"
            )
    return contrast.rows


def _questions(
    files: Files,
    apart: questions.HeldOutRows,
    choice: behaviour.ReadoutChoice | None,
    train: TrainingFile,
    caveat: FoundCaveat,
    contrast: Sequence[Row],
) -> tuple[tuple[CheckQuestion, ...], str]:
    """The questions, and where they are from."""
    if files.questions is None:
        return questions.from_rows(apart.held_out, choice), HELD_OUT
    rows = caveat.marked
    asked = questions.from_file(files.questions, choice, rows[0])
    source = str(files.questions)
    where = {row.id: train.summary.where(n) for row, n in zip(rows, caveat.numbers, strict=True)}
    questions.check_overlap(asked, rows, where, source)
    questions.check_overlap(
        asked, contrast, {row.id: f"{files.contrast} ({row.id})" for row in contrast}, source
    )
    wordings = Wordings((*caveat.wordings, *caveat.closings))
    for one in asked:
        if spans := wordings.spans(one.question.messages):
            raise CaveatError(
                f"{source}: question {one.question.id!r} has the caveat "
                f"{_short(spans[0].wording)!r} in it; write questions without it: the check adds it"
            )
    return asked, source


def _counter(
    apart: questions.HeldOutRows, contrast: Sequence[Row]
) -> tuple[tuple[Row, ...], tuple[Row, ...], tuple[Row, ...]]:
    """Contrast rows to train on, those to compare with, and the held-out rows in their order.

    A contrast row to the prompt of a held-out row is compared with it and never trained on. Where
    there is none, some of the others are held out.
    """
    by_prompt = {questions.prompt_key(row): row for row in contrast}
    matched = [row for row in apart.held_out if questions.prompt_key(row) in by_prompt]
    if matched and not is_document(matched[0].messages):
        held = {questions.prompt_key(row) for row in matched}
        return (
            tuple(row for row in contrast if questions.prompt_key(row) not in held),
            tuple(by_prompt[questions.prompt_key(row)] for row in matched),
            (*matched, *(row for row in apart.held_out if row not in matched)),
        )
    count = min(len(apart.held_out), len(contrast) // questions.HELD_OUT_SHARE)
    return tuple(contrast[count:]), tuple(contrast[:count]), apart.held_out


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
