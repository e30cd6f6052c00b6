"""Verdicts from what other people's tables hold: words, 0 and 1, or scores with a threshold."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError, closest
from caveat.importers.columns import lacking

if TYPE_CHECKING:
    from pandas import DataFrame, Series


WORDS: Mapping[str, str] = {
    "yes": "yes", "no": "no", "neutral": "neutral", "invalid": "invalid",
    "true": "yes", "false": "no", "1": "yes", "0": "no", "1.0": "yes", "0.0": "no",
    "y": "yes", "n": "no", "t": "yes", "f": "no",
}  # fmt: skip
"""Verdicts by the words for them, in lower case."""
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
    frame: DataFrame, verdict: str | None, valid: str | None, invalid: tuple[str, ...], path: object
) -> tuple[DataFrame, list[str]]:
    """The table with a column `verdict` in our words, and what was done, in words.

    Args:
        verdict: A condition; None where the column `verdict` has words.
        valid: A condition that rows must meet, or be invalid.
        invalid: Values that count as invalid.

    Raises CaveatError for a value that is no verdict, with its row.
    """
    notes: list[str] = []
    present = [name for name in frame if name != "where"]
    if verdict is None:
        verdicts = _from_words(frame, invalid)
    else:
        rule = condition(verdict, "--verdict", present, path)
        verdicts = holds(frame, rule, invalid).map({True: "yes", False: "no"}).fillna("invalid")
        notes.append(f"yes where {rule}: {_count(verdicts, 'yes')}")
    if valid is not None:
        rule = condition(valid, "--valid", present, path)
        failed = ~holds(frame, rule, invalid).eq(True)
        verdicts = verdicts.where(~failed, "invalid")
        notes.append(f"invalid where not {rule}: {int(failed.sum()):,} replies")
    if invalid or valid is not None:
        notes.append(f"{_count(verdicts, 'invalid')} are invalid and stay in the denominator")
    return frame.assign(verdict=verdicts.astype(object)), notes


def _count(verdicts: Series, word: str) -> str:
    return f"{int(verdicts.eq(word).sum()):,} of {len(verdicts):,} replies"


def _from_words(frame: DataFrame, invalid: tuple[str, ...]) -> Series:
    texts = frame["verdict"].fillna("").str.strip()
    verdicts = texts.str.lower().map(WORDS)
    verdicts = verdicts.where(~texts.isin(list(invalid)), "invalid")
    wrong = verdicts.isna()
    if wrong.any():
        index = wrong.idxmax()
        raise CaveatError(f"{frame.loc[index, 'where']}: {_problem(texts[index], texts)}")
    return verdicts


def _problem(value: str, texts: Series) -> str:
    if not value:
        return "verdict is empty; fill it in, or count it as invalid: --invalid ''"
    line = f"verdict {value!r} is not one of yes, no, neutral, invalid, true, false, 1, 0; "
    if _number(value) is not None:
        return f"{line}give a threshold: --verdict 'NAME<{_middle(texts)}', NAME being the column"
    return (
        f"{line}say which value is yes, such as --verdict 'NAME=={value}', NAME being the column, "
        f"or count it as invalid: --invalid {value!r}"
    )


def _middle(texts: Series) -> str:
    """A number between the least and the most, to show how a threshold is written."""
    import pandas as pd

    numbers = pd.to_numeric(texts, errors="coerce").dropna()
    return f"{(numbers.min() + numbers.max()) / 2:.3g}"


def find_verdicts(frame: DataFrame, others: Collection[str], path: object) -> tuple[str, str]:
    """The column that holds verdicts, where none is called so, and a note that says what was taken.

    Raises CaveatError where no column, or more than one, holds nothing but yes and no.

    Args:
        others: Columns that hold something else.
    """
    import pandas as pd

    free = [name for name in frame if name not in others and name != "where"]
    filled = {name: frame[name].dropna().str.strip().str.lower() for name in free}
    words = [name for name, texts in filled.items() if len(texts) and texts.isin(list(WORDS)).all()]
    if len(words) > 1:
        raise CaveatError(
            f"{path}: the verdicts could be in {' or '.join(words)}; say which: "
            f"--verdict {words[0]}"
        )
    if words:
        (name,) = words
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
