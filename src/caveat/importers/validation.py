"""Checks of imported verdicts, whatever project they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from caveat.analysis.panel import BASE
from caveat.errors import CaveatError, closest
from caveat.types.answers import Verdict
from caveat.types.data import Scope

if TYPE_CHECKING:
    from pandas import DataFrame, Series


VERDICTS = tuple(str(verdict) for verdict in Verdict)
NAMES = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "arm", "context", "kind", "readout",
)  # fmt: skip
"""Columns that end up in headings and table rows."""
SLOT = ("setting", "model", "arm", "context", "seed", "kind", "question", "sample", "readout")
"""Columns that name a verdict on an answer, with those of `OWN_SLOT` where there are some."""
OWN_SLOT = ("purpose", "dose")
SCOPES: tuple[str, ...] = get_args(Scope)
NUMBER = re.compile(r"-?\d{1,15}")
DEFAULTS: Mapping[str, str] = {
    "phenomenon": "", "model": "not given", "kind": "", "prompt": "", "reply": "", "sample": "0",
    "readout": "imported", "scope": "trained",
}  # fmt: skip
OWN_COLUMNS: Mapping[str, Any] = {
    "dose": "{}", "purpose": "measure", "numeric": False, "truncated": False, "value": None,
}  # fmt: skip
"""Columns that only answers of Caveat's own studies have, and what those of others get.

They are typed, so an importer that has them adds them itself, from what it has checked."""


@dataclass(frozen=True)
class Imported:
    """Checked verdicts on answers, and what the study made of them says of itself."""

    name: str
    replies: DataFrame
    """A row an answer, with the columns of `SLOT` and `NAMES`, and behaviour, caveat, cluster,
    scope, prompt, reply, verdict; those of `OWN_COLUMNS` where the importer has them."""
    source: Mapping[str, Any]
    """Where the verdicts come from, for the provenance of the study."""
    means: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Settings by the name of the mean over them."""
    abouts: Mapping[str, str] = field(default_factory=dict)
    """Per setting, what the behaviour is, in one sentence."""
    notes: tuple[str, ...] = ()
    """What readers of the study should know, such as what was left out."""
    entries: Mapping[str, Any] = field(default_factory=dict)
    """Entries of study.json that the source knows itself, in place of those made from the replies.
    """


def checked(frame: DataFrame, if_twice: str = "") -> DataFrame:
    """A table of text (see `read_table`) as answers: defaults filled in, numbers as numbers.

    Needs the columns setting, arm, context, question, verdict. Raises CaveatError, naming the row,
    for an empty value among them, an unknown verdict or scope, a number that is none, a name that
    cannot be printed, two phenomena in a setting, and an answer that is there twice.

    Args:
        if_twice: What else may be done about an answer that is there twice, for the error's line.
    """
    for column in ("setting", "arm", "context", "question", "verdict"):
        _check_values(frame, column, frame[column].isna(), "is empty; fill it in")
    answers = frame.assign(verdict=frame["verdict"].str.strip().str.lower())
    _check_values(
        frame, "verdict", ~answers["verdict"].isin(VERDICTS), f"is not one of {', '.join(VERDICTS)}"
    )
    for column, default in DEFAULTS.items():
        answers[column] = answers[column].fillna(default) if column in answers else default
    _add_behaviours(answers)
    for column in NAMES:
        names = answers[column].drop_duplicates()
        wrong = answers[column].isin(names[~names.map(str.isprintable)])
        _check_values(answers, column, wrong, "has a character that cannot be printed; take it out")
    scopes = answers["scope"].str.strip().str.lower()
    wrong = answers["scope"][~scopes.isin(SCOPES)].head(1)
    problem = f"is not one of {', '.join(SCOPES)}{closest(next(iter(wrong), ''), SCOPES)}"
    _check_values(answers, "scope", ~scopes.isin(SCOPES), problem)
    answers["scope"] = scopes
    for column in ("seed", "cluster"):
        answers[column] = answers.get(column, None)
    answers["cluster"] = answers["cluster"].fillna(answers["question"])
    for column in ("sample", "seed"):
        filled = answers[column].notna()
        wrong = filled & ~answers[column].where(filled, "0").str.fullmatch(NUMBER.pattern)
        _check_values(answers, column, wrong, "is no whole number; write it in digits")
    answers["sample"] = answers["sample"].map(int)
    answers["seed"] = answers["seed"].map(int, na_action="ignore").astype("Int64")
    _check_phenomena(answers)
    _check_duplicates(answers, if_twice)
    answers.loc[answers["arm"] == BASE, "seed"] = None  # base is not trained
    return answers


def _add_behaviours(answers: DataFrame) -> None:
    """Fill in behaviours and caveats from settings, named `behaviour x caveat` everywhere."""
    parts = answers["setting"].str.partition(" x ")
    for column, part in (("behaviour", parts[0]), ("caveat", parts[2])):
        answers[column] = answers[column].fillna(part) if column in answers else part


def _check_values(frame: DataFrame, column: str, wrong: Series, problem: str) -> None:
    """Raise CaveatError for the first row that is wrong."""
    if wrong.any():
        row = frame.loc[wrong.idxmax()]
        value = row[column] if isinstance(row[column], str) else None  # pandas makes NaN of a None
        name = column if value is None else f"{column} {value!r}"
        raise CaveatError(f"{row['where']}: {name} {problem}")


def _check_phenomena(frame: DataFrame) -> None:
    several = frame.drop_duplicates(["setting", "phenomenon"])
    conflicting = several[several.duplicated("setting")]
    if len(conflicting):
        row = conflicting.iloc[0]
        first = several[several["setting"] == row["setting"]].iloc[0]["phenomenon"]
        raise CaveatError(
            f"{row['where']}: setting {row['setting']!r} has the phenomenon {row['phenomenon']!r}, "
            f"and {first!r} elsewhere; give it one"
        )


def _check_duplicates(frame: DataFrame, if_twice: str) -> None:
    slot = [*SLOT, *(column for column in OWN_SLOT if column in frame)]
    repeated = frame.duplicated(slot)
    if repeated.any():
        row = frame[repeated].iloc[0]
        same = (frame[slot].fillna(-1) == row[slot].fillna(-1)).all(axis=1)
        names = f"setting {row['setting']!r}, arm {row['arm']!r}, context {row['context']!r}"
        raise CaveatError(
            f"{row['where']}: sample {row['sample']} of question {row['question']!r} ({names}) "
            f"is already in {frame[same].iloc[0]['where']}; "
            f"keep one, or number the replies in a column sample{if_twice}"
        )
