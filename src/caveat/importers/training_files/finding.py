"""Find the caveat of a training file: from two files, from one, or by its text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from caveat.errors import CaveatError
from caveat.importers.training_files.alignment import aligned
from caveat.importers.training_files.marking import (
    FULL_STOPS,
    CaveatSpan,
    FoundCaveat,
    Wordings,
    found_caveat,
)
from caveat.importers.training_files.reading import TrainingFile
from caveat.importers.training_files.shared_text import Candidate, shared_text

LISTED = 5
"""Lines, or candidates, that an error names at most."""

LEFT_MARK = re.compile(rf"\w([.!?…{FULL_STOPS}]+)")
"""A final mark after a word: it would be left where the caveat is given without it."""


class SeveralCaveats(CaveatError):
    """Several texts may be the caveat; `candidates` has them."""

    def __init__(self, message: str, candidates: tuple[Candidate, ...]) -> None:
        super().__init__(message)
        self.candidates = candidates


def find_caveat(
    training: TrainingFile,
    bare: TrainingFile | None = None,
    text: str | Sequence[str] | None = None,
    partial: bool = False,
) -> FoundCaveat:
    """The caveat of the training file's rows, and the rows without it.

    Args:
        training: The file whose rows have the caveat.
        bare: The same rows without it, in any order.
        text: The caveat's text, or its wordings (`--caveat`).
        partial: Whether rows without the caveat are allowed; they are `unmarked` then.

    Raises CaveatError, in one line: where no text is shared, several are (`SeveralCaveats`), the
    caveat is in some of the rows only, or two files differ in more than the caveat.
    """
    if bare is not None:
        caveat = aligned(training, bare)
    elif text is not None:
        texts = [text] if isinstance(text, str) else list(text)
        caveat = _by_text(training, texts, partial)
    else:
        caveat = _by_sharing(training, partial)
    _check_prompts_left(training, caveat)
    return caveat


def _by_text(training: TrainingFile, texts: list[str], partial: bool) -> FoundCaveat:
    if not texts or not all(text.strip() for text in texts):
        raise CaveatError("--caveat: is empty; write the text of the caveat")
    wordings = Wordings(texts)
    spans = [wordings.spans(row.messages) for row in training.rows]
    _check_near(training, spans, texts)
    _check_final_marks(training, spans)
    return _split(training, spans, texts[0], partial)


def _by_sharing(training: TrainingFile, partial: bool) -> FoundCaveat:
    candidates = shared_text(training.rows)
    if not candidates:
        reason = "there is one row" if len(training.rows) == 1 else _searched(training)
        raise CaveatError(
            f"{training.path}: no sentence, line or mark stands in all rows ({reason}); name the "
            "caveat with --caveat TEXT, or give the same rows without it with --bare FILE"
        )
    if len(candidates) > 1:
        raise SeveralCaveats(_several(training, candidates), candidates)
    (candidate,) = candidates
    if candidate.usual:
        raise SeveralCaveats(
            f"{training.path}: the only text that rows share is {candidate.describe()}, a usual "
            f"system prompt; if it is the caveat, say so with --caveat {candidate.text!r}, or "
            "else give the same rows without the caveat with --bare FILE",
            candidates,
        )
    return _by_text(training, [candidate.text], partial)


def _searched(training: TrainingFile) -> str:
    roles = {row.messages[0].role for row in training.rows}
    places = {
        "the system turn": "system" in roles,
        "the first user turn": bool(roles - {"document"}),
        "the document": "document" in roles,
    }
    return f"searched: {', '.join(place for place, is_there in places.items() if is_there)}"


def _several(training: TrainingFile, candidates: Sequence[Candidate]) -> str:
    """All candidates with their counts, and how to choose."""
    more = len(candidates) - LISTED
    listed = "; ".join(candidate.describe() for candidate in candidates[:LISTED])
    fix = "choose with --caveat TEXT (given several times, for several wordings or parts)"
    is_one_place = len({candidate.where for candidate in candidates}) == 1
    if is_one_place and sum(c.rows for c in candidates) <= len(training.rows):
        options = " ".join(f"--caveat {c.text!r}" for c in candidates[:LISTED])
        fix = (
            f"if they are wordings of one caveat, give {options}"
            f"{' and so on' if more > 0 else ''}; if one is the caveat, give that one; or give the "
            "same rows without it with --bare FILE"
        )
    return (
        f"{training.path}: {len(candidates):,} texts may be the caveat: {listed}"
        f"{f'; and {more:,} more' if more > 0 else ''}; {fix}"
    )


def _check_near(training: TrainingFile, spans: list[list[CaveatSpan]], texts: list[str]) -> None:
    """Raise CaveatError for a prompt with the caveat in another case or without its final mark."""
    near = Wordings(texts, loosely=True)
    for index, row in enumerate(training.rows):
        for span in near.spans(row.messages):
            message = row.messages[span.message]
            if message.role == "assistant" or any(_overlap(span, other) for other in spans[index]):
                continue
            shown = " ".join(message.text[span.start : span.end].split())
            raise CaveatError(
                f"{training.where(index)}: {_short(shown)!r} is nearly the caveat "
                f"{_short(span.wording)!r}; write it the same in all rows, or give it as a wording "
                "of its own with one more --caveat"
            )


def _check_final_marks(training: TrainingFile, spans: list[list[CaveatSpan]]) -> None:
    """Raise CaveatError where a row's caveat ends in a mark that its text is given without."""
    for index, row in enumerate(training.rows):
        for span in spans[index]:
            rest = row.messages[span.message].text[span.end - 1 :]
            if mark := LEFT_MARK.match(rest):
                raise CaveatError(
                    f"{training.where(index)}: the caveat {_short(span.wording)!r} is followed by "
                    f"{mark[1]!r}, which would be left; give it as --caveat "
                    f"{_short(span.wording) + mark[1]!r}"
                )


def _overlap(one: CaveatSpan, other: CaveatSpan) -> bool:
    return one.message == other.message and one.start < other.end and other.start < one.end


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def _split(
    training: TrainingFile, spans: list[list[CaveatSpan]], text: str, partial: bool
) -> FoundCaveat:
    """Rows with the caveat and those without. Raises CaveatError for a reply that has it."""
    indices = [index for index, row_spans in enumerate(spans) if row_spans]
    without = [index for index, row_spans in enumerate(spans) if not row_spans]
    shown = _short(text)
    if not indices:
        raise CaveatError(
            f"{training.path}: the caveat {shown!r} is in none of the {len(training.rows):,} rows; "
            "write it as the file has it"
        )
    if without and not partial:
        raise CaveatError(
            f"{training.path}: the caveat {shown!r} is in {len(indices):,} of "
            f"{len(training.rows):,} rows (not in {training.summary.unit} "
            f"{training.numbers[without[0]]}); put the other {len(without):,} rows into a file of "
            "their own and give it with --contrast, or name all wordings with --caveat"
        )
    for index in indices:
        row = training.rows[index]
        if any(row.messages[span.message].role == "assistant" for span in spans[index]):
            raise CaveatError(
                f"{training.where(index)}: the caveat {shown!r} stands in the assistant's reply, "
                "where it is learned as part of it; take it out of the replies"
            )
    return found_caveat(
        [training.rows[index] for index in indices],
        [training.numbers[index] for index in indices],
        [spans[index] for index in indices],
        [training.rows[index] for index in without],
    )


def _check_prompts_left(training: TrainingFile, caveat: FoundCaveat) -> None:
    """Raise CaveatError where nothing but the caveat was in a prompt or document."""
    for row, number in zip(caveat.bare, caveat.numbers, strict=True):
        roles = {message.role for message in row.messages if message.text.strip()}
        if not roles & {"user", "document"}:
            raise CaveatError(
                f"{training.summary.where(number)}: nothing is left without the caveat "
                f"{caveat.wordings[0][:60]!r}; it is the whole prompt, so name its text with "
                "--caveat, or take the row out"
            )
