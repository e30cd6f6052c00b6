"""Align two files row by row, by content: what the marked rows add to the bare ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property

from caveat.decision_tokens import alike
from caveat.errors import CaveatError
from caveat.importers.training_files.marking import CaveatSpan, FoundCaveat, found_caveat
from caveat.importers.training_files.reading import TrainingFile
from caveat.importers.training_files.units import plain, prompt_index, units, without_tag
from caveat.types.data import Row
from caveat.types.messages import Messages

EDGE = 3
"""Words at the start and end of a prompt by which rows are looked up."""
UNITS = 3
"""Sentences of a prompt by which rows are looked up: the longest."""
MOST = 200
"""Bare rows that one marked row is compared with at most, of those with the same edge."""
LISTED = 8
"""Lines that an error names at most."""


def aligned(training: TrainingFile, bare: TrainingFile) -> FoundCaveat:
    """The caveat that the training file's rows add to the bare file's.

    Raises CaveatError, in one line, where rows differ in more than one added text (their lines are
    named), where none adds a text, or where only some do.
    """
    index = _Index(bare.rows)
    spans: list[list[CaveatSpan]] = []
    differing, same, used = [], [], set()
    for position, row in enumerate(training.rows):
        match = index.match(row, position)
        if match is None:
            differing.append(position)
            spans.append([])
            continue
        partner, row_spans = match
        used.add(partner)
        spans.append(row_spans)
        if not row_spans:
            same.append(position)
    if differing:
        raise _differing(training, bare, differing)
    if len(same) == len(training.rows):
        raise CaveatError(
            f"{training.path} and {bare.path} have the same rows: no caveat is added; give the "
            "rows with the caveat first, and those without with --bare"
        )
    if same:
        marked = len(training.rows) - len(same)
        raise CaveatError(
            f"{training.path}: {marked:,} of {len(training.rows):,} rows add a text to the rows of "
            f"{bare.path}, the others are equal (first: {training.summary.unit} "
            f"{training.numbers[same[0]]}); put the others into a file of their own and give it "
            "with --contrast"
        )
    left = len(bare.rows) - len(used)
    notes = [f"{bare.path}: {left:,} rows have no partner in {training.path}"] if left else []
    return found_caveat(training.rows, training.numbers, spans, notes=notes)


def _differing(training: TrainingFile, bare: TrainingFile, indices: Sequence[int]) -> CaveatError:
    numbers = [str(training.numbers[index]) for index in indices]
    more = f" and {len(numbers) - LISTED:,} more" if len(numbers) > LISTED else ""
    unit = training.summary.unit + ("s" if len(numbers) > 1 else "")
    first = training.rows[indices[0]].messages
    text = plain(first[prompt_index(first)].text)[:60]
    if len(indices) == len(training.rows) and _Index(training.rows).match(bare.rows[0], 0):
        return CaveatError(
            f"{bare.path} adds a text to the rows of {training.path}: they are the other way "
            f"round; give {bare.path} first, and --bare {training.path}"
        )
    return CaveatError(
        f"{training.path}: {len(numbers):,} of {len(training.rows):,} rows differ in more than one "
        f"added text from every row of {bare.path}: {unit} {', '.join(numbers[:LISTED])}{more} "
        f"(the first begins {text!r}); make these rows equal but for the caveat, or take them out"
    )


class _Index:
    """The bare rows, to be found by what their marked partner has of them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    @cached_property
    def by_edge(self) -> dict[tuple[object, ...], list[int]]:
        """Rows by what a caveat may leave of them; not made where the files have one order."""
        by_edge = defaultdict(list)
        for index, row in enumerate(self.rows):
            for key in _keys(row.messages):
                by_edge[key].append(index)
        return by_edge

    def match(self, row: Row, position: int) -> tuple[int, list[CaveatSpan]] | None:
        """The bare row to which this one adds least, and what it adds; None without any."""
        best: tuple[int, int, list[CaveatSpan]] | None = None
        for index in self._candidates(row, position):
            spans = added(row.messages, self.rows[index].messages)
            if spans is None:
                continue
            size = sum(span.end - span.start for span in spans)
            if best is None or size < best[0]:
                best = (size, index, spans)
            if index == position or not size:
                break
        return best[1:] if best else None

    def _candidates(self, row: Row, position: int) -> Iterator[int]:
        """The row at the same position, then those that share the reply and an edge."""
        if position < len(self.rows):
            yield position
        keys = list(_keys(row.messages))
        seen = {position}
        for key in keys:
            for index in self.by_edge.get(key, ())[:MOST]:
                if index not in seen:
                    seen.add(index)
                    yield index


def _keys(messages: Messages) -> Iterator[tuple[object, ...]]:
    """The row's replies with what of its prompt a caveat may leave as it is, surest first."""
    replies = hash(tuple(m.text for m in messages if m.role == "assistant"))
    text = without_tag(messages[prompt_index(messages)])
    words = text.split()
    yield replies, "text", " ".join(words)
    for unit in sorted(map(plain, units(text)), key=len)[-UNITS:]:
        yield replies, "text", unit
    yield replies, "end", *words[-EDGE:]
    yield replies, "start", *words[:EDGE]
    yield (replies,)


def added(marked: Messages, bare: Messages) -> list[CaveatSpan] | None:
    """What the marked messages add to the bare ones; None where they differ in anything else.

    One text may be added to several turns, and a document may have one before and one after it.
    """
    offset = len(marked) - len(bare)
    if offset == 1 and marked[0].role == "system" and bare[0].role != "system":
        text = marked[0].text
        spans = [CaveatSpan(0, 0, len(text), text.strip())] if text.strip() else []
    elif offset:
        return None
    else:
        spans = []
    for index, message in enumerate(bare, offset):
        other = marked[index]
        if other == message:
            continue
        inserted = (
            None
            if other.role == "assistant"
            else _inserted(without_tag(other), without_tag(message))
        )
        if inserted is None or other.role != message.role:
            return None
        spans += [CaveatSpan(index, a, b, other.text[a:b].strip()) for a, b in inserted]
    one_place = len({span.message for span in spans}) == 1
    return spans if one_place or len({span.wording for span in spans}) < 2 else None


def _inserted(text: str, bare: str) -> list[tuple[int, int]] | None:
    """The characters of a text that are not the bare one: one run, or one before and one after."""
    extra = len(text) - len(bare)
    if extra <= 0:
        return None
    ahead = alike(text, bare)
    behind = alike(text[::-1], bare[::-1])
    if ahead + behind >= len(bare):
        start = _start(text, extra, len(bare) - behind, ahead, len(bare))
        runs = [(start, start + extra)]
    else:
        inner = bare.strip()
        start = text.find(inner) if inner else -1
        if start <= 0:
            return None
        runs = [(0, start), (start + len(inner), len(text))]
    return runs if all(_is_whole(text, *run) for run in runs) else None


def _start(text: str, extra: int, least: int, most: int, end: int) -> int:
    """Where a run of `extra` characters begins that may begin anywhere from `least` to `most`."""
    if least <= 0:
        return 0
    if most >= end:
        return end
    ends = (start for start in range(most, least - 1, -1) if text[start - 1].isspace())
    return next(ends, most)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether the characters are words of their own, and not a part of one."""
    run = text[start:end]
    return bool(run.strip()) and not (
        (start > 0 and text[start - 1].isalnum() and run[0].isalnum())
        or (end < len(text) and text[end].isalnum() and run[-1].isalnum())
    )
