"""What jobs work with in a worker process: the backend, the store, and where progress goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from caveat.backends import BackendName, BackendSource, open_backend
from caveat.backends.base import Backend
from caveat.backends.callbacks import Callback, StepEvent
from caveat.backends.jobs import AdapterRef, Failed, TrainingJob
from caveat.files.journal import Record
from caveat.progress import Progress
from caveat.study.metrics import MetricsFile
from caveat.study.planning.artifact_graph import DerivedNode, RemoteNode, SampleNode, TrainNode
from caveat.study.storage.records import row_of
from caveat.study.storage.store import Store
from caveat.types.training import Train

if TYPE_CHECKING:
    from caveat.study.config.schema import Recipe


Part = TypeVar("Part")
SomeNode = TypeVar("SomeNode", TrainNode, SampleNode, DerivedNode, RemoteNode)


@dataclass
class WorkerContext:
    """What a job works with; made anew in every worker process."""

    model_name: str
    dtype: str
    device: str
    folder: Path
    token_budget: int | None
    """None: what memory holds."""
    progress: Progress = field(default_factory=Progress)
    callbacks: tuple[Callback, ...] = ()
    given: Backend | None = None
    """The backend to use; None: the one of this name, opened when first used."""
    backend_name: BackendName = "local"
    section: Any = None
    """The part of the recipe that has the backend's name."""

    @property
    def backend(self) -> Backend:
        """The backend with the base model; its progress is this one's."""
        self._loaded.progress = self.progress
        return self._loaded

    @cached_property
    def _loaded(self) -> Backend:
        return self.given or open_backend(self.source, self.progress)

    @property
    def source(self) -> BackendSource:
        """What the backend is opened from."""
        return BackendSource(
            self.backend_name,
            self.model_name,
            self.dtype,
            self.device,
            self.token_budget,
            self.section,
            self.folder,
        )

    @cached_property
    def store(self) -> Store:
        """The study's folder."""
        return Store(self.folder, self.progress.say)

    def adapters(self, digests: Iterable[str]) -> tuple[AdapterRef, ...]:
        """Where adapters lie."""
        return tuple(self.store.artifact(digest) for digest in digests)

    def job(self, node: TrainNode) -> TrainingJob[AdapterRef]:
        """The training of a node, with what it needs from the store."""
        stage = self._with_sampled(node.stage, node.sampled)
        return TrainingJob(node.digest, stage, node.seed, self.adapters(node.base_adapters))

    def train(
        self,
        nodes: Sequence[TrainNode],
        jobs: Sequence[TrainingJob[AdapterRef]],
        work: Callable[[Callable[[StepEvent], None]], Sequence[Any]],
        record: Callable[[TrainNode, Any], Record],
    ) -> Outcome:
        """Do some work that trains nodes, with callbacks, and publish what it made all together.

        Args:
            work: Trains, given what hears of steps: one `Trained`, `TrainedPolicy` or `Failed` a
                node.
            record: Of a node that was trained, what is noted about it.
        """
        for callback in self.callbacks:
            callback.on_train_begin(jobs, self.backend)
        results = work(self._on_step)
        done = [
            (node, result)
            for node, result in zip(nodes, results, strict=True)
            if not isinstance(result, Failed)
        ]
        self.publish((node.digest, result.adapter, record(node, result)) for node, result in done)
        for callback in self.callbacks:
            callback.on_train_end(results)
        return Outcome(
            tuple((result.key, result.reason) for result in results if isinstance(result, Failed))
        )

    def publish(self, artifacts: Iterable[tuple[str, AdapterRef, Record]]) -> None:
        """Put new adapters into the store, all of them together: digest, adapter, record."""
        artifacts = list(artifacts)
        try:
            self.store.put(
                (digest, lambda folder, adapter=adapter: self.backend.save(adapter, folder), record)
                for digest, adapter, record in artifacts
            )
        finally:
            self.backend.discard([adapter for _, adapter, _ in artifacts])

    def _on_step(self, event: StepEvent) -> None:
        for callback in self.callbacks:
            callback.on_step_end(event)

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
    """How a job went. What it made lies in the store."""

    failures: tuple[tuple[str, str], ...] = ()
    """(digest or key, reason) of each part that failed."""

    @property
    def failed(self) -> tuple[str, ...]:
        """Digests or keys of the parts that failed."""
        return tuple(key for key, _ in self.failures)


@dataclass(frozen=True)
class NodeGroup(Generic[SomeNode]):
    """Artifacts of one kind that are made together."""

    nodes: tuple[SomeNode, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """What it makes."""
        return tuple(node.digest for node in self.nodes)

    def split(self) -> tuple[Self, ...]:
        """The group as two, or nothing where it is one artifact only."""
        return tuple(type(self)(part) for part in halved(self.nodes))


def halved(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], ...]:
    """The first half and the second, or nothing where there is one part only."""
    middle = len(parts) // 2
    return (parts[:middle], parts[middle:]) if middle else ()


def worker_context_of(
    recipe: Recipe,
    store: Store,
    progress: Progress,
    callbacks: Sequence[Callback] = (),
    backend: Backend | None = None,
) -> WorkerContext:
    """What jobs of this recipe work with; without a backend, they load the recipe's model.

    Callbacks come after the one that writes the study's metrics.
    """
    return WorkerContext(
        recipe.model.source,
        recipe.model.dtype,
        recipe.device,
        store.folder,
        recipe.token_budget,
        progress,
        (MetricsFile(store.folder.absolute()), *callbacks),
        backend,
        recipe.backend,
        recipe.backend_source.section,
    )
