"""What a study costs: tokens by kind of work, counted beforehand, and the seconds they take."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from caveat.errors import CaveatError
from caveat.progress import Kind, Progress
from caveat.study.execution.jobs import DerivedGroup, RLGroup, SampleGroup, Task, TrainGroup
from caveat.study.planning.artifact_graph import SampleNode, TrainNode

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.study.planning.study_plan import AnswerRequest
    from caveat.types.data import Row
    from caveat.types.training import Train


KINDS: tuple[Kind, ...] = get_args(Kind)
RATES: dict[Kind, float] = {"train": 230.0, "practise": 350.0, "reply": 165.0, "score": 900.0}
"""Tokens a second of SmolLM2-135M on two CPU cores, until this run has seen its own. Replies are
counted without their prompts."""
REPLY_SHARE = 0.8
"""How much of `Sampling.max_tokens` a reply is taken to use."""
SEEN = 5.0
"""Seconds of one kind of work from which on its own rate is believed."""


class Estimator:
    """Counts the tokens of tasks before they are run, by rendering what they hold."""

    def __init__(self, tokenizer: Any) -> None:
        from caveat.rendering import continuation, render_prompt, render_row

        self.prompt = cache(lambda messages: len(render_prompt(tokenizer, messages).ids))
        self.option = cache(lambda text: len(continuation(tokenizer, text)))
        self.row = cache(lambda row, loss, most: len(render_row(tokenizer, row, loss, most).ids))

    def tokens(self, task: Task) -> float:
        """Tokens of the task's kind."""
        if isinstance(task, TrainGroup):
            return sum(self._training(node) for node in task.nodes)
        if isinstance(task, RLGroup):
            return sum(self._rl_tokens(node) for node in task.nodes)
        if isinstance(task, SampleGroup):
            return sum(self._sampling(node) for node in task.nodes)
        if isinstance(task, DerivedGroup):
            return 0.0
        return self.asked_tokens(task.asks)

    def row_tokens(self, row: Row, stage: Train) -> int:
        """Of a row as a stage is trained on it; 0 of a bad row: its cell will fail."""
        try:
            return self.row(row, stage.loss, stage.dose.max_tokens)
        except CaveatError:
            return 0

    def _training(self, node: TrainNode) -> float:
        stage = node.stage
        rows = (*stage.rows, *stage.added, *stage.kept)
        return sum(self.row_tokens(row, stage) for row in rows) * stage.dose.epochs

    def again(self, nodes: Iterable[TrainNode], known: set[Any]) -> float:
        """Tokens of training on rows that were read before.

        Args:
            known: Rows read before; those of the nodes are put in.
        """
        read = fresh = 0.0
        for stage in (node.stage for node in nodes if not node.uses_rl):
            for row in (*stage.rows, *stage.added, *stage.kept):
                tokens = self.row_tokens(row, stage)
                read += tokens * stage.dose.epochs
                if (row.messages, stage.loss) not in known:
                    known.add((row.messages, stage.loss))
                    fresh += tokens
        return read - fresh

    def _rl_tokens(self, node: TrainNode) -> float:
        """Tokens of the steps, which read a prompt once, and of the replies at the same price."""
        stage, rl = node.stage, node.stage.rl
        if rl is None or not stage.rows:
            return 0.0
        prompts = [self.prompt(row.messages[:-1]) for row in stage.rows]
        replies = rl.num_generations * rl.max_completion_length * REPLY_SHARE
        read = rl.num_iterations * (sum(prompts) / len(prompts) + replies)
        return rl.max_steps * stage.dose.batch_size * (read + replies)

    def _sampling(self, node: SampleNode) -> float:
        sampling = node.stage.sampling
        return len(node.stage.prompts) * sampling.samples * sampling.max_tokens * REPLY_SHARE

    def asked_tokens(self, asks: Sequence[AnswerRequest]) -> float:
        """Of replies, without their prompts; of likelihoods, what is scored, with them."""
        if not asks[0].options:
            return len(asks) * asks[0].sampling.max_tokens * REPLY_SHARE
        return sum(self.prompt(ask.messages) + sum(map(self.option, ask.options)) for ask in asks)


def by_kind(costs: Iterable[tuple[Kind, float]]) -> dict[Kind, float]:
    """Tokens summed by kind."""
    total = dict.fromkeys(KINDS, 0.0)
    for kind, tokens in costs:
        total[kind] += tokens
    return total


def seconds(tokens: dict[Kind, float], rates: dict[Kind, float] = RATES) -> float:
    """How long that takes at given rates."""
    return sum(tokens[kind] / rates[kind] for kind in tokens)


@dataclass
class Meter(Progress):
    """Stands between the work and the user's progress: knows what is left, and how fast it goes."""

    progress: Progress
    costs: dict[str, tuple[Kind, float]] = field(default_factory=dict)
    """Per task that is not done, by the first key of what is left of it: kind and tokens."""
    seen: dict[Kind, tuple[float, float]] = field(default_factory=dict)
    """Per kind, tokens and seconds of this run."""
    spent: float = 0.0
    """Seconds of tasks that are done."""
    _task: tuple[Kind, float, float] | None = None
    """Kind, start and tokens so far of the task under way."""

    def stage(self, label: str) -> None:
        """Passed on."""
        self.progress.stage(label)

    def say(self, message: str) -> None:
        """Passed on."""
        self.progress.say(message)

    def table(self, setting: str, frame: DataFrame) -> None:
        """Passed on."""
        self.progress.table(setting, frame)

    def begin(self, task: Task) -> None:
        """A task starts."""
        self._task = (task.kind, time.monotonic(), 0.0)
        self._tell()

    def end(self, task: Task) -> None:
        """The task under way is done, whatever it took."""
        for key in task.keys:
            self.costs.pop(key, None)
        if self._task is not None:
            kind, start, tokens = self._task
            self._note(kind, tokens, time.monotonic() - start)
        self._task = None
        self._tell()

    def elsewhere(self, task: Task, took: float) -> None:
        """A task was done in another process, in `took` seconds of all of them together."""
        tokens = sum(self.costs.get(key, ("train", 0.0))[1] for key in task.keys)
        self._note(task.kind, tokens, took)
        self.end(task)

    def _note(self, kind: Kind, tokens: float, took: float) -> None:
        before = self.seen.get(kind, (0.0, 0.0))
        self.seen[kind] = (before[0] + tokens, before[1] + took)
        self.spent += took

    def drop(self, keys: Iterable[str]) -> None:
        """Tasks that are done, or will not be: their inputs failed."""
        for key in keys:
            self.costs.pop(key, None)
        self._tell()

    def advance(self, kind: Kind, tokens: int) -> None:
        """Some of the task under way is done."""
        self.progress.advance(kind, tokens)
        if self._task is not None:
            self._task = (self._task[0], self._task[1], self._task[2] + tokens)
            self._tell()

    def rates(self) -> dict[Kind, float]:
        """Tokens a second: those of this run where it has seen enough, else the default ones.

        Replies count when their task is done: it reads all prompts before the first token.
        """
        rates = dict(RATES)
        seen = dict(self.seen)
        if self._task is not None and self._task[0] != "reply":
            kind, start, tokens = self._task
            before = seen.get(kind, (0.0, 0.0))
            seen[kind] = (before[0] + tokens, before[1] + time.monotonic() - start)
        for kind, (tokens, took) in seen.items():
            if took >= SEEN and tokens:
                rates[kind] = tokens / took
        return rates

    def _tell(self) -> None:
        rates = self.rates()
        left = seconds(by_kind(self.costs.values()), rates)
        spent = self.spent
        if self._task is not None:
            kind, start, tokens = self._task
            left = max(left - tokens / rates[kind], 0.0)
            spent += time.monotonic() - start
        whole = spent + left
        self.progress.left(spent / whole if whole else 1.0, left)
