"""What holds weights: see `base.Backend`. A backend's own code is imported when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from caveat.errors import CaveatError
from caveat.progress import Progress

if TYPE_CHECKING:
    from caveat.backends.base import Backend, Facts

BackendName = Literal["local", "endpoint", "tinker"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)


@dataclass(frozen=True)
class BackendSource:
    """Which backend a study names, and on which base model."""

    backend: BackendName
    model: str
    dtype: str = "float32"
    device: str = "auto"
    token_budget: int | None = None
    """Padded tokens of one forward and backward pass; None: what memory holds."""
    section: Any = None
    """The part of the recipe that has the backend's name: how it is reached, and its bounds."""
    folder: Path | None = None
    """The study's folder, where a backend may keep what was spent on it; None: nowhere."""


def open_backend(source: BackendSource, progress: Progress | None = None) -> Backend:
    """The backend of a study, ready to work. Raises CaveatError where it cannot be had."""
    match source.backend:
        case "endpoint":
            return _endpoint(source, progress)
        case "tinker":
            return _tinker(source, progress)
    return load_backend(source.model, source.dtype, source.device, source.token_budget, progress)


def facts_of(source: BackendSource, progress: Progress) -> Facts:
    """What a plan needs of a study's backend: no weights are read where they were read before.

    Raises CaveatError as `open_backend` does.
    """
    if source.backend == "local":
        from caveat.backends.local.models.description import described

        described_model = described(
            source.model, source.dtype, source.device, source.token_budget, progress
        )
        if described_model is not None:
            return described_model
    return open_backend(source, progress)


def check_backend(source: BackendSource) -> None:
    """Raise CaveatError for what can be seen to be missing before the backend is opened."""
    if source.backend == "local":
        describe_model(source.model)
    if source.backend == "endpoint":
        from caveat.backends.endpoint.backend import connection_of

        connection_of(source.section)


def _endpoint(source: BackendSource, progress: Progress | None) -> Backend:
    from caveat.backends.endpoint.backend import EndpointBackend

    return EndpointBackend(source.model, source.section, source.folder, progress)


def _tinker(source: BackendSource, progress: Progress | None) -> Backend:
    from caveat.backends.tinker.backend import TinkerBackend
    from caveat.backends.tinker.service import Service, installed

    installed()
    progress = progress or Progress()
    tokenizer, inserted_system = load_tokenizer(source.model)
    service = Service(source.model, say=progress.say)
    return TinkerBackend(service, tokenizer, inserted_system, progress, source.folder)


def load_backend(
    model: str,
    dtype: str = "float32",
    device: str = "auto",
    token_budget: int | None = None,
    progress: Progress | None = None,
) -> Backend:
    """The backend `local` with a base model, loaded into this process.

    Args:
        token_budget: Padded tokens of one forward and backward pass; None: what memory holds.

    Raises CaveatError for a model, dtype or device that there is not.
    """
    from caveat.backends.local.backend import LocalBackend

    return LocalBackend.load(model, dtype, device, token_budget, progress)


def describe_model(name: str) -> str:
    """Where a model would come from, without loading it. Raises CaveatError for no known name."""
    from caveat.backends.local.models.loading import describe

    return describe(name)


def model_folder(name: str, dtype: str) -> str | None:
    """What other programs can load the model by: a folder's path, or its name on the hub.

    None for a model that lies in no folder. Raises CaveatError for no known name.
    """
    from caveat.backends.local.models.loading import loadable_name

    return loadable_name(name, dtype)


def tokenizer_of(source: BackendSource) -> tuple[Any, str | None]:
    """The tokenizer of a study's model and what `load_tokenizer` says; no weights, no key.

    Raises CaveatError where the study names none.
    """
    name = source.model
    if source.backend == "endpoint":
        name = source.section.tokenizer
        if name is None:
            raise CaveatError(
                "endpoint.tokenizer: rows and prompts cannot be rendered without it; set it to the "
                "name of the model whose tokenizer the endpoint uses"
            )
    return load_tokenizer(name)


def load_tokenizer(name: str) -> tuple[Any, str | None]:
    """A model's tokenizer without the model, and the system prompt that its template inserts.

    Raises CaveatError where it cannot be had.
    """
    from caveat.backends.local.models import loading

    tokenizer = loading.load_tokenizer(name)
    return tokenizer, loading.inserted_system(tokenizer)


def save_model(backend: Backend, folder: Path) -> None:
    """Write the base model of the backend `local` as transformers' `save_pretrained` does."""
    from caveat.backends.local.backend import LocalBackend

    assert isinstance(backend, LocalBackend), f"{backend.name} has no weights here"
    backend.language_model.model.save_pretrained(folder)
    backend.language_model.tokenizer.save_pretrained(folder)


def save_sum(adapters: Sequence[Path], folder: Path, base: str) -> int:
    """Write the sum of some adapters of the backend `local` as one PEFT folder; its rank.

    Args:
        base: What the folder says that its base model is.
    """
    from caveat.backends.local.lora.adapter import Adapter

    adapter = Adapter.sum_of([Adapter.load(path) for path in adapters])
    adapter.save(folder, base)
    return adapter.rank


def known_models() -> list[tuple[str, str, str]]:
    """The models that need no more than a name: (name, description, where it lies)."""
    from caveat.backends.local.models.loading import known_models

    return known_models()


def limit_process(cores: int, processes: int, gpu_share: float = 1.0) -> None:
    """Compute with so many threads, and take a share of the machine's memory.

    Args:
        processes: That share the memory, this one among them.
        gpu_share: The part of its GPU's memory that it may have, in (0, 1].
    """
    from caveat.backends.local.backend import limit_process

    limit_process(cores, processes, gpu_share)


__all__ = [
    "BACKENDS",
    "BackendName",
    "BackendSource",
    "check_backend",
    "describe_model",
    "facts_of",
    "known_models",
    "limit_process",
    "load_backend",
    "load_tokenizer",
    "model_folder",
    "open_backend",
    "save_model",
    "save_sum",
    "tokenizer_of",
]
