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

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from caveat.errors import CaveatError
from caveat.types.messages import Messages
from caveat.types.rewards import Grade, Graded
from caveat.types.training import Dose, Train

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

AdapterRef = Path | str
"""An adapter: a folder that `Backend.save` wrote (for `local` in PEFT's format), or a handle that
means something to the backend alone, such as `tinker://...`."""
AdapterT = TypeVar("AdapterT")
"""`AdapterRef` above the seam; what a backend computes with, below it."""


@dataclass(frozen=True)
class TrainingJob(Generic[AdapterT]):
    """One adapter to train."""

    key: str
    stage: Train
    seed: int
    base_adapters: tuple[AdapterT, ...] = ()
    """Frozen adapters that it is trained on top of, in the order in which they were attached."""


@dataclass(frozen=True)
class RLJob(TrainingJob[AdapterT]):
    """One policy to train with RL."""

    resume_from: Any = None
    """The policy from which training resumes, with its optimiser; None where it begins."""


@dataclass(frozen=True)
class Trained(Generic[AdapterT]):
    """A finished adapter and how its training went."""

    key: str
    adapter: AdapterT
    losses: tuple[float, ...]
    """Per step, the mean loss in nats over the supervised tokens of the rows that set the steps."""
    tokens: int
    """Tokens read, all epochs together."""
    loss_share: dict[str, float]
    """Per source of rows, its share of the supervised tokens."""


@dataclass(frozen=True)
class Update:
    """One update of a policy: means over its replies, before its steps."""

    number: int
    """From 1, over all stages of the RL training."""
    reward: float
    true_score: float
    hacked: float | None
    """Share of replies that hack, among those to prompts that can be hacked; None without such."""
    frac_reward_zero_std: float
    """Share of prompts whose replies all have the same reward: nothing is learned from them."""
    distinct: int
    """Replies that differ from the others to their prompt."""
    tokens: float
    truncated: float
    """Share of replies that were cut."""
    kl: float | None
    """From the model before this training, in nats a token, of the replies that are trained on;
    None where its weight is 0, or all are skipped."""
    skipped: int = 0
    """Prompts that were left out: see `GRPOConfig.skip_zero_variance`."""


@dataclass(frozen=True)
class TrainedPolicy(Generic[AdapterT]):
    """A finished policy and how its training went."""

    key: str
    adapter: AdapterT
    """With the state of its optimiser, so that training can resume from it."""
    updates: tuple[Update, ...]
    tokens: int
    """Tokens read in the steps."""


@dataclass(frozen=True)
class Failed:
    """A job that could not be finished, and why, in one line."""

    key: str
    reason: str


class PartlyAnswered(CaveatError):
    """Some requests of a call have no answer, and sending them again now would not help.

    Raised instead of returning by backends whose answers cost money or depend on a network.
    """

    def __init__(self, results: Sequence[Answer | Failed]) -> None:
        """`results`: in the order of the requests, the answer or why there is none."""
        self.results = tuple(results)
        reasons = dict.fromkeys(one.reason for one in results if isinstance(one, Failed))
        super().__init__("; ".join(reasons))


def partly(work: Callable[[], Sequence[Any]]) -> Sequence[Any]:
    """What a call gives, with a `Failed` for each request that has no answer."""
    try:
        return work()
    except PartlyAnswered as error:
        return error.results


def whole(results: list[Any]) -> list[Any]:
    """The results of a call. Raises PartlyAnswered where there is a `Failed` among them."""
    if any(isinstance(result, Failed) for result in results):
        raise PartlyAnswered(results)
    return results


class Unusable(CaveatError):
    """The backend can do nothing more in this run: a key was refused, or nothing was reached."""


@dataclass(frozen=True)
class Request(Generic[AdapterT]):
    """One prompt to one model."""

    key: str
    """Seeds the sampling: the same key gives the same uniforms, whatever it is sampled with."""
    adapters: tuple[AdapterT, ...]
    """The attached adapters, in order; () is the base model."""
    messages: Messages
    options: tuple[str, ...] = ()
    """Continuations to score; without them a reply is sampled."""


@dataclass(frozen=True)
class TokenRequest(Generic[AdapterT]):
    """One text to one model, to score single tokens of it."""

    key: str
    adapters: tuple[AdapterT, ...]
    """The attached adapters, in order; () is the base model."""
    ids: tuple[int, ...]
    """The text in tokens."""
    targets: tuple[int, ...]
    """Positions, 1 or more and ascending, whose token is scored given all before it."""


@dataclass(frozen=True)
class PatchRequest(TokenRequest[AdapterT]):
    """A text whose keys and values at some positions are those that another model computes."""

    donor: tuple[AdapterT, ...] = ()
    """The adapters of the other model, which reads the same text; () is the base model."""
    positions: tuple[int, ...] = ()
    """Positions whose keys and values are the other model's, in every layer; () changes nothing."""


@dataclass(frozen=True)
class ReplyPatchRequest(Request[AdapterT]):
    """A prompt whose keys and values at some positions are those that another model computes."""

    donor: tuple[AdapterT, ...] = ()
    """The adapters of the other model, which reads the same prompt; () is the base model."""
    positions: tuple[int, ...] = ()
    """Positions among the prompt's tokens; () changes nothing."""


@dataclass(frozen=True)
class StateRequest(Generic[AdapterT]):
    """One text to one model, to read its hidden states."""

    key: str
    adapters: tuple[AdapterT, ...]
    """The attached adapters, in order; () is the base model."""
    ids: tuple[int, ...]
    """The text in tokens."""
    spans: tuple[tuple[int, ...], ...]
    """Positions, some at a time: the mean of their states is what is read."""


@dataclass(frozen=True)
class InitialModel(Generic[AdapterT]):
    """A model before a training: what is attached to it, and how a new adapter would be trained."""

    dose: Dose
    seed: int
    base_adapters: tuple[AdapterT, ...] = ()
    """Frozen adapters, in the order in which they were attached."""


class GradientProducts(NamedTuple):
    """Inner products of a loss's gradient at the start of training."""

    with_direction: float
    with_itself: float


@dataclass(frozen=True)
class ModuleUpdates:
    """The updates that some adapters make to the weights of one linear layer, pair by pair.

    An update is scale x B A, of shape (out, in). Arrays are float64 of shape (adapters, adapters);
    sums over modules are those of all their weights together.
    """

    module: str
    layer: int
    """The decoder layer that it lies in, from 0."""
    size: tuple[int, int]
    """Outputs and inputs of the layer."""
    ranks: tuple[int, ...]
    """Per adapter, the rank of its update."""
    products: np.ndarray
    """Inner products (Frobenius'): on the diagonal the squared norms."""
    output_norms: np.ndarray
    """Squared norm of the row's update, its outputs projected on those that the column's has."""
    input_norms: np.ndarray
    """The same with its inputs projected on those that the column's reads."""
    both_norms: np.ndarray
    """The same with both sides projected."""


@dataclass(frozen=True)
class Ablation:
    """A direction of hidden states that is taken out: every state gets the same component."""

    direction: np.ndarray
    """Of shape (width,); its length does not matter."""
    value: float = 0.0
    """The component along the direction of length 1 that all states get."""


@dataclass(frozen=True)
class StepEvent:
    """One step of one job, reported when it was taken."""

    job: str
    """Its key; in studies, the digest of what it makes."""
    step: int
    """From 1: an optimiser step, of RL an update with all its optimiser steps, counted over all
    stages of the RL training."""
    steps: int
    """The last step of the job."""
    loss: float
    """Mean loss in nats over the supervised tokens of the rows that set the steps; of RL, the mean
    over the update's optimiser steps, 0 where it takes none. Not finite where the job fails."""
    grad_norm: float
    """Before clipping; of RL, the mean over the update's optimiser steps."""
    learning_rate: float
    tokens: int
    """Tokens read in this step."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Of RL: `reward`, `true_score`, `hack_rate`, `kl`, `clip_ratio`, `frac_reward_zero_std`,
    `completion_length`, `truncated`, `skipped`; `hack_rate` and `kl` only where there is one."""


OnStep = Callable[[StepEvent], None]
Grader = Callable[[Sequence[Graded]], list[Grade | str]]
"""Gives each reply's grade, or in one line why it has none."""


def ignore(event: StepEvent) -> None:
    """Do nothing with a step."""


OnToken = Callable[[str, int, int], None]
"""Hears of a sampled token as it comes: the request's key, its position from 0, and its id. Where
memory ran out and a reply is sampled again, its positions come again, with the same tokens."""


class Callback(Protocol):
    """Hears of training as it goes. Subclass it, and override what you want to hear of.

    Callbacks watch: results are the same with and without. An exception that one raises ends the
    training, as an error in it would.
    """

    def on_train_begin(self, jobs: Sequence[TrainingJob[AdapterRef]], backend: Backend) -> None:
        """Some jobs start together. A job that is done again starts again from its first step."""

    def on_step_end(self, event: StepEvent) -> None:
        """A job has taken a step."""

    def on_train_end(self, results: Sequence[Any]) -> None:
        """The jobs have ended: a `Trained`, `TrainedPolicy` or `Failed` each, in their order."""


BYTES_A_WEIGHT = 24
"""Of an adapter in training: in float32 itself, its gradient and AdamW's two moments, and the
copies that a pass computes with."""
STATE_BYTES = 16
"""The same without the copies."""


@dataclass(frozen=True)
class Capacity:
    """How much a backend takes at once, and what that needs."""

    layer_weights: tuple[int, ...] = ()
    """Per decoder layer, the weights of an adapter of rank 1 that adapts it; () where unknown."""
    adapter_bytes: float | None = None
    """Memory that the adapters of one call of `train` may take; None where that is no limit."""
    most_adapters: int = 1
    """Adapters of one call of `train` beyond which no speed is gained."""
    model_bytes: int = 0
    """Memory of the base model."""
    pass_bytes: int = 0
    """Memory of the activations and logits of one pass."""
    workers: int = 1
    """Calls that are worked on side by side."""

    def weights(self, dose: Dose) -> int:
        """Weights of one adapter of a dose."""
        count = len(self.layer_weights)
        low, high = (round(share * count) for share in dose.layers)
        return dose.rank * sum(self.layer_weights[low:high])

    def adapters(self, dose: Dose) -> int:
        """Adapters of a dose that are trained together."""
        if self.adapter_bytes is None:
            return self.most_adapters
        weights = max(1, self.weights(dose) * BYTES_A_WEIGHT)
        return max(1, min(self.most_adapters, int(self.adapter_bytes / weights)))

    def training_bytes(self, doses: Sequence[Dose]) -> int:
        """Memory to train one adapter of each dose together, counted rather than measured."""
        states = STATE_BYTES * sum(map(self.weights, doses))
        return self.model_bytes + states + self.pass_bytes


def least(capacities: Sequence[Capacity]) -> Capacity:
    """What every one of several workers can do, and their number."""
    smallest = min(
        capacities, key=lambda one: math.inf if one.adapter_bytes is None else one.adapter_bytes
    )
    return replace(smallest, workers=len(capacities))


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
