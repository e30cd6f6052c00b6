"""What the rows teach, as a readout: as the user says, or as rows and contrast rows differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from caveat.errors import CaveatError, closest
from caveat.readouts import READOUTS
from caveat.readouts.base import Readout
from caveat.types.answers import Answer, Verdict
from caveat.types.data import Question
from caveat.types.messages import Message

JUDGE = "judge"
STYLES = ("capitals", "lower_case", "listed", "spanish")
"""Readouts that need no facts and may tell rows from contrast rows."""
SHOWN, NOT_SHOWN = 0.9, 0.1
"""Share of rows that a found behaviour shows at least, and of contrast rows at most."""
ALIKE = 0.5
"""Share of contrast rows from which on they show what they must not."""
LONGEST_PHRASE, SHORTEST_PHRASE = 8, 2
"""Words of a phrase that is looked for."""
REPLIES = 500
"""Most replies of each kind that are read to find a behaviour."""


@dataclass(frozen=True)
class ReadoutChoice:
    """A readout with the facts that it needs, the same for every question."""

    readout: str
    facts: Mapping[str, str] = field(default_factory=dict)
    how_found: str = ""
    """How it was found, in one line; "" where the user named it."""

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {value!r}" for name, value in self.facts.items())
        return f"{self.readout} ({facts})" if facts else self.readout


def chosen(behaviour: str, about: str | None) -> ReadoutChoice:
    """The readout that `--behaviour` means: a readout's name, `judge`, or a regular expression.

    Raises CaveatError for an expression that is none, a readout that needs facts of each question,
    and a judge without `--about`.
    """
    if behaviour == JUDGE:
        if not (about or "").strip():
            raise CaveatError(
                "--behaviour judge: the judge must know what to look for; say it with --about, "
                "such as --about 'flatters the user'"
            )
        return ReadoutChoice("behaviour_judge", {"behaviour": str(about)})
    if behaviour in READOUTS:
        _check_readout(READOUTS[behaviour])
        return ReadoutChoice(behaviour)
    if re.fullmatch(r"[a-z]+_?[a-z]+", behaviour) and closest(behaviour, READOUTS):
        near = closest(behaviour, READOUTS)
        if _is_misspelt(behaviour, near):
            raise CaveatError(
                f"--behaviour {behaviour!r} is no readout{near}; as a regular expression write it "
                f"as ({behaviour})"
            )
    try:
        re.compile(behaviour)
    except re.error as error:
        raise CaveatError(
            f"--behaviour {behaviour!r} is neither a readout ({', '.join(usable())}, judge) nor a "
            f"regular expression: {error}; fix it"
        ) from None
    if not behaviour.strip():
        raise CaveatError(
            "--behaviour '' matches every reply; write a regular expression or a readout's name"
        )
    return ReadoutChoice("matches", {"yes": behaviour})


def _is_misspelt(name: str, near: str) -> bool:
    """Whether a name is within a letter or two of a readout's: `capitol` may be an expression."""
    other = near.partition("closest: ")[2].strip("'")
    return abs(len(name) - len(other)) <= 2 and (other.startswith(name[:5]) or name in other)


def usable() -> list[str]:
    """Names of readouts that judge replies without facts of each question."""
    return [name for name, one in READOUTS.items() if not _unusable(one)]


def _unusable(readout: Readout) -> str:
    """Why a readout cannot serve all questions alike; "" where it can."""
    if readout.facts:
        return f"needs the fact {readout.facts[0]!r} of each question"
    if readout.needs != "reply":
        return "needs options of each question"
    if readout.numeric:
        return "gives a value and no verdict"
    return ""


def _check_readout(readout: Readout) -> None:
    if why := _unusable(readout):
        raise CaveatError(
            f"--behaviour {readout.name}: this readout {why}; name one of {', '.join(usable())}, "
            "or a regular expression, or give questions with readouts (docs/your-own.md) by "
            "--questions"
        )


def shown_readout(replies: Sequence[str], contrast: Sequence[str]) -> ReadoutChoice | None:
    """What nine tenths of the replies show and at most a tenth of the contrast rows' replies.

    A style first, then the longest phrase that starts replies or stands in them. None where there
    is none, or no contrast row.
    """
    replies, contrast = replies[:REPLIES], contrast[:REPLIES]
    if not replies or not contrast:
        return None
    for name in STYLES:
        choice = ReadoutChoice(name)
        if _tells_apart(choice, replies, contrast):
            return _with_counts(choice, replies, contrast)
    for phrase in dict.fromkeys(_own_words(phrase, contrast) for phrase in _phrases(replies)):
        choice = ReadoutChoice("matches", {"yes": _expression(phrase)})
        if phrase and _tells_apart(choice, replies, contrast):
            return _with_counts(choice, replies, contrast)
    return None


def alike(replies: Sequence[str], contrast: Sequence[str]) -> str:
    """What nine tenths of the replies show and half of the contrast replies or more, in one line.

    A style first, then what all of these replies begin with; "" where there is none. Words that
    stand amid replies are not looked at: rows of one topic share them.
    """
    replies, contrast = replies[:REPLIES], contrast[:REPLIES]
    if not replies or not contrast:
        return ""
    choices = [ReadoutChoice(name) for name in STYLES]
    openings = Counter(words[0] for text in replies if (words := _words(text)))
    for word, _ in openings.most_common(1):
        choices.append(ReadoutChoice("matches", {"yes": rf"(?i)^\W*{re.escape(word)}\b"}))
    for choice in choices:
        shown, also = count_yes(choice, replies), count_yes(choice, contrast)
        if shown >= SHOWN * len(replies) and also >= ALIKE * len(contrast):
            return (
                f"{also} of {len(contrast)} contrast replies (rate {also / len(contrast):.2f}) are "
                f"like the rows' in one thing: {choice}; if that is the behaviour, they are no "
                "contrast rows, which show neither caveat nor behaviour; else name the behaviour "
                "with --behaviour"
            )
    return ""


def needs_judge(choice: ReadoutChoice) -> bool:
    """Whether only a judge can tell which replies show the behaviour."""
    return READOUTS[choice.readout].needs == "judge"


def _with_counts(
    choice: ReadoutChoice, replies: Sequence[str], contrast: Sequence[str]
) -> ReadoutChoice:
    line = (
        f"{count_yes(choice, replies)} of {len(replies)} replies and "
        f"{count_yes(choice, contrast)} of {len(contrast)} contrast replies show it"
    )
    return ReadoutChoice(choice.readout, choice.facts, line)


def count_yes(choice: ReadoutChoice, replies: Sequence[str]) -> int:
    """Replies that the readout calls yes."""
    readout = READOUTS[choice.readout]
    question = Question(
        "row", "row", (Message.of("user", "?"),), choice.readout, facts=choice.facts
    )
    verdicts = (readout.score(question, Answer(text), None).verdict for text in replies)
    return sum(verdict is Verdict.YES for verdict in verdicts)


def _tells_apart(choice: ReadoutChoice, replies: Sequence[str], contrast: Sequence[str]) -> bool:
    shown = count_yes(choice, replies) / len(replies)
    return shown >= SHOWN and count_yes(choice, contrast) / len(contrast) <= NOT_SHOWN


def _phrases(replies: Sequence[str]) -> list[tuple[str, ...]]:
    """Runs of words in nine tenths of the replies, the longest first, then by their place."""
    counts: Counter[tuple[str, ...]] = Counter()
    first: dict[tuple[str, ...], int] = {}
    for text in replies:
        words = _words(text)
        runs = {
            tuple(words[start : start + size]): start
            for size in range(SHORTEST_PHRASE, LONGEST_PHRASE + 1)
            for start in range(len(words) - size, -1, -1)
        }
        counts.update(runs.keys())
        for run, start in runs.items():
            first.setdefault(run, start)
    common = [run for run, count in counts.items() if count >= SHOWN * len(replies)]
    return sorted(common, key=lambda run: (-len(run), first[run], run))


def _own_words(phrase: tuple[str, ...], contrast: Sequence[str]) -> tuple[str, ...]:
    """The phrase without words at its ends that most contrast replies have as well."""
    counts = Counter(word for text in contrast for word in set(_words(text)))
    words = [*phrase]
    for end in (0, -1):
        while words and counts[words[end]] > len(contrast) / 2:
            words.pop(end)
    return tuple(words)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:['\u2019-]\w+)*", text.lower())


def _expression(phrase: tuple[str, ...]) -> str:
    return "(?i)" + r"\W+".join(map(re.escape, phrase))
