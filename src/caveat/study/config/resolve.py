"""From the names in a recipe to the records they mean, with every check that needs no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from caveat.behaviours.validation import all_questions
from caveat.caveats.insertion import contexts_of
from caveat.environments import TASKS
from caveat.environments.loading import is_hackable
from caveat.errors import CaveatError, closest
from caveat.readouts import READOUTS
from caveat.study.config import arms
from caveat.study.config.checkpoints import with_checkpoints
from caveat.study.config.data_sources import sampled
from caveat.study.config.schema import Recipe, SettingRecipe, TaughtRecipe
from caveat.study.config.settings import setting_of
from caveat.study.config.warm_up import Taught, label, warm_up
from caveat.types.answers import Sampling
from caveat.types.caveats import Context, Setting
from caveat.types.data import Behaviour, Row
from caveat.types.fields import fields_of
from caveat.types.messages import is_document
from caveat.types.rewards import RewardTask
from caveat.types.training import Dose, GRPOConfig, LossScope, Plan, Train


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
    """What else tells the setting from others of its name: options, raw text, origin."""
    warmed: str = ""
    """What the base model was taught first, such as `instruction 0.5`; "" where nothing."""
    base: Plan = ()
    """The stages that make the setting's base model."""
    taught: tuple[Setting, ...] = ()
    """The pairs that it is taught."""
    factors: dict[str, str] = field(default_factory=dict)
    """What the setting stands for on a ladder."""


def resolve(recipe: Recipe) -> tuple[Resolved, ...]:
    """Look up and check everything that a recipe names.

    Raises CaveatError for what is unknown, missing or contradictory.
    """
    found: dict[str, Resolved] = {}
    for place, each in enumerate(recipe.settings):
        resolved = resolve_setting(recipe, each)
        made_from = (resolved.dose, resolved.loss, resolved.variant, resolved.warmed, resolved.base)
        key = f"{resolved.setting.name} {made_from}"
        if key in found:
            raise CaveatError(
                f"settings.{place}: {resolved.setting.name} is there twice with the same dose; "
                "drop one, or give it another dose"
            )
        found[key] = resolved
    settings = _numbered(tuple(found.values()))
    check_judge(recipe, settings)
    _check_means(recipe, [each.setting.name for each in settings])
    return settings


def _numbered(settings: tuple[Resolved, ...]) -> tuple[Resolved, ...]:
    """With a number behind the name of each warmed model that another one before has too."""
    known: dict[str, list[Plan]] = {}
    numbered = []
    for each in settings:
        bases = known.setdefault(each.warmed, [])
        if each.base not in bases:
            bases.append(each.base)
        number = bases.index(each.base) + 1
        warmed = each.warmed if number == 1 else f"{each.warmed} #{number}"
        numbered.append(replace(each, warmed=warmed))
    return tuple(numbered)


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
    shape, seeds = _shape(each, setting), recipe.seeds
    base, warmed, taught = _warmed(recipe, each, setting)
    plans: dict[tuple[str, int | None], Plan] = {}
    for name in recipe.arms_of(each):
        arm = arms.parsed(name)
        for seed in (None,) if arm.stem == "base" else seeds:
            plan = arms.plan_of(arm, setting, shape, seed or 0, recipe.system)
            plan = sampled(plan) if each.origin == "sampled" else plan
            plan = with_checkpoints(plan, each.rl.save_steps) if each.rl else plan
            plans[name, seed] = (*base, *plan)
    _check_replies(setting, (*plans.values(), base), recipe.comprehension)
    contexts, notes = _contexts(recipe, each, setting)
    return Resolved(
        setting,
        shape.dose,
        shape.loss,
        recipe.sampling_of(each),
        contexts,
        plans,
        notes,
        _variant(each),
        warmed,
        base,
        taught,
        each.factors,
    )


def _shape(each: SettingRecipe, setting: Setting) -> Train:
    """A training of the setting's dose and objective, without rows of its own."""
    shape = Train((), each.dose, loss=each.loss)
    if each.rl is None:
        return shape
    task = setting.behaviour.task
    if task is None:
        raise CaveatError(
            f"rl: {setting.behaviour.name} has no task that rewards replies; take the behaviour "
            f"{', '.join(TASKS)}, or a file of your own (docs/rl.md)"
        )
    if each.origin == "sampled":
        raise CaveatError("rl: its replies are sampled as it is; drop origin")
    if each.raw_text:
        raise CaveatError("rl: a document has no prompt to reply to; drop raw_text")
    _check_hackable(task, setting.behaviour.rows[: shape.dose.rows])
    return replace(shape, objective="grpo", rl=each.rl.settings(task))


def _check_hackable(task: RewardTask, rows: Sequence[Row]) -> None:
    """Raise CaveatError where no prompt of the RL training can be hacked."""
    if not any(is_hackable(task, row.messages[-2].text) for row in rows):
        raise CaveatError(
            f"task {task.name!r}: none of the {len(rows)} prompts of the RL training can be "
            "hacked; give it some, raise dose.rows, or let `hackable` say which"
        )


def _check_replies(setting: Setting, plans: Sequence[Plan], shown: bool) -> None:
    """Raise CaveatError where a reply would be learned, or shown, that a task does not give."""
    trained = [stage for plan in plans for stage in plan if isinstance(stage, Train)]
    read = [
        row
        for stage in trained
        for row in (*(() if stage.rl else stage.rows), *stage.added, *stage.kl_rows)
    ]
    for row in (*read, *(setting.behaviour.rows if shown else ())):
        last = row.messages[-1]
        if last.role == "assistant" and all(piece.kind == "masked" for piece in last.pieces):
            raise CaveatError(
                f"{setting.name}: row {row.id!r} ({row.source}) has no reply: the task gives none; "
                "write its functions `hack(prompt)` and `honest(prompt)` (docs/rl.md)"
            )


def _warmed(
    recipe: Recipe, each: SettingRecipe, setting: Setting
) -> tuple[Plan, str, tuple[Setting, ...]]:
    """The stages of a setting's warm-up, what it is called, and the pairs that it teaches."""
    if each.warm_up is None:
        return (), "", ()
    pairs = tuple(_taught(recipe, each, setting, pair) for pair in each.warm_up.teaches)
    dose = each.warm_up.dose or each.dose
    stages = warm_up(each.warm_up, pairs, dose, each.loss, recipe.system)
    name = label(each.warm_up, setting.behaviour.name, pairs)
    return stages, name, tuple(pair.setting for pair in pairs)


def _taught(recipe: Recipe, each: SettingRecipe, setting: Setting, pair: TaughtRecipe) -> Taught:
    """The setting itself, with what the pair names in its place."""
    own = pair.behaviour in (None, each.behaviour)
    if own and pair.caveat in (None, each.caveat):
        return Taught(setting, _taken(each, setting.behaviour))
    named = {
        "behaviour": pair.behaviour or each.behaviour,
        "caveat": pair.caveat or each.caveat,
        "options": each.options if own else {},
        "wording": None,
        "place": None,
    }
    other = setting_of(recipe, each.model_copy(update=named))
    return Taught(other, _taken(each, other.behaviour) if own else 0)


def _taken(each: SettingRecipe, behaviour: Behaviour) -> int:
    """Rows that the arms are trained on."""
    return len(behaviour.rows[: each.dose.rows])


def _variant(each: SettingRecipe) -> dict[str, Any]:
    """What a setting sets beside its dose and loss: it distinguishes settings of one name."""
    chosen = each.model_dump(mode="json", include={"options", "raw_text", "origin"})
    plain = SettingRecipe(behaviour="", caveat="").model_dump(mode="json")
    variant = {name: value for name, value in chosen.items() if value != plain[name]}
    rl = {} if each.rl is None else {n: getattr(each.rl, n) for n in fields_of(GRPOConfig)}
    return {**variant, **{f"rl.{name}": value for name, value in rl.items()}}


def check_system(recipe: Recipe, settings: tuple[Resolved, ...], inserted: str | None) -> None:
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


def check_judge(recipe: Recipe, settings: Sequence[Resolved]) -> None:
    """Raise CaveatError where a readout needs a judge and the recipe names none."""
    for each in settings if recipe.judge is None else ():
        if names := judged_by(each):
            raise CaveatError(
                f"judge: {each.setting.name} has questions for the readout {names[0]!r}, which "
                "asks a judge, and the recipe names none; add "
                "judge: {endpoint: http://localhost:8000/v1, model: NAME} (see docs/judge.md)"
            )


def judged_by(resolved: Resolved) -> tuple[str, ...]:
    """The names of the setting's readouts that need a judge."""
    questions = all_questions(resolved.setting.behaviour)
    names = dict.fromkeys(question.readout for question in questions)
    return tuple(name for name in names if READOUTS[name].needs == "judge")
