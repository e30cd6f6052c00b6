"""Count the tokens of a study's jobs beforehand, and measure how fast they go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import and_
from typing import TYPE_CHECKING, Any, get_args

from caveat.backends.endpoint.connection import estimated_tokens
from caveat.errors import CaveatError
from caveat.progress import Kind, Progress
from caveat.rendering import caveat_tokens, render_row
from caveat.study.execution.jobs import (
    DerivedGroup,
    RemoteGroup,
    RLGroup,
    SampleGroup,
    Task,
    TrainGroup,
)
from caveat.study.planning.artifact_graph import SampleNode, TrainNode

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.rendering import RenderedRow
    from caveat.study.planning.study_plan import AnswerRequest
    from caveat.types.data import Row
    from caveat.types.messages import Messages
    from caveat.types.training import LossScope, Train


KINDS: tuple[Kind, ...] = get_args(Kind)
DEFAULT_RATES: dict[Kind, float] = {
    "train": 230.0, "rl": 350.0, "reply": 165.0, "score": 900.0,
}  # fmt: skip
"""Tokens per second of SmolLM2-135M on two CPU cores. Replies are counted without their prompts."""
REPLY_SHARE = 0.8
"""Share of `Sampling.max_tokens` that a reply is assumed to use."""
SHORTEST = 5.0
"""Seconds of one kind of work after which its measured rate is used."""
COUNTED_AT_MOST: tuple[Kind, ...] = ("reply", "rl")
"""Kinds whose tokens are an upper bound, since replies may end early: their rate is in tokens as
estimated, so that an estimate divided by it is a time. Of the others the estimate is exact."""


@dataclass(frozen=True, slots=True)
class RowSize:
    """How much of a row is trained on."""

    tokens: int
    is_cut: bool
    """Whether the row has more tokens than are allowed."""
    text: int
    """Supervised tokens outside caveats."""
    caveat: int
    """Supervised tokens in caveats."""

    @property
    def supervised(self) -> int:
        """Tokens with loss."""
        return self.text + self.caveat


def _size(row: RenderedRow) -> RowSize:
    is_cut = bool(row.offsets) and row.offsets[-1][1] < len(row.text)
    learned = row.loss[1:]
    supervised = sum(learned)
    inside = 0
    if any(span.kind == "caveat" for span in row.spans):
        inside = sum(map(and_, learned, caveat_tokens(row)[1:]))
    return RowSize(len(row.ids), is_cut, supervised - inside, inside)


def row_sizes(tokenizer: Any) -> Callable[[Row, LossScope, int], RowSize]:
    """Sizes of rows by loss scope and most tokens, each rendered once. Raise CaveatError for a bad
    row."""
    return cache(lambda row, loss, most: _size(render_row(tokenizer, row, loss, most)))


class Estimator:
    """Counts the tokens of jobs before they run, by rendering their rows and prompts."""

    def __init__(self, tokenizer: Any) -> None:
        from caveat.decision_tokens import scored_text
        from caveat.rendering import continuation, render_prompt

        self.prompt = cache(
            estimated_tokens  # by their length, where they are rendered elsewhere
            if tokenizer is None
            else lambda messages: len(render_prompt(tokenizer, messages).ids)
        )
        self.option = cache(lambda text: len(continuation(tokenizer, text)))
        self.scored = cache(lambda messages: scored_text(tokenizer, messages).read)
        self.row = row_sizes(tokenizer)

    def tokens(self, task: Task) -> float:
        """Tokens of a job: exact for training and scoring, assumed lengths for replies."""
        if isinstance(task, TrainGroup):
            return sum(self._training(node) for node in task.nodes)
        if isinstance(task, RLGroup):
            return sum(self._rl_tokens(node) for node in task.nodes)
        if isinstance(task, SampleGroup):
            return sum(self._sampling(node) for node in task.nodes)
        if isinstance(task, DerivedGroup | RemoteGroup):
            return 0.0
        return self._answering(task.requests)

    def _row_tokens(self, row: Row, stage: Train) -> int:
        """Tokens of a row as a stage is trained on it; 0 of a bad row, whose cell will fail."""
        try:
            return self.row(row, stage.loss, stage.dose.max_tokens).tokens
        except CaveatError:
            return 0

    def _scored_tokens(self, messages: Messages) -> int:
        """Tokens that are read of a row to score; 0 of a bad one, which will fail."""
        try:
            return self.scored(messages)
        except CaveatError:
            return 0

    def _training(self, node: TrainNode) -> float:
        stage = node.stage
        rows = (*stage.rows, *stage.added, *stage.kl_rows)
        return sum(self._row_tokens(row, stage) for row in rows) * stage.dose.epochs

    def _rl_tokens(self, node: TrainNode) -> float:
        """Tokens of sampling the replies, and of the steps, which read each prompt once."""
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

    def _answering(self, requests: Sequence[AnswerRequest]) -> float:
        """Tokens of replies without their prompts, or of prompts and options that are scored."""
        if requests[0].by_token:
            return sum(self._scored_tokens(request.messages) for request in requests)
        if not requests[0].options:
            return len(requests) * requests[0].sampling.max_tokens * REPLY_SHARE
        return sum(
            self.prompt(request.messages) + sum(map(self.option, request.options))
            for request in requests
        )


@dataclass
class Meter(Progress):
    """Forwards progress to the user's object, and adds the share done and the time left."""

    progress: Progress
    expected: Mapping[Kind, float] = field(default_factory=lambda: dict(DEFAULT_RATES))
    """Tokens per second by kind, used until this run has measured its own."""
    costs: dict[str, tuple[Kind, float]] = field(default_factory=dict)
    """Kind and estimated tokens of each pending job, by the first key of what is left of it."""
    measured: dict[Kind, tuple[float, float]] = field(default_factory=dict)
    """Tokens and seconds of finished jobs of this run, by kind."""
    spent: float = 0.0
    """Seconds of finished jobs."""
    _task: tuple[Kind, float, float] | None = None
    """Kind, start and tokens so far of the running job."""

    def stage(self, label: str) -> None:
        """Forward it."""
        self.progress.stage(label)

    def say(self, message: str) -> None:
        """Forward it."""
        self.progress.say(message)

    def table(self, setting: str, frame: DataFrame) -> None:
        """Forward it."""
        self.progress.table(setting, frame)

    def begin(self, task: Task) -> None:
        """A job starts in this process."""
        self._task = (task.kind, time.monotonic(), 0.0)
        self._report()

    def end(self, task: Task, failed: bool = False) -> None:
        """The running job is over.

        Args:
            failed: Whether a part of it failed, so that less was done than estimated.
        """
        estimated = self._take(task)
        if self._task is not None:
            kind, start, tokens = self._task
            if kind in COUNTED_AT_MOST:
                tokens = 0.0 if failed else estimated
            self._add(kind, tokens, time.monotonic() - start)
        self._task = None
        self._report()

    def end_elsewhere(self, task: Task, took: float, failed: bool = False) -> None:
        """A job is over that ran in another process.

        Args:
            took: Its seconds, divided by the number of processes.
            failed: Whether a part of it failed.
        """
        estimated = self._take(task)
        self._add(task.kind, 0.0 if failed else estimated, took)
        self._report()

    def drop(self, keys: Iterable[str]) -> None:
        """Jobs are done, or will not run since their inputs failed."""
        for key in keys:
            self.costs.pop(key, None)
        self._report()

    def advance(self, kind: Kind, tokens: int) -> None:
        """Part of the running job is done."""
        self.progress.advance(kind, tokens)
        if self._task is not None:
            self._task = (self._task[0], self._task[1], self._task[2] + tokens)
            self._report()

    def rates(self) -> dict[Kind, float]:
        """Tokens per second by kind: as measured in this run once that is enough, else expected."""
        measured = dict(self.measured)
        if self._task is not None and self._task[0] not in COUNTED_AT_MOST:
            kind, start, tokens = self._task
            before = measured.get(kind, (0.0, 0.0))
            measured[kind] = (before[0] + tokens, before[1] + time.monotonic() - start)
        rates = dict(self.expected)
        for kind, (tokens, took) in measured.items():
            if took >= SHORTEST and tokens:
                rates[kind] = tokens / took
        return rates

    def _take(self, task: Task) -> float:
        """Estimated tokens of a job, which is pending no more."""
        return sum(self.costs.pop(key, (task.kind, 0.0))[1] for key in task.keys)

    def _add(self, kind: Kind, tokens: float, took: float) -> None:
        """Count a finished job; one without tokens, such as scaling an adapter, has no rate."""
        self.spent += took
        if tokens:
            before = self.measured.get(kind, (0.0, 0.0))
            self.measured[kind] = (before[0] + tokens, before[1] + took)

    def _report(self) -> None:
        rates = self.rates()
        left = sum(tokens / rates[kind] for kind, tokens in self.costs.values())
        spent = self.spent
        if self._task is not None:
            kind, start, tokens = self._task
            left = max(left - tokens / rates[kind], 0.0)
            spent += time.monotonic() - start
        whole = spent + left
        self.progress.left(spent / whole if whole else 1.0, left)
