"""From the names in a recipe to the records they mean, with every check that needs no model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from caveat.behaviours import BEHAVIOURS
from caveat.behaviours.checks import check
from caveat.behaviours.folder import load_behaviour, load_caveats
from caveat.caveats import CAVEATS
from caveat.caveats.marking import contexts_of
from caveat.domain.behaviour import Behaviour
from caveat.domain.caveat import Caveat
from caveat.domain.context import Context
from caveat.domain.plan import Dose, LossScope, Plan, Train
from caveat.domain.question import Question
from caveat.domain.reply import Sampling
from caveat.domain.setting import Setting
from caveat.errors import CaveatError, closest
from caveat.readouts import READOUTS
from caveat.study import arms
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


def resolve(recipe: Recipe) -> tuple[Resolved, ...]:
    """Look up and check everything that a recipe names.

    Raises CaveatError for what is unknown, missing or contradictory.
    """
    found: dict[str, Resolved] = {}
    for place, each in enumerate(recipe.settings):
        resolved = resolve_setting(recipe, each)
        key = f"{resolved.setting.name} {resolved.dose} {resolved.loss}"
        if key in found:
            raise CaveatError(
                f"settings.{place}: {resolved.setting.name} is there twice with the same dose; "
                "drop one, or give it another dose"
            )
        found[key] = resolved
    return tuple(found.values())


def resolve_setting(recipe: Recipe, each: SettingRecipe) -> Resolved:
    """One setting of a recipe. Raises CaveatError."""
    setting = setting_of(recipe, each)
    shape, seeds = Train((), each.dose.build(), loss=each.loss), recipe.seeds
    plans: dict[tuple[str, int | None], Plan] = {}
    for name in recipe.arms_of(each):
        arm = arms.parsed(name)
        for seed in (None,) if arm.stem == "base" else seeds:
            plans[name, seed] = arms.plan_of(arm, setting, shape, seed or 0, recipe.system)
    contexts, notes = _contexts(recipe, each, setting.caveat)
    sampling = recipe.sampling_of(each)
    return Resolved(setting, shape.dose, shape.loss, sampling, contexts, plans, notes)


def setting_of(recipe: Recipe, each: SettingRecipe) -> Setting:
    """Behaviour and caveat by name or from their folder, checked."""
    folder = _folder(recipe, each.behaviour)
    if folder is not None:
        behaviour = load_behaviour(folder)(recipe.split)
    elif each.behaviour in BEHAVIOURS:
        behaviour = BEHAVIOURS[each.behaviour](recipe.split)
    else:
        raise CaveatError(
            f"behaviour {each.behaviour!r}: neither registered ({', '.join(BEHAVIOURS)}) "
            f"nor a folder{closest(each.behaviour, BEHAVIOURS)}"
        )
    check(behaviour)
    effects = (question for effect in behaviour.side_effects for question in effect.questions)
    for question in (*behaviour.questions, *effects):
        _check_readout(behaviour, question)
    return Setting(behaviour, _caveat(each.caveat, folder))


def _folder(recipe: Recipe, name: str) -> Path | None:
    """The behaviour's folder, relative to the recipe, where the name means one."""
    place = recipe.folder / Path(name).expanduser()
    if name in BEHAVIOURS or not ("/" in name or place.is_dir()):
        return None
    return place


def _caveat(name: str, folder: Path | None) -> Caveat:
    """A caveat of the behaviour's folder, which comes first, or a registered one."""
    known = dict(CAVEATS)
    if folder is not None and (folder / "caveats.yaml").exists():
        known |= load_caveats(folder)
    if name not in known:
        raise CaveatError(f"caveat {name!r}: not one of {', '.join(known)}{closest(name, known)}")
    return known[name]


def _check_readout(behaviour: Behaviour, question: Question) -> None:
    readout = READOUTS.get(question.readout)
    where = f"{behaviour.name}: question {question.id!r}: readout {question.readout!r}"
    if readout is None:
        known = ", ".join(READOUTS)
        raise CaveatError(
            f"{where}: is not one of {known}{closest(question.readout, READOUTS)}"
        )
    if (readout.needs == "likelihood") != bool(question.options):
        needs = "options to score" if readout.needs == "likelihood" else "no options"
        raise CaveatError(f"{where}: needs {needs}")


def _contexts(
    recipe: Recipe, each: SettingRecipe, caveat: Caveat
) -> tuple[tuple[Context, ...], tuple[str, ...]]:
    """The contexts that the caveat has texts for. A setting's own list must have them all."""
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
    return tuple(context for context in wanted if context in known), tuple(notes)
