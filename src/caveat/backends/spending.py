"""What a run may spend on a service, and a backend that stops before that is exceeded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from caveat.backends.base import Backend
from caveat.backends.batches import prepare
from caveat.backends.callbacks import Grader, OnStep, OnToken, ignore
from caveat.backends.endpoint.connection import estimated, estimated_tokens
from caveat.backends.jobs import AdapterRef, Failed, RLJob, Trained, TrainedPolicy, TrainingJob
from caveat.backends.prices import Billed, Price, PriceTable, price_table
from caveat.backends.requests import Request, TokenRequest, partly, whole
from caveat.backends.rl.prompts import prepare as prepare_policy
from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.rendering import continuation, render_prompt
from caveat.types.answers import Answer, Sampling
from caveat.types.messages import Messages

Item = TypeVar("Item")


@dataclass(frozen=True)
class Limit:
    """What a run may spend, as its user says."""

    budget: float | None = None
    """Dollars; None: nothing was said."""
    prices: Path | None = None
    """A price table in place of the shipped one."""

    def spending(self, backend: Backend) -> Spending | None:
        """What counts the dollars of a backend's work; None where nothing is billed.

        Raises CaveatError for a budget that cannot be kept to, and where work is billed at a price
        that nobody here knows.
        """
        table = price_table(backend, self.prices)
        if table is not None:
            return Spending(table, table.models[backend.name], self.budget)
        if self.budget is not None:
            raise CaveatError(
                f"--budget {self.budget:g}: no price is known for the work of '{backend.name}'; "
                "name a price table with --prices FILE, or leave the budget out"
            )
        if backend.billed_by is not None:
            raise CaveatError(
                f"model '{backend.name}': no price is known for it, so no budget can be kept; "
                "give a price table with --prices FILE"
            )
        return None


@dataclass
class Spending:
    """What a run has spent of its budget, in dollars."""

    table: PriceTable
    price: Price
    budget: float | None
    """None: nothing may be spent."""
    spent: float = 0.0

    def reserve(self, billed: Billed) -> bool:
        """Count some tokens as spent, unless the budget does not allow for them."""
        dollars = self.price.dollars(billed)
        if self.spent + dollars > (self.budget or 0.0):
            return False
        self.spent += dollars
        return True

    def refund(self, billed: Billed) -> None:
        """Count tokens as not spent that were reserved and not used."""
        self.spent -= self.price.dollars(billed)

    @property
    def reason(self) -> str:
        """Why something was left undone."""
        return (
            f"budget: the rest of ${self.budget or 0.0:g} is too little for it; run the same "
            "command again with another --budget: what is finished is kept"
        )


class BudgetedBackend:
    """A backend that sends nothing that its budget does not allow for: that fails instead."""

    def __init__(self, backend: Backend, spending: Spending) -> None:
        self._backend, self.spending = backend, spending

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    @property
    def progress(self) -> Progress:
        """The backend's own."""
        return self._backend.progress

    @progress.setter
    def progress(self, progress: Progress) -> None:
        self._backend.progress = progress

    def train(
        self, jobs: Sequence[TrainingJob[AdapterRef]], on_step: OnStep = ignore
    ) -> list[Trained[AdapterRef] | Failed]:
        """Train the jobs that the budget allows for as a whole."""
        return self._afforded(
            jobs,
            lambda job: Billed(train=self._training_tokens(job)),
            lambda some: self._backend.train(some, on_step),
        )

    def train_rl(
        self, jobs: Sequence[RLJob[AdapterRef]], grade: Grader, on_step: OnStep = ignore
    ) -> list[TrainedPolicy[AdapterRef] | Failed]:
        """Train the policies that the budget allows for, with replies at their longest."""
        return self._afforded(
            jobs, self._policy_tokens, lambda some: self._backend.train_rl(some, grade, on_step)
        )

    def generate(
        self,
        requests: Sequence[Request[AdapterRef]],
        sampling: Sampling,
        on_token: OnToken | None = None,
    ) -> list[Answer]:
        """Sample the replies that the budget allows for at their longest."""
        results = self._afforded(
            requests,
            lambda one: Billed(prefill=self._prompt(one.messages), sample=sampling.max_tokens),
            lambda some: partly(lambda: self._backend.generate(some, sampling, on_token)),
        )
        for result in results:
            if isinstance(result, Answer):  # the token that ends a reply is billed, too
                used = min(result.tokens + 1, sampling.max_tokens)
                self.spending.refund(Billed(sample=sampling.max_tokens - used))
        return whole(results)

    def log_likelihoods(self, requests: Sequence[Request[AdapterRef]]) -> list[Answer]:
        """Score the options that the budget allows for; each is read with its prompt."""

        def cost(request: Request[AdapterRef]) -> Billed:
            options = sum(map(self._text, request.options))
            count = len(request.options)
            return Billed(prefill=count * self._prompt(request.messages) + options, sample=count)

        results = self._afforded(
            requests, cost, lambda some: partly(lambda: self._backend.log_likelihoods(some))
        )
        return whole(results)

    def token_log_likelihoods(
        self, requests: Sequence[TokenRequest[AdapterRef]]
    ) -> list[tuple[float, ...]]:
        """Score the tokens of the requests that the budget allows for."""
        results = self._afforded(
            requests,
            lambda one: Billed(prefill=max(one.targets, default=0) + 1, sample=1),
            lambda some: partly(lambda: self._backend.token_log_likelihoods(some)),
        )
        return whole(results)

    def _afforded(
        self,
        items: Sequence[Item],
        cost: Callable[[Item], Billed],
        work: Callable[[list[Item]], Sequence[Any]],
    ) -> list[Any]:
        """A result an item: of the work on those that the budget allows for, else a `Failed`."""
        able = [self.spending.reserve(cost(item)) for item in items]
        some = [item for item, is_able in zip(items, able, strict=True) if is_able]
        results = iter(work(some) if some else ())
        return [
            next(results) if is_able else Failed(item.key, self.spending.reason)
            for item, is_able in zip(items, able, strict=True)
        ]

    def _training_tokens(self, job: TrainingJob[AdapterRef]) -> float:
        """Tokens of all steps; 0 of a bad job, which the backend reports."""
        try:
            cell = prepare(self._backend.tokenizer, job)
        except CaveatError:
            return 0.0
        steps = range(len(cell.schedule))
        return sum(len(row.ids) for n in steps for some in cell.step_rows(n) for row in some)

    def _policy_tokens(self, job: RLJob[AdapterRef]) -> Billed:
        """At most, of all updates; none of a bad job, which the backend reports."""
        try:
            cell = prepare_policy(self._backend.tokenizer, job)
        except CaveatError:
            return Billed()
        rl, size = cell.rl, job.stage.dose.batch_size
        prompt = max(len(one.ids) for one in cell.prompts)
        reply = rl.max_completion_length
        replies = rl.max_steps * size * rl.num_generations
        rows = [row for turn in range(rl.max_steps) for row in cell.update_added(turn)]
        passed = replies * (prompt + reply) + sum(len(row.ids) for row in rows)
        read_again = rl.num_iterations - 1 + (2 if rl.beta else 0)
        return Billed(
            train=rl.num_iterations * passed,
            prefill=replies * prompt + read_again * passed,
            sample=replies * reply,
        )

    def _prompt(self, messages: Messages) -> int:
        tokenizer = self._backend.tokenizer
        if tokenizer is None:
            return estimated_tokens(messages)
        return len(render_prompt(tokenizer, messages).ids)

    def _text(self, text: str) -> int:
        tokenizer = self._backend.tokenizer
        if tokenizer is None:
            return estimated(text)
        return len(continuation(tokenizer, text))
