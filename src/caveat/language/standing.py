"""Where a training stands, so that another goes on from there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from caveat.errors import CaveatError
from caveat.language.adapter import Adapter

if TYPE_CHECKING:
    from torch import Tensor

FILE = "optimiser.safetensors"
PARTS = ("first_down", "first_up", "second_down", "second_up")
STEPS = "steps"


@dataclass(frozen=True)
class Standing:
    """The adapter, and what AdamW remembers; on the CPU in float32."""

    adapter: Adapter
    moments: dict[str, tuple[Tensor, ...]]
    """Per module, the first moments of A and of B, then the second ones of both."""
    steps: int

    def save(self, folder: Path, base_name: str = "") -> None:
        """Write the adapter in PEFT's format, and the moments beside it."""
        import torch
        from safetensors.torch import save_file

        self.adapter.save(folder, base_name)
        tensors = {
            f"{name}.{part}": tensor.contiguous()
            for name, found in self.moments.items()
            for part, tensor in zip(PARTS, found, strict=True)
        }
        save_file({**tensors, STEPS: torch.tensor(self.steps)}, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Standing:
        """Read what `save` wrote. Raises CaveatError where a file is missing or corrupt."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        adapter = Adapter.load(folder)
        try:
            tensors = load_file(folder / FILE)
            moments = {
                name: tuple(tensors[f"{name}.{part}"] for part in PARTS)
                for name in adapter.weights
            }
            return cls(adapter, moments, int(tensors[STEPS]))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise CaveatError(
                f"optimiser '{folder / FILE}' cannot be read ({error}); delete that folder and "
                "run again"
            ) from error
