"""Plain values as JSON that keeps their types, for arguments of the sandbox and what it returns.

Types are compared exactly. An object whose class is a subclass of int, str or list is no plain
value, whatever it claims to equal, and no method of it is called. Decoding makes nothing but plain
values, so that a comparison with an expected value runs no code of the guest, even where the guest
forged the bytes.
"""

from __future__ import annotations

import json
import math
from collections import Counter, OrderedDict, defaultdict
from typing import Any

MOST_DEPTH = 32
"""Most levels of lists in lists."""
MOST_BITS = 14_000
"""Longest integer, in bits: 4215 digits. Python raises where more than 4300 are to be printed."""
SMALL_BITS = 60
"""Integers of so many bits are JSON numbers; longer ones are hexadecimal texts."""
_DICTS = (dict, Counter, OrderedDict, defaultdict)
"""Classes of the standard library whose values come out as dicts, which equal them."""
_TAGS: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
_TYPES = {tag: kind for kind, tag in _TAGS.items()}
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class TooLarge(Exception):
    """A value beyond the limits, in one line."""


class NotPlain(Exception):
    """A value that is no plain data, or text that encodes none, in one line."""


def encode(value: Any, most_items: int, most_bytes: int) -> str:
    """The JSON text of a plain value. Raises TooLarge and NotPlain."""
    text = json.dumps(_packed(value, _Budget(most_items, most_bytes), 0), separators=(",", ":"))
    if len(text) > most_bytes:
        raise TooLarge(f"a value of {len(text)} encoded bytes; {most_bytes} are allowed")
    return text


def decode(text: str, most_items: int) -> Any:
    """The plain value of a text, which may be forged. Raises NotPlain."""
    try:
        return _unpacked(json.loads(text, parse_constant=_no_constant), _Budget(most_items, 0), 0)
    except (ValueError, TypeError, RecursionError, TooLarge) as error:
        raise NotPlain(f"no encoded value: {type(error).__name__}") from error


class _Budget:
    """What is left of the items and the characters that a value may have."""

    def __init__(self, items: int, characters: int) -> None:
        self.items, self.characters = items, characters
        self._most = items

    def take(self, depth: int) -> None:
        """Count one item of a depth."""
        self.items -= 1
        if self.items < 0:
            raise TooLarge(f"a value of more than {self._most} items")
        if depth > MOST_DEPTH:
            raise TooLarge(f"a value of more than {MOST_DEPTH} levels")

    def take_text(self, text: str) -> None:
        """Count the characters of a text."""
        self.characters -= len(text)
        if self.characters < 0:
            raise TooLarge("a value with more text than is allowed")


def _packed(value: Any, budget: _Budget, depth: int) -> Any:
    """A value as JSON has it; what JSON lacks is a list that begins with a tag."""
    budget.take(depth)
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        budget.take_text(value)
        return value
    if kind is int:
        return _packed_integer(value)
    if kind is float:
        return value if math.isfinite(value) else ["float", repr(value)]
    if kind in _TAGS:
        return [_TAGS[kind], *(_packed(item, budget, depth + 1) for item in value)]
    if kind in _DICTS:
        pairs = [item for pair in dict.items(value) for item in pair]
        return ["dict", *(_packed(item, budget, depth + 1) for item in pairs)]
    raise NotPlain(f"a value of type {kind.__name__[:60]!r}, which is no plain data")


def _packed_integer(value: int) -> Any:
    bits = value.bit_length()
    if bits > MOST_BITS:
        raise TooLarge(f"an integer of {bits} bits; {MOST_BITS} are allowed")
    return value if bits <= SMALL_BITS else ["int", hex(value)]


def _unpacked(packed: Any, budget: _Budget, depth: int) -> Any:
    budget.take(depth)
    if packed is None or isinstance(packed, bool | int | float | str):
        if isinstance(packed, int) and packed.bit_length() > SMALL_BITS:
            raise ValueError("a long integer that is no hexadecimal text")
        if isinstance(packed, float) and not math.isfinite(packed):
            raise ValueError("a number that is too large")
        return packed
    if not isinstance(packed, list) or not packed:
        raise ValueError("neither a plain value nor a tagged list")
    tag, *items = packed
    if tag == "float":
        return _NOT_FINITE[_only_text(items)] if _only_text(items) in _NOT_FINITE else _fail()
    if tag == "int":
        return _unpacked_integer(_only_text(items))
    values = [_unpacked(item, budget, depth + 1) for item in items]
    if tag == "dict" and len(values) % 2 == 0:
        return dict(zip(values[::2], values[1::2], strict=True))
    if isinstance(tag, str) and tag in _TYPES:
        return _TYPES[tag](values)
    return _fail()


def _only_text(items: list[Any]) -> str:
    if len(items) != 1 or not isinstance(items[0], str):
        raise ValueError("a tag without its text")
    return items[0]


def _unpacked_integer(text: str) -> int:
    if len(text) > MOST_BITS // 4 + 3:
        raise ValueError("an integer that is too long")
    return int(text, 16)


def _fail() -> Any:
    raise ValueError("an unknown tag")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
