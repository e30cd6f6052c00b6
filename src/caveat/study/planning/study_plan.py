"""A study worked out before it runs: artifacts, answers and verdicts with their keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from caveat.caveats.insertion import framed
from caveat.readouts import READOUTS
from caveat.study.config.arms import parsed, trained_contexts
from caveat.study.config.resolve import Resolved
from caveat.study.config.schema import Recipe
from caveat.study.planning.artifact_graph import Cell, Node, TrainNode, cell_of, remote_cell
from caveat.study.planning.digests import (
    Keys,
    answer_keys,
    chain_digest,
    token_scores_keys,
    verdict_keys,
)
from caveat.study.planning.graded import GradedLine, graded_rows
from caveat.study.planning.graded import texts as graded_texts
from caveat.study.planning.grouping import Grouping
from caveat.study.planning.prompts import PlannedPrompt, comprehension, measured
from caveat.types.answers import Sampling
from caveat.types.caveats import Context
from caveat.types.data import Question
from caveat.types.fields import without_late_defaults
from caveat.types.messages import Messages
from caveat.types.training import Dose, Plan

T = TypeVar("T")


@dataclass(frozen=True)
class AnswerRequest:
    """Request for one answer: a reply, or the likelihoods of options."""

    key: str
    chain: tuple[str, ...]
    messages: Messages
    options: tuple[str, ...]
    sampling: Sampling
    by_token: bool = False
    """Whether the messages are a row whose tokens are scored one by one."""


@dataclass(frozen=True)
class Line:
    """One row of `Study.answers()`: one sample of a prompt in a cell, with keys of its results."""

    cell: Cell
    prompt: PlannedPrompt
    sample: int
    answer: str
    base_answer: str
    """Base model's answer in the context `none`; empty where the readout does not use it."""
    verdict: str

    @property
    def question(self) -> Question:
        """The question of the prompt."""
        return self.prompt.question


@dataclass(frozen=True)
class SettingPlan:
    """Work of one setting, without what an earlier setting makes already."""

    resolved: Resolved
    name: str
    dose: str
    """Dose, loss scope and other options as JSON; with the name, the key of the setting."""
    cells: tuple[Cell, ...]
    groups: tuple[tuple[Node, ...], ...]
    """Artifacts that are made together, level after level."""
    requests: tuple[tuple[AnswerRequest, ...], ...]
    """Answers that are got together: either replies or likelihoods."""
    lines: tuple[Line, ...]
    graded: tuple[GradedLine, ...] = ()
    """Rows whose decision tokens are scored."""
    notes: tuple[str, ...] = ()
    """What to know of these rows."""

    @property
    def warm_up_label(self) -> str:
        """Warm-up of its base model; empty where it has none."""
        return self.resolved.warm_up_label

    def model_name(self, base: str) -> str:
        """Name of its base model in tables, such as `smollm2-135m + instruction 0.5`."""
        return f"{base} + {self.warm_up_label}" if self.warm_up_label else base


@dataclass(frozen=True)
class StudyPlan:
    """All settings of a recipe, on one model."""

    recipe: Recipe
    model: str
    """The model's identity."""
    settings: tuple[SettingPlan, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of all settings, in order."""
        return tuple(cell for setting in self.settings for cell in setting.cells)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The rows of the study's table, in order."""
        return tuple(line for setting in self.settings for line in setting.lines)


def study_plan(
    recipe: Recipe,
    settings: tuple[Resolved, ...],
    model: str,
    grouping: Grouping | None = None,
) -> StudyPlan:
    """Plan a study. Groups are fixed here, and do not depend on what is left to do."""
    grouping = grouping or Grouping()
    nodes: set[str] = set()
    requests: set[str] = set()
    plans: list[SettingPlan] = []
    for resolved in settings:
        difference = _difference(resolved, settings)
        plan = _setting_plan(recipe, resolved, difference, model, nodes, requests, grouping)
        same = [
            other
            for other in plans
            if (other.name, other.warm_up_label) == (plan.name, plan.warm_up_label)
        ]
        planned = {line.verdict for other in same for line in other.lines}
        scored = {line.scores for other in same for line in other.graded}
        plan = replace(
            plan,
            lines=_new_lines(plan.lines, planned),
            graded=tuple(
                line for line in plan.graded if line.cell.arm != "base" or line.scores not in scored
            ),
        )
        nodes |= {node.digest for group in plan.groups for node in group}
        requests |= {request.key for group in plan.requests for request in group}
        plans.append(plan)
    return StudyPlan(recipe, model, tuple(plans))


def cells_alone(
    recipe: Recipe, settings: tuple[Resolved, ...], name: str | None, model: str
) -> tuple[SettingPlan, ...]:
    """The settings with their cells, without answers, whose keys take most of a plan's time.

    Args:
        name: Begins with the name of the settings to plan; None for all.
    """
    return tuple(
        _setting_plan(
            recipe.model_copy(update={"decision_tokens": False}), resolved,
            _difference(resolved, settings), model, set(), set(), Grouping(), answers=False,
        )
        for resolved in settings
        if name is None or name.startswith(resolved.setting.name)
    )  # fmt: skip


def _difference(resolved: Resolved, settings: tuple[Resolved, ...]) -> str:
    """How a setting differs from others of the same name, such as ` (epochs=2)`; empty if alone."""
    own = _treatment_and_warm_up(resolved)
    same_name = [other for other in settings if other.setting.name == resolved.setting.name]
    others = [_treatment_and_warm_up(other) for other in same_name]
    differences = [
        f"{key}={own[key]}"
        for key in own
        if any(other.get(key) != own[key] for other in others) and own[key] != ""
    ]
    return f" ({', '.join(differences)})" if differences else ""


def _treatment_and_warm_up(resolved: Resolved) -> dict[str, Any]:
    """What may distinguish the cells of two settings of one name."""
    return {**_treatment(resolved), "warm_up": resolved.warm_up_label}


def _treatment(resolved: Resolved) -> dict[str, Any]:
    """Dose, loss scope, and what else the setting sets."""
    dose = without_late_defaults(Dose, asdict(resolved.dose))
    return {**dose, "loss": resolved.loss, **resolved.variant}


def _setting_plan(
    recipe: Recipe,
    resolved: Resolved,
    difference: str,
    model: str,
    nodes: set[str],
    requests: set[str],
    grouping: Grouping,
    answers: bool = True,
) -> SettingPlan:
    name = resolved.setting.name
    cells = tuple(
        _cell(_cell_name(name + difference, arm, seed), arm, seed, plan, model, resolved)
        for (arm, seed), plan in resolved.plans.items()
    )
    base = _cell("", "base", None, resolved.base, model, resolved).chain
    lines, needed = [], {}
    if answers:
        common = [
            _PromptKeys(prompt, resolved, recipe) for prompt in measured(resolved, recipe.system)
        ]
        chain_of_base = chain_digest(model, base)
        for cell in cells:
            for prompt_keys in _prompts_of(recipe, resolved, cell, common):
                for line, request in prompt_keys.lines(
                    cell, chain_digest(model, cell.chain), chain_of_base
                ):
                    lines.append(line)
                    needed.setdefault(request.key, request)
    language_model = base if resolved.models else ()
    graded, note = _graded(recipe, resolved, cells, model, needed, language_model)
    new = [request for key, request in needed.items() if key not in requests]
    dose = json.dumps(_treatment(resolved), sort_keys=True)
    groups = _node_groups(cells, nodes, grouping)
    return SettingPlan(
        resolved,
        name,
        dose,
        cells,
        groups,
        _request_groups(new, grouping),
        tuple(lines),
        graded,
        note,
    )


def _cell(
    name: str, arm: str, seed: int | None, plan: Plan, model: str, resolved: Resolved
) -> Cell:
    """A cell of the setting: its model is trained by the study, or was elsewhere."""
    if resolved.models:
        return remote_cell(name, arm, seed, resolved.models[arm, seed], model)
    return cell_of(name, arm, seed, plan, model)


def _graded(
    recipe: Recipe,
    resolved: Resolved,
    cells: tuple[Cell, ...],
    model: str,
    needed: dict[str, AnswerRequest],
    language_model: tuple[str, ...],
) -> tuple[tuple[GradedLine, ...], tuple[str, ...]]:
    """The rows whose decision tokens are scored, and a note; `needed` gets their requests.

    Args:
        language_model: Chain of the model before any training.
    """
    if not recipe.decision_tokens:
        return (), ()
    graded, lines = graded_rows(resolved, recipe.system), []
    plain = {row: token_scores_keys(row.messages) for row in graded.rows}
    texts = [
        (*text, token_scores_keys(text[-1]), plain[text[1]])
        for text in graded_texts(graded, resolved, resolved.contexts)
    ]

    def key(keys: Keys, chain: tuple[str, ...], messages: Messages) -> str:
        digest = keys.digest(chain_digest(model, chain))
        if digest not in needed:
            request = AnswerRequest(digest, chain, messages, (), Sampling(), by_token=True)
            needed[digest] = request
        return digest

    for cell in cells:
        contexts = _contexts(recipe, resolved, cell)
        for context, row, decision, messages, keys, plain_keys in texts:
            if context in contexts:
                scores = key(keys, cell.chain, messages)
                base_scores = key(plain_keys, language_model, row.messages)
                lines.append(GradedLine(cell, context, row, decision, scores, base_scores))
    note = f"{resolved.setting.name}: {graded.note}"
    return tuple(lines), (note,) if graded.note else ()


def _contexts(recipe: Recipe, resolved: Resolved, cell: Cell) -> tuple[Context, ...]:
    """The contexts that a cell is prompted in."""
    trained_on = trained_contexts(parsed(cell.arm))
    return tuple(
        context
        for context in resolved.contexts
        if context not in trained_on and recipe.has_context(cell.arm, context)
    )


def _new_lines(lines: tuple[Line, ...], planned: set[str]) -> tuple[Line, ...]:
    """Lines without those of the base model that another dose of the setting has already."""
    return tuple(line for line in lines if line.cell.arm != "base" or line.verdict not in planned)


def _cell_name(setting: str, arm: str, seed: int | None) -> str:
    return f"{setting} / {arm}" + ("" if seed is None else f" / seed {seed}")


class _PromptKeys:
    """A prompt of a setting, and what its keys have in common in all cells."""

    def __init__(self, prompt: PlannedPrompt, resolved: Resolved, recipe: Recipe) -> None:
        question, sampling = prompt.question, resolved.sampling
        readout = READOUTS[question.readout]
        judge = recipe.judge.identity() if recipe.judge and readout.needs == "judge" else None
        self.prompt, self.recipe, self.sampling = prompt, recipe, sampling
        self.answers = answer_keys(prompt.messages, question, sampling)
        self.base_answers: Keys | None = None
        if readout.uses_base:
            plain = framed(question.messages, recipe.system)
            self.base_answers = answer_keys(plain, question, sampling)
        self.verdicts = verdict_keys(question, readout.version, judge)

    def lines(self, cell: Cell, chain: str, base: str) -> Iterator[tuple[Line, AnswerRequest]]:
        """One line per sample in a cell; likelihoods have one sample.

        Args:
            chain: Digest of the cell's model.
            base: Digest of the base model.
        """
        prompt, options = self.prompt, self.prompt.question.options
        samples = self.recipe.samples_of(cell.arm, prompt.purpose, self.sampling)
        for sample in range(1 if options else samples):
            key = self.answers.digest(chain, sample)
            base_answer = self.base_answers.digest(base, sample) if self.base_answers else ""
            verdict = self.verdicts.digest(key, base_answer or None)
            line = Line(cell, prompt, sample, key, base_answer, verdict)
            yield line, AnswerRequest(key, cell.chain, prompt.messages, options, self.sampling)


def _prompts_of(
    recipe: Recipe, resolved: Resolved, cell: Cell, common: Sequence[_PromptKeys]
) -> Iterator[_PromptKeys]:
    """The prompts of a cell: of those that all arms have, the ones in its contexts."""
    contexts = _contexts(recipe, resolved, cell)
    for prompt_keys in common:
        if prompt_keys.prompt.purpose != "measure" or prompt_keys.prompt.context in contexts:
            yield prompt_keys
    if recipe.comprehension and cell.arm == "base":
        for prompt in comprehension(resolved, recipe.system, recipe.seeds[0]):
            yield _PromptKeys(prompt, resolved, recipe)


def _node_groups(
    cells: tuple[Cell, ...], planned: set[str], grouping: Grouping
) -> tuple[tuple[Node, ...], ...]:
    """Groups of artifacts of one level and kind; adapters of a group have the same dose."""
    groups: dict[Any, dict[str, Node]] = {}
    for cell in cells:
        for node in cell.nodes:
            if node.digest not in planned:
                group = groups.setdefault((node.level, *_made_by(node)), {})
                group.setdefault(node.digest, node)
    levels = sorted(groups.items(), key=lambda item: item[0][0])
    return tuple(group for _, nodes in levels for group in _grouped(nodes, grouping))


def _grouped(nodes: dict[str, Node], grouping: Grouping) -> Iterator[tuple[Node, ...]]:
    first = next(iter(nodes.values()))
    dose = first.stage.dose if isinstance(first, TrainNode) else None
    return _batches(list(nodes.values()), grouping.size(dose, len(nodes)))


def _made_by(node: Node) -> tuple[Any, ...]:
    """What artifacts have in common that are made together."""
    if isinstance(node, TrainNode):
        return TrainNode, node.uses_rl, node.stage.dose
    return (type(node),)


def _request_groups(
    requests: list[AnswerRequest], grouping: Grouping
) -> tuple[tuple[AnswerRequest, ...], ...]:
    scored = [request for request in requests if request.options]
    by_token = [request for request in requests if request.by_token]
    sampled = [request for request in requests if not request.options and not request.by_token]
    return tuple(
        batch
        for some in (scored, by_token, sampled)
        for batch in _batches(some, grouping.answers(len(some)))
    )


def _batches(items: list[T], size: int) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])
