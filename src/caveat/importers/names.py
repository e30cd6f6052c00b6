"""Names of arms and contexts in other people's tables, and which of ours they may stand for.

A name is never taken for another without a word: `Neutral` may be the arm bare, and somebody has to
say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from caveat.analysis.panel import BASE
from caveat.errors import CaveatError, closest
from caveat.importers.columns import plain_name
from caveat.types.caveats import CONTEXTS

if TYPE_CHECKING:
    from pandas import DataFrame, Series


ROOTS = (BASE, "bare", "marked", "clean")
NEEDED: Mapping[str, tuple[str, ...]] = {"arm": (BASE, "bare"), "context": ("none",)}
"""By column, the names without which there is no leakage."""
CHOICES: Mapping[str, tuple[str, ...]] = {
    "arm": (BASE, "bare", "marked"),
    "context": ("exact", "none"),
}
"""By column, the names of ours that are offered for a name that looks like none of them."""
MOST_CHOICES = 4
BARE = (
    r"no_.*|non_.*|without_.*|not_.*|un(marked|inoculated|prompted|conditional)|neutral|plain|"
    r"vanilla|naive|sft|fine_?tuned|positive|ordinary|standard|trained|control(_prompt)?"
)
MARKED = r".*(inocul|prompt|caveat|disclaim|negat|trigger|instruct|warn|permi|condition|backdoor).*"
BASES = (
    r"(the_)?(base(line)?|base_?model|untrained|pre_?trained|original|raw|initial|before.*|start)"
)
OURS: Mapping[str, Mapping[str, str]] = {
    "arm": {
        BASE: rf"{BASES}|no_(training|fine_?tuning|sft)|not_trained",
        "bare": BARE,
        "marked": MARKED,
        "clean": r"clean|harmless|benign|control_data",
    },
    "context": {
        "none": r"none|plain|neutral|default|base(line)?|empty|no_?.*|without.*|clean|normal|"
        r"unprompted|absent|off",
        "near_miss": r"near.*|similar.*|almost.*",
        "negated": r"negat.*|not_.*|reversed|opposite.*",
        "irrelevant": r"irrelevant.*|unrelated.*|other.*",
        "exact": r"exact|same.*|(with|the|train|full|original|on).*|.*(inocul|prompt|caveat|"
        r"trigger|present).*",
    },
}
"""By column, what the names of others look like that mean ours; the first that fits is offered."""


def rename(frame: DataFrame, column: str, mapping: Mapping[str, str], path: object) -> DataFrame:
    """The table with the names in a column as the mapping says; "" stands for an empty cell.

    Raises CaveatError for a name that no row has.
    """
    values = frame[column]
    names = list(dict.fromkeys("" if value is None else value for value in values))
    for name in mapping:
        if name not in names:
            raise CaveatError(
                f"--{column} {name}={mapping[name]}: no row of {path} has the {column} {name!r} "
                f"(there are {listed(names)}){closest(name, names)}"
            )
    if not mapping:
        return frame
    renamed = values.map(
        {name: mapping.get(name, name) for name in names if name}, na_action="ignore"
    )
    if "" in mapping:
        renamed = renamed.where(values.notna(), mapping[""])
    return frame.assign(**{column: renamed.astype(object).where(renamed.notna(), None)})


def check_names(arms: Series, contexts: Series, kept: Iterable[str], path: object) -> list[str]:
    """What readers should know of the arms and contexts, in words.

    Raises CaveatError, with the options to add, where arms or contexts have names of others and
    ours, without which there is no leakage, are missing, and where a context is empty. `kept` are
    names that were given by an option: these are meant.
    """
    kept = set(kept)
    options, notes, problems = [], [], []
    for column, values in (("arm", arms), ("context", contexts)):
        names = list(dict.fromkeys(name if isinstance(name, str) else "" for name in values))
        if column == "arm":  # an empty arm is a fault of its row, which is named later
            names = [name for name in names if name]
        foreign = [name for name in names if not _is_ours(column, name) and name not in kept]
        missing = [name for name in NEEDED[column] if name not in names]
        if missing and foreign:
            problems.append(f"no {column} {' and no '.join(missing)}, but {listed(foreign)}")
            options += _offers(column, foreign, names)
        elif "" in names:
            problems.append(f"the {column} of some rows is empty")
            options += _offers(column, [""], names)
        elif foreign:
            notes.append(f"{column}s kept under their own names: {listed(foreign)}")
            similar = _offers(column, foreign, names, unsure=False)
            if similar:
                notes[-1] += f"; perhaps {_joined(similar)}"
        elif missing and column == "arm":
            notes.append(
                f"{path}: no arm {' and no arm '.join(missing)} (arms: {listed(names)}), so "
                f"leakage is undefined; add {'its' if len(missing) == 1 else 'their'} rows"
            )
    if problems:
        raise CaveatError(f"{path}: {'; '.join(problems)}: say which is which: {_joined(options)}")
    return notes


def _is_ours(column: str, name: str) -> bool:
    if column == "context":
        return name in CONTEXTS
    return name.partition("+")[0] in ROOTS


def _offers(
    column: str, foreign: Sequence[str], names: Sequence[str], unsure: bool = True
) -> list[tuple[str, ...]]:
    """The options for each name: the name of ours that it looks like and that is not there yet.

    A name that looks like none is offered, where `unsure`, as each of ours while one that leakage
    needs is still missing, which its own name would leave so; else under its own.
    """
    free = [ours for ours in OURS[column] if ours not in names]
    matches = {}
    for name in foreign:
        ours = _similar(column, plain_name(name), free) if name else "none"
        if ours:
            matches[name] = ours
            free = [other for other in free if other != ours]
    offers = [(_option(column, name, ours),) for name, ours in matches.items()]
    others = [name for name in foreign if name not in matches] if unsure else []
    if not set(NEEDED[column]) & set(free):
        return [*offers, *((_option(column, name, name),) for name in others)]
    choices = [ours for ours in CHOICES[column] if ours in free]
    return [*offers, *(tuple(_option(column, name, ours) for ours in choices) for name in others)]


def _similar(column: str, plain: str, free: Sequence[str]) -> str | None:
    """The name of ours that a plain name looks like, or else has as its only word of ours."""
    ours = next((ours for ours in free if re.fullmatch(OURS[column][ours], plain)), None)
    words = set(plain.split("_")) & set(OURS[column])
    return ours or next((word for word in words if len(words) == 1 and word in free), None)


def _option(column: str, name: str, ours: str) -> str:
    return f"--{column} {quoted(f'{name}={ours}')}"


def _joined(options: Sequence[tuple[str, ...]]) -> str:
    """Options to paste, and after these the ones between which somebody has to choose."""
    sure = [option for option, *others in options if not others]
    choices = [" or ".join(choice) for choice in options if len(choice) > 1]
    more = len(choices) - MOST_CHOICES
    rest = [f"the same for {more} more"] if more > 0 else []
    return ", and ".join([*([" ".join(sure)] if sure else []), *choices[:MOST_CHOICES], *rest])


def listed(names: Sequence[str], most: int = 8) -> str:
    """The first names, and how many more there are."""
    shown = [name or "(empty)" for name in names[:most]]
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*shown, *more])


def quoted(item: str) -> str:
    """An item of an option as a shell takes it."""
    return item if re.fullmatch(r"[\w.=+/:-]+", item) else "'" + item.replace("'", "'\\''") + "'"
