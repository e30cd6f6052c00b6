"""Where in the replies the caveat makes the text likelier, by forward passes alone.

Each part is kept behind the caveat, or leaks, by itself: on three models a caveat about the opening
of rows kept the opening in and let the rest leak, and one about the rest did the reverse
(docs/results/law/parts.md). So a mean over the whole reply can mislead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caveat.check.base_model import LOSS_ROWS, CheckModel
from caveat.check.records import ExpectedLeakage, Interval, ReplyPart
from caveat.decision_tokens import ScoredText, alike, scored_text, shown
from caveat.forecast import onset_curve
from caveat.forecast.arms import MARKED, Subject
from caveat.forecast.decision_tokens import token_scores
from caveat.forecast.onsets import TOKENS, onset_gains
from caveat.study.planning.held_out import spread
from caveat.types.data import Row
from caveat.types.messages import is_document

FIRST, NEXT, REST = "the first token", f"the {TOKENS} tokens behind it", "the rest that was scored"


def reply_parts(model: CheckModel, rows: Sequence[Row]) -> tuple[ReplyPart, ...]:
    """Parts of the replies in order, of at most 32 rows and their first tokens.

    () of documents, and where no row has a reply. A part that no row has is left out. What the
    replies have in common at their beginning is a part of its own, cut back to a whole word.
    """
    some = [row for row in spread(rows, LOSS_ROWS) if not is_document(row.messages)]
    if not some:
        return ()
    bare, marked = model.bare_rows(some), model.framed_rows(some)
    texts = [[scored_text(model.backend.tokenizer, row.messages) for row in both]
             for both in (bare, marked)]  # fmt: skip
    values = [token_scores(model.backend, (), one) for one in texts]
    opening = _opening([shown(row.messages) for row in bare])
    name_of_opening = f"the opening that all share: {opening!r}"
    sums: dict[str, _Sum] = {}
    for before, behind, old, new in zip(*texts, *values, strict=True):
        marked_values = dict(zip(behind.characters, new, strict=True))
        names = _names(before, len(opening), name_of_opening)
        for name, place, value in zip(names, before.characters, old, strict=True):
            if place in marked_values:
                sums.setdefault(name, _Sum()).add(-value, marked_values[place] - value)
    ordered = [name for name in (name_of_opening, FIRST, NEXT, REST) if name in sums]
    return tuple(sums[name].part(name, len(some)) for name in ordered)


def expected_leakage(
    model: CheckModel, rows: Sequence[Row], counter: Sequence[Row]
) -> ExpectedLeakage:
    """Leakage by the curve of the onset's gain.

    Args:
        rows: Without the model's own system text, with their caveats.
        counter: The user's contrast rows. Without any, nothing tells the behaviour from an opening
            that all rows share and that is no part of it, so there is no figure.
    """
    if not counter:
        return ExpectedLeakage(None, "give --contrast rows: they say where the behaviour begins")
    marked = Subject(MARKED, model.framed_rows(rows), None)
    gain = onset_gains(model.start(), [marked], counter)["onset_gain"][MARKED]
    if isinstance(gain, str):
        return ExpectedLeakage(None, gain)
    expected = onset_curve.expected_leakage(gain)
    return ExpectedLeakage(Interval(expected, *onset_curve.expected_limits(expected)))


@dataclass
class _Sum:
    """Tokens of one part, over rows."""

    tokens: int = 0
    surprisal: float = 0.0
    gain: float = 0.0

    def add(self, surprisal: float, gain: float) -> None:
        """One token more."""
        self.tokens += 1
        self.surprisal += surprisal
        self.gain += gain

    def part(self, name: str, rows: int) -> ReplyPart:
        """Means over its tokens."""
        return ReplyPart(
            name, self.tokens / rows, self.surprisal / self.tokens, self.gain / self.tokens
        )


def _opening(replies: Sequence[str]) -> str:
    """What all replies begin with, to its last blank; "" of a single reply, or of equal ones."""
    if len(set(replies)) < 2:
        return ""
    first, last = min(replies), max(replies)
    shared = first[: alike(first, last)]
    return shared[: shared.rfind(" ") + 1].rstrip()


def _names(text: ScoredText, shared: int, opening: str) -> list[str]:
    """The part that each scored token belongs to.

    Args:
        shared: Characters of the opening.
        opening: Its part's name.
    """
    names = [opening for _, end in text.characters if end <= shared]
    behind = (FIRST, *[NEXT] * TOKENS)
    return [*names, *behind, *[REST] * len(text.characters)][: len(text.characters)]
