"""What holds weights: see `base.Backend`. A backend's own code is imported when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caveat.progress import Progress

if TYPE_CHECKING:
    from caveat.backends.base import Backend


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


def known_models() -> list[tuple[str, str, str]]:
    """The models that need no more than a name: (name, description, where it lies)."""
    from caveat.backends.local.models.loading import known_models

    return known_models()


def limit_process(cores: int, processes: int) -> None:
    """Compute with so many threads, and take a share of the machine's memory.

    Args:
        processes: That share the memory, this one among them.
    """
    from caveat.backends.local.backend import limit_process

    limit_process(cores, processes)


__all__ = ["describe_model", "known_models", "limit_process", "load_backend"]
