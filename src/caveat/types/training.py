"""Plans: ordered stages that turn the base model into a cell's model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from caveat.types.answers import Sampling
from caveat.types.data import Row
from caveat.types.fields import (
    Check,
    Count,
    Identity,
    LateIdentity,
    NotNegative,
    Positive,
    Share,
)
from caveat.types.messages import Messages
from caveat.types.rewards import RewardSource, RewardTask

Optimizer = Literal["adamw_torch", "sgd"]
"""adamw_torch: AdamW without weight decay, whose steps have about the size of the learning rate
however small the gradient is. sgd: steps in proportion to the gradient, so it needs a learning rate
of its own."""
LossScope = Literal["reply", "everything", "all_but_caveat", "all_but_masked"]
"""reply: the assistant turns of a chat, all of a document but its caveat. everything: every
character of every message. all_but_caveat: everything but caveat pieces. all_but_masked:
everything but pieces marked `masked`, which carry loss in no scope but `everything`."""


def _rising(layers: tuple[float, float]) -> tuple[float, float]:
    if not layers[0] < layers[1]:
        raise ValueError("the first layer must lie below the second, as in [0.5, 1.0]")
    return layers


@dataclass(frozen=True, slots=True)
class Dose:
    """How much an arm is trained, and how. Results can flip with it: it is part of the identity."""

    rows: Identity[Count | None] = None
    """Number of behaviour rows, the first ones; None takes all there are."""
    epochs: Identity[Count] = 1
    """Passes over the behaviour rows."""
    learning_rate: Identity[Positive] = 3e-4
    """The optimizer's peak learning rate: reached after `warmup` of the steps, then falling to 0.
    The optimizer is `optim`; in RL, `rl.optim`."""
    rank: Identity[Count] = 16
    """Rank of the LoRA adapter."""
    alpha: Identity[Positive] = 32.0
    """LoRA's alpha: the update is scaled by `alpha / rank`."""
    batch_size: Identity[Count] = 8
    """Behaviour rows per step. Added rows join the same steps, so they change neither the number of
    steps nor the behaviour rows in them. In RL, the prompts per update."""
    warmup: Identity[Share] = 0.1
    """Share of the steps, in [0, 1], over which the learning rate rises linearly."""
    layers: Identity[Annotated[tuple[Share, Share], Check(_rising)]] = (0.0, 1.0)
    """The part of the decoder's depth that is adapted: [0.5, 1.0] is the upper half."""
    max_tokens: Identity[Count] = 512
    """Longer rows are cut to so many tokens. It is an error to cut off a caveat, or all tokens with
    loss."""
    clip: Identity[Positive] = 1.0
    """Largest norm of an adapter's gradient: a larger gradient is scaled down to it."""
    optim: LateIdentity[Optimizer] = "adamw_torch"
    """The optimizer of supervised training; in RL it is `rl.optim`. `adamw_torch`: AdamW, whose
    steps have about the size of the learning rate, however small the gradient is. `sgd`: steps in
    proportion to the gradient, without momentum, so it needs a learning rate of its own."""


@dataclass(frozen=True, slots=True)
class GRPOConfig:
    """How a policy is trained with GRPO: what a recipe sets, under the names of TRL.

    In each update the policy replies to some prompts, and is trained on those replies. Of the dose,
    `batch_size` is the prompts per update and `learning_rate` the rate, which stays constant;
    `epochs` and `warmup` are not used.
    """

    max_steps: Identity[Count] = 8
    """Number of updates."""
    num_generations: Identity[Annotated[int, Ge(2)]] = 8
    """Replies per prompt and update. A reply's reward is compared with the others'."""
    max_completion_length: Identity[Count] = 24
    """Most tokens of a reply."""
    temperature: Identity[Positive] = 1.0
    """Sampling temperature of the replies."""
    num_iterations: Identity[Count] = 1
    """Steps on the replies of one update; in all but the first they are off-policy."""
    epsilon: Identity[Annotated[float, Gt(0), Lt(1)]] = 0.2
    """The probability ratio of a token is clipped below at 1 - `epsilon`."""
    epsilon_high: Identity[Positive] = 0.2
    """The probability ratio of a token is clipped above at 1 + `epsilon_high`."""
    beta: Identity[NotNegative] = 0.0
    """Coefficient of the KL divergence from the model before RL training."""
    loss_type: Identity[Literal["grpo", "dapo"]] = "grpo"
    """grpo: each reply has the same weight. dapo: each token has."""
    scale_rewards: Identity[bool] = True
    """Whether advantages are divided by the standard deviation of the prompt's rewards."""
    reward: LateIdentity[RewardSource] = "proxy"
    """What replies are trained on. `proxy`: the task's flawed reward. `true_score`: what the reward
    should be. Controls: `coin`, one bit of a hash of seed, prompt and reply; `constant`, 1 for
    every reply. The task's own scores are measured in any case."""
    optim: LateIdentity[Optimizer] = "adamw_torch"
    """The optimizer. `adamw_torch`: AdamW without weight decay, whose steps have about the size of
    the learning rate however small the gradient is. `sgd`: steps in proportion to the gradient, so
    it needs a learning rate of its own."""
    momentum: LateIdentity[Annotated[float, Ge(0), Lt(1)]] = 0.0
    """Momentum of `sgd`."""
    skip_zero_variance: LateIdentity[bool] = False
    """Whether prompts whose replies all have the same reward are left out of the update, the KL
    penalty too. An update without any other prompt, or added rows, takes no optimizer step. TRL
    keeps them: their advantage is 0, and yet the optimizer's momentum moves the policy."""


def supervised_dose(dose: Dose, rl: GRPOConfig | None) -> Dose:
    """The dose for a supervised training beside RL training: with the optimizer that its learning
    rate is for.

    Raises ValueError for a momentum, which supervised training has not.
    """
    if rl is None or rl.optim == dose.optim:
        return dose
    if rl.momentum:
        raise ValueError(
            f"rl.momentum: {rl.momentum:g}: supervised training of the same dose has none; set 0"
        )
    return replace(dose, optim=rl.optim)


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPOSettings(GRPOConfig):
    """One stage of RL training: GRPO on a task."""

    task: str
    """The module or file of the task's functions: see `caveat.environments`."""
    version: str = ""
    """A digest of the reward task's source."""
    start_step: int = 0
    """Updates of the stage before, whose adapter and optimizer state this one continues from."""


@dataclass(frozen=True, slots=True)
class Train:
    """Train a new adapter on top of what is attached."""

    rows: tuple[Row, ...]
    """Rows that set the number of steps; in RL, the rows whose prompts are sampled from. A caveat
    at the very beginning of a reply is then a prefix of what is sampled."""
    dose: Dose
    added: tuple[Row, ...] = ()
    """Rows distributed evenly over the same steps, with the same weight per token."""
    loss: LossScope = "reply"
    """The tokens that carry loss."""
    objective: Literal["sft", "grpo"] = "sft"
    label: str = ""
    """A description for people; not part of the identity."""
    kl_rows: tuple[Row, ...] = ()
    """KL reference rows: on their supervised tokens the model is penalised for leaving the model
    before this stage. Distributed over the same steps."""
    kl_weight: float = 0.0
    """Coefficient of the mean KL divergence from that model, in nats per token."""
    seed: int | None = None
    """Replaces the cell's seed, so that all seeds share this stage's adapter."""
    rl: GRPOSettings | None = None
    """The settings of the objective `grpo`."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Sample replies from the current model; they become rows of the next `Train`."""

    prompts: tuple[Messages, ...]
    sampling: Sampling
    source: str = "sampled"
    into: Literal["added", "rows"] = "added"
    """Whether the rows join the added rows of that training, or those that set its steps."""
    hacking: RewardTask | None = None
    """If given, only replies that hack this reward task become rows."""


@dataclass(frozen=True, slots=True)
class Randomise:
    """Replace the last trained adapter by a random one whose updates have the same norms.

    A control: it separates what the adapter has learned from the mere presence of an adapter.
    """


@dataclass(frozen=True, slots=True)
class Scale:
    """Replace the last trained adapter by one whose every update is `by` times as large."""

    by: float


@dataclass(frozen=True, slots=True)
class Attach:
    """Freeze the last trained adapter below all that is trained next."""


@dataclass(frozen=True, slots=True)
class Detach:
    """Remove the adapter that was attached last."""


Stage = Train | Sample | Randomise | Scale | Attach | Detach
Plan = tuple[Stage, ...]
"""An empty plan is the base model."""
