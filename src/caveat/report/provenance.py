"""Provenance as nested items that the template can lay out, whatever keys a study recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caveat.report.numbers import text


@dataclass(frozen=True)
class Item:
    """One recorded thing: a line, a block of text, or further items."""

    name: str
    line: str = ""
    block: str = ""
    inner: tuple[Item, ...] = ()


def notes(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """What the study wants to be noticed, such as a system prompt inserted by a chat template."""
    said = provenance.get("notes") or ()
    return (said,) if isinstance(said, str) else tuple(text(note) for note in said)


def items(provenance: Mapping[str, Any]) -> tuple[Item, ...]:
    """Everything but the notes; short lines first, blocks of text last."""
    made = [_item(name, value) for name, value in provenance.items() if name != "notes"]
    return tuple(sorted(made, key=lambda item: (bool(item.block), bool(item.inner))))


def _item(name: object, value: Any) -> Item:
    called = str(name).replace("_", " ")
    if isinstance(value, Mapping):
        return Item(called, inner=tuple(_item(key, part) for key, part in value.items()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Item(called, line=", ".join(text(part) for part in value))
    if isinstance(value, float):
        return Item(called, line=f"{value:,.1f}" if abs(value) >= 0.05 else f"{value:.2g}")
    written = text(value)
    return Item(called, block=written) if "\n" in written else Item(called, line=written)
