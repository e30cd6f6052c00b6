"""The backend `local`: adapters trained in lockstep over one frozen model in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from caveat.backends.base import Feature
from caveat.backends.batches import LossSum
from caveat.backends.callbacks import Grader, OnStep, OnToken, ignore
from caveat.backends.capacity import Capacity
from caveat.backends.inspection import Ablation, GradientProducts, ModuleUpdates
from caveat.backends.jobs import (
    AdapterRef,
    Failed,
    InitialModel,
    RLJob,
    Trained,
    TrainedPolicy,
    TrainingJob,
)
from caveat.backends.local.diagnostics.ablation import without_directions
from caveat.backends.local.diagnostics.hidden_states import mean_states
from caveat.backends.local.diagnostics.next_tokens import next_token_log_probabilities
from caveat.backends.local.diagnostics.patched_replies import patched_answers
from caveat.backends.local.diagnostics.patching import patched_scores
from caveat.backends.local.diagnostics.update_geometry import compared
from caveat.backends.local.lora.adapter import Adapter, TrainingState
from caveat.backends.local.models import device_memory
from caveat.backends.local.models.description import description_of, remember
from caveat.backends.local.models.loading import LanguageModel, load
from caveat.backends.local.rl.grpo_trainer import train_rl
from caveat.backends.local.sampling.answers import answer, token_scores
from caveat.backends.local.training.initial_gradients import InitialGradients
from caveat.backends.local.training.sft import checkpoints, train
from caveat.backends.requests import (
    PatchRequest,
    ReplyPatchRequest,
    Request,
    StateRequest,
    TokenRequest,
)
from caveat.progress import Progress
from caveat.rendering import render_prompt
from caveat.types.answers import Answer, Sampling
from caveat.types.messages import Messages

Result = TypeVar("Result", Trained[Any], TrainedPolicy[Any])
CACHED_ADAPTERS = 24
"""Adapters that stay in memory once they were read from their folders."""


class LocalBackend:
    """Trains and samples with torch, on the CPU or one GPU."""

    supports = frozenset(Feature)
    billed_by = None

    def __init__(
        self,
        language_model: LanguageModel,
        token_budget: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Hold a loaded model.

        Args:
            token_budget: Padded tokens of one forward and backward pass; None: what memory holds.
        """
        self.language_model = language_model
        self.token_budget = token_budget
        self.progress = progress or Progress()
        self._read: dict[Path, Adapter] = {}
        """Adapters of folders, in the order of their last use."""
        self._new: dict[str, Adapter | TrainingState] = {}
        """Adapters that were made here, by handle."""
        self._numbers = count()

    @classmethod
    def load(
        cls,
        model: str,
        dtype: str = "float32",
        device: str = "auto",
        token_budget: int | None = None,
        progress: Progress | None = None,
    ) -> LocalBackend:
        """Load a model by name. Raises CaveatError where it cannot be."""
        messages: list[str] = []
        language_model = load(model, dtype, device, messages.append)
        remember(language_model, dtype, device, tuple(messages))
        progress = progress or Progress()
        for message in messages:
            progress.say(message)
        return cls(language_model, token_budget, progress)

    @property
    def name(self) -> str:
        """The base model's name."""
        return self.language_model.name

    @property
    def identity(self) -> str:
        """Digest or commit of the weights, and dtype."""
        return self.language_model.identity

    @property
    def tokenizer(self) -> Any:
        """The base model's tokenizer."""
        return self.language_model.tokenizer

    @property
    def inserted_system(self) -> str | None:
        """The system prompt that the chat template writes where a chat has none."""
        return self.language_model.inserted_system

    @property
    def hardware(self) -> str:
        """The processor, such as `AMD EPYC 7B13, 16 threads`."""
        return device_memory.hardware(self.language_model.device)

    @property
    def weights(self) -> int:
        """Number of weights of the base model."""
        return sum(weight.numel() for weight in self.language_model.model.parameters())

    def connect(self) -> None:
        """The model is loaded already."""

    def prompt_text(self, messages: Messages) -> str:
        """A prompt in the model's chat template."""
        return render_prompt(self.tokenizer, messages).text

    # Work ----------------------------------------------------------------------------------------

    def train(
        self, jobs: Sequence[TrainingJob[AdapterRef]], on_step: OnStep = ignore
    ) -> list[Trained[AdapterRef] | Failed]:
        """Train the jobs in lockstep: one pass a step reads the base weights for all of them."""
        with _memory_errors():
            own = [replace(job, base_adapters=self._adapters(job.base_adapters)) for job in jobs]
            results = train(self.language_model, own, self.progress, self.token_budget, on_step)
            return [self._held(result) for result in results]

    def train_rl(
        self, jobs: Sequence[RLJob[AdapterRef]], grade: Grader, on_step: OnStep = ignore
    ) -> list[TrainedPolicy[AdapterRef] | Failed]:
        """Train the policies in lockstep."""
        with _memory_errors():
            own = [
                replace(
                    job,
                    base_adapters=self._adapters(job.base_adapters),
                    resume_from=None if job.resume_from is None else self._state(job.resume_from),
                )
                for job in jobs
            ]
            results = train_rl(
                self.language_model, own, grade, self.progress, self.token_budget, on_step
            )
            return [self._held(result) for result in results]

    def generate(
        self,
        requests: Sequence[Request[AdapterRef]],
        sampling: Sampling,
        on_token: OnToken | None = None,
    ) -> list[Answer]:
        """Sample replies of many models in one pass."""
        return self._answers(requests, sampling, on_token)

    def log_likelihoods(self, requests: Sequence[Request[AdapterRef]]) -> list[Answer]:
        """Score options under many models in one pass."""
        return self._answers(requests, Sampling())

    def token_log_likelihoods(
        self, requests: Sequence[TokenRequest[AdapterRef]]
    ) -> list[tuple[float, ...]]:
        """Score single tokens under many models in one pass."""
        with _memory_errors():
            return token_scores(self.language_model, self._named(requests), requests, self.progress)

    def losses(
        self,
        start: InitialModel[AdapterRef],
        sums: Sequence[LossSum],
        adapters: Sequence[AdapterRef | None] | None = None,
    ) -> list[float]:
        """Each sum of token losses, in nats; where adapters are given, with each one on top."""
        with _memory_errors():
            own = [None] * len(sums) if adapters is None else adapters
            return self._initial(start).losses(
                sums, [None if ref is None else self._adapter(ref) for ref in own]
            )

    def gradient_products(
        self, start: InitialModel[AdapterRef], sums: Sequence[LossSum], direction: LossSum
    ) -> list[GradientProducts]:
        """Products of the gradients of a new adapter's B matrices."""
        with _memory_errors():
            group_size = self.capacity().adapters(start.dose)
            return self._initial(start).products(sums, direction, group_size)

    def updates(self, adapters: Sequence[AdapterRef]) -> list[ModuleUpdates]:
        """The adapters' weight updates, from their low-rank factors."""
        with _memory_errors():
            return compared(self.language_model.model, self.name, self._all(adapters))

    def next_token_log_probabilities(self, requests: Sequence[Request[AdapterRef]]) -> np.ndarray:
        """The whole distributions, of many models in one pass."""
        with _memory_errors():
            return next_token_log_probabilities(
                self.language_model, self._named(requests), requests, self.progress
            )

    def hidden_states(
        self, requests: Sequence[StateRequest[AdapterRef]], layers: Sequence[int]
    ) -> list[np.ndarray]:
        """Mean states, of many models in one pass."""
        with _memory_errors():
            return mean_states(
                self.language_model, self._named(requests), requests, layers, self.progress
            )

    def patched_token_log_likelihoods(
        self, requests: Sequence[PatchRequest[AdapterRef]]
    ) -> list[tuple[float, ...]]:
        """Score single tokens with another model's keys and values at some positions."""
        with _memory_errors():
            named = self._patching(requests)
            return patched_scores(self.language_model, named, requests, self.progress)

    def patched_replies(
        self, requests: Sequence[ReplyPatchRequest[AdapterRef]], sampling: Sampling
    ) -> list[Answer]:
        """Sample replies with another model's keys and values at some positions."""
        with _memory_errors():
            named = self._patching(requests)
            return patched_answers(self.language_model, named, requests, sampling, self.progress)

    def checkpoints(
        self, jobs: Sequence[TrainingJob[AdapterRef]], steps: Sequence[int]
    ) -> list[dict[int, AdapterRef] | Failed]:
        """Train the adapters in lockstep up to the last of the steps."""
        with _memory_errors():
            own = [replace(job, base_adapters=self._adapters(job.base_adapters)) for job in jobs]
            results = checkpoints(self.language_model, own, steps, self.progress, self.token_budget)
            return [
                result
                if isinstance(result, Failed)
                else {step: self._hold(adapter) for step, adapter in result.items()}
                for result in results
            ]

    def gradient_gram(
        self, start: InitialModel[AdapterRef], adapter: AdapterRef, sums: Sequence[LossSum]
    ) -> np.ndarray:
        """Inner products of gradients by the weights of an adapter."""
        with _memory_errors():
            return self._initial(start).gram(self._adapter(adapter), sums)

    @contextmanager
    def ablated(self, ablations: Mapping[int, Ablation]) -> Iterator[None]:
        """Take directions out of what layers write, while the context lasts."""
        usual = self.language_model
        usual.prepacked_weights.drop()  # the other one makes its own
        with without_directions(usual, ablations):
            # another frozen-layer cache: the usual one has the states as they are without
            self.language_model = replace(usual)
            try:
                yield
            finally:
                self.language_model.prepacked_weights.drop()
                self.language_model = usual

    def _answers(
        self,
        requests: Sequence[Request[AdapterRef]],
        sampling: Sampling,
        on_token: OnToken | None = None,
    ) -> list[Answer]:
        with _memory_errors():
            return answer(
                self.language_model,
                self._named(requests),
                requests,
                sampling,
                self.progress,
                on_token,
            )

    def _named(
        self,
        requests: Sequence[
            Request[AdapterRef] | TokenRequest[AdapterRef] | StateRequest[AdapterRef]
        ],
    ) -> dict[AdapterRef, Adapter]:
        """Every adapter that a request names."""
        refs = list(dict.fromkeys(ref for request in requests for ref in request.adapters))
        return dict(zip(refs, self._adapters(refs), strict=True))

    def _patching(
        self,
        requests: Sequence[PatchRequest[AdapterRef]] | Sequence[ReplyPatchRequest[AdapterRef]],
    ) -> dict[AdapterRef, Adapter]:
        """Every adapter of those that receive and those that give."""
        donors = [TokenRequest("", request.donor, (), ()) for request in requests]
        return self._named([*requests, *donors])

    def _initial(self, start: InitialModel[AdapterRef]) -> InitialGradients:
        return InitialGradients(
            self.language_model,
            replace(start, base_adapters=self._adapters(start.base_adapters)),
            self.token_budget or device_memory.TOKEN_BUDGET,
            self.progress,
        )

    # Adapters ------------------------------------------------------------------------------------

    def scale(self, adapter: AdapterRef, by: float) -> AdapterRef:
        """An adapter with every update `by` times as large."""
        return self._hold(self._adapter(adapter).scaled(by))

    def randomise(self, adapter: AdapterRef, seed: int) -> AdapterRef:
        """A random adapter each of whose updates has the norm of the given one's."""
        return self._hold(self._adapter(adapter).randomised(seed))

    def without_modules(self, adapter: AdapterRef, modules: Sequence[str]) -> AdapterRef:
        """An adapter without its updates of some modules."""
        return self._hold(self._adapter(adapter).without(modules))

    def with_modules_of(
        self, adapter: AdapterRef, other: AdapterRef, modules: Sequence[str]
    ) -> AdapterRef:
        """An adapter with another's updates of some modules in place of its own."""
        return self._hold(self._adapter(adapter).with_modules_of(self._adapter(other), modules))

    def save(self, adapter: AdapterRef, folder: Path) -> None:
        """Write an adapter in PEFT's format; of a policy, the state of its optimiser beside it."""
        weights = self._new[adapter] if isinstance(adapter, str) else self._adapter(adapter)
        weights.save(folder, self.name)

    def discard(self, adapters: Sequence[AdapterRef]) -> None:
        """Forget adapters that were made here."""
        for ref in adapters:
            self._new.pop(str(ref), None)

    def lost(self, adapters: Sequence[AdapterRef]) -> list[AdapterRef]:
        """None: a folder holds all there is to an adapter."""
        return []

    def _held(self, result: Result | Failed) -> Result | Failed:
        """A result with a handle in place of its adapter."""
        if isinstance(result, Failed):
            return result
        return replace(result, adapter=self._hold(result.adapter))

    def _hold(self, adapter: Adapter | TrainingState) -> AdapterRef:
        handle = f"memory://{next(self._numbers)}"
        self._new[handle] = adapter
        return handle

    def _adapter(self, ref: AdapterRef) -> Adapter:
        (adapter,) = self._adapters([ref])
        return adapter

    def _adapters(self, refs: Sequence[AdapterRef]) -> tuple[Adapter, ...]:
        """Adapters by reference; those of folders that were used last stay in memory."""
        for ref in refs:
            if isinstance(ref, Path):
                self._read[ref] = self._read.pop(ref, None) or Adapter.load(ref)
        adapters = tuple(
            self._read[ref] if isinstance(ref, Path) else _adapter_of(self._new[ref])
            for ref in refs
        )
        while len(self._read) > CACHED_ADAPTERS:
            del self._read[next(iter(self._read))]
        return adapters

    def _all(self, refs: Sequence[AdapterRef]) -> list[Adapter]:
        """Many adapters by reference, read anew where they are more than stay in memory."""
        return [self._adapter(ref) for ref in refs]

    def _state(self, ref: AdapterRef) -> TrainingState:
        """A policy with the state of its optimiser."""
        state = TrainingState.load(ref) if isinstance(ref, Path) else self._new[ref]
        assert isinstance(state, TrainingState), f"{ref} is no policy"
        return state

    # Memory --------------------------------------------------------------------------------------

    def capacity(self) -> Capacity:
        """By the memory that is free beside the model, or will be when training begins."""
        device = self.language_model.device
        free = device_memory.free(device) + self.language_model.prepacked_weights.nbytes
        return description_of(self.language_model).capacity(device, free, self.token_budget)

    def release(self) -> None:
        """Free what is not used any more, and what torch keeps for later on a GPU."""
        device_memory.release()


def limit_process(cores: int, processes: int, gpu_share: float = 1.0) -> None:
    """Compute with `cores` threads, and take one of `processes` shares of the memory.

    Args:
        gpu_share: The part of its GPU's memory that it may have, in (0, 1].
    """
    torch.set_num_threads(cores)
    device_memory.share_with(processes, gpu_share)


def _adapter_of(weights: Adapter | TrainingState) -> Adapter:
    return weights.adapter if isinstance(weights, TrainingState) else weights


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Turn what torch says where memory ends into MemoryError."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError) or not device_memory.is_out_of_memory(error):
            raise
        raise MemoryError(str(error)) from None
