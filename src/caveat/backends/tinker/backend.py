"""The backend `tinker`: adapters that a service trains and holds; rows and steps are ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from caveat.backends.base import Feature
from caveat.backends.batches import LossSum
from caveat.backends.callbacks import Grader, OnStep, OnToken, ignore
from caveat.backends.capacity import Capacity
from caveat.backends.inspection import GradientProducts
from caveat.backends.jobs import (
    AdapterRef,
    Failed,
    InitialModel,
    RLJob,
    Trained,
    TrainedPolicy,
    TrainingJob,
)
from caveat.backends.requests import Request, TokenRequest
from caveat.backends.tinker.answering import JOURNAL, Answering
from caveat.backends.tinker.checkpoints import Checkpoint
from caveat.backends.tinker.rl import train_rl
from caveat.backends.tinker.service import Service
from caveat.backends.tinker.training import train
from caveat.errors import CaveatError
from caveat.files.journal import Journal
from caveat.progress import Progress
from caveat.rendering import render_prompt
from caveat.types.answers import Answer, Sampling
from caveat.types.messages import Messages

Result = TypeVar("Result", Trained[Any], TrainedPolicy[Any])
LOOPBACK = ("127.0.0.1", "::1", "localhost")
AT_ONCE = 8
"""Adapters that are trained side by side: those of one group, which are stored together."""


class TinkerBackend:
    """Trains and samples on a service that speaks the Tinker API."""

    supports = frozenset(
        {Feature.SAMPLING, Feature.LIKELIHOOD, Feature.TOKEN_LIKELIHOOD, Feature.RL}
    )

    def __init__(
        self,
        service: Service,
        tokenizer: Any,
        inserted_system: str | None,
        progress: Progress | None = None,
        folder: Path | None = None,
    ) -> None:
        """Hold a service, to which nothing is sent before `connect`.

        Args:
            folder: The study's, where answers are kept as they arrive; None: they are not kept.
        """
        self.service, self.tokenizer, self.inserted_system = service, tokenizer, inserted_system
        self.progress = progress or Progress()
        journal = None if folder is None else Journal(folder / JOURNAL, self.progress.say)
        if journal is not None:
            journal.refresh()
        self._answering = Answering(service, tokenizer, journal)
        self._new: dict[str, Checkpoint] = {}
        """Checkpoints of adapters that were made here, by handle."""
        self._numbers = count()

    @property
    def name(self) -> str:
        """The base model's name on the service."""
        return self.service.model

    @property
    def billed_by(self) -> str | None:
        """The provider's prices; None for a server on this machine."""
        if self.service.url is None:
            return "tinker"
        host = urlsplit(self.service.url).hostname  # none of what is no address: `connect` says it
        return None if host is None or host in LOOPBACK else "tinker"

    @property
    def identity(self) -> str:
        """`tinker:` and the model's name; the service says nothing of revision and dtype."""
        return f"tinker:{self.name}"

    @property
    def hardware(self) -> str:
        """The service, as rates depend on nothing here."""
        return self.service.label

    @property
    def weights(self) -> None:
        """The service does not say."""

    def connect(self) -> None:
        """Check key, address and model; free of charge. Raises CaveatError."""
        self.service.connect()

    def prompt_text(self, messages: Messages) -> str:
        """A prompt in the model's chat template."""
        return render_prompt(self.tokenizer, messages).text

    # Work ----------------------------------------------------------------------------------------

    def train(
        self, jobs: Sequence[TrainingJob[AdapterRef]], on_step: OnStep = ignore
    ) -> list[Trained[AdapterRef] | Failed]:
        """Train the jobs side by side, all requests of a step under way together."""
        results = train(self.service, self.tokenizer, jobs, on_step, self.progress)
        return list(map(self._held, results))

    def train_rl(
        self, jobs: Sequence[RLJob[AdapterRef]], grade: Grader, on_step: OnStep = ignore
    ) -> list[TrainedPolicy[AdapterRef] | Failed]:
        """Train the policies side by side: see `tinker.rl`."""
        states = [
            None if job.resume_from is None else self._checkpoint(job.resume_from) for job in jobs
        ]
        results = train_rl(self._answering, jobs, states, grade, on_step, self.progress)
        return list(map(self._held, results))

    def generate(
        self,
        requests: Sequence[Request[AdapterRef]],
        sampling: Sampling,
        on_token: OnToken | None = None,
    ) -> list[Answer]:
        """Sample replies, all requests under way together; nothing is heard of single tokens."""
        return self._answering.generate(self._models(requests), requests, sampling, self.progress)

    def log_likelihoods(self, requests: Sequence[Request[AdapterRef]]) -> list[Answer]:
        """Score options, all requests under way together."""
        return self._answering.log_likelihoods(self._models(requests), requests, self.progress)

    def token_log_likelihoods(
        self, requests: Sequence[TokenRequest[AdapterRef]]
    ) -> list[tuple[float, ...]]:
        """Score single tokens, all requests under way together."""
        return self._answering.token_log_likelihoods(
            self._models(requests), requests, self.progress
        )

    def losses(
        self,
        start: InitialModel[AdapterRef],
        sums: Sequence[LossSum],
        adapters: Sequence[AdapterRef | None] | None = None,
    ) -> list[float]:
        """Each sum of token losses, in nats; where adapters are given, under each one."""
        refs = [None] * len(sums) if adapters is None else adapters
        chains = [(*start.base_adapters, *(() if ref is None else (ref,))) for ref in refs]
        return self._answering.losses([self._model(chain) for chain in chains], sums)

    def gradient_products(
        self, start: InitialModel[AdapterRef], sums: Sequence[LossSum], direction: LossSum
    ) -> list[GradientProducts]:
        """Not there: the API returns no gradients."""
        raise self._lacks(Feature.GRADIENTS)

    # Adapters ------------------------------------------------------------------------------------

    def scale(self, adapter: AdapterRef, by: float) -> AdapterRef:
        """Not there: weights cannot be written."""
        raise self._lacks(Feature.SCALE_ADAPTER)

    def randomise(self, adapter: AdapterRef, seed: int) -> AdapterRef:
        """Not there: weights cannot be written."""
        raise self._lacks(Feature.SCALE_ADAPTER)

    def save(self, adapter: AdapterRef, folder: Path) -> None:
        """Write the handle of an adapter's checkpoint; the service keeps the weights."""
        self._checkpoint(adapter).save(folder)

    def discard(self, adapters: Sequence[AdapterRef]) -> None:
        """Forget handles that were made here; checkpoints stay."""
        for ref in adapters:
            self._new.pop(str(ref), None)

    def lost(self, adapters: Sequence[AdapterRef]) -> list[AdapterRef]:
        """Saved adapters that the service does not have any more: expired, or deleted."""
        checkpoints = {ref: self._checkpoint(ref) for ref in adapters}
        runs = {checkpoint.run for checkpoint in checkpoints.values()}
        there = {run: self.service.checkpoints(run) for run in runs}
        return [ref for ref, one in checkpoints.items() if not one.parts() <= there[one.run]]

    def capacity(self) -> Capacity:
        """A number of adapters side by side; memory is the service's."""
        return Capacity(most_adapters=AT_ONCE)

    def release(self) -> None:
        """Nothing is held here."""

    def _held(self, result: Result | Failed) -> Result | Failed:
        """A result with a handle in place of its checkpoint."""
        if isinstance(result, Failed):
            return result
        return replace(result, adapter=self._hold(result.adapter))

    def _hold(self, checkpoint: Checkpoint) -> AdapterRef:
        handle = f"{checkpoint.sampler}#{next(self._numbers)}"
        self._new[handle] = checkpoint
        return handle

    def _models(
        self, requests: Sequence[Request[AdapterRef] | TokenRequest[AdapterRef]]
    ) -> list[Checkpoint | None]:
        return [self._model(request.adapters) for request in requests]

    def _model(self, chain: Sequence[AdapterRef]) -> Checkpoint | None:
        """The checkpoint of a chain of at most one adapter; None is the base model."""
        if len(chain) > 1:
            raise self._lacks(Feature.FROZEN_ADAPTERS)
        return self._checkpoint(chain[0]) if chain else None

    def _checkpoint(self, ref: AdapterRef) -> Checkpoint:
        """Raises CaveatError for one that lies on another service."""
        if isinstance(ref, str):
            return self._new[ref]
        checkpoint = Checkpoint.load(ref)
        if checkpoint.service != self.service.label:
            raise CaveatError(
                f"{ref}: its adapter lies on {checkpoint.service}, and this run uses "
                f"{self.service.label}; set TINKER_BASE_URL to that, or name another folder with "
                "--out"
            )
        return checkpoint

    def _lacks(self, feature: Feature) -> CaveatError:
        return CaveatError(f"backend tinker of {self.name}: has no {feature.value}")
