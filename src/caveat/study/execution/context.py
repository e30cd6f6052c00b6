"""What group tasks share: what they work with, and groups of artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from caveat.backends.local.models.device_memory import give_back
from caveat.progress import Progress
from caveat.study.planning.artifact_graph import DerivedNode, SampleNode, TrainNode
from caveat.study.planning.grouping import Room
from caveat.study.storage.records import row_of
from caveat.study.storage.store import Content, Record, Store
from caveat.types.training import Train

if TYPE_CHECKING:
    from caveat.backends.local.lora.adapter import Adapter, TrainingState
    from caveat.backends.local.models.loading import LanguageModel
    from caveat.backends.local.training.jobs import Failed, Trained, TrainedPolicy, TrainingJob
    from caveat.study.config.schema import Recipe


Part = TypeVar("Part")
SomeNode = TypeVar("SomeNode", TrainNode, SampleNode, DerivedNode)
Done = TypeVar("Done", "Trained", "TrainedPolicy")
ADAPTERS_HELD = 24


@dataclass
class WorkerContext:
    """What a task works with; made anew in every worker process."""

    model_name: str
    dtype: str
    device: str
    folder: Path
    token_budget: int | None
    """None: what memory holds."""
    progress: Progress = field(default_factory=Progress)
    _adapters: dict[str, Adapter] = field(default_factory=dict)

    @cached_property
    def language_model(self) -> LanguageModel:
        """The base model, loaded when first wanted."""
        from caveat.backends.local.models.loading import load

        return load(self.model_name, self.dtype, self.device)

    @cached_property
    def store(self) -> Store:
        """The study's folder."""
        return Store(self.folder, self.progress.say)

    def room(self) -> Room:
        """The memory that is left beside the model."""
        return room_beside(self.language_model)

    def adapters(self, digests: Iterable[str]) -> dict[str, Adapter]:
        """Adapters by digest; those used last are kept in memory."""
        wanted = dict.fromkeys(digests)
        for digest in wanted:
            if digest not in self._adapters:
                self._adapters[digest] = self.store.adapter(digest)
        for digest in [held for held in self._adapters if held not in wanted]:
            if len(self._adapters) > ADAPTERS_HELD:
                del self._adapters[digest]
        return {digest: self._adapters[digest] for digest in wanted}

    def jobs(self, nodes: Sequence[TrainNode]) -> list[TrainingJob]:
        """What training is given of nodes, with what they need off the store."""
        from caveat.backends.local.training.jobs import TrainingJob

        adapters = self.adapters(digest for node in nodes for digest in node.base_adapters)
        return [
            TrainingJob(
                node.digest,
                self._with_sampled(node.stage, node.sampled),
                node.seed,
                tuple(adapters[digest] for digest in node.base_adapters),
            )
            for node in nodes
        ]

    def publish(
        self,
        nodes: Sequence[TrainNode],
        results: Sequence[Done | Failed],
        weights: Callable[[Done], Adapter | TrainingState],
        record: Callable[[TrainNode, Done], Record],
    ) -> Outcome:
        """Put what is finished into the store, all of it together, and tell what failed.

        Args:
            results: One a node.
        """
        from caveat.backends.local.training.jobs import Failed

        self.store.put(
            (node.digest, saving(weights(result), self.model_name), record(node, result))
            for node, result in zip(nodes, results, strict=True)
            if not isinstance(result, Failed)
        )
        failed = [result for result in results if isinstance(result, Failed)]
        return Outcome(tuple((each.key, each.reason) for each in failed))

    def _with_sampled(self, stage: Train, sampled: tuple[str, ...]) -> Train:
        """The stage with the sampled rows that it gets put where they belong."""
        for digest in sampled:
            rows = tuple(map(row_of, self.store.lines(f"artifacts/{digest}/rows.jsonl")))
            if self.store.record(digest).get("into", "added") == "rows":
                stage = replace(stage, rows=(*stage.rows, *rows))
            else:
                stage = replace(stage, added=(*stage.added, *rows))
        return stage


@dataclass(frozen=True)
class Outcome:
    """How a task went. What it made lies in the store."""

    failures: tuple[tuple[str, str], ...] = ()
    """(digest or key, reason) of each part that failed."""


@dataclass(frozen=True)
class NodeGroup(Generic[SomeNode]):
    """Artifacts of one kind that are made together."""

    nodes: tuple[SomeNode, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """What it makes."""
        return tuple(node.digest for node in self.nodes)

    def halves(self) -> tuple[Self, ...]:
        """The group as two, or nothing where it is one artifact only."""
        return tuple(type(self)(part) for part in halved(self.nodes))


def room_beside(language_model: LanguageModel) -> Room:
    """The memory that is left where a model lies."""
    from caveat.backends.local.models.device_memory import free

    give_back()
    return Room(free(language_model.device), language_model.device.type)


def saving(weights: Adapter | TrainingState, base_name: str) -> Content:
    """Writes an adapter into an artifact's folder."""
    return lambda folder: weights.save(folder, base_name)


def halved(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], ...]:
    """The first half and the second, or nothing where there is one part only."""
    middle = len(parts) // 2
    return (parts[:middle], parts[middle:]) if middle else ()


def worker_context_of(recipe: Recipe, store: Store, progress: Progress) -> WorkerContext:
    """What tasks of this recipe work with."""
    return WorkerContext(
        recipe.model.name,
        recipe.model.dtype,
        recipe.device,
        store.folder,
        recipe.token_budget,
        progress,
    )
