"""The whole of a study before anything is made: nodes, answers and verdicts with their keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from caveat.caveats.insertion import framed
from caveat.readouts import READOUTS
from caveat.study.config.arms import parsed, trained_contexts
from caveat.study.config.resolve import Resolved
from caveat.study.config.schema import Recipe
from caveat.study.planning.artifact_graph import Cell, Node, TrainNode, cell_of
from caveat.study.planning.digests import answer_key, chain_digest, verdict_key
from caveat.study.planning.grouping import Grouping
from caveat.study.planning.prompts import Asked, comprehension, measured
from caveat.types.answers import Sampling
from caveat.types.data import Question
from caveat.types.messages import Messages

T = TypeVar("T")
REQUESTS = 256
"""Most requests that are answered, and published, together."""


@dataclass(frozen=True)
class AnswerRequest:
    """One answer to get: a reply, or the likelihoods of options."""

    key: str
    chain: tuple[str, ...]
    messages: Messages
    options: tuple[str, ...]
    sampling: Sampling


@dataclass(frozen=True)
class Line:
    """One row of `Study.replies()`: an answer, its verdict, and what they belong to."""

    cell: Cell
    asked: Asked
    sample: int
    answer: str
    base_answer: str
    """Answer of the base model in the context `none`; "" where the readout wants none."""
    verdict: str

    @property
    def question(self) -> Question:
        """What was asked."""
        return self.asked.question


@dataclass(frozen=True)
class SettingPlan:
    """All that one setting takes. What an earlier setting makes already is not in it again."""

    resolved: Resolved
    name: str
    dose: str
    """The dose, the loss scope, and what else the setting sets, as canonical JSON: with the name,
    the setting's key."""
    cells: tuple[Cell, ...]
    groups: tuple[tuple[Node, ...], ...]
    """Nodes made together, level after level."""
    asks: tuple[tuple[AnswerRequest, ...], ...]
    """Answers got together: replies apart from likelihoods."""
    lines: tuple[Line, ...]

    @property
    def warmed(self) -> str:
        """What its base model was taught first; "" where nothing."""
        return self.resolved.warmed

    def model_name(self, base: str) -> str:
        """What tables call its base model, such as `smollm2-135m + instruction 0.5`."""
        return f"{base} + {self.warmed}" if self.warmed else base


@dataclass(frozen=True)
class StudyPlan:
    """A recipe on a model, worked out."""

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
    """Work out a study. Groups are fixed here, by the plan, not by what is left to do."""
    grouping = grouping or Grouping()
    nodes: set[str] = set()
    asks: set[str] = set()
    plans: list[SettingPlan] = []
    for resolved in settings:
        apart = _told_apart(resolved, settings)
        plan = _setting_plan(recipe, resolved, apart, model, nodes, asks, grouping)
        same = [each for each in plans if (each.name, each.warmed) == (plan.name, plan.warmed)]
        known = {line.verdict for each in same for line in each.lines}
        plan = replace(plan, lines=_new_lines(plan.lines, known))
        nodes |= {node.digest for group in plan.groups for node in group}
        asks |= {ask.key for group in plan.asks for ask in group}
        plans.append(plan)
    return StudyPlan(recipe, model, tuple(plans))


def _told_apart(resolved: Resolved, settings: tuple[Resolved, ...]) -> str:
    """What tells a setting from others of the same name, such as ` (epochs=2)`."""
    mine = _told(resolved)
    others = [_told(each) for each in settings if each.setting.name == resolved.setting.name]
    told = [
        f"{key}={mine[key]}"
        for key in mine
        if any(each.get(key) != mine[key] for each in others) and mine[key] != ""
    ]
    return f" ({', '.join(told)})" if told else ""


def _told(resolved: Resolved) -> dict[str, Any]:
    """What a cell's name may tell."""
    return {**_treatment(resolved), "warm_up": resolved.warmed}


def _treatment(resolved: Resolved) -> dict[str, Any]:
    """The dose, the loss scope, and what else the setting sets."""
    return {**asdict(resolved.dose), "loss": resolved.loss, **resolved.variant}


def _setting_plan(
    recipe: Recipe,
    resolved: Resolved,
    apart: str,
    model: str,
    nodes: set[str],
    asks: set[str],
    grouping: Grouping,
) -> SettingPlan:
    name = resolved.setting.name
    cells = tuple(
        cell_of(_cell_name(name + apart, arm, seed), arm, seed, plan, model)
        for (arm, seed), plan in resolved.plans.items()
    )
    untrained = cell_of("", "base", None, resolved.base, model).chain
    lines, needed = [], {}
    for cell in cells:
        for asked in _asked(recipe, resolved, cell):
            for line, ask in _lines(cell, untrained, asked, resolved, model, recipe):
                lines.append(line)
                needed.setdefault(ask.key, ask)
    new = [ask for key, ask in needed.items() if key not in asks]
    dose = json.dumps(_treatment(resolved), sort_keys=True)
    groups = _node_groups(cells, nodes, grouping)
    return SettingPlan(resolved, name, dose, cells, groups, _ask_groups(new), tuple(lines))


def _new_lines(lines: tuple[Line, ...], known: set[str]) -> tuple[Line, ...]:
    """Without what the base model was asked already under another dose of the same setting."""
    return tuple(line for line in lines if line.cell.arm != "base" or line.verdict not in known)


def _cell_name(setting: str, arm: str, seed: int | None) -> str:
    return f"{setting} / {arm}" + ("" if seed is None else f" / seed {seed}")


def _asked(recipe: Recipe, resolved: Resolved, cell: Cell) -> Iterator[Asked]:
    trained_on = trained_contexts(parsed(cell.arm))
    for asked in measured(resolved, recipe.system):
        left_out = asked.context in trained_on or not recipe.is_asked(cell.arm, asked.context)
        if asked.purpose != "measure" or not left_out:
            yield asked
    if recipe.comprehension and cell.arm == "base":
        yield from comprehension(resolved, recipe.system, recipe.seeds[0])


def _lines(
    cell: Cell,
    untrained: tuple[str, ...],
    asked: Asked,
    resolved: Resolved,
    model: str,
    recipe: Recipe,
) -> Iterator[tuple[Line, AnswerRequest]]:
    """One line a sample; likelihoods have one sample. `untrained` is the base model's chain."""
    question, sampling = asked.question, resolved.sampling
    readout = READOUTS[question.readout]
    judge = recipe.judge.identity() if recipe.judge and readout.needs == "judge" else None
    chain, base = chain_digest(model, cell.chain), chain_digest(model, untrained)
    for sample in range(1 if question.options else sampling.samples):
        key = answer_key(chain, asked.messages, question, sampling, sample)
        against = ""
        if readout.uses_base:
            plain = framed(question.messages, recipe.system)
            against = answer_key(base, plain, question, sampling, sample)
        verdict = verdict_key(key, against or None, question, readout.version, judge)
        line = Line(cell, asked, sample, key, against, verdict)
        yield line, AnswerRequest(key, cell.chain, asked.messages, question.options, sampling)


def _node_groups(
    cells: tuple[Cell, ...], known: set[str], grouping: Grouping
) -> tuple[tuple[Node, ...], ...]:
    """Nodes of one level and kind in groups; adapters of a group have the same dose."""
    found: dict[Any, dict[str, Node]] = {}
    for cell in cells:
        for node in cell.nodes:
            if node.digest not in known:
                group = found.setdefault((node.level, *_made_by(node)), {})
                group.setdefault(node.digest, node)
    levels = sorted(found.items(), key=lambda item: item[0][0])
    return tuple(group for _, nodes in levels for group in _grouped(nodes, grouping))


def _grouped(nodes: dict[str, Node], grouping: Grouping) -> Iterator[tuple[Node, ...]]:
    first = next(iter(nodes.values()))
    dose = first.stage.dose if isinstance(first, TrainNode) else None
    return _batches(list(nodes.values()), grouping.size(dose, len(nodes)))


def _made_by(node: Node) -> tuple[Any, ...]:
    """What nodes that are made together have in common."""
    if isinstance(node, TrainNode):
        return TrainNode, node.uses_rl, node.stage.dose
    return (type(node),)


def _ask_groups(asks: list[AnswerRequest]) -> tuple[tuple[AnswerRequest, ...], ...]:
    scored = [ask for ask in asks if ask.options]
    drawn = [ask for ask in asks if not ask.options]
    return (*_batches(scored, REQUESTS), *_batches(drawn, REQUESTS))


def _batches(items: list[T], size: int) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])
