"""Verdicts from the scores of Inspect: letters, numbers, booleans, or a condition on one.

Also what is left out of logs on the way, which is counted and said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError, closest
from caveat.importers.inspect_mapping import LogOptions
from caveat.importers.names import listed
from caveat.importers.table_files import as_text
from caveat.importers.verdict_rules import WORDS, with_verdicts

if TYPE_CHECKING:
    from inspect_ai.log import EvalSample
    from pandas import DataFrame


GRADES = {"C": "yes", "I": "no"}
"""Inspect's letters: correct and incorrect. Partial (P) and no answer (N) are the user's to say."""


@dataclass
class Notes:
    """What was left out, counted, and what else readers should know."""

    others: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    unscored: int = 0

    def lines(self) -> Iterator[str]:
        """One sentence each."""
        yield from self.others
        if self.unfinished:
            count, noun = len(self.unfinished), "logs" if len(self.unfinished) > 1 else "log"
            yield f"{count} {noun} left out, not finished: {listed(self.unfinished, 3)}"
        for kind, count in self.errors.items():
            yield f"samples left out, {kind}: {count:,}"
        if self.unscored:
            yield f"answers without a score, so invalid: {self.unscored:,}"


def scores_of(sample: EvalSample) -> dict[str, str | None]:
    """Scores by name; of a scorer that gives several values, each as `SCORER.KEY`."""
    values: dict[str, str | None] = {}
    for name, score in (sample.scores or {}).items():
        parts = score.value if isinstance(score.value, dict) else {None: score.value}
        for key, value in parts.items():
            column = name if key is None else f"{name}.{key}"
            column = f"score {column}" if column in ("where", "file", "verdict") else column
            values[column] = _written(value)
    return values


def _written(value: Any) -> str | None:
    """A score's value as text; a list, which no verdict can be made of, as it is."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else as_text(value)


def verdicts_of(scores: DataFrame, options: LogOptions, name: str, notes: Notes) -> tuple[Any, str]:
    """The verdict of each sample, and the score or condition that it was made by."""
    names = [column for column in scores if column not in ("where", "file")]
    if not names:
        first = scores.iloc[0]
        raise CaveatError(f"{first['file']}: has no scores; run inspect score on it first")
    judged = scores[["where", *names]].copy()
    if len(names) == 1 and names[0] != "score":
        judged["score"] = judged[names[0]]
    chosen = _chosen(names, options, scores)
    _check_present(scores, names, chosen)
    text = (options.verdict or chosen).strip()
    condition = None if text in (*names, "score") else text
    if condition is None:
        judged["verdict"] = _words(judged, chosen, options, notes)
    notes.unscored += int(scores[chosen].isna().sum())
    invalid = (*options.invalid, "")
    table, rules = with_verdicts(judged, condition, options.valid, invalid, name)
    notes.others += rules if options.invalid or options.valid or condition else []
    return table["verdict"], chosen


def _chosen(names: Sequence[str], options: LogOptions, scores: DataFrame) -> str:
    """The score that the verdict is taken from. Raises CaveatError where it is not clear."""
    first = scores["file"].iloc[0]
    if options.verdict is None:
        if len(names) > 1:
            raise CaveatError(
                f"{first}: there are the scores {listed(names)}; say which: --verdict "
                f"{names[0]!r}, or a condition such as --verdict '{names[0]}<50'"
            )
        return names[0]
    text = options.verdict.strip()
    if text == "score" and len(names) == 1:
        return names[0]
    column = re.split(r"\s*(?:<=|>=|==|!=|<|>|=)", text)[0] if text not in names else text
    if column == "score" and len(names) == 1:
        return names[0]
    if column not in names:
        raise CaveatError(
            f"--verdict {text!r}: {first} has no score {column!r} (it has {listed(names)})"
            f"{closest(column, names)}"
        )
    return column


def _check_present(scores: DataFrame, names: Sequence[str], chosen: str) -> None:
    """Raise CaveatError for a log of which no sample has the score."""
    for file, part in scores.groupby("file", sort=False):
        if part[chosen].isna().all():
            own = [name for name in names if part[name].notna().any()]
            has = f"it has {listed(own)}" if own else "it has none"
            raise CaveatError(
                f"{file}: has no score {chosen!r} ({has}); run inspect score on it, or leave it out"
            )


def _words(judged: DataFrame, chosen: str, options: LogOptions, notes: Notes) -> Any:
    """The score's values as verdicts in words, as far as they are clear."""
    texts = judged[chosen]
    meanings: Mapping[str, str] = options.values or GRADES
    used = [value for value in meanings if texts.eq(value).any()]
    if options.values:
        left_out = texts.notna() & ~texts.isin([*options.values, *options.invalid])
        if left_out.any():
            row = judged[left_out].iloc[0]
            raise CaveatError(
                f"{row['where']}: {chosen} {row[chosen]!r} is none of the values "
                f"{listed(list(options.values))}; add it to values in the mapping file"
            )
        return texts.map(meanings, na_action="ignore").where(texts.notna(), None)
    words = texts.str.lower()
    unclear = texts.notna() & ~(words.isin(list(WORDS)) | texts.isin([*GRADES, *options.invalid]))
    if unclear.any():
        row = judged[unclear].iloc[0]
        raise CaveatError(f"{row['where']}: {_unclear(chosen, row[chosen])}")
    if used:
        meanings_in_words = ", ".join(f"{value} as {meanings[value]}" for value in used)
        notes.others.append(
            f"{chosen}: {meanings_in_words}; if the behaviour is what {used[-1]} stands for, say "
            f"--verdict '{chosen}=={used[-1]}'"
        )
    return texts.map(lambda text: meanings.get(text, text), na_action="ignore")


def _unclear(chosen: str, value: str) -> str:
    """Why a score's value is no verdict, and what to do."""
    try:
        float(value)
        option = f"--verdict '{chosen}<{value}'"
    except ValueError:
        option = f"--verdict '{chosen}=={value}'"
    return (
        f"{chosen} {value!r} is not one of {', '.join(GRADES)}, true, false, 1, 0, yes, no; say "
        f"what is a yes, such as {option}, or count it as invalid: --invalid {value!r}; a mapping "
        "file may give each value a verdict"
    )
