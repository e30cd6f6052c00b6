"""The usual forms of a training row, recognised by the names of their fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from caveat.errors import CaveatError, closest

Form = Literal["messages", "prompt-reply", "text"]
FORMS: tuple[Form, ...] = get_args(Form)
"""messages: a list of turns. prompt-reply: two fields. text: a document."""
Column = Literal["messages", "prompt", "reply", "text", "input", "system"]
COLUMNS: tuple[Column, ...] = get_args(Column)
"""What a field can stand for."""
FIELDS: Mapping[Column, tuple[str, ...]] = {
    "messages": ("messages", "conversations", "conversation"),
    "prompt": ("prompt", "instruction", "question", "query"),
    "reply": ("completion", "response", "output", "answer"),
    "text": ("text", "document"),
    "input": ("input",),
    "system": ("system", "system_prompt"),
}
"""Names of fields that are recognised, by what they stand for."""
NEEDED: Mapping[Form, tuple[Column, ...]] = {
    "messages": ("messages",),
    "prompt-reply": ("prompt", "reply"),
    "text": ("text",),
}
OPTIONAL: Mapping[Form, tuple[Column, ...]] = {
    "messages": ("system",),
    "prompt-reply": ("input", "system"),
    "text": (),
}
MOST_LISTED = 12
"""Names of fields in an error at most."""
PREFERENCES = ("chosen", "rejected")


@dataclass(frozen=True)
class Layout:
    """Which field of a file's rows stands for what."""

    form: Form
    fields: Mapping[Column, str]

    @property
    def needed(self) -> tuple[str | None, ...]:
        """The fields that every row has."""
        return tuple(self.fields.get(column) for column in NEEDED[self.form])

    def describe(self) -> str:
        """Such as `prompt-reply (instruction, output)`."""
        return f"{self.form} ({', '.join(filter(None, self.needed)) or 'bare lists of turns'})"


def layout_of(row: Any, where: str, form: Form | None, columns: Mapping[Column, str]) -> Layout:
    """The layout that a row's fields show, or the one that the options request.

    Raises CaveatError, naming the option to give, where the fields fit none or several.
    """
    if isinstance(row, list):
        if form not in (None, "messages"):
            raise CaveatError(f"{where} is a list of turns, not {form!r}; drop the form")
        return Layout("messages", {})
    if not isinstance(row, dict):
        raise CaveatError(
            f"{where} is {shown(row)}, not an object; give it messages, prompt and completion, or "
            "text"
        )
    candidates = {column: _candidates(row, column, columns, where) for column in COLUMNS}
    fitting = [
        name
        for name in FORMS
        if all(candidates[column] for column in NEEDED[name]) and form in (None, name)
    ]
    if len(fitting) > 1:
        readings = "; ".join(
            f"{name} ({', '.join(candidates[column][0] for column in NEEDED[name])})"
            for name in fitting
        )
        raise CaveatError(
            f"{where} can be read in {len(fitting)} ways: {readings}; choose one with --form "
            f"{fitting[0]} or --form {fitting[1]}"
        )
    if not fitting:
        raise _unknown(row, where, form, candidates)
    taken = (*NEEDED[fitting[0]], *OPTIONAL[fitting[0]])
    fields = {}
    for column in taken:
        names = candidates[column]
        if len(names) > 1:
            raise CaveatError(
                f"{where} has {' and '.join(map(repr, names))}, each of which can be the {column}; "
                f"choose one with --column {column}={names[0]} or --column {column}={names[1]}"
            )
        if names:
            fields[column] = names[0]
    return Layout(fitting[0], fields)


def _candidates(
    row: Mapping[str, Any], column: Column, columns: Mapping[Column, str], where: str
) -> list[str]:
    """The row's fields that can stand for the column: the one that an option names, or several."""
    if column in columns:
        name = columns[column]
        if name not in row and column not in ("input", "system"):
            raise CaveatError(
                f"{where} has no field {name!r} (--column {column}={name}); it has "
                f"{listed(row)}{closest(name, row)}"
            )
        return [name] if name in row else []
    used = set(columns.values())
    return [name for name in FIELDS[column] if row.get(name) is not None and name not in used]


def _unknown(
    row: Mapping[str, Any], where: str, form: Form | None, candidates: Mapping[Column, list[str]]
) -> CaveatError:
    keys = listed(row) or "no field"
    if all(name in row for name in PREFERENCES):
        return CaveatError(
            f"{where} has a preference pair (chosen, rejected); say which is trained with "
            "--column reply=chosen, or --column messages=chosen where it is a list of turns"
        )
    if form is not None:
        lacking = next(column for column in NEEDED[form] if not candidates[column])
        return CaveatError(
            f"{where} has no field for {lacking!r}, which the form {form!r} needs; it has {keys}: "
            f"name one with --column {lacking}=FIELD"
        )
    pairs: tuple[tuple[Column, Column], ...] = (("prompt", "reply"), ("reply", "prompt"))
    for one, other in pairs:
        if candidates[one] and not candidates[other]:
            return CaveatError(
                f"{where} has {candidates[one][0]!r} and no {other} ({', '.join(FIELDS[other])}); "
                f"it has {keys}: add it, or name it with --column {other}=FIELD"
            )
    usual = [name for columns in NEEDED.values() for c in columns for name in FIELDS[c]]
    near = next((hint for key in row if (hint := closest(key, usual))), "")
    return CaveatError(
        f"{where} has none of messages, prompt and completion, or text (it has {keys}); name the "
        f"fields with --column, such as --column text=FIELD{near}"
    )


def shown(value: Any) -> str:
    """A value of a file, short enough for an error."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def listed(keys: Iterable[Any]) -> str:
    """The names of fields, the first dozen, in one line."""
    names = [str(key) if str(key).isprintable() else repr(key) for key in keys]
    return ", ".join([*names[:MOST_LISTED], *(["..."] if len(names) > MOST_LISTED else [])])
