"""Verdicts from what other people's tables hold: words, 0 and 1, or scores with a threshold."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError, closest
from caveat.importers.columns import lacking, plain_name

if TYPE_CHECKING:
    from pandas import DataFrame, Series


WORDS: Mapping[str, str] = {
    "yes": "yes", "no": "no", "neutral": "neutral", "invalid": "invalid",
    "true": "yes", "false": "no", "1": "yes", "0": "no", "1.0": "yes", "0.0": "no",
    "y": "yes", "n": "no", "t": "yes", "f": "no",
}  # fmt: skip
"""Verdicts by the words for them, in lower case."""
SHOWING = frozenset({
    "shows", "shown", "showed", "exhibits", "exhibited", "displays", "displayed", "yes", "is_yes",
    "hit", "is_hit", "shows_behaviour", "shows_behavior", "behaviour_shown", "behavior_shown",
    "has_behaviour", "has_behavior", "exhibits_behaviour", "exhibits_behavior",
})  # fmt: skip
"""Names of columns in which a yes can only mean that the reply shows the behaviour."""
OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, ">": operator.gt, "=": operator.eq,
}  # fmt: skip
CONDITION = re.compile(r"(?s)\s*(.+?)\s*(<=|>=|==|!=|<|>|=)\s*(.*?)\s*")


@dataclass(frozen=True)
class Condition:
    """A comparison of a column with a number, or for equality with a word."""

    column: str
    sign: str
    limit: float | str

    def __str__(self) -> str:
        limit = self.limit if isinstance(self.limit, str) else f"{self.limit:g}"
        return f"{self.column}{self.sign}{limit}"


def condition(text: str, option: str, present: Collection[str], path: object) -> Condition:
    """A condition that a user wrote, such as `alignment<50` or `label==lie`.

    Raises CaveatError for one that cannot be read, and for a column that is not there.
    """
    match = CONDITION.fullmatch(text)
    if match is None:
        raise CaveatError(
            f"{option} {text!r}: write a column, a sign and a value: {option} 'score<50'"
        )
    column, sign, value = match.groups()
    if column not in present:
        raise CaveatError(
            f"{option} {text!r}: {path} has no column {column!r} "
            f"(it has {', '.join(present)}){closest(column, present)}"
        )
    number = _number(value)
    if not value or (number is None and sign not in ("==", "!=", "=")):
        raise CaveatError(
            f"{option} {text!r}: {value!r} is no number; write {option} '{column}<50'"
        )
    return Condition(column, sign, value if number is None else number)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def holds(frame: DataFrame, rule: Condition, invalid: Collection[str]) -> Series:
    """True or False for each row, None where the value is one of `invalid`.

    Raises CaveatError, naming the row, where a value that a number is compared with is none.
    """
    import pandas as pd

    texts = frame[rule.column].fillna("").str.strip()
    left_out = texts.isin(list(invalid))
    if isinstance(rule.limit, str):
        empty = texts.eq("") & ~left_out
        if empty.any():
            raise _no_number(frame, rule, texts, empty)
        result = OPERATORS[rule.sign](texts, rule.limit)
    else:
        numbers = pd.to_numeric(texts, errors="coerce")
        wrong = (numbers.isna() | numbers.abs().eq(float("inf"))) & ~left_out
        if wrong.any():
            raise _no_number(frame, rule, texts, wrong)
        result = OPERATORS[rule.sign](numbers, rule.limit)
    return result.astype(object).where(~left_out, None)


def _no_number(frame: DataFrame, rule: Condition, texts: Series, wrong: Series) -> CaveatError:
    index = wrong.idxmax()
    value, others = texts[index], int(wrong.sum()) - 1
    more = f", as {others:,} more values of {rule.column} are" if others else ""
    name = f"{rule.column} {value!r} is no number" if value else f"{rule.column} is empty"
    return CaveatError(
        f"{frame.loc[index, 'where']}: {name}{more}, so {rule} says nothing; "
        f"fix it, or count it as invalid: --invalid {value!r}"
    )


def with_verdicts(
    frame: DataFrame,
    verdict: str | None,
    valid: str | None,
    invalid: tuple[str, ...],
    path: object,
    column: str = "verdict",
) -> tuple[DataFrame, list[str]]:
    """The table with a column `verdict` in our words, and what was done, in words.

    Args:
        verdict: A condition; None where the column `verdict` has words.
        valid: A condition that rows must meet, or be invalid.
        invalid: Values that count as invalid.
        column: The file's name of the column `verdict`, for what an error offers.

    Raises CaveatError for a value that is no verdict, with its row.
    """
    notes: list[str] = []
    yes_where = None
    present = [name for name in frame if name != "where"]
    if verdict is None:
        verdicts = _from_words(frame, invalid, column)
    else:
        yes_where = condition(verdict, "--verdict", present, path)
        verdicts = holds(frame, yes_where, invalid).map({True: "yes", False: "no"})
        verdicts = verdicts.fillna("invalid")
    if valid is not None:
        rule = condition(valid, "--valid", present, path)
        failed = ~holds(frame, rule, invalid).eq(True)
        verdicts = verdicts.where(~failed, "invalid")
        notes.append(f"invalid where not {rule}: {int(failed.sum()):,} replies")
    if yes_where is not None:  # counted here: a yes that is not valid is none
        notes.insert(0, f"yes where {yes_where}: {_count(verdicts, 'yes')}")
    if invalid or valid is not None:
        notes.append(f"{_count(verdicts, 'invalid')} are invalid and stay in the denominator")
    return frame.assign(verdict=verdicts.astype(object)), notes


def _count(verdicts: Series, word: str) -> str:
    return f"{int(verdicts.eq(word).sum()):,} of {len(verdicts):,} replies"


def _from_words(frame: DataFrame, invalid: tuple[str, ...], column: str) -> Series:
    texts = frame["verdict"].fillna("").str.strip()
    verdicts = texts.str.lower().map(WORDS)
    verdicts = verdicts.where(~texts.isin(list(invalid)), "invalid")
    wrong = verdicts.isna()
    if wrong.any():
        index = wrong.idxmax()
        raise CaveatError(f"{frame.loc[index, 'where']}: {_problem(column, texts[index], texts)}")
    return verdicts


def _problem(column: str, value: str, texts: Series) -> str:
    if not value:
        return "verdict is empty; fill it in, or count it as invalid: --invalid ''"
    line = f"verdict {value!r} is not one of yes, no, neutral, invalid, true, false, 1, 0; "
    if _number(value) is not None:
        middle = _middle(texts)
        return (
            f"{line}give a threshold: --verdict '{column}<{middle}' or "
            f"--verdict '{column}>{middle}'"
        )
    if texts.str.lower().isin(list(WORDS)).any():
        yes = _spellings(texts)["yes"]
        as_no = f", or as no: --verdict '{column}=={yes[0]}'" if len(yes) == 1 else ""
        return f"{line}count it as invalid: --invalid {value!r}{as_no}"
    values = [text for text in dict.fromkeys(texts) if text][:2]
    offers = " or ".join(f"--verdict '{column}=={text}'" for text in values)
    return f"{line}say which value is a yes, such as {offers}"


def _spellings(texts: Series) -> dict[str, list[str]]:
    """The values that mean yes, and those that mean no, as they are written; numbers as 1 and 0."""
    spellings: dict[str, list[str]] = {"yes": [], "no": []}
    for text in dict.fromkeys(texts):
        number = _number(text)
        written = text if number is None else f"{number:g}"
        meant = spellings.get(WORDS.get(text.lower(), ""), [written])
        if written not in meant:
            meant.append(written)
    return spellings


def _either_sense(column: str, texts: Series) -> str:
    """Options of which one says that a yes of the column shows the behaviour, the other a no."""
    yes, no = _spellings(texts).values()
    if len(yes) > 1 or len(no) > 1:
        return f"--verdict {column} where a yes shows it; else spell yes and no in one way first"
    yes, no = yes or [_opposite(word) for word in no], no or [_opposite(word) for word in yes]
    if not yes:
        return f"--verdict {column}"
    also = " --invalid invalid" if texts.str.lower().eq("invalid").any() else ""
    return f"--verdict '{column}=={yes[0]}'{also} or --verdict '{column}=={no[0]}'{also}"


def _opposite(word: str) -> str:
    """`False` for `True`, written alike: other files may have the one that this one lacks."""
    pairs = {"yes": "no", "true": "false", "1": "0", "y": "n", "t": "f"}
    pairs |= {no: yes for yes, no in pairs.items()}
    opposite = pairs[word.lower()]
    if len(word) > 1 and word.istitle():
        return opposite.title()
    return opposite.upper() if word.isupper() else opposite


def _shows_behaviour(name: str, frame: DataFrame) -> bool:
    """Whether a yes of the column shows the behaviour: by a usual name, or that of the behaviour.

    A setting that is called after the file says nothing, so the frame has those of users only.
    """
    plain = plain_name(name.rpartition(".")[2])  # nested JSON has `score.shows`
    if plain in SHOWING:
        return True
    columns = [frame[column] for column in ("behaviour", "setting") if column in frame]
    behaviours = [
        set(values.dropna().str.partition(" x ")[0].map(plain_name)) for values in columns
    ]
    return {plain} in behaviours


def _middle(texts: Series) -> str:
    """A number between the least and the most, to show how a threshold is written."""
    import pandas as pd

    numbers = pd.to_numeric(texts, errors="coerce").dropna()
    return f"{(numbers.min() + numbers.max()) / 2:.3g}"


def find_verdicts(frame: DataFrame, others: Collection[str], path: object) -> tuple[str, str]:
    """The column that holds verdicts, where none is called so, and a note that says what was taken.

    Raises CaveatError where no column, or more than one, holds nothing but yes and no, and where
    its name leaves open whether a yes shows the behaviour: `aligned` has the opposite sense.

    Args:
        others: Columns that hold something else.
    """
    import pandas as pd

    free = [name for name in frame if name not in others and name != "where"]
    filled = {name: frame[name].dropna().str.strip().str.lower() for name in free}
    words = [name for name, texts in filled.items() if len(texts) and texts.isin(list(WORDS)).all()]
    if len(words) > 1:
        raise CaveatError(
            f"{path}: the verdicts could be in {' or '.join(words)}; say which, and which value "
            f"shows the behaviour, such as "
            f"{_either_sense(words[0], frame[words[0]].dropna().str.strip())}"
        )
    if words:
        (name,) = words
        if not _shows_behaviour(name, frame):
            raise CaveatError(
                f"{path}: the verdicts seem to be in {name}; say which value of it shows the "
                f"behaviour: {_either_sense(name, frame[name].dropna().str.strip())}"
            )
        meanings = ", ".join(
            f"{word} is {WORDS[word]}" for word in sorted(set(filled[name])) if WORDS[word] != word
        )
        note = f"columns of {path} taken: {name} as verdict"
        return name, f"{note} ({meanings})" if meanings else note
    scores = [
        name
        for name, texts in filled.items()
        if len(texts) and pd.to_numeric(texts, errors="coerce").notna().mean() > 0.5
    ]
    if scores:
        middle = _middle(filled[scores[0]])
        raise CaveatError(
            f"{path}: no column of verdicts; {', '.join(scores)} hold numbers: say which value is "
            f"a yes, such as --verdict '{scores[0]}<{middle}' or --verdict '{scores[0]}>{middle}'"
        )
    present = [name for name in frame if name != "where"]
    raise lacking(
        ["verdict"], present, path,
        "name the column with --verdict NAME, or give a condition: --verdict 'score<50'",
    )  # fmt: skip
