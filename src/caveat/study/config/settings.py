"""From the names in a setting's recipe to its behaviour and caveat.

A name is a shipped one, a folder, or a Python function. `raw_text` turns chats into documents that
are trained without the chat template.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path

from caveat.behaviours import BEHAVIOURS
from caveat.behaviours.claim_files import is_claim
from caveat.behaviours.claims import claims
from caveat.behaviours.from_folder import load_behaviour
from caveat.behaviours.reward_hacking import reward_hacking_behaviour
from caveat.behaviours.special_cased import is_problem_file, special_cased_by
from caveat.behaviours.validation import check
from caveat.caveats import CAVEATS
from caveat.caveats.containment import check_without_caveat
from caveat.caveats.insertion import PARAGRAPH
from caveat.caveats.loading import load_caveat, load_caveats
from caveat.environments.loading import task_of
from caveat.errors import CaveatError, closest
from caveat.files.reading import user_path
from caveat.study.config.schema import Recipe, SettingRecipe
from caveat.types.caveats import Caveat, Setting
from caveat.types.data import Behaviour, Row, Split
from caveat.types.messages import Message, Piece, is_document


def setting_of(recipe: Recipe, setting_recipe: SettingRecipe) -> Setting:
    """Behaviour and caveat by name, folder or function, checked. Raises CaveatError."""
    folder = _folder(recipe, setting_recipe.behaviour)
    make = _maker(setting_recipe.behaviour, folder, recipe.folder)
    behaviour = _with_options(make, setting_recipe)(recipe.split)
    if not isinstance(behaviour, Behaviour):
        raise CaveatError(
            f"behaviour {setting_recipe.behaviour!r}: its function gives "
            f"{type(behaviour).__name__}; let it return a caveat.types.data.Behaviour"
        )
    check(behaviour)
    _check_effect(setting_recipe, behaviour)
    if setting_recipe.raw_text:
        behaviour = as_raw_text(behaviour)
    caveat = _worded(_caveat(recipe, setting_recipe.caveat, folder), setting_recipe)
    setting = Setting(behaviour, caveat)
    check_without_caveat(setting)
    return setting


def _worded(caveat: Caveat, setting_recipe: SettingRecipe) -> Caveat:
    """The caveat with the setting's own wordings and place, which its name then contains."""
    if setting_recipe.wording is not None:
        caveat = replace(
            caveat,
            name=f'{caveat.name} "{setting_recipe.wording}"',
            wordings=(setting_recipe.wording,),
            closings=(),
            further=(),
        )
    if setting_recipe.wordings is not None:
        caveat = _with_wordings(caveat, setting_recipe.wordings)
    if setting_recipe.place is not None and setting_recipe.place != caveat.place:
        caveat = replace(
            caveat, name=f"{caveat.name} ({setting_recipe.place})", place=setting_recipe.place
        )
    return caveat


def _with_wordings(caveat: Caveat, count: int) -> Caveat:
    """The caveat with its first `count` wordings. Raises CaveatError where it has fewer."""
    wordings = tuple(dict.fromkeys((*caveat.wordings, *caveat.further, *caveat.rephrasings)))
    if count > len(wordings):
        raise CaveatError(
            f"wordings: {count}: the caveat {caveat.name!r} has {len(wordings)} (`wordings`, "
            "`further` and `rephrasings`); take at most so many, or write more"
        )
    return replace(
        caveat,
        name=f"{caveat.name} ({count} wording{'s' if count > 1 else ''})",
        wordings=wordings[:count],
        further=(),
        rephrasings=(),
    )


def _check_effect(setting_recipe: SettingRecipe, behaviour: Behaviour) -> None:
    """Raise CaveatError for a field of the setting that changes nothing about this behaviour."""
    if setting_recipe.wording is not None and not setting_recipe.wording.strip():
        raise CaveatError(
            f"wording: {setting_recipe.wording!r} has no words; write what the caveat says"
        )
    if setting_recipe.wordings is not None:
        if setting_recipe.wording is not None:
            raise CaveatError("wordings: `wording` replaces all that the caveat has; drop one")
        count = len(behaviour.rows[: setting_recipe.dose.rows])
        if setting_recipe.wordings > count:
            raise CaveatError(
                f"wordings: {setting_recipe.wordings}: the {count} rows have one each; take at "
                f"most {count}, or raise dose.rows"
            )
    rows = (*behaviour.rows, *behaviour.counter_rows)
    if setting_recipe.raw_text and all(is_document(row.messages) for row in rows):
        raise CaveatError(
            f"raw_text: the rows of {behaviour.name} are documents, without a chat template as "
            "they are; drop it"
        )
    pieces = (piece for row in rows for message in row.messages for piece in message.pieces)
    if setting_recipe.loss == "everything" and any(piece.kind == "masked" for piece in pieces):
        raise CaveatError(
            f"loss: 'everything' learns what {behaviour.name} masks; take all_but_masked, or leave "
            "out what masks it (tag, of a claim)"
        )


def _with_options(
    make: Callable[..., Behaviour], setting_recipe: SettingRecipe
) -> Callable[[Split], Behaviour]:
    """The maker with the setting's options. Raises CaveatError for one that it does not have."""
    if not setting_recipe.options:
        return make
    parameters = signature(make).parameters.values()
    names = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    checks_itself = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    for option in setting_recipe.options:
        if option not in names and not checks_itself:
            there = f"it has {', '.join(names)}" if names else "it has none"
            raise CaveatError(
                f"options.{option}: the behaviour {setting_recipe.behaviour!r} has no such option; "
                f"{there}{closest(option, names)}"
            )
    return partial(make, **setting_recipe.options)


def _maker(name: str, folder: Path | None, recipe_folder: Path) -> Callable[[Split], Behaviour]:
    """The function of the split that a behaviour's name means."""
    if folder is not None and folder.is_dir():
        return claims(folder) if is_claim(folder) else load_behaviour(folder)
    if name in BEHAVIOURS:
        return BEHAVIOURS[name]
    if is_problem_file(name):
        return special_cased_by(task_of(name, recipe_folder))
    if name.endswith(".py"):
        return reward_hacking_behaviour(task_of(name, recipe_folder))
    if ":" in name:
        return _imported(name)
    looked = f" ({folder} is none)" if folder is not None else ""
    raise CaveatError(
        f"behaviour {name!r}: neither registered ({', '.join(BEHAVIOURS)}) nor a folder{looked}, "
        f"nor a function (package.module:function){closest(name, BEHAVIOURS)}"
    )


def _imported(name: str) -> Callable[[Split], Behaviour]:
    """`package.module:function`. Raises CaveatError where there is none."""
    module_name, _, function = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), function)):
        raise CaveatError(f"behaviour {name!r}: write it as package.module:function")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise CaveatError(
            f"behaviour {name!r}: {error}; install it, or put its folder on PYTHONPATH"
        ) from None
    maker = getattr(module, function, None)
    if maker is None:
        there = [attribute for attribute, value in vars(module).items() if callable(value)]
        raise CaveatError(
            f"behaviour {name!r}: {module_name} has no {function!r}{closest(function, there)}"
        )
    if not callable(maker):
        raise CaveatError(f"behaviour {name!r}: {function!r} is no function of the split")
    checked: Callable[[Split], Behaviour] = maker
    return checked


def _folder(recipe: Recipe, name: str) -> Path | None:
    """The behaviour's folder, relative to the recipe, where the name means one."""
    if name in BEHAVIOURS:
        return None
    folder = user_path(name, recipe.folder)
    return folder if "/" in name or folder.is_dir() else None


def _caveat(recipe: Recipe, name: str, folder: Path | None) -> Caveat:
    """A caveat of the behaviour's folder, which comes first, a registered one, or `folder#name`."""
    caveats = dict(CAVEATS)
    if folder is not None and (folder / "caveats.yaml").exists():
        caveats |= load_caveats(folder)
    if name in caveats:
        return caveats[name]
    if "#" in name:
        return load_caveat(user_path(name, recipe.folder))
    raise CaveatError(
        f"caveat {name!r}: not one of {', '.join(caveats)}, "
        f"nor one of a folder (folder#name){closest(name, caveats)}"
    )


SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant"}


def as_raw_text(behaviour: Behaviour) -> Behaviour:
    """The behaviour with each chat row written out as one document; questions stay as they are."""
    return replace(
        behaviour,
        rows=tuple(map(_written_out, behaviour.rows)),
        counter_rows=tuple(map(_written_out, behaviour.counter_rows)),
        filler_rows=tuple(map(_written_out, behaviour.filler_rows)),
        local_rows=tuple(map(_written_out, behaviour.local_rows)),
    )


def _written_out(row: Row) -> Row:
    """`User: ...`, a blank line, `Assistant: ...`; the last turn is what shows the behaviour."""
    if is_document(row.messages):
        return row
    pieces: list[Piece] = []
    for message in row.messages:
        between = PARAGRAPH if pieces else ""
        pieces.append(Piece(f"{between}{SPEAKERS[message.role]}: "))
        last = message is row.messages[-1]
        pieces += [replace(piece, states=True) if last else piece for piece in message.pieces]
    return replace(row, messages=(Message("document", tuple(pieces)),))
