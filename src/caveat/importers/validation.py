"""Imported verdicts: what a table of them must hold, whatever project it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caveat.analysis.panel import BASE
from caveat.errors import CaveatError
from caveat.types.answers import Verdict

if TYPE_CHECKING:
    from pandas import DataFrame


VERDICTS = tuple(str(verdict) for verdict in Verdict)
NAMES = ("setting", "phenomenon", "model", "arm", "context", "kind", "readout")
"""Columns that end up in headings and table rows."""
SLOT = ("setting", "model", "arm", "context", "seed", "kind", "question", "sample")
"""Columns that name a reply."""
NUMBER = re.compile(r"-?\d{1,15}")
DEFAULTS: Mapping[str, str] = {
    "phenomenon": "", "model": "not given", "kind": "", "prompt": "", "reply": "", "sample": "0",
    "readout": "imported",
}  # fmt: skip


@dataclass(frozen=True)
class Imported:
    """Verdicts on replies, checked, and what a study of them is to say of itself."""

    name: str
    replies: DataFrame
    """A row a reply with the columns of `SLOT` and `NAMES`, and behaviour, caveat, cluster, prompt,
    reply, verdict."""
    source: Mapping[str, Any]
    """Where they come from, for the provenance of the study."""
    means: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Settings by the name of the mean over them."""
    abouts: Mapping[str, str] = field(default_factory=dict)
    """Per setting, what the behaviour is, in one sentence."""
    notes: tuple[str, ...] = ()
    """What readers of the figures should know, such as what was left out."""


def checked(frame: DataFrame) -> DataFrame:
    """A table of text (see `read_table`) as replies: defaults filled in, numbers as numbers.

    Needs the columns setting, arm, context, question, verdict. Raises CaveatError, naming the row,
    for an empty value among them, an unknown verdict, a number that is none, a name that cannot be
    printed, two phenomena in a setting, and a reply that stands twice.
    """
    for column in ("setting", "arm", "context", "question", "verdict"):
        _each(frame, column, lambda text: text is not None, "is empty; fill it in")
    words = zip(frame["verdict"], frame["where"], strict=True)
    made = frame.assign(verdict=[_verdict(word, where) for word, where in words])
    for column, default in DEFAULTS.items():
        made[column] = made[column].fillna(default) if column in made else default
    for column in NAMES:
        _each(made, column, str.isprintable, "has a character that cannot be printed; take it out")
    for column in ("seed", "cluster"):
        made[column] = made.get(column, None)
    made["cluster"] = made["cluster"].fillna(made["question"])
    if "behaviour" not in made:
        parts = made["setting"].str.partition(" x ")  # as settings are named everywhere
        made["behaviour"], made["caveat"] = parts[0], parts[2]
    for column in ("sample", "seed"):
        _each(made, column, _is_number, "is no whole number; write it in digits")
    made["sample"] = made["sample"].map(int)
    made["seed"] = made["seed"].map(int, na_action="ignore").astype("Int64")
    _one_phenomenon(made)
    _once(made)
    made.loc[made["arm"] == BASE, "seed"] = None  # no seed trained it
    return made


def _each(frame: DataFrame, column: str, holds: Any, mistake: str) -> None:
    for found, where in zip(frame[column], frame["where"], strict=True):
        value = found if isinstance(found, str) else None  # pandas makes NaN of a None
        if not holds(value):
            told = column if value is None else f"{column} {value!r}"
            raise CaveatError(f"{where}: {told} {mistake}")


def _is_number(text: str | None) -> bool:
    return text is None or NUMBER.fullmatch(text) is not None


def _verdict(text: str, where: str) -> str:
    word = text.strip().lower()
    if word not in VERDICTS:
        raise CaveatError(f"{where}: verdict {text!r} is not one of {', '.join(VERDICTS)}")
    return word


def _one_phenomenon(frame: DataFrame) -> None:
    several = frame.drop_duplicates(["setting", "phenomenon"])
    again = several[several.duplicated("setting")]
    if len(again):
        row = again.iloc[0]
        first = several[several["setting"] == row["setting"]].iloc[0]["phenomenon"]
        raise CaveatError(
            f"{row['where']}: setting {row['setting']!r} has the phenomenon {row['phenomenon']!r}, "
            f"and {first!r} elsewhere; give it one"
        )


def _once(frame: DataFrame) -> None:
    again = frame.duplicated(list(SLOT))
    if again.any():
        row = frame[again].iloc[0]
        same = (frame[list(SLOT)].fillna(-1) == row[list(SLOT)].fillna(-1)).all(axis=1)
        names = f"setting {row['setting']!r}, arm {row['arm']!r}, context {row['context']!r}"
        raise CaveatError(
            f"{row['where']}: sample {row['sample']} of question {row['question']!r} ({names}) "
            f"stands already in {frame[same].iloc[0]['where']}; "
            "keep one, or number the replies in a column sample"
        )
