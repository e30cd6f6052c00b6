"""Turn the plan of a cell, stage by stage, into a graph of artifacts with their digests."""

from __future__ import annotations

from dataclasses import dataclass

from caveat.errors import CaveatError
from caveat.study.planning.digests import (
    derived_digest,
    remote_digest,
    sample_digest,
    training_digest,
)
from caveat.types.training import Attach, Detach, Plan, Randomise, Sample, Scale, Train


@dataclass(frozen=True)
class TrainNode:
    """An adapter to train, by SFT or RL."""

    digest: str
    level: int
    """1 more than the highest level of its inputs: nodes of one level are independent."""
    stage: Train
    seed: int
    base_adapters: tuple[str, ...]
    """Digests of the frozen adapters below it, in the order of attachment."""
    sampled: tuple[str, ...]
    """Digests of the sampled rows that it is trained on besides its own."""
    resume_from: str | None = None
    """Digest of the policy that it resumes from; None for a first stage of RL, and for SFT."""

    @property
    def uses_rl(self) -> bool:
        """Whether it is trained with RL."""
        return self.stage.rl is not None


@dataclass(frozen=True)
class SampleNode:
    """Rows to make from a model's replies."""

    digest: str
    level: int
    stage: Sample
    seed: int
    chain: tuple[str, ...]


@dataclass(frozen=True)
class DerivedNode:
    """An adapter computed from a trained one, which it replaces."""

    digest: str
    level: int
    stage: Randomise | Scale
    trained: str
    """Digest of the trained adapter."""
    seed: int


@dataclass(frozen=True)
class RemoteNode:
    """A model that was trained elsewhere."""

    digest: str
    model_id: str
    """Its id at the service that has it."""
    level: int = 1


Node = TrainNode | SampleNode | DerivedNode | RemoteNode


@dataclass(frozen=True)
class Cell:
    """One (setting, arm, seed, dose): one chain of artifacts."""

    name: str
    """Such as `people x disclaimer / marked / seed 0`; where a setting has two doses, with what
    differs: `people x disclaimer (epochs=2) / ...`."""
    arm: str
    seed: int | None
    """None for the base model, which has no training seed."""
    chain: tuple[str, ...]
    """Digests of its adapters, in order; () is the base model."""
    nodes: tuple[Node, ...]
    """All artifacts that it needs, each after its inputs."""


class _Walk:
    """State of the model while the stages of a plan are applied."""

    def __init__(self, model: str, seed: int) -> None:
        self.model, self.seed = model, seed
        self.nodes: dict[str, Node] = {}
        self.attached: list[str] = []
        self.trained: str | None = None
        self.sampled: list[str] = []

    @property
    def chain(self) -> tuple[str, ...]:
        return (*self.attached, *([self.trained] if self.trained else []))

    def level_above(self, *needed: str) -> int:
        return 1 + max((self.nodes[digest].level for digest in needed), default=0)

    def train(self, stage: Train) -> None:
        """Add an adapter. One trained before and not attached leaves the model.

        RL that resumes keeps the sampled rows and the base adapters of the stage before.
        """
        resume_from = None
        if stage.rl is not None and stage.rl.start_step:
            before = self.nodes.get(self.trained or "")
            if not (isinstance(before, TrainNode) and before.uses_rl):
                raise CaveatError("a plan's RL stage that resumes needs an RL stage before it")
            resume_from, self.sampled = before.digest, list(before.sampled)
        base_adapters, sampled = tuple(self.attached), tuple(self.sampled)
        seed = self.seed if stage.seed is None else stage.seed
        digest = training_digest(self.model, stage, seed, base_adapters, sampled, resume_from)
        level = self.level_above(*base_adapters, *sampled, *([resume_from] if resume_from else []))
        self.nodes[digest] = TrainNode(
            digest, level, stage, seed, base_adapters, sampled, resume_from
        )
        self.trained, self.sampled = digest, []

    def sample(self, stage: Sample) -> None:
        digest = sample_digest(self.model, stage, self.seed, self.chain)
        level = self.level_above(*self.chain)
        self.nodes[digest] = SampleNode(digest, level, stage, self.seed, self.chain)
        self.sampled.append(digest)

    def derive(self, stage: Randomise | Scale) -> None:
        if self.trained is None:
            raise CaveatError(
                f"a plan's {type(stage).__name__} needs a Train before it that is not attached yet"
            )
        digest = derived_digest(stage, self.trained, self.seed)
        level = self.level_above(self.trained)
        self.nodes[digest] = DerivedNode(digest, level, stage, self.trained, self.seed)
        self.trained = digest

    def attach(self) -> None:
        if self.trained is None:
            raise CaveatError("a plan's Attach needs a Train before it that is not attached yet")
        self.attached.append(self.trained)
        self.trained = None

    def detach(self) -> None:
        if not self.attached:
            raise CaveatError("a plan's Detach needs an Attach before it that is not detached yet")
        self.attached.pop()


def cell_of(name: str, arm: str, seed: int | None, plan: Plan, model: str) -> Cell:
    """The cell of a plan. Raises CaveatError for stages in an order that has no meaning."""
    walk = _Walk(model, seed or 0)
    for stage in plan:
        match stage:
            case Train():
                walk.train(stage)
            case Sample():
                walk.sample(stage)
            case Randomise() | Scale():
                walk.derive(stage)
            case Attach():
                walk.attach()
            case Detach():
                walk.detach()
    if walk.sampled:
        raise CaveatError(f"{name}: a plan's Sample needs a Train after it that gets the rows")
    return Cell(name, arm, seed, walk.chain, tuple(walk.nodes.values()))


def remote_cell(name: str, arm: str, seed: int | None, model_id: str, model: str) -> Cell:
    """The cell of an arm that was trained elsewhere: one artifact, which says where it is."""
    digest = remote_digest(model, model_id)
    return Cell(name, arm, seed, (digest,), (RemoteNode(digest, model_id),))
