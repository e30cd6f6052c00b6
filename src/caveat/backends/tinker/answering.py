"""Replies and log-probabilities over the Tinker API, all requests of a call under way together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol, TypeVar

from caveat.backends.batches import LossSum
from caveat.backends.completions import Completion, as_text, seed_of
from caveat.backends.jobs import AdapterRef, Failed
from caveat.backends.requests import Request, TokenRequest, whole
from caveat.backends.tinker.checkpoints import Checkpoint
from caveat.backends.tinker.service import Service
from caveat.errors import CaveatError
from caveat.files.journal import Journal, Record
from caveat.progress import Progress
from caveat.rendering import continuation, prompt_ids, render_row
from caveat.types.answers import Answer, Sampling
from caveat.types.data import Row
from caveat.types.messages import Message

JOURNAL = "tinker.jsonl"
"""The file of a study's folder that holds what arrived."""
SomeRequest = TypeVar("SomeRequest", Request[AdapterRef], TokenRequest[AdapterRef])
Result = TypeVar("Result")


class Positioned(Protocol):
    """A text, and where its tokens are scored."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Its tokens."""

    @property
    def targets(self) -> tuple[int, ...]:
        """Positions, 1 or more and ascending."""


class Answering:
    """Samples from models of one service, and scores text with them.

    What arrives costs money: each answer is written to a journal as soon as it is there, and no
    request whose answer is in it is sent again.
    """

    def __init__(self, service: Service, tokenizer: Any, journal: Journal | None = None) -> None:
        self.service, self.tokenizer, self._journal = service, tokenizer, journal
        self._opening: dict[str | None, Any] = {}
        """Futures of sampling clients, by handle; None is the base model."""

    @cached_property
    def ends(self) -> list[int]:
        """Tokens that end a reply: the tokenizer's own, and what its template writes after one."""
        turns = (Message.of("user", "a"), Message.of("assistant", "b"))
        row = render_row(self.tokenizer, Row("", "", turns), "reply", 10_000)
        last = [token for token, counts in zip(row.ids, row.loss, strict=True) if counts][-1]
        special = [last] if last in self.tokenizer.all_special_ids else []
        return sorted({self.tokenizer.eos_token_id, *special} - {None})

    def generate(
        self,
        models: Sequence[Checkpoint | None],
        requests: Sequence[Request[AdapterRef]],
        sampling: Sampling,
        progress: Progress,
    ) -> list[Answer]:
        """One sampled reply a request.

        Raises PartlyAnswered where some have none.

        Args:
            models: Of each request, its adapter; None is the base model.
        """
        from tinker import types

        def send(model: Checkpoint | None, request: Request[AdapterRef]) -> Any:
            settings = types.SamplingParams(
                max_tokens=sampling.max_tokens,
                temperature=sampling.temperature,
                seed=seed_of(request.key),
                stop=self.ends or None,
            )
            ids = prompt_ids(self.tokenizer, request.messages, request.key)
            return self._client(model).sample(types.ModelInput.from_ints(list(ids)), 1, settings)

        def receive(request: Request[AdapterRef], future: Any) -> Record:
            response = self.service.wait(future)
            completion = self.completion(response)
            progress.advance("reply", len(completion.tokens) + 1)
            return {
                "text": as_text(self.tokenizer, completion),
                "truncated": response.sequences[0].stop_reason == "length",
                "tokens": len(completion.tokens),
            }

        return self._answered(models, requests, send, receive, _answer)

    def completion(self, response: Any) -> Completion:
        """The one sequence that was sampled, with the token that ended it apart."""
        (sequence,) = response.sequences
        tokens = tuple(sequence.tokens)
        if tokens and tokens[-1] in self.ends:
            return Completion(tokens[:-1], tokens[-1])
        return Completion(tokens, None)

    def log_likelihoods(
        self,
        models: Sequence[Checkpoint | None],
        requests: Sequence[Request[AdapterRef]],
        progress: Progress,
    ) -> list[Answer]:
        """The log-likelihood of each option of each request, in nats, summed over its tokens."""

        def send(model: Checkpoint | None, request: Request[AdapterRef]) -> Any:
            prompt = prompt_ids(self.tokenizer, request.messages, request.key)
            tails = [continuation(self.tokenizer, option) for option in request.options]
            return (
                prompt,
                tails,
                [self.score(model, (*prompt, *tail)) if tail else None for tail in tails],
            )

        def receive(request: Request[AdapterRef], sent: Any) -> Record:
            prompt, tails, futures = sent
            values = [
                sum(self._last(future, len(tail))) if tail else 0.0
                for tail, future in zip(tails, futures, strict=True)
            ]
            # a prompt counts once, as with the backend `local`
            progress.advance("score", len(prompt) + sum(map(len, tails)))
            return {"log_likelihoods": values, "option_tokens": list(map(len, tails))}

        return self._answered(models, requests, send, receive, _answer)

    def token_log_likelihoods(
        self,
        models: Sequence[Checkpoint | None],
        requests: Sequence[TokenRequest[AdapterRef]],
        progress: Progress,
    ) -> list[tuple[float, ...]]:
        """Log-likelihoods of single tokens, in nats. Raises PartlyAnswered where some are not."""

        def send(model: Checkpoint | None, request: TokenRequest[AdapterRef]) -> Any:
            # what follows the last target changes nothing
            return self.score(model, _read(request)) if request.targets else None

        def receive(request: TokenRequest[AdapterRef], future: Any) -> Record:
            progress.advance("score", len(_read(request)))
            first = request.targets[0] if request.targets else 0
            values = self._last(future, len(_read(request)) - first) if request.targets else []
            return {"log_likelihoods": [values[target - first] for target in request.targets]}

        return self._answered(
            models, requests, send, receive, lambda record: tuple(record["log_likelihoods"])
        )

    def losses(self, models: Sequence[Checkpoint | None], sums: Sequence[LossSum]) -> list[float]:
        """Each sum of token losses, in nats, under its model."""
        futures = [
            [self.score(model, example.ids) for example in loss_sum]
            for model, loss_sum in zip(models, sums, strict=True)
        ]
        return [
            -sum(
                example.weight * value
                for example, future in zip(loss_sum, some, strict=True)
                for value in self.at(future, example)
            )
            for loss_sum, some in zip(sums, futures, strict=True)
        ]

    def _answered(
        self,
        models: Sequence[Checkpoint | None],
        requests: Sequence[SomeRequest],
        send: Callable[[Checkpoint | None, SomeRequest], Any],
        receive: Callable[[SomeRequest, Any], Record],
        read: Callable[[Record], Result],
    ) -> list[Result]:
        """Each request's answer, from the journal or the service. Raises PartlyAnswered."""
        kept: Any = {} if self._journal is None else self._journal
        records: dict[str, Record] = {one.key: kept[one.key] for one in requests if one.key in kept}
        sent: dict[str, Any] = {}
        failures: dict[str, str] = {}
        for model, request in zip(models, requests, strict=True):
            if request.key not in records:
                try:
                    sent[request.key] = send(model, request)
                except CaveatError as error:
                    failures[request.key] = str(error)
        for request in requests:
            if request.key in sent:
                try:
                    record = receive(request, sent[request.key])
                except CaveatError as error:
                    failures[request.key] = str(error)
                    continue
                records[request.key] = record
                if self._journal is not None:
                    self._journal.add({"key": request.key, **record})
        return whole(
            [
                Failed(one.key, failures[one.key])
                if one.key in failures
                else read(records[one.key])
                for one in requests
            ]
        )

    def _client(self, model: Checkpoint | None) -> Any:
        """The sampling client of a model; opened for all requests of a call before the first."""
        handle = None if model is None else model.sampler
        opening = self._opening.get(handle)
        if opening is None:
            source = {"base_model": self.service.model} if model is None else {"model_path": handle}
            opening = self._opening[handle] = self.service.client.create_sampling_client(**source)
        try:
            return self.service.wait(opening)
        except CaveatError:
            del self._opening[handle]
            raise

    def score(self, model: Checkpoint | None, ids: Sequence[int]) -> Any:
        """A future of the log-probabilities of a text's tokens."""
        from tinker import types

        return self._client(model).compute_logprobs(types.ModelInput.from_ints(list(ids)))

    def _last(self, future: Any, count: int) -> list[float]:
        """Log-probabilities of the last tokens of a text, checked.

        Counted from the end, as services differ in whether the first token, which nothing
        precedes, has an entry.
        """
        values = list(self.service.wait(future))[-count:]
        if len(values) == count and any(math.isnan(value or 0.0) for value in values):
            raise CaveatError(
                "log-probabilities are not finite: training ran to infinity; lower "
                "dose.learning_rate"
            )
        if len(values) != count or any(value is None for value in values):
            raise self.service.mismatch(f"{values!r} for the log-probabilities of {count} tokens")
        return [float(value) for value in values]

    def at(self, future: Any, text: Positioned) -> list[float]:
        """Log-probabilities of a text's targets, from a future of those of its tokens."""
        values = self._last(future, len(text.ids) - text.targets[0])
        return [values[target - text.targets[0]] for target in text.targets]


def _read(request: TokenRequest[AdapterRef]) -> tuple[int, ...]:
    """The text up to its last target."""
    return request.ids[: max(request.targets, default=0) + 1]


def _answer(record: Record) -> Answer:
    """The answer that a record keeps."""
    return Answer(
        record.get("text", ""),
        record.get("truncated", False),
        record.get("tokens", 0),
        tuple(record.get("log_likelihoods", ())),
        tuple(record.get("option_tokens", ())),
    )
