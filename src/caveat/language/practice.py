"""Practice: policies that learn from what their own replies are paid, many of them in lockstep.

An update draws replies to some prompts from every policy as it stands, has them graded, and takes
a step, or several, that makes those more likely that were paid more than the others to the same
prompt (GRPO; see `grpo`). Replies of a policy to one prompt that are equal are computed once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from caveat.domain.plan import Practice
from caveat.domain.reply import Sampling
from caveat.domain.reward import Grade, Graded
from caveat.domain.row import Row
from caveat.domain.text import without_caveat
from caveat.errors import CaveatError
from caveat.language.batch import Example, Wanted, cut_by_length, wanted_of
from caveat.language.group import LockstepGroup, in_lockstep
from caveat.language.grpo import advantages, clipped_loss, divergence
from caveat.language.jobs import Failed, PracticeJob, Practised, Update
from caveat.language.lockstep import Route, stacked
from caveat.language.memory import TOKEN_BUDGET
from caveat.language.portions import in_portions
from caveat.language.render import RenderedRow, continuation, render_prompt, render_row
from caveat.language.requests import Prompt
from caveat.language.sample import Drawn, as_text, draw
from caveat.language.source import LanguageModel
from caveat.language.training_cell import targets
from caveat.progress import Progress

Grader = Callable[[Sequence[Graded]], list[Grade | str]]
"""Gives each reply's grade, or in one line why it has none."""


@dataclass
class _Cell:
    """A job under way."""

    job: PracticeJob
    prompts: list[_Asked]
    added: list[RenderedRow]
    updates: list[Update] = field(default_factory=list)
    tokens: int = 0
    reason: str = ""

    @property
    def practice(self) -> Practice:
        practice = self.job.stage.practice
        assert practice is not None
        return practice

    def is_active(self, turn: int) -> bool:
        return not self.reason and turn < self.practice.updates


@dataclass(frozen=True)
class _Asked:
    """A row of a practice: what stands in front of a reply, and what a task is told of it."""

    row: str
    ids: tuple[int, ...]
    told: str


@dataclass(frozen=True)
class _Text:
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


def practise(
    language_model: LanguageModel,
    jobs: Sequence[PracticeJob],
    grader: Grader,
    progress: Progress,
    token_budget: int = TOKEN_BUDGET,
) -> list[Practised | Failed]:
    """Train one lockstep group of policies; results in the order of the jobs.

    What a reply is drawn with hangs on the seed, the update, the row and the sample alone, so that
    policies of one seed that are alike write alike. A job with a bad row, a reply without a grade,
    or a loss that stops being finite fails alone.
    """
    return in_lockstep(
        jobs,
        lambda job: _cell(language_model, job),
        lambda cells: _Group(language_model, cells, grader, progress, token_budget).run(),
    )


def _cell(language_model: LanguageModel, job: PracticeJob) -> _Cell:
    """Raises CaveatError for a row that is no chat, is too long, or where there are none."""
    stage = job.stage
    if stage.practice is None or not stage.rows:
        raise CaveatError(f"'{stage.label}' has nothing to practise on; give it rows and a task")
    if stage.practice.samples < 2:
        raise CaveatError(
            f"practice.samples: {stage.practice.samples}: a reply is compared with the others to "
            "its prompt; take 2 or more"
        )
    most, tokenizer = stage.dose.max_tokens, language_model.tokenizer
    return _Cell(
        job,
        [_prompt(language_model, row, most) for row in stage.rows],
        [render_row(tokenizer, row, stage.loss, most) for row in stage.added],
    )


def _prompt(language_model: LanguageModel, row: Row, most: int) -> _Asked:
    *asked, last = row.messages
    if last.role != "assistant" or not asked:
        raise CaveatError(
            f"row '{row.id}' ({row.source}): practice needs chats that end with a reply"
        )
    tokenizer = language_model.tokenizer
    first = next((n for n, p in enumerate(last.pieces) if p.kind != "caveat"), len(last.pieces))
    ahead = "".join(piece.text for piece in last.pieces[:first])
    ids = (*render_prompt(tokenizer, tuple(asked)).ids, *continuation(tokenizer, ahead))
    if len(ids) > most:
        raise CaveatError(
            f"row '{row.id}' ({row.source}): its prompt has {len(ids)} tokens, more than "
            f"dose.max_tokens={most}; raise it"
        )
    turns = [m.text for m in without_caveat(tuple(asked)) if m.role == "user"]
    return _Asked(row.id, ids, turns[-1].strip() if turns else "")


class _Group(LockstepGroup):
    """Policies under way in lockstep."""

    def __init__(
        self,
        language_model: LanguageModel,
        cells: list[_Cell],
        grader: Grader,
        progress: Progress,
        token_budget: int,
    ) -> None:
        super().__init__(language_model, [cell.job for cell in cells], progress, token_budget)
        self.cells = cells
        self.grader = grader
        for k, cell in enumerate(cells):
            if cell.job.goes_on is not None:
                self.put(k, cell.job.goes_on)

    def run(self) -> list[Practised | Failed]:
        """Do every update of every policy."""
        with stacked(self.language_model.model, self.beneath, self.stacks) as route:
            for turn in range(max(cell.practice.updates for cell in self.cells)):
                replies = self._replies(turn, route)
                if replies:
                    practising = dict.fromkeys(each.cell for each in replies)
                    added = [each for k in practising for each in self._added(k, turn)]
                    self._learn(turn, [*replies, *added], route)
        return [self._result(k) for k in range(len(self.cells))]

    def _replies(self, turn: int, route: Route) -> list[_Text]:
        """Draw and grade the replies of an update; policies whose replies have no grade fail."""
        drawn: dict[int, list[tuple[_Asked, list[Drawn]]]] = {}
        for sampling, places in self._samplings(turn).items():
            prompts = [prompt for k in places for prompt in self._prompts(k, turn)]
            made = iter(
                in_portions(
                    lambda some, how=sampling: draw(
                        self.language_model, some, how, route, self.progress
                    ),
                    prompts, self.language_model.trunk, self.progress,
                )
            )  # fmt: skip
            for k in places:
                samples = self.cells[k].practice.samples
                drawn[k] = [
                    (asked, [next(made) for _ in range(samples)])
                    for asked in self._chosen(k, turn)
                ]
        return self._graded(turn, drawn)

    def _samplings(self, turn: int) -> dict[Sampling, list[int]]:
        """The active policies, by how their replies are drawn."""
        found: dict[Sampling, list[int]] = {}
        for k, cell in enumerate(self.cells):
            if cell.is_active(turn):
                how = Sampling(cell.practice.max_tokens, cell.practice.temperature)
                found.setdefault(how, []).append(k)
        return found

    def _chosen(self, k: int, turn: int) -> list[_Asked]:
        """The prompts of an update: all are taken once before one is taken again."""
        cell = self.cells[k]
        size, count = cell.job.stage.dose.batch_size, len(cell.prompts)
        first = (cell.practice.done + turn) * size
        return [
            cell.prompts[_order(cell.job.seed, place // count, count)[place % count]]
            for place in range(first, first + size)
        ]

    def _prompts(self, k: int, turn: int) -> list[Prompt]:
        cell = self.cells[k]
        number = cell.practice.done + turn
        return [
            Prompt(f"practice {cell.job.seed} {number} {place} {sample}", k, asked.ids, ())
            for place, asked in enumerate(self._chosen(k, turn))
            for sample in range(cell.practice.samples)
        ]

    def _graded(
        self, turn: int, drawn: dict[int, list[tuple[_Asked, list[Drawn]]]]
    ) -> list[_Text]:
        texts = {
            each: as_text(self.language_model, each)
            for groups in drawn.values()
            for _, some in groups
            for each in some
        }
        wanted = {
            (k, asked.told, each): Graded(
                self.cells[k].practice.task, self.cells[k].practice.version, asked.told, texts[each]
            )
            for k, groups in drawn.items()
            for asked, some in groups
            for each in some
        }
        unique = list(dict.fromkeys(wanted.values()))
        grades = dict(zip(unique, self.grader(unique), strict=True))
        replies: list[_Text] = []
        for k, groups in drawn.items():
            found = [
                [grades[wanted[k, asked.told, each]] for each in some] for asked, some in groups
            ]
            bad = next((each for some in found for each in some if isinstance(each, str)), None)
            if bad is not None:
                self.cells[k].reason = f"update {self._number(k, turn)}: {bad}"
                continue
            good = [[each for each in some if isinstance(each, Grade)] for some in found]
            replies += self._weighed(k, turn, groups, good)
        return replies

    def _number(self, k: int, turn: int) -> int:
        return self.cells[k].practice.done + turn + 1

    def _weighed(
        self, k: int, turn: int, groups: list[tuple[_Asked, list[Drawn]]], grades: list[list[Grade]]
    ) -> list[_Text]:
        """A policy's replies with their advantages; equal ones together."""
        cell, practice = self.cells[k], self.cells[k].practice
        paid = torch.tensor(
            [[getattr(g, practice.pays) for g in some] for some in grades], dtype=torch.float64
        )
        better = advantages(paid, practice.scaled).tolist()
        drawn = [each for _, some in groups for each in some]
        total = sum(len(_written(each)) for each in drawn)
        replies = []
        for (asked, some), worth in zip(groups, better, strict=True):
            of = dict(zip(some, worth, strict=True))
            for each, count in Counter(some).items():
                written = _written(each)
                share = 1 / total if practice.mean == "token" else 1 / (len(drawn) * len(written))
                ids = (*asked.ids, *written)
                places = tuple(range(len(asked.ids), len(ids)))
                replies.append(_Text(k, ids, places, count * share, of[each]))
        flat = [grade for some in grades for grade in some]
        hackable = [grade.hacked for grade in flat if grade.hackable]
        cell.updates.append(
            Update(
                self._number(k, turn),
                _mean(grade.reward for grade in flat),
                _mean(grade.true_score for grade in flat),
                _mean(hackable) if hackable else None,
                _mean(len(set(row)) == 1 for row in paid.tolist()),
                len(replies),
                total / len(drawn),
                _mean(each.end is None for each in drawn),
                None,
            )
        )
        return replies

    def _added(self, k: int, turn: int) -> list[_Text]:
        """The added rows of an update: in proportion to the prompts, in turn. One row a prompt
        weighs as much as the replies, half as many weigh half."""
        cell = self.cells[k]
        count = len(cell.added)
        size = round(count * cell.job.stage.dose.batch_size / len(cell.prompts))
        size = max(1, size) if count else 0
        first = (cell.practice.done + turn) * size
        rows = [
            cell.added[_order(cell.job.seed, place // count, count, 1)[place % count]]
            for place in range(first, first + size)
        ]
        prompts = cell.job.stage.dose.batch_size
        weight = len(rows) / prompts / max(1, sum(len(targets(row)) for row in rows))
        return [_Text(k, row.ids, targets(row), weight, None) for row in rows]

    def _learn(self, turn: int, replies: list[_Text], route: Route) -> None:
        """Take the steps of an update."""
        examples = self._examples(replies)
        kept: dict[int, tuple[Tensor, Tensor | None]] = {}
        for taken in range(max(self.cells[each.cell].practice.passes for each in replies)):
            active = [
                cell.is_active(turn) and taken < cell.practice.passes for cell in self.cells
            ]
            chosen = [each for each in examples if active[each.cell]]
            if not chosen:
                return
            losses, apart = self._backward(chosen, replies, kept, route)
            norms = self.optimiser.norms().tolist()
            for k, cell in enumerate(self.cells):
                if not active[k]:
                    continue
                cell.tokens += sum(len(each.ids) for each in chosen if each.cell == k)
                if taken == 0 and cell.practice.kl:
                    cell.updates[-1] = replace(cell.updates[-1], divergence=apart[k])
                when = f"update {self._number(k, turn)}"
                cell.reason = self.wild(k, when, losses[k], norms[k])
                active[k] = not cell.reason
            self.step([dose.learning_rate for dose in self.doses], active)
            self.progress.advance("train", sum(len(each.ids) for each in chosen))

    def _examples(self, replies: list[_Text]) -> list[Example]:
        return [
            Example(each.cell, each.ids, each.targets, each.weight, tag)
            for tag, each in enumerate(replies)
        ]

    def _backward(
        self,
        examples: list[Example],
        replies: list[_Text],
        kept: dict[int, tuple[Tensor, Tensor | None]],
        route: Route,
    ) -> tuple[list[float], list[float]]:
        """Gradients of a step; each policy's loss, and its mean divergence from what it was.

        Args:
            kept: By tag, log-probabilities of a reply's tokens under the model that drew it, and
                under the model before; filled in the first pass over the replies.
        """

        def work(budget: int) -> tuple[list[float], list[float]]:
            self.optimiser.zero_grad()
            losses, apart = (torch.zeros(len(self.cells), device=self.device) for _ in range(2))
            for part in cut_by_length(examples, budget):
                loss, gap = self._part(part, replies, kept, route)
                losses += loss
                apart += gap
            return losses.tolist(), apart.tolist()

        return self.fitting(work, max(len(each.ids) for each in examples))

    def _part(
        self,
        part: list[Example],
        replies: list[_Text],
        kept: dict[int, tuple[Tensor, Tensor | None]],
        route: Route,
    ) -> tuple[Tensor, Tensor]:
        wanted = wanted_of(part, self.device)
        route.set([example.cell for example in part])
        taught = torch.tensor(
            [replies[example.tag].advantage is None for example in part], device=self.device
        )[wanted.rows]
        heat = self._by_cell(part, "temperature")[wanted.rows].masked_fill(taught, 1.0)
        now = self._log_probabilities(part, wanted, heat)
        lengths = [len(example.targets) for example in part]
        if any(example.tag not in kept for example in part):
            before = None
            if any(self.cells[example.cell].practice.kl for example in part):
                with torch.no_grad(), route.as_before():
                    before = self._log_probabilities(part, wanted, heat).split(lengths)
            for place, (example, old) in enumerate(
                zip(part, now.detach().split(lengths), strict=True)
            ):
                kept[example.tag] = (old, None if before is None else before[place])
        old = torch.cat([kept[example.tag][0] for example in part])
        worth = torch.tensor([replies[example.tag].advantage or 0.0 for example in part])
        advantage = worth.to(now)[wanted.rows]
        low, high = (self._by_cell(part, name)[wanted.rows] for name in ("clip_low", "clip_high"))
        losses = torch.where(taught, -now, clipped_loss(now, old, advantage, low, high))
        gaps = torch.zeros_like(losses)
        references = [kept[example.tag][1] for example in part]
        if any(each is not None for each in references):
            before = torch.cat(
                [o if b is None else b for o, b in zip(now.split(lengths), references, strict=True)]
            )
            gaps = divergence(now, old, before).masked_fill(taught, 0.0)
            losses = losses + self._by_cell(part, "kl")[wanted.rows] * gaps
        weighted = losses * wanted.weights
        weighted.sum().backward()
        cells = torch.tensor([example.cell for example in part], device=self.device)[wanted.rows]
        sums = torch.zeros(len(self.cells), device=self.device)
        return (
            sums.index_add(0, cells, weighted.detach()),
            sums.index_add(0, cells, (gaps * wanted.weights).detach()),
        )

    def _log_probabilities(self, part: list[Example], wanted: Wanted, heat: Tensor) -> Tensor:
        """Of each wanted token, at the temperature it was drawn with."""
        logits = self.reader.logits_at(part, wanted.rows, wanted.positions - 1).float()
        shares = (logits / heat[:, None]).log_softmax(-1)
        return shares.gather(1, wanted.tokens[:, None])[:, 0]

    def _by_cell(self, part: list[Example], name: str) -> Tensor:
        values = [float(getattr(self.cells[example.cell].practice, name)) for example in part]
        return torch.tensor(values, device=self.device)

    def _result(self, k: int) -> Practised | Failed:
        cell = self.cells[k]
        if failed := self.failed(k, cell.reason, "update"):
            return failed
        return Practised(cell.job.key, self.standing(k), tuple(cell.updates), cell.tokens)


def _order(seed: int, epoch: int, count: int, stream: int = 0) -> list[int]:
    return np.random.default_rng([seed, epoch, stream]).permutation(count).tolist()


def _written(drawn: Drawn) -> tuple[int, ...]:
    """All that the model wrote, the token that ends it too."""
    return drawn.tokens if drawn.end is None else (*drawn.tokens, drawn.end)


def _mean(values: Iterable[float]) -> float:
    found = [float(value) for value in values]
    return sum(found) / len(found)

