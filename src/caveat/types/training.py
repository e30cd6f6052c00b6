"""Plans: ordered stages that turn the base model into a cell's model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from caveat.types.answers import Sampling
from caveat.types.data import Row
from caveat.types.messages import Messages
from caveat.types.rewards import RewardTask

LossScope = Literal["reply", "everything", "all_but_caveat", "all_but_masked"]
"""reply: the assistant turns of a chat, all of a document but its caveat. everything: every
character of every message. all_but_caveat: everything but caveat pieces. all_but_masked:
everything but pieces marked `masked`, which carry loss in no scope but `everything`."""


@dataclass(frozen=True, slots=True)
class Dose:
    """How much training: published results flip with it, so it is part of a cell's identity."""

    rows: int | None = None
    """Behaviour rows taken, None for all there are."""
    epochs: int = 1
    learning_rate: float = 3e-4
    """Peak of AdamW's rate: reached after `warmup` of the steps, then falling linearly to 0."""
    rank: int = 16
    alpha: float = 32.0
    batch_size: int = 8
    """Behaviour rows a step. Added rows ride in the same steps, so they change neither the number
    of steps nor the behaviour rows in them."""
    warmup: float = 0.1
    """Share of the steps over which the rate rises linearly."""
    layers: tuple[float, float] = (0.0, 1.0)
    """The part of the decoder's depth that is adapted: (0.5, 1.0) is the upper half."""
    max_tokens: int = 512
    """Rows are cut here; cutting off a caveat or every supervised token is an error."""
    clip: float = 1.0
    """Largest norm of one adapter's gradient."""


@dataclass(frozen=True, slots=True)
class GRPOSettings:
    """Reinforcement: what replies are paid for, and how much of it there is.

    An update draws replies from the model as it stands and takes `num_iterations` steps on them.
    Of the dose, `batch_size` is the prompts an update and `learning_rate` the rate, which stays;
    `epochs` and `warmup` are not used.
    """

    task: str
    """Where its functions are found: see `tasks`."""
    version: str = ""
    """A digest of these functions."""
    reward: Literal["reward", "true_score"] = "reward"
    max_steps: int = 8
    start_step: int = 0
    """Updates that the stage before did, on whose adapter and optimiser this one goes on."""
    num_generations: int = 8
    """Replies a prompt and update: what a reply's reward is compared with."""
    max_completion_length: int = 24
    """Tokens of a reply."""
    temperature: float = 1.0
    num_iterations: int = 1
    """Steps on the replies of one update; in all but the first they are no longer on-policy."""
    epsilon: float = 0.2
    epsilon_high: float = 0.2
    """The ratio of a token's probability to that it was drawn with counts within 1 - `epsilon`
    and 1 + `epsilon_high`."""
    beta: float = 0.0
    """What the divergence from the model before this training is multiplied by."""
    loss_type: Literal["grpo", "dapo"] = "grpo"
    """grpo: each reply weighs the same; dapo: each token does."""
    scale_rewards: bool = True
    """Whether advantages are divided by the standard deviation of the prompt's rewards."""


@dataclass(frozen=True, slots=True)
class Train:
    """Train a new adapter on top of what is attached."""

    rows: tuple[Row, ...]
    """Rows that set the number of steps; of a practice, those whose prompts are replied to. A
    caveat at the very beginning of a reply then stands in front of what is drawn."""
    dose: Dose
    added: tuple[Row, ...] = ()
    """Rows dealt evenly over the same steps, with the same weight a token."""
    loss: LossScope = "reply"
    objective: Literal["sft", "grpo"] = "sft"
    label: str = ""
    """For people; not part of the identity."""
    kept: tuple[Row, ...] = ()
    """Rows on whose supervised tokens the model is kept to what it was before this stage, dealt
    over the same steps."""
    kl_weight: float = 0.0
    """What the mean KL divergence from that model, in nats a token, is multiplied by."""
    seed: int | None = None
    """In place of the cell's seed: what is trained is then the same for all seeds."""
    rl: GRPOSettings | None = None
    """What the objective `grpo` needs to know."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Let the model as it stands reply to prompts; the next `Train` gets the rows."""

    prompts: tuple[Messages, ...]
    sampling: Sampling
    source: str = "sampled"
    into: Literal["added", "rows"] = "added"
    """Among the added rows of that training, or among those that set its steps."""
    hacking: RewardTask | None = None
    """Only replies that hack this task become rows."""


@dataclass(frozen=True, slots=True)
class Randomise:
    """Put in place of the adapter trained last a random one: each of its updates has the same size.

    The control for what an adapter knows, as against its being there.
    """


@dataclass(frozen=True, slots=True)
class Scale:
    """Put in place of the adapter trained last one whose every update is `by` times as large."""

    by: float


@dataclass(frozen=True, slots=True)
class Attach:
    """Keep the adapter that the stage before trained, frozen, under what comes next."""


@dataclass(frozen=True, slots=True)
class Detach:
    """Drop the adapter attached last."""


Stage = Train | Sample | Randomise | Scale | Attach | Detach
Plan = tuple[Stage, ...]
"""An empty plan is the base model."""
