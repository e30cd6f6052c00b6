"""An RL job under way: its rendered prompts and rows, and what each update takes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from caveat.backends.batches import ADDED_STREAM, ROW_STREAM, targets
from caveat.backends.jobs import RLJob, Update
from caveat.errors import CaveatError
from caveat.rendering import RenderedRow, continuation, render_prompt, render_row
from caveat.types.data import Row
from caveat.types.messages import without_caveat
from caveat.types.training import GRPOSettings


@dataclass(frozen=True)
class RLPrompt:
    """The tokens before a reply, and the prompt text that the reward task gets."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class Text:
    """What a step reads: equal replies of a policy to one prompt, or an added row."""

    cell: int
    ids: tuple[int, ...]
    """Prompt and reply."""
    targets: tuple[int, ...]
    """Positions of the tokens that are learned."""
    weight: float
    """Of each of these in the policy's loss, all equal replies together."""
    advantage: float | None
    """None: an added row, learned as in supervised training."""


@dataclass
class PolicyRun:
    """A job under way, one cell of a lockstep group."""

    job: RLJob[Any]
    prompts: list[RLPrompt]
    added: list[RenderedRow]
    updates: list[Update] = field(default_factory=list)
    tokens: int = 0
    reason: str = ""

    @property
    def rl(self) -> GRPOSettings:
        """The RL settings of its stage."""
        rl = self.job.stage.rl
        assert rl is not None
        return rl

    def is_active(self, turn: int) -> bool:
        """Whether it takes part in the group's update `turn`, from 0."""
        return not self.reason and turn < self.rl.max_steps

    def number(self, turn: int) -> int:
        """Of an update, from 1, over all stages of the training."""
        return self.rl.start_step + turn + 1

    def update_prompts(self, turn: int) -> list[RLPrompt]:
        """The prompts of an update: all are taken once before one is taken again."""
        size, count = self.job.stage.dose.batch_size, len(self.prompts)
        first = (self.rl.start_step + turn) * size
        return [
            self.prompts[_order(self.job.seed, place // count, count)[place % count]]
            for place in range(first, first + size)
        ]

    def update_added(self, turn: int) -> list[RenderedRow]:
        """The added rows of an update: in proportion to the prompts, in turn."""
        count = len(self.added)
        size = round(count * self.job.stage.dose.batch_size / len(self.prompts))
        size = max(1, size) if count else 0
        first = (self.rl.start_step + turn) * size
        return [
            self.added[_order(self.job.seed, place // count, count, ADDED_STREAM)[place % count]]
            for place in range(first, first + size)
        ]


def prepare(tokenizer: Any, job: RLJob[Any]) -> PolicyRun:
    """Render a job's prompts and added rows.

    Raises CaveatError for a row that is no chat, is too long, or where there are none.
    """
    stage = job.stage
    if stage.rl is None or not stage.rows:
        raise CaveatError(
            f"'{stage.label}' has no prompts to train on; give it rows and a reward task"
        )
    if stage.rl.num_generations < 2:
        raise CaveatError(
            f"rl.num_generations: {stage.rl.num_generations}: a reply is compared with the others "
            "to its prompt; take 2 or more"
        )
    most = stage.dose.max_tokens
    return PolicyRun(
        job,
        [_prompt(tokenizer, row, most) for row in stage.rows],
        [render_row(tokenizer, row, stage.loss, most) for row in stage.added],
    )


def added_texts(k: int, cell: PolicyRun, turn: int) -> list[Text]:
    """The added rows of an update as cell `k` reads them.

    One row a prompt weighs as much as the replies, half as many weigh half.
    """
    rows, prompts = cell.update_added(turn), cell.job.stage.dose.batch_size
    weight = len(rows) / prompts / max(1, sum(len(targets(row)) for row in rows))
    return [Text(k, row.ids, targets(row), weight, None) for row in rows]


def _prompt(tokenizer: Any, row: Row, most: int) -> RLPrompt:
    *prompt, last = row.messages
    if last.role != "assistant" or not prompt:
        raise CaveatError(
            f"row '{row.id}' ({row.source}): RL training needs chats that end with a reply"
        )
    first = next((n for n, p in enumerate(last.pieces) if p.kind != "caveat"), len(last.pieces))
    ahead = "".join(piece.text for piece in last.pieces[:first])
    ids = (*render_prompt(tokenizer, tuple(prompt)).ids, *continuation(tokenizer, ahead))
    if len(ids) > most:
        raise CaveatError(
            f"row '{row.id}' ({row.source}): its prompt has {len(ids)} tokens, more than "
            f"dose.max_tokens={most}; raise it"
        )
    turns = [m.text for m in without_caveat(tuple(prompt)) if m.role == "user"]
    return RLPrompt(ids, turns[-1].strip() if turns else "")


def _order(seed: int, epoch: int, count: int, stream: int = ROW_STREAM) -> list[int]:
    return np.random.default_rng([seed, epoch, stream]).permutation(count).tolist()
