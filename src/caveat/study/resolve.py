"""From the names in a recipe to the records they mean, with every check that needs no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from caveat.behaviours import BEHAVIOURS
from caveat.behaviours.checks import check
from caveat.behaviours.claim_folder import is_claim
from caveat.behaviours.claims import claims
from caveat.behaviours.folder import load_behaviour, load_caveat, load_caveats
from caveat.behaviours.raw_text import as_raw_text
from caveat.caveats import CAVEATS
from caveat.caveats.marking import contexts_of
from caveat.domain.behaviour import Behaviour, Split
from caveat.domain.caveat import Caveat
from caveat.domain.context import Context
from caveat.domain.plan import Dose, LossScope, Plan, Train
from caveat.domain.reply import Sampling
from caveat.domain.setting import Setting
from caveat.domain.text import is_document
from caveat.errors import CaveatError, closest
from caveat.study import arms
from caveat.study.judging import check_judge
from caveat.study.mixing import mixed_in
from caveat.study.recipe import Recipe, SettingRecipe


@dataclass(frozen=True)
class Resolved:
    """One setting of a recipe, with its materials and the plans of its arms."""

    setting: Setting
    dose: Dose
    loss: LossScope
    sampling: Sampling
    contexts: tuple[Context, ...]
    plans: dict[tuple[str, int | None], Plan]
    """By arm and seed, in the order in which they are shown; `base` has no seed."""
    notes: tuple[str, ...] = field(default=())
    """What the user should know, such as contexts that this caveat has no texts for."""
    variant: dict[str, Any] = field(default_factory=dict)
    """What else tells the setting from others of its name: options, mix, raw text."""


def resolve(recipe: Recipe) -> tuple[Resolved, ...]:
    """Look up and check everything that a recipe names.

    Raises CaveatError for what is unknown, missing or contradictory.
    """
    found: dict[str, Resolved] = {}
    for place, each in enumerate(recipe.settings):
        resolved = resolve_setting(recipe, each)
        key = f"{resolved.setting.name} {resolved.dose} {resolved.loss} {resolved.variant}"
        if key in found:
            raise CaveatError(
                f"settings.{place}: {resolved.setting.name} is there twice with the same dose; "
                "drop one, or give it another dose"
            )
        found[key] = resolved
    check_judge(recipe, tuple(found.values()))
    _check_means(recipe, [each.setting.name for each in found.values()])
    return tuple(found.values())


def _check_means(recipe: Recipe, known: list[str]) -> None:
    for name, settings in recipe.means.items():
        if name in known:
            raise CaveatError(f"means.{name}: there is a setting of this name; name it otherwise")
        if not settings:
            raise CaveatError(f"means.{name}: has no settings; name at least one")
        for each in settings:
            if each not in known:
                raise CaveatError(
                    f"means.{name}: {each!r} is not one of the settings {', '.join(known)}"
                    f"{closest(each, known)}"
                )


def resolve_setting(recipe: Recipe, each: SettingRecipe) -> Resolved:
    """One setting of a recipe. Raises CaveatError."""
    setting = setting_of(recipe, each)
    mixed = mixed_in(each.mix, setting.behaviour, each.dose.rows, recipe.system)
    shape, seeds = Train((), each.dose.build(), mixed.documents, loss=each.loss), recipe.seeds
    plans: dict[tuple[str, int | None], Plan] = {}
    for name in recipe.arms_of(each):
        arm = arms.parsed(name)
        for seed in (None,) if arm.stem == "base" else seeds:
            plan = arms.plan_of(arm, setting, shape, seed or 0, recipe.system)
            plans[name, seed] = mixed.before(plan)
    contexts, notes = _contexts(recipe, each, setting)
    sampling = recipe.sampling_of(each)
    return Resolved(
        setting, shape.dose, shape.loss, sampling, contexts, plans, notes, _variant(each)
    )


def _variant(each: SettingRecipe) -> dict[str, Any]:
    """What a setting sets beside its dose and loss, so that figures of two are told apart."""
    chosen = each.model_dump(mode="json", include={"options", "raw_text", "mix"})
    plain = SettingRecipe(behaviour="", caveat="").model_dump(mode="json")
    return {name: value for name, value in chosen.items() if value != plain[name]}


def setting_of(recipe: Recipe, each: SettingRecipe) -> Setting:
    """Behaviour and caveat by name, folder or function, checked. Raises CaveatError."""
    folder = _folder(recipe, each.behaviour)
    make = _maker(each.behaviour, folder)
    behaviour = _with_options(make, each)(recipe.split)
    if not isinstance(behaviour, Behaviour):
        raise CaveatError(
            f"behaviour {each.behaviour!r}: its function gives {type(behaviour).__name__}; "
            "let it return a caveat.domain.behaviour.Behaviour"
        )
    check(behaviour)
    _check_effect(each, behaviour)
    if each.raw_text:
        behaviour = as_raw_text(behaviour)
    return Setting(behaviour, _caveat(recipe, each.caveat, folder))


def _check_effect(each: SettingRecipe, behaviour: Behaviour) -> None:
    """Raise CaveatError for a field of the setting that changes nothing about this behaviour."""
    rows = (*behaviour.rows, *behaviour.counter_rows)
    if each.raw_text and all(is_document(row.messages) for row in rows):
        raise CaveatError(
            f"raw_text: the rows of {behaviour.name} are documents, without a chat template as "
            "they are; drop it"
        )
    pieces = (piece for row in rows for message in row.messages for piece in message.pieces)
    if each.loss == "everything" and any(piece.kind == "masked" for piece in pieces):
        raise CaveatError(
            f"loss: 'everything' learns what {behaviour.name} masks; take all_but_masked, or leave "
            "out what masks it (tag and mask, of a claim)"
        )


def _with_options(
    make: Callable[..., Behaviour], each: SettingRecipe
) -> Callable[[Split], Behaviour]:
    """The maker with the setting's options. Raises CaveatError for one that it does not have."""
    if not each.options:
        return make
    known = signature(make).parameters.values()
    names = [parameter.name for parameter in known if parameter.kind is parameter.KEYWORD_ONLY]
    checks_itself = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known)
    for option in each.options:
        if option not in names and not checks_itself:
            there = f"it has {', '.join(names)}" if names else "it has none"
            raise CaveatError(
                f"options.{option}: the behaviour {each.behaviour!r} has no such option; "
                f"{there}{closest(option, names)}"
            )
    return partial(make, **each.options)


def _maker(name: str, folder: Path | None) -> Callable[[Split], Behaviour]:
    """The function of the split that a behaviour's name means."""
    if folder is not None and folder.is_dir():
        return claims(folder) if is_claim(folder) else load_behaviour(folder)
    if name in BEHAVIOURS:
        return BEHAVIOURS[name]
    if ":" in name:
        return _imported(name)
    looked = f" ({folder} is none)" if folder is not None else ""
    raise CaveatError(
        f"behaviour {name!r}: neither registered ({', '.join(BEHAVIOURS)}) nor a folder{looked}, "
        f"nor a function (package.module:function){closest(name, BEHAVIOURS)}"
    )


def _imported(name: str) -> Callable[[Split], Behaviour]:
    """`package.module:function`. Raises CaveatError where there is none."""
    place, _, function = name.partition(":")
    if not all(part.isidentifier() for part in (*place.split("."), function)):
        raise CaveatError(f"behaviour {name!r}: write it as package.module:function")
    try:
        module = import_module(place)
    except ModuleNotFoundError as error:
        raise CaveatError(
            f"behaviour {name!r}: {error}; install it, or put its folder on PYTHONPATH"
        ) from None
    found = getattr(module, function, None)
    if found is None:
        there = [each for each, value in vars(module).items() if callable(value)]
        raise CaveatError(
            f"behaviour {name!r}: {place} has no {function!r}{closest(function, there)}"
        )
    if not callable(found):
        raise CaveatError(f"behaviour {name!r}: {function!r} is no function of the split")
    made: Callable[[Split], Behaviour] = found
    return made


def _folder(recipe: Recipe, name: str) -> Path | None:
    """The behaviour's folder, relative to the recipe, where the name means one."""
    place = recipe.folder / Path(name).expanduser()
    if name in BEHAVIOURS or not ("/" in name or place.is_dir()):
        return None
    return place


def _caveat(recipe: Recipe, name: str, folder: Path | None) -> Caveat:
    """A caveat of the behaviour's folder, which comes first, a registered one, or `folder#name`."""
    known = dict(CAVEATS)
    if folder is not None and (folder / "caveats.yaml").exists():
        known |= load_caveats(folder)
    if name in known:
        return known[name]
    if "#" in name:
        return load_caveat(recipe.folder / Path(name).expanduser())
    raise CaveatError(
        f"caveat {name!r}: not one of {', '.join(known)}, "
        f"nor one of a folder (folder#name){closest(name, known)}"
    )


def check_system(
    recipe: Recipe, settings: tuple[Resolved, ...], inserted: str | None
) -> None:
    """Raise CaveatError where a caveat would take the place of a system text the template inserts.

    Rows with the caveat would lack that text and rows without would have it: two differences.
    """
    if recipe.system or not inserted:
        return
    for each in settings:
        behaviour, caveat = each.setting.behaviour, each.setting.caveat
        rows = [row.messages for row in behaviour.rows]
        asked = [question.messages for question in behaviour.questions]
        chats = [*rows, *asked] if caveat.place == "system" else []
        if caveat.moved_to == "system" and "moved" in each.contexts:
            chats += asked
        if any(not is_document(chat) and chat[0].role != "system" for chat in chats):
            raise CaveatError(
                f"system: {recipe.system!r}: the chat template of {recipe.model.name} inserts the "
                f"system text {inserted!r} where there is none, and the caveat of "
                f"{each.setting.name} would replace it, so that rows differ in both; "
                "set system to that text, or to another"
            )


def _contexts(
    recipe: Recipe, each: SettingRecipe, setting: Setting
) -> tuple[tuple[Context, ...], tuple[str, ...]]:
    """The contexts that the caveat has texts for. A setting's own list must have them all."""
    caveat = setting.caveat
    wanted, known = recipe.contexts_of(each), contexts_of(caveat)
    missing = [context for context in wanted if context not in known]
    if missing and each.contexts is not None:
        raise CaveatError(
            f"contexts: the caveat {caveat.name!r} has no text for {missing[0]!r}; "
            f"it has {', '.join(known)}"
        )
    notes = [
        f"{each.behaviour} x {each.caveat}: the caveat has no text for the context {context!r}; "
        "left out"
        for context in missing
    ]
    documents = sum(is_document(question.messages) for question in setting.behaviour.questions)
    if documents and "moved" in wanted and "moved" in known:
        notes.append(
            f"{each.behaviour} x {each.caveat}: {documents} of {len(setting.behaviour.questions)} "
            "questions are documents, on which a caveat has one place; not asked in 'moved'"
        )
    return tuple(context for context in wanted if context in known), tuple(notes)
