"""The seam between studies and whatever holds weights: everything above it is free of tensors.

A study hands a backend jobs and requests in text and tokens, and gets back losses, answers and
adapters by reference. Rendering and the order of rows are ours on both sides (`rendering`,
`backends.batches`), so that every backend trains on the same tokens in the same steps.

New adapters are held by the backend until `save` writes them (an artifact's folder appears whole
or not at all) and `discard` drops them. `scale` and `randomise` make adapters from adapters.
`losses` and `gradient_products` are what forecasts need in place of gradients, which would be
tensors. `progress` hears of tokens within a call. Memory that runs out is Python's MemoryError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

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
from caveat.backends.requests import (
    PatchRequest,
    ReplyPatchRequest,
    Request,
    StateRequest,
    TokenRequest,
)
from caveat.types.messages import Messages

if TYPE_CHECKING:
    import numpy as np

    from caveat.backends.batches import LossSum
    from caveat.progress import Progress
    from caveat.types.answers import Answer, Sampling


class Feature(StrEnum):
    """What a backend may or may not be able to do; the value says it to people."""

    FROZEN_ADAPTERS = "frozen adapters under the one that is trained"
    LAYER_RANGE = "training a part of the layers"
    KL_TO_BASE = "a KL penalty towards the model before training"
    SCALE_ADAPTER = "adapters that are scaled or randomised"
    GRADIENTS = "gradients"
    RL = "RL training"
    LIKELIHOOD = "log-likelihoods of given text"
    TOKEN_LIKELIHOOD = "log-likelihoods of single tokens"
    SAMPLING = "sampled replies"
    WEIGHTS = "weights and hidden states that can be read here"
    ALPHA = "a LoRA alpha other than 32"
    RL_TEMPERATURE = "RL at a temperature other than 1"
    SGD = "the optimizer SGD"


SERVICE_ALPHA = 32.0
"""The LoRA alpha of services that train, which leave no choice."""


class Facts(Protocol):
    """What is known of a backend and its base model, without any work of theirs."""

    name: str
    """The base model's name."""
    identity: str
    """What all results depend on: backend, model, revision, dtype. Enters digests."""
    tokenizer: Any
    """A fast tokenizer of `transformers`, with a chat template; None where the backend renders
    prompts elsewhere, and none is needed."""
    inserted_system: str | None
    """The system prompt that the chat template writes where a chat has none."""
    hardware: str
    """The processor that it computes with, for rates that are remembered."""
    weights: int | None
    """Number of weights of the base model; None where unknown."""
    supports: frozenset[Feature]
    billed_by: str | None
    """Whose prices the work costs: a file in `backends/price_tables`; None where there is none."""

    def capacity(self) -> Capacity:
        """How much can be done at once now."""


class Backend(Facts, Protocol):
    """Whatever holds weights: trains adapters on one base model, and lets models answer.

    Calls with many jobs or requests are worked on together; a job that fails gives a `Failed` and
    leaves the others alone. Every method raises MemoryError where memory ends, after trying with
    less at once, and CaveatError for a mistake of the user's.
    """

    progress: Progress
    """Hears of tokens while a call lasts."""

    def connect(self) -> None:
        """Get ready to work: a remote backend checks its key, address and model, free of charge.

        Nothing is sent before. Raises CaveatError.
        """

    def prompt_text(self, messages: Messages) -> str:
        """A prompt as the model reads it, for people."""

    def train(
        self, jobs: Sequence[TrainingJob[AdapterRef]], on_step: OnStep = ignore
    ) -> list[Trained[AdapterRef] | Failed]:
        """Train adapters on rows; results in the order of the jobs."""

    def train_rl(
        self, jobs: Sequence[RLJob[AdapterRef]], grade: Grader, on_step: OnStep = ignore
    ) -> list[TrainedPolicy[AdapterRef] | Failed]:
        """Train policies by GRPO on rewards that `grade` gives; results in the order of the jobs.

        Needs `Feature.RL`.
        """

    def generate(
        self,
        requests: Sequence[Request[AdapterRef]],
        sampling: Sampling,
        on_token: OnToken | None = None,
    ) -> list[Answer]:
        """One sampled reply a request, in their order. Needs `Feature.SAMPLING`.

        Raises PartlyAnswered where some cannot be had: `log_likelihoods` does, too.

        Args:
            on_token: Hears of tokens before the call returns, where the backend can say them.
        """

    def log_likelihoods(self, requests: Sequence[Request[AdapterRef]]) -> list[Answer]:
        """The log-likelihoods of each request's options. Needs `Feature.LIKELIHOOD`."""

    def token_log_likelihoods(
        self, requests: Sequence[TokenRequest[AdapterRef]]
    ) -> list[tuple[float, ...]]:
        """Of each request's targets, in order, the log-likelihood in nats, at temperature 1.

        Needs `Feature.TOKEN_LIKELIHOOD`.
        """

    def losses(
        self,
        start: InitialModel[AdapterRef],
        sums: Sequence[LossSum],
        adapters: Sequence[AdapterRef | None] | None = None,
    ) -> list[float]:
        """Each sum of token losses, in nats; where adapters are given, with each one on top.

        Needs `Feature.LIKELIHOOD`.
        """

    def gradient_products(
        self, start: InitialModel[AdapterRef], sums: Sequence[LossSum], direction: LossSum
    ) -> list[GradientProducts]:
        """Of each sum's gradient at the start of training, its product with that of `direction`.

        Needs `Feature.GRADIENTS`.
        """

    def updates(self, adapters: Sequence[AdapterRef]) -> list[ModuleUpdates]:
        """The adapters' updates of each module that one of them adapts, compared pair by pair.

        Needs `Feature.WEIGHTS`. Raises CaveatError for a module that the model does not have.
        """

    def next_token_log_probabilities(self, requests: Sequence[Request[AdapterRef]]) -> np.ndarray:
        """Of each prompt, the log-probabilities of what comes next, in nats, at temperature 1.

        Float32 of shape (requests, vocabulary). Needs `Feature.WEIGHTS`.
        """

    def hidden_states(
        self, requests: Sequence[StateRequest[AdapterRef]], layers: Sequence[int]
    ) -> list[np.ndarray]:
        """Of each request, its spans' mean states behind decoder layers, counted from 0.

        Float32 of shape (spans, layers, width): the residual stream, before the final norm. Needs
        `Feature.WEIGHTS`. Raises CaveatError for a layer that the model does not have.
        """

    def patched_token_log_likelihoods(
        self, requests: Sequence[PatchRequest[AdapterRef]]
    ) -> list[tuple[float, ...]]:
        """`token_log_likelihoods` with keys and values of another model at some positions.

        Needs `Feature.WEIGHTS`. Raises CaveatError for a model whose layers have no modules
        `k_proj` and `v_proj`.
        """

    def patched_replies(
        self, requests: Sequence[ReplyPatchRequest[AdapterRef]], sampling: Sampling
    ) -> list[Answer]:
        """`generate` with keys and values of another model at some positions of the prompts.

        Needs `Feature.WEIGHTS`. Raises CaveatError as `patched_token_log_likelihoods` does.
        """

    def checkpoints(
        self, jobs: Sequence[TrainingJob[AdapterRef]], steps: Sequence[int]
    ) -> list[dict[int, AdapterRef] | Failed]:
        """By job and step, the adapters that `train` has after so many steps; 0 is the start.

        Needs `Feature.WEIGHTS`. `discard` forgets them.
        """

    def gradient_gram(
        self, start: InitialModel[AdapterRef], adapter: AdapterRef, sums: Sequence[LossSum]
    ) -> np.ndarray:
        """Inner products of the sums' gradients by the adapter's weights, layer by layer.

        Float64 of shape (layers, sums, sums). Needs `Feature.GRADIENTS`.
        """

    def ablated(self, ablations: Mapping[int, Ablation]) -> AbstractContextManager[None]:
        """While the context lasts, all states behind some layers lack a direction, for all models.

        Layers are counted from 0. Needs `Feature.WEIGHTS`. Raises CaveatError for a layer that the
        model does not have.
        """

    def scale(self, adapter: AdapterRef, by: float) -> AdapterRef:
        """An adapter whose every update is `by` times as large. Needs `Feature.SCALE_ADAPTER`."""

    def randomise(self, adapter: AdapterRef, seed: int) -> AdapterRef:
        """A random adapter whose updates have the same sizes. Needs `Feature.SCALE_ADAPTER`."""

    def without_modules(self, adapter: AdapterRef, modules: Sequence[str]) -> AdapterRef:
        """An adapter that leaves these modules as they are. Needs `Feature.WEIGHTS`."""

    def with_modules_of(
        self, adapter: AdapterRef, other: AdapterRef, modules: Sequence[str]
    ) -> AdapterRef:
        """An adapter with another's updates of some modules in place of its own.

        Needs `Feature.WEIGHTS`. Raises CaveatError where their ranks differ.
        """

    def save(self, adapter: AdapterRef, folder: Path) -> None:
        """Write an adapter into a folder, which then refers to it, too."""

    def discard(self, adapters: Sequence[AdapterRef]) -> None:
        """Forget adapters that this backend made and holds; folders stay."""

    def lost(self, adapters: Sequence[AdapterRef]) -> list[AdapterRef]:
        """Those of some saved adapters that cannot be used any more: a service dropped them."""

    def release(self) -> None:
        """Give back memory that is not needed now: a call has ended, or another one failed."""
