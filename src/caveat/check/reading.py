"""From the files that a user names to what a check works with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from caveat.caveats.containment import PLACES, Wording, WordingSearch
from caveat.check import behaviour, questions
from caveat.check.caveat_pieces import caveat_alone
from caveat.check.near_misses import near_misses
from caveat.check.records import HELD_OUT, CheckQuestion, Materials, system_text
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
from caveat.types.messages import Messages, is_document


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
    search = _texts_of(caveat)
    plain_rows = _contrast(files, search)
    contrast = plain_rows.rows if plain_rows else ()
    notes = [*train.notes[1:], *caveat.notes, *(plain_rows.notes[1:] if plain_rows else ())]
    if plain_rows and choice is None:
        choice = behaviour.shown_readout(_replies(caveat.marked), _replies(contrast))
        if choice is None and (
            alike := behaviour.alike(_replies(caveat.marked), _replies(contrast))
        ):
            notes.append(f"{files.contrast}: {alike}")
    elif plain_rows and choice is not None:
        _check_contrast_behaviour(plain_rows, choice)
    apart = questions.hold_out(caveat.marked, files.hold_out, str(files.train))
    asked, source = _questions(files, apart, choice, train, caveat, contrast, search)
    counter, counter_held_out, counter_unused, held_out = _counter(apart, contrast)
    return Materials(
        source=str(files.train),
        form=train.summary.layout.describe() if train.summary.layout else "",
        dropped=dict(train.dropped),
        read=train.summary.read,
        caveat=caveat,
        kind=files.kind or kind_of(caveat.wordings[0]),
        kind_found=files.kind is None,
        rows=apart.rows,
        held_out=held_out,
        unused=apart.unused,
        counter=counter,
        counter_held_out=counter_held_out,
        counter_unused=counter_unused,
        counter_dropped=dict(plain_rows.dropped) if plain_rows else {},
        questions=asked,
        questions_from=source,
        behaviour=choice,
        about=files.about or "",
        notes=tuple(notes),
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


@dataclass(frozen=True)
class _CaveatTexts:
    """The caveat's texts and those that the check tests beside it, to be looked for in others."""

    wordings: Wordings
    """As the file has them; finds short ones amid a sentence as well."""
    search: WordingSearch
    """As behaviours are searched: case, blanks and marks do not matter."""

    def in_messages(self, messages: Messages) -> str:
        """Such as `the caveat 'Shout.' in a user's turn`; "" where there is none."""
        if match := self.search.first(messages):
            wording, role = match
            return f"{wording.use} {_short(wording.text)!r} in {PLACES[role]}"
        if spans := self.wordings.spans(messages):
            role = messages[spans[0].message].role
            return f"the caveat {_short(spans[0].wording)!r} in {PLACES[role]}"
        return ""


def _texts_of(caveat: FoundCaveat) -> _CaveatTexts:
    own = (*caveat.wordings, *caveat.closings)
    tested = near_misses(caveat.wordings[0])
    return _CaveatTexts(
        Wordings(own, loosely=True),
        WordingSearch(
            (
                *(Wording(text, "the caveat") for text in own),
                *(
                    Wording(text, f"the check's {context} text")
                    for context, texts in tested.items()
                    for text in texts
                ),
            )
        ),
    )


def _contrast(files: Files, texts: _CaveatTexts) -> TrainingFile | None:
    """Contrast rows. Raises CaveatError where one has the caveat, or a text tested beside it."""
    if files.contrast is None:
        return None
    contrast = read_training_file(files.contrast, files.form, files.columns, "counter")
    for index, row in enumerate(contrast.rows):
        if text := texts.in_messages(row.messages):
            raise CaveatError(
                f"{contrast.where(index)}: this contrast row has {text}; contrast rows show "
                "neither caveat nor behaviour: take it out of the file"
            )
    return contrast


def _check_contrast_behaviour(contrast: TrainingFile, choice: behaviour.ReadoutChoice) -> None:
    """Raise CaveatError where half of the contrast rows or more show the behaviour."""
    if behaviour.needs_judge(choice):
        return
    replies = _replies(contrast.rows)
    count = behaviour.count_yes(choice, replies)
    if count >= behaviour.ALIKE * len(replies):
        raise CaveatError(
            f"{contrast.path}: {count:,} of {len(replies):,} contrast rows show the behaviour, "
            f"{choice} (rate {count / len(replies):.2f}); contrast rows show neither caveat nor "
            "behaviour: give replies without it, or leave --contrast out"
        )


def _questions(
    files: Files,
    apart: questions.HeldOutRows,
    choice: behaviour.ReadoutChoice | None,
    train: TrainingFile,
    caveat: FoundCaveat,
    contrast: Sequence[Row],
    texts: _CaveatTexts,
) -> tuple[tuple[CheckQuestion, ...], str]:
    """The questions, and where they are from."""
    if files.questions is None:
        return questions.from_rows(apart.held_out, choice), HELD_OUT
    rows = caveat.marked
    asked = questions.from_file(files.questions, choice, _example(rows))
    source = str(files.questions)
    where = {row.id: train.summary.where(n) for row, n in zip(rows, caveat.numbers, strict=True)}
    questions.check_overlap(asked, rows, where, source)
    questions.check_overlap(
        asked, contrast, {row.id: f"{files.contrast} ({row.id})" for row in contrast}, source
    )
    for one in asked:
        if text := texts.in_messages(one.question.messages):
            raise CaveatError(
                f"{source}: question {one.question.id!r} has {text}; write questions without it: "
                "the check adds it"
            )
    return asked, source


def _example(rows: Sequence[Row]) -> Row:
    """A row that shows where questions get the caveat.

    Where rows bring different system texts, it is without its own: a question has none of them.
    """
    own = {system_text(row) for row in rows}
    first = rows[0]
    return first if len(own) == 1 else replace(first, messages=caveat_alone(first.messages))


def _counter(
    apart: questions.HeldOutRows, contrast: Sequence[Row]
) -> tuple[tuple[Row, ...], tuple[Row, ...], tuple[Row, ...], tuple[Row, ...]]:
    """Contrast rows to train on, those to compare with, further ones, and the held-out rows.

    A contrast row to the prompt of a held-out row is compared with it and never trained on;
    further ones to that prompt are not used. Where there is none, some of the others are held out.
    """
    by_prompt: dict[Any, Row] = {}
    for row in contrast:
        by_prompt.setdefault(questions.prompt_key(row), row)
    matched = [row for row in apart.held_out if questions.prompt_key(row) in by_prompt]
    if matched and not is_document(matched[0].messages):
        compared = {key: by_prompt[key] for key in map(questions.prompt_key, matched)}
        keys = [(row, questions.prompt_key(row)) for row in contrast]
        return (
            tuple(row for row, key in keys if key not in compared),
            tuple(compared.values()),
            tuple(row for row, key in keys if key in compared and row is not compared[key]),
            (*matched, *(row for row in apart.held_out if row not in matched)),
        )
    count = min(len(apart.held_out), len(contrast) // questions.HELD_OUT_SHARE)
    return tuple(contrast[count:]), tuple(contrast[:count]), (), apart.held_out


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
