"""What a user says of a table: which columns, arms, contexts and verdicts are which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from caveat.errors import CaveatError


@dataclass(frozen=True)
class TableOptions:
    """The options of `caveat import table` and `caveat import rates`; an empty one says nothing."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """By our name of a column, the file's name of it."""
    arms: Mapping[str, str] = field(default_factory=dict)
    """By the file's name of an arm, or by the name of a file, our name of the arm."""
    contexts: Mapping[str, str] = field(default_factory=dict)
    """By the file's name of a context, our name of it."""
    all_arm: str | None = None
    """The arm of every row."""
    all_context: str | None = None
    """The context of every row."""
    setting: str | None = None
    """The setting of every row."""
    verdict: str | None = None
    """A column of verdicts, or a condition such as `alignment<50`: yes where it holds."""
    valid: str | None = None
    """A condition such as `coherent>=50`: invalid where it does not hold."""
    invalid: tuple[str, ...] = ()
    """Values that count as invalid."""
    number_samples: bool = False
    """Whether repeated replies to a question are numbered in the order of the file."""
    scale: float = 1.0
    """What a rate of 1 is called in the file: 100 for percentages."""
    replies: int | None = None
    """The number of replies behind each rate that has none of its own."""


def table_options(
    columns: Iterable[str] = (),
    arms: Iterable[str] = (),
    contexts: Iterable[str] = (),
    **others: object,
) -> TableOptions:
    """The options from items `A=B`; an item without `=` is the arm, or context, of every row.

    Raises CaveatError for an item that says nothing, or contradicts another.
    """
    columns, arms, contexts = list(columns), list(arms), list(contexts)
    plain = {"--arm": _plain("--arm", arms), "--context": _plain("--context", contexts)}
    return TableOptions(
        columns=_mapping("--column", columns),
        arms=_mapping("--arm", arms) if plain["--arm"] is None else {},
        contexts=_mapping("--context", contexts) if plain["--context"] is None else {},
        all_arm=plain["--arm"],
        all_context=plain["--context"],
        **others,  # type: ignore[arg-type]
    )


def _plain(option: str, items: list[str]) -> str | None:
    """The one item without `=`, which is of every row; None where there is none."""
    plain = next((item.strip() for item in items if "=" not in item), None)
    if plain is None:
        return None
    if not plain:
        raise CaveatError(f"{option} '': is empty; give it as {option} NAME or {option} VALUE=NAME")
    if len(items) > 1:
        raise CaveatError(
            f"{option} {plain!r} is for every row, so it stands alone; "
            f"write {option} VALUE={plain} for the rows with that value"
        )
    return plain


def _mapping(option: str, items: list[str]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for item in items:
        first, sign, second = (part.strip() for part in item.rpartition("="))
        if option == "--column":
            first, sign, second = (part.strip() for part in item.partition("="))
        if not sign or not second:
            example = "NAME=COLUMN" if option == "--column" else "VALUE=NAME"
            raise CaveatError(f"{option} {item!r}: write it as {option} {example}")
        if mapping.setdefault(first, second) != second:
            raise CaveatError(
                f"{option} {item!r}: {first!r} is {mapping[first]!r} already; keep one"
            )
    return mapping
