"""Measure tokens per second with a short benchmark.

How long the updates of policies take here: the first few of them are tried.

How fast this machine is at a study's own work: a short trial of each kind.

Rates hang on the model, the dose, the length of rows and how many adapters share a pass, so that
each setting is tried with a few of its own rows and questions. What is made is thrown away.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from caveat.progress import Kind, Progress
from caveat.study.estimate.peak_memory import HighestMark
from caveat.study.execution.jobs import AnswerGroup, RLGroup, Task, TrainGroup
from caveat.study.execution.meter import RATES, Estimator
from caveat.study.planning.artifact_graph import TrainNode
from caveat.study.planning.study_plan import REQUESTS, AnswerRequest, SettingPlan
from caveat.types.training import Train

if TYPE_CHECKING:
    from caveat.backends.local.lora.adapter import Adapter
    from caveat.backends.local.models.device_memory import Peak
    from caveat.backends.local.models.loading import LanguageModel
    from caveat.backends.local.training.jobs import TrainedPolicy
    from caveat.study.storage.store import Store


UPDATES = 4
"""Most that are tried."""
PATIENCE = 15.0
"""Seconds after which no further one is begun."""


@dataclass(frozen=True)
class TriedPractice:
    """What a trial of practice has shown.

    Policies come to repeat themselves, and equal replies are learned from once, so that the first
    update is the longest.
    """

    seconds: tuple[float, ...]
    """Of each update, from the first."""
    policies: int
    """That began. Those that fail are missed in later updates, as they will be in the study."""
    adapters: Sequence[Adapter]
    """Those that came through."""
    first: Peak
    """The memory of the first update."""

    def of(self, nodes: Sequence[TrainNode]) -> float:
        """Seconds of all updates of some nodes.

        One that was not tried is taken to be as long as the last that was.
        """
        numbers = (number for node in nodes for number in _numbers(node.stage))
        took = (self.seconds[min(number, len(self.seconds)) - 1] for number in numbers)
        return sum(took) / self.policies


def try_practice(
    language_model: LanguageModel,
    nodes: Sequence[TrainNode],
    updates: int,
    token_budget: int | None,
) -> TriedPractice | None:
    """Do the first updates of some policies; None where none comes through the first."""
    from caveat.backends.local.models.device_memory import Peak
    from caveat.backends.local.rl.grpo_trainer import train_rl
    from caveat.backends.local.training.jobs import RLJob, TrainedPolicy
    from caveat.environments.grader import grades

    jobs = [RLJob(node.digest, _update(node.stage, 1), node.seed) for node in nodes]
    seconds: list[float] = []
    made: list[TrainedPolicy] = []
    first = Peak(language_model.device)
    while jobs and len(seconds) < updates and sum(seconds) < PATIENCE:
        start = time.perf_counter()
        with nullcontext() if seconds else first:
            results = train_rl(language_model, jobs, grades, Progress(), token_budget)
        seconds.append(time.perf_counter() - start)
        came = [
            (job, each)
            for job, each in zip(jobs, results, strict=True)
            if isinstance(each, TrainedPolicy)
        ]
        made = [each for _, each in came] or made
        jobs = [
            replace(
                job, stage=_update(job.stage, len(seconds) + 1), resume_from=each.training_state
            )
            for job, each in came
        ]
    adapters = [each.training_state.adapter for each in made]
    return TriedPractice(tuple(seconds), len(nodes), adapters, first) if made else None


def most_updates(nodes: Sequence[TrainNode]) -> int:
    """The highest number that an update of some policies has."""
    return max((number for node in nodes for number in _numbers(node.stage)), default=0)


def _numbers(stage: Train) -> Iterator[int]:
    """Of a stage's updates, from 1, over all stages of the practice."""
    assert stage.rl is not None
    done = stage.rl.start_step
    yield from range(done + 1, done + stage.rl.max_steps + 1)


def _update(stage: Train, number: int) -> Train:
    """A stage of this one update."""
    assert stage.rl is not None
    return replace(stage, rl=replace(stage.rl, max_steps=1, start_step=number - 1))


T = TypeVar("T")
CELLS = 4
"""Most adapters of a trial."""
STEP_TOKENS = 1024
"""Of a step of a trial, about: batches are cut to it."""
STEPS = 2
"""An epoch of a trial. The first epoch reads rows for the first time, the second does not."""
ASKS = 48
"""Most answers of a trial."""


@dataclass(frozen=True)
class Rates:
    """Tokens a second."""

    by_kind: dict[Kind, float]
    again: float
    """Of training on rows whose lower layers are remembered (see `language.trunk`)."""

    def seconds(self, tokens: dict[Kind, float], again: float) -> float:
        """Of so much work.

        Args:
            again: Tokens of training on rows that were read before.
        """
        whole = sum(tokens[kind] / self.by_kind[kind] for kind in tokens)
        return whole + again / self.again - again / self.by_kind["train"]


USUAL = Rates(RATES, RATES["train"])
"""Of SmolLM2-135M on two CPU cores."""


class Timed(Progress):
    """Notes when steps ended."""

    def __init__(self) -> None:
        self.ends = [(time.perf_counter(), 0)]
        """Seconds on the clock, and tokens of the step."""

    def advance(self, kind: Kind, tokens: int) -> None:
        """A step ends."""
        self.ends.append((time.perf_counter(), tokens))

    def rate(self, first: int, last: int) -> float:
        """Tokens a second from the end of one step to the end of another, of those in between."""
        took = self.ends[last][0] - self.ends[first][0]
        return sum(tokens for _, tokens in self.ends[first + 1 : last + 1]) / max(took, 1e-9)


@dataclass(frozen=True)
class TriedTraining:
    """What a trial of training has shown."""

    rate: float
    """Tokens a second."""
    again: float
    """Of rows that were read before."""
    adapters: Sequence[Adapter]
    """What it made."""


class Trial:
    """Tries the work of settings; what is alike is tried once."""

    def __init__(
        self, language_model: LanguageModel, store: Store, token_budget: int | None
    ) -> None:
        self.language_model = language_model
        self.store = store
        self.token_budget = token_budget
        self.estimator = Estimator(language_model.tokenizer)
        self.highest = HighestMark(language_model, token_budget)
        self._trained: dict[Any, TriedTraining | None] = {}
        self._practised: dict[Any, TriedPractice | None] = {}

    def rates(self, setting: SettingPlan, left: Sequence[Task]) -> Rates:
        """What is left of a setting goes at; what it has none of goes at the usual rates."""
        by_kind, again = dict(RATES), RATES["train"]
        adapters: Sequence[Adapter] = ()
        behaviour = setting.resolved.setting.behaviour.name
        training = [task.nodes for task in left if isinstance(task, TrainGroup)]
        if trained := self._training_of(training, behaviour):
            by_kind["train"], again, adapters = trained.rate, trained.again, trained.adapters
        rl = [task for task in left if isinstance(task, RLGroup)]
        if rl and (practised := self._rl_settings_of(rl, behaviour)):
            took = sum(practised.of(group.nodes) for group in rl)
            by_kind["practise"] = sum(map(self.estimator.tokens, rl)) / took
            adapters = practised.adapters
        asks = [ask for task in left if isinstance(task, AnswerGroup) for ask in task.asks]
        adapters = adapters or self._stored(asks)
        for kind, wanted in (("reply", False), ("score", True)):
            chosen = _middle([ask for ask in asks if bool(ask.options) is wanted], ASKS)
            if chosen:
                by_kind[kind] = self._answering(chosen, adapters)
        return Rates(by_kind, again)

    def _stored(self, asks: Sequence[AnswerRequest]) -> list[Adapter]:
        """A few adapters of a study whose training is done."""
        there = {ask.chain[-1] for ask in asks if ask.chain and self.store.has(ask.chain[-1])}
        return [self.store.adapter(digest) for digest in sorted(there)[:CELLS]]

    def _training_of(
        self, groups: Sequence[Sequence[TrainNode]], behaviour: str
    ) -> TriedTraining | None:
        """By a part of the largest group; None where there is none, or nothing came of it.

        Rows that are sampled are not there yet: a group that has no others is not tried.
        """
        able = [nodes for nodes in groups if any(node.stage.rows for node in nodes)]
        if not able:
            return None
        largest = max(able, key=len)
        first = largest[0].stage
        alike = (behaviour, first.dose, first.loss, len(largest))
        if alike not in self._trained:
            self._trained[alike] = self._training(largest)
        return self._trained[alike]

    def _rl_settings_of(self, rl: Sequence[RLGroup], behaviour: str) -> TriedPractice | None:
        """By a part of the largest group; None where nothing comes of it."""
        largest = max((group.nodes for group in rl), key=len)
        first = largest[0].stage
        assert first.rl is not None
        wanted = min(UPDATES, max(most_updates(group.nodes) for group in rl))
        same = replace(first.rl, max_steps=1, start_step=0)
        alike = (behaviour, first.dose, first.loss, same, wanted, len(largest))
        if alike not in self._practised:
            chosen = _spread(largest, CELLS)
            tried = try_practice(self.language_model, chosen, wanted, self.token_budget)
            if tried:
                self.highest.of_work(tried.first, len(largest) / len(chosen))
            self._practised[alike] = tried
        return self._practised[alike]

    def _training(self, nodes: Sequence[TrainNode]) -> TriedTraining | None:
        from caveat.backends.local.models.device_memory import Peak
        from caveat.backends.local.training.jobs import Trained, TrainingJob
        from caveat.backends.local.training.sft import train

        chosen = _spread([node for node in nodes if node.stage.rows], CELLS)
        jobs = [
            TrainingJob(node.digest, self._cut(node.stage, len(chosen)), node.seed)
            for node in chosen
        ]
        timed = Timed()
        with Peak(self.language_model.device) as peak:
            results = train(self.language_model, jobs, timed, self.token_budget)
        made = [each.adapter for each in results if isinstance(each, Trained)]
        if not made:
            return None
        self.highest.of_training(peak, jobs, nodes)
        if len(timed.ends) <= 2 * STEPS:  # rows are few: by all of it
            rate = timed.rate(0, len(timed.ends) - 1)
            return TriedTraining(rate, rate, made)
        return TriedTraining(timed.rate(1, STEPS), timed.rate(STEPS, 2 * STEPS), made)

    def _cut(self, stage: Train, cells: int) -> Train:
        """The stage with a few of its rows, in the same proportion to what else it reads."""
        tokens = (self.estimator.row_tokens(row, stage) for row in stage.rows)
        mean = sum(tokens) / len(stage.rows)
        size = max(1, min(stage.dose.batch_size, round(STEP_TOKENS / (cells * max(mean, 1)))))
        share = STEPS * size / len(stage.rows)
        return replace(
            stage,
            rows=stage.rows[: STEPS * size],
            added=stage.added[: round(share * len(stage.added))],
            kept=stage.kept[: round(share * len(stage.kept))],
            dose=replace(stage.dose, epochs=2, batch_size=size),
        )

    def _answering(self, asks: Sequence[AnswerRequest], adapters: Sequence[Adapter]) -> float:
        """Tokens a second, as an estimator counts them; chains have any of the adapters."""
        from caveat.backends.local.models.device_memory import Peak
        from caveat.backends.local.sampling.answers import answer
        from caveat.backends.local.sampling.requests import Request

        chains = sorted({ask.chain for ask in asks if ask.chain})
        held = {str(n): adapter for n, adapter in enumerate(adapters)}
        stand_in = {chain: (str(n % len(held)),) if held else () for n, chain in enumerate(chains)}
        requests = [
            Request(ask.key, stand_in.get(ask.chain, ()), ask.messages, ask.options) for ask in asks
        ]
        start = time.perf_counter()
        with Peak(self.language_model.device) as peak:
            answer(self.language_model, held, requests, asks[0].sampling, Progress())
        took = time.perf_counter() - start
        if not asks[0].options:
            self.highest.of_work(peak, REQUESTS / len(asks))
        return self.estimator.asked_tokens(asks) / took


def _spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many, from all over."""
    every = max(1, -(-len(items) // most))
    return list(items[::every])


def _middle(items: Sequence[T], most: int) -> Sequence[T]:
    """At most so many neighbours."""
    start = max(0, (len(items) - most) // 2)
    return items[start : start + most]
