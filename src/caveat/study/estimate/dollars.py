"""What is left of a study in tokens that a service bills, and in dollars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from caveat.backends.prices import Billed, Price, PriceTable
from caveat.backends.spending import Spending
from caveat.errors import CaveatError
from caveat.study.execution.jobs import AnswerGroup, RLGroup, SampleGroup, Task, TrainGroup
from caveat.study.execution.meter import REPLY_SHARE, Estimator
from caveat.study.execution.tasks import left_tasks
from caveat.study.planning.artifact_graph import TrainNode
from caveat.study.planning.study_plan import AnswerRequest, StudyPlan
from caveat.study.storage.store import Store


@dataclass(frozen=True)
class Cost:
    """What is left of a study."""

    billed: Billed
    price: Price | None = None
    """None where no price is known."""
    read: date | None = None

    @property
    def dollars(self) -> float | None:
        """At the price; None without one."""
        return None if self.price is None else self.price.dollars(self.billed)

    @property
    def line(self) -> str:
        """For people."""
        tokens = (
            f"tokens that a service bills: {self.billed.train:,.0f} of training, "
            f"{self.billed.prefill:,.0f} of prompts and scored texts (prefill), "
            f"{self.billed.sample:,.0f} sampled"
        )
        if self.dollars is None:
            return f"{tokens}; no price is known for this model here (--prices FILE gives one)"
        return f"{tokens}: about ${self.dollars:.2f} at prices read on {self.read}"


def cost_of(plan: StudyPlan, store: Store, estimator: Estimator, table: PriceTable | None) -> Cost:
    """The cost of what is left of a study.

    Args:
        table: Holds the plan's model; None: no price is known.
    """
    tokens = _sum(billed(task, estimator) for task in left_tasks(plan.settings, store))
    if table is None:
        return Cost(tokens)
    return Cost(tokens, table.models[plan.recipe.model.source], table.read)


def billed(task: Task, estimator: Estimator) -> Billed:
    """Tokens of a job as a service bills them; replies are assumed to end early, as in times."""
    if isinstance(task, TrainGroup):
        return Billed(train=estimator.tokens(task))
    if isinstance(task, RLGroup):
        return _sum(_policy(node, estimator) for node in task.nodes)
    if isinstance(task, SampleGroup):
        return _sum(
            Billed(
                prefill=node.stage.sampling.samples
                * sum(map(estimator.prompt, node.stage.prompts)),
                sample=estimator.tokens(SampleGroup((node,))),
            )
            for node in task.nodes
        )
    if isinstance(task, AnswerGroup):
        return _sum(_answer(request, estimator) for request in task.requests)
    return Billed()


def _policy(node: TrainNode, estimator: Estimator) -> Billed:
    """Of RL: prompts are read once for all replies to them, and trained on with each of them."""
    stage, rl = node.stage, node.stage.rl
    if rl is None or not stage.rows:
        return Billed()
    prompt = sum(estimator.prompt(row.messages[:-1]) for row in stage.rows) / len(stage.rows)
    prompts = rl.max_steps * stage.dose.batch_size
    reply = rl.max_completion_length * REPLY_SHARE
    replies = prompts * rl.num_generations
    return Billed(
        train=rl.num_iterations * replies * (prompt + reply),
        prefill=prompts * prompt,
        sample=replies * reply,
    )


def _answer(request: AnswerRequest, estimator: Estimator) -> Billed:
    if request.by_token:
        return Billed(prefill=estimator.tokens(AnswerGroup((request,))), sample=1)
    prompt, count = estimator.prompt(request.messages), len(request.options)
    if not count:
        return Billed(prefill=prompt, sample=request.sampling.max_tokens * REPLY_SHARE)
    options = sum(map(estimator.option, request.options))
    return Billed(prefill=count * prompt + options, sample=count)


def check_budget(plan: StudyPlan, store: Store, estimator: Estimator, spending: Spending) -> None:
    """Raise CaveatError where money would be spent without a budget, or with one too small."""
    cost, budget = cost_of(plan, store, estimator, spending.table), spending.budget
    if not cost.dollars:
        return
    if budget is None:
        raise CaveatError(
            f"backend {plan.recipe.backend}: what is left of this study costs about "
            f"${cost.dollars:.2f} at prices read on {cost.read}; name what it may spend with "
            "--budget DOLLARS (caveat plan shows the parts)"
        )
    cells = sorted(_cells(plan, store, estimator, spending.price), key=lambda cell: cell[1])
    name, least = cells[0] if cells else ("", 0.0)
    if budget < least:
        raise CaveatError(
            f"--budget {budget:g}: the cheapest cell that is left, '{name}', costs about "
            f"${least:.4f}; name that or more"
        )


def _cells(
    plan: StudyPlan, store: Store, estimator: Estimator, price: Price
) -> Iterator[tuple[str, float]]:
    """Each cell that is not complete, and what is left of it costs."""
    for setting in plan.settings:
        requests = {one.key: one for group in setting.requests for one in group}
        keys: dict[str, set[str]] = {}
        for line in setting.lines:
            keys.setdefault(line.cell.name, set()).update((line.answer, line.base_answer))
        for graded in setting.graded:
            keys.setdefault(graded.cell.name, set()).update((graded.scores, graded.base_scores))
        for cell in setting.cells:
            tasks: list[Task] = [
                (RLGroup if node.uses_rl else TrainGroup)((node,))
                for node in cell.nodes
                if isinstance(node, TrainNode) and not store.has(node.digest)
            ]
            some = [
                requests[key]
                for key in keys.get(cell.name, ())
                if key in requests and key not in store.answers
            ]
            tokens = _sum(billed(task, estimator) for task in tasks)
            tokens += _sum(_answer(request, estimator) for request in some)
            if dollars := price.dollars(tokens):
                yield cell.name, dollars


def _sum(parts: Iterable[Billed]) -> Billed:
    return sum(parts, Billed())
