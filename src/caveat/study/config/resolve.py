"""From the names in a recipe to the records they mean, with every check that needs no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from caveat.behaviours.validation import all_questions
from caveat.caveats.insertion import contexts_of
from caveat.environments import CODE_TASKS, TASKS
from caveat.environments.loading import is_hackable
from caveat.errors import CaveatError, closest
from caveat.readouts import READOUTS
from caveat.study.config import arms
from caveat.study.config.checkpoints import with_checkpoints
from caveat.study.config.data_sources import sampled
from caveat.study.config.schema import Recipe, SettingRecipe, WarmUpPairRecipe, WarmUpRecipe
from caveat.study.config.settings import setting_of
from caveat.study.config.warm_up import NONE, OWN, WarmUpPair, label, warm_up
from caveat.types.answers import Sampling
from caveat.types.caveats import Context, Setting
from caveat.types.data import Behaviour, Row
from caveat.types.fields import fields_of, without_late_defaults
from caveat.types.messages import is_document
from caveat.types.rewards import RewardTask
from caveat.types.training import Dose, GRPOConfig, LossScope, Plan, Train, supervised_dose


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
    """What else distinguishes the setting from others of its name: options, raw text, origin."""
    warm_up_label: str = ""
    """The warm-up of the base model, such as `instruction 0.5`; "" without one."""
    base: Plan = ()
    """The stages that make the setting's base model."""
    warm_up_settings: tuple[Setting, ...] = ()
    """The pairs that its warm-up trains on."""
    factors: dict[str, str] = field(default_factory=dict)
    """What the setting stands for on a ladder."""
    models: dict[tuple[str, int | None], str] = field(default_factory=dict)
    """By arm and seed, the ids of models that were trained elsewhere, as the plans say; empty where
    they are trained by the study."""


def resolve(recipe: Recipe) -> tuple[Resolved, ...]:
    """Look up and check everything that a recipe names.

    Raises CaveatError for what is unknown, missing or contradictory.
    """
    by_key: dict[str, Resolved] = {}
    for index, setting_recipe in enumerate(recipe.settings):
        resolved = resolve_setting(recipe, setting_recipe)
        made_from = (
            resolved.dose,
            resolved.loss,
            resolved.variant,
            resolved.warm_up_label,
            resolved.base,
        )
        key = f"{resolved.setting.name} {made_from}"
        if key in by_key:
            raise CaveatError(
                f"settings.{index}: {resolved.setting.name} is there twice with the same dose; "
                "drop one, or give it another dose"
            )
        by_key[key] = resolved
    settings = _numbered(tuple(by_key.values()))
    check_judge(recipe, settings)
    _check_means(recipe, [resolved.setting.name for resolved in settings])
    return settings


def _numbered(settings: tuple[Resolved, ...]) -> tuple[Resolved, ...]:
    """With a number after each warm-up label that an earlier setting with another base has too."""
    bases_by_label: dict[str, list[Plan]] = {}
    numbered = []
    for resolved in settings:
        bases = bases_by_label.setdefault(resolved.warm_up_label, [])
        if resolved.base not in bases:
            bases.append(resolved.base)
        number = bases.index(resolved.base) + 1
        numbered_label = (
            resolved.warm_up_label if number == 1 else f"{resolved.warm_up_label} #{number}"
        )
        numbered.append(replace(resolved, warm_up_label=numbered_label))
    return tuple(numbered)


def _check_means(recipe: Recipe, setting_names: list[str]) -> None:
    for name, settings in recipe.means.items():
        if name in setting_names:
            raise CaveatError(f"means.{name}: there is a setting of this name; name it otherwise")
        if not settings:
            raise CaveatError(f"means.{name}: has no settings; name at least one")
        for setting_name in settings:
            if setting_name not in setting_names:
                raise CaveatError(
                    f"means.{name}: {setting_name!r} is not one of the settings "
                    f"{', '.join(setting_names)}{closest(setting_name, setting_names)}"
                )


def resolve_setting(recipe: Recipe, setting_recipe: SettingRecipe) -> Resolved:
    """One setting of a recipe. Raises CaveatError."""
    setting = setting_of(recipe, setting_recipe)
    shape, seeds = _shape(setting_recipe, setting), recipe.seeds
    base, warm_up_label, warm_up_settings = _warm_up(recipe, setting_recipe, setting)
    framed = arms.FramedRows.of(setting, recipe.system)
    plans: dict[tuple[str, int | None], Plan] = {}
    for name in recipe.arms_of(setting_recipe):
        arm = arms.parsed(name)
        for seed in (None,) if arm.base_arm == "base" else seeds:
            plan = arms.plan_of(arm, setting, shape, seed or 0, recipe.system, framed)
            plan = sampled(plan) if setting_recipe.origin == "sampled" else plan
            plan = (
                with_checkpoints(plan, setting_recipe.rl.save_steps) if setting_recipe.rl else plan
            )
            plans[name, seed] = (*base, *plan)
    _check_replies(setting, (*plans.values(), base), recipe.comprehension)
    contexts, notes = _contexts(recipe, setting_recipe, setting)
    return Resolved(
        setting,
        shape.dose,
        shape.loss,
        recipe.sampling_of(setting_recipe),
        contexts,
        plans,
        notes,
        _variant(setting_recipe),
        warm_up_label,
        base,
        warm_up_settings,
        setting_recipe.factors,
    )


def _shape(setting_recipe: SettingRecipe, setting: Setting) -> Train:
    """A training of the setting's dose and objective, without rows of its own."""
    shape = Train((), setting_recipe.dose, loss=setting_recipe.loss)
    if setting_recipe.rl is None:
        return shape
    task = setting.behaviour.task
    if task is None:
        raise CaveatError(
            f"rl: {setting.behaviour.name} has no task that rewards replies; take the behaviour "
            f"{', '.join((*TASKS, *CODE_TASKS))}, or a file of your own (docs/rl.md)"
        )
    if setting_recipe.origin == "sampled":
        raise CaveatError("rl: its replies are sampled as it is; drop origin")
    if setting_recipe.raw_text:
        raise CaveatError("rl: a document has no prompt to reply to; drop raw_text")
    if shape.dose.optim != "adamw_torch":
        raise CaveatError(
            f"dose.optim: {shape.dose.optim}: RL has an optimizer of its own; set rl.optim instead"
        )
    if setting_recipe.rl.momentum and setting_recipe.rl.optim != "sgd":
        raise CaveatError(
            f"rl.momentum: {setting_recipe.rl.momentum:g}: {setting_recipe.rl.optim} has its own; "
            "take optim: sgd, or drop it"
        )
    _check_hackable(task, setting.behaviour.rows[: shape.dose.rows])
    return replace(shape, objective="grpo", rl=setting_recipe.rl.settings(task))


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


def _warm_up(
    recipe: Recipe, setting_recipe: SettingRecipe, setting: Setting
) -> tuple[Plan, str, tuple[Setting, ...]]:
    """The stages of a setting's warm-up, its label, and the pairs that it trains on."""
    if setting_recipe.warm_up is None:
        return (), "", ()
    pairs = tuple(
        _warm_up_pair(recipe, setting_recipe, setting, pair)
        for pair in setting_recipe.warm_up.pairs
    )
    dose = setting_recipe.warm_up.dose
    if dose is None:
        try:
            dose = supervised_dose(setting_recipe.dose, setting_recipe.rl)
        except ValueError as error:
            raise CaveatError(f"warm_up: {error}, or give it a dose of its own") from None
    foreign = _foreign_behaviour(recipe, setting_recipe, setting_recipe.warm_up, pairs)
    stages = warm_up(
        setting_recipe.warm_up, pairs, dose, setting_recipe.loss, recipe.system, foreign
    )
    name = label(setting_recipe.warm_up, setting.behaviour.name, pairs)
    return stages, name, tuple(pair.setting for pair in pairs)


def _warm_up_pair(
    recipe: Recipe, setting_recipe: SettingRecipe, setting: Setting, pair: WarmUpPairRecipe
) -> WarmUpPair:
    """The setting itself, with what the pair names in its place."""
    own = pair.behaviour in (None, setting_recipe.behaviour)
    if own and pair.caveat in (None, setting_recipe.caveat):
        return WarmUpPair(setting, _arm_row_count(setting_recipe, setting.behaviour))
    named = {
        "behaviour": pair.behaviour or setting_recipe.behaviour,
        "caveat": pair.caveat or setting_recipe.caveat,
        "options": setting_recipe.options if own else {},
        "wording": None,
        "wordings": None,
        "place": None,
    }
    other = setting_of(recipe, setting_recipe.model_copy(update=named))
    return WarmUpPair(other, _arm_row_count(setting_recipe, other.behaviour) if own else 0)


def _foreign_behaviour(
    recipe: Recipe,
    setting_recipe: SettingRecipe,
    warm_up_recipe: WarmUpRecipe,
    pairs: tuple[WarmUpPair, ...],
) -> Behaviour | None:
    """The behaviour whose counter rows a warm-up gets; None where no other one is named."""
    name = warm_up_recipe.counter_rows
    if name in (OWN, NONE):
        return None
    changes = {"behaviour": name, "options": {}, "wording": None, "wordings": None, "place": None}
    behaviour = setting_of(recipe, setting_recipe.model_copy(update=changes)).behaviour
    foreign = {row.messages for row in behaviour.counter_rows}
    for own in (pair.setting.behaviour for pair in pairs):
        if any(row.messages in foreign for row in own.counter_rows):
            raise CaveatError(
                f"warm_up.counter_rows: {name!r} shares counter rows with {own.name}, which the "
                f"warm-up trains; write {OWN}, or name a behaviour with others"
            )
    return behaviour


def _arm_row_count(setting_recipe: SettingRecipe, behaviour: Behaviour) -> int:
    """Rows that the arms are trained on."""
    return len(behaviour.rows[: setting_recipe.dose.rows])


def _variant(setting_recipe: SettingRecipe) -> dict[str, Any]:
    """What a setting sets beside its dose and loss: it distinguishes settings of one name."""
    chosen = setting_recipe.model_dump(mode="json", include={"options", "raw_text", "origin"})
    plain = SettingRecipe(behaviour="", caveat="").model_dump(mode="json")
    variant = {name: value for name, value in chosen.items() if value != plain[name]}
    rl = (
        {}
        if setting_recipe.rl is None
        else without_late_defaults(
            GRPOConfig, {n: getattr(setting_recipe.rl, n) for n in fields_of(GRPOConfig)}
        )
    )
    return {**variant, **{f"rl.{name}": value for name, value in rl.items()}}


def check_system(recipe: Recipe, settings: tuple[Resolved, ...], inserted: str | None) -> None:
    """Raise CaveatError where a caveat would take the place of a system text the template inserts.

    Rows with the caveat would lack that text and rows without would have it: two differences.
    """
    if recipe.system or not inserted:
        return
    for resolved in settings:
        behaviour, caveat = resolved.setting.behaviour, resolved.setting.caveat
        rows = [row.messages for row in behaviour.rows]
        prompts = [question.messages for question in behaviour.questions]
        chats = [*rows, *prompts] if caveat.place == "system" else []
        if caveat.moved_to == "system" and "moved" in resolved.contexts:
            chats += prompts
        if any(not is_document(chat) and chat[0].role != "system" for chat in chats):
            raise CaveatError(
                f"system: {recipe.system!r}: the chat template of {recipe.model.source} inserts "
                f"the system text {inserted!r} where there is none, and the caveat of "
                f"{resolved.setting.name} would replace it, so that rows differ in both; "
                "set system to that text, or to another"
            )


def _contexts(
    recipe: Recipe, setting_recipe: SettingRecipe, setting: Setting
) -> tuple[tuple[Context, ...], tuple[str, ...]]:
    """The contexts that the caveat has texts for. A setting's own list must have them all."""
    caveat = setting.caveat
    requested, available = recipe.contexts_of(setting_recipe), contexts_of(caveat)
    missing = [context for context in requested if context not in available]
    if missing and setting_recipe.contexts is not None:
        raise CaveatError(
            f"contexts: the caveat {caveat.name!r} has no text for {missing[0]!r}; "
            f"it has {', '.join(available)}"
        )
    sampling = [
        arm
        for arm in recipe.arms_of(setting_recipe)
        if arms.samples_counter_rows(arms.parsed(arm), setting)
    ]
    notes = (
        [
            f"{setting.name}: without counter rows, {' and '.join(sampling)} take the base model's "
            "own replies to the rows' prompts, sampled before training"
        ]
        if sampling
        else []
    )
    notes += [
        f"{setting_recipe.behaviour} x {setting_recipe.caveat}: the caveat has no text for the "
        f"context {context!r}; left out"
        for context in missing
    ]
    documents = sum(is_document(question.messages) for question in setting.behaviour.questions)
    if documents and "moved" in requested and "moved" in available:
        notes.append(
            f"{setting_recipe.behaviour} x {setting_recipe.caveat}: {documents} of "
            f"{len(setting.behaviour.questions)} questions are documents, on which a "
            "caveat has one place; left out of 'moved'"
        )
    return tuple(context for context in requested if context in available), tuple(notes)


def check_judge(recipe: Recipe, settings: Sequence[Resolved]) -> None:
    """Raise CaveatError where a readout needs a judge and the recipe names none."""
    for resolved in settings if recipe.judge is None else ():
        if names := judged_by(resolved):
            raise CaveatError(
                f"judge: {resolved.setting.name} has questions for the readout {names[0]!r}, which "
                "needs a judge, and the recipe names none; add "
                "judge: {endpoint: http://localhost:8000/v1, model: NAME} (see docs/judge.md)"
            )


def judged_by(resolved: Resolved) -> tuple[str, ...]:
    """The names of the setting's readouts that need a judge."""
    questions = all_questions(resolved.setting.behaviour)
    names = dict.fromkeys(question.readout for question in questions)
    return tuple(name for name in names if READOUTS[name].needs == "judge")
