"""LoRA adapters in PEFT's format, and the training state that a later stage resumes from.

Hu et al. 2021, arXiv:2106.09685: y = W x + (alpha / rank) B A x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.files.reading import parse_json

if TYPE_CHECKING:
    import torch
    from torch import Tensor


PEFT_PREFIX = "base_model.model."


@dataclass(frozen=True)
class Adapter:
    """One LoRA adapter, on the CPU in float32."""

    rank: int
    alpha: float
    weights: dict[str, tuple[torch.Tensor, torch.Tensor]]
    """Per module name of the base model: A of shape (rank, in), B of shape (out, rank)."""

    @property
    def scale(self) -> float:
        """alpha / rank: what B A x is multiplied by."""
        return self.alpha / self.rank

    def randomised(self, seed: int) -> Adapter:
        """A random adapter of the same rank, each of whose updates B A has this one's norm.

        Norms are Frobenius'; matrices are Gaussian, seeded by `seed` and the module's name.
        """
        import numpy as np
        import torch

        weights = {}
        for name, (down, up) in self.weights.items():
            generator = np.random.default_rng([seed, *name.encode(), 1])
            a, b = (
                torch.from_numpy(generator.standard_normal(tuple(matrix.shape))).float()
                for matrix in (down, up)
            )
            size = torch.linalg.matrix_norm(up @ down) / torch.linalg.matrix_norm(b @ a)
            weights[name] = (a * size.sqrt(), b * size.sqrt())
        return Adapter(self.rank, self.alpha, weights)

    def scaled(self, by: float) -> Adapter:
        """The adapter with every update `by` times as large."""
        return Adapter(self.rank, self.alpha * by, self.weights)

    def without(self, modules: Sequence[str]) -> Adapter:
        """The adapter without its updates of some modules, by name."""
        kept = {name: pair for name, pair in self.weights.items() if name not in modules}
        return Adapter(self.rank, self.alpha, kept)

    def with_modules_of(self, other: Adapter, modules: Sequence[str]) -> Adapter:
        """The adapter with another's updates of some modules in place of its own.

        A module that the other one does not change is not changed. Raises CaveatError for another
        rank.
        """
        if self.rank != other.rank:
            raise CaveatError(
                f"an adapter of rank {other.rank} gives no modules to one of rank {self.rank}: "
                "take arms of one rank"
            )
        by = other.scale / self.scale
        given = {
            name: (down, up * by) for name, (down, up) in other.weights.items() if name in modules
        }
        return Adapter(self.rank, self.alpha, {**self.without(modules).weights, **given})

    @classmethod
    def sum_of(cls, adapters: Sequence[Adapter]) -> Adapter:
        """One adapter whose updates are the sums of those of some, exactly: their ranks add up.

        A's rows and B's columns are put side by side, B times its adapter's scale; a module that
        an adapter does not have gets zeros in its place.
        """
        import torch

        if len(adapters) == 1:
            return adapters[0]
        rank = sum(adapter.rank for adapter in adapters)
        weights = {}
        for name in dict.fromkeys(name for adapter in adapters for name in adapter.weights):
            down, up = next(a.weights[name] for a in adapters if name in a.weights)
            downs, ups = [], []
            for adapter in adapters:
                a, b = adapter.weights.get(name) or (
                    torch.zeros(adapter.rank, down.shape[1]),
                    torch.zeros(up.shape[0], adapter.rank),
                )
                downs.append(a)
                ups.append(b * adapter.scale)
            weights[name] = (torch.cat(downs), torch.cat(ups, 1))
        return cls(rank, float(rank), weights)

    def save(self, folder: Path, base_name: str = "") -> None:
        """Write `adapter_model.safetensors` and `adapter_config.json`, which PEFT can load."""
        from peft import LoraConfig
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        tensors = {}
        for name, (down, up) in self.weights.items():
            tensors[f"{PEFT_PREFIX}{name}.lora_A.weight"] = down.contiguous()
            tensors[f"{PEFT_PREFIX}{name}.lora_B.weight"] = up.contiguous()
        save_file(tensors, folder / "adapter_model.safetensors")
        LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            target_modules=sorted(self.weights),
            lora_dropout=0.0,
            bias="none",
            task_type="CAUSAL_LM",
            base_model_name_or_path=base_name,
            inference_mode=True,
        ).save_pretrained(str(folder))

    @classmethod
    def load(cls, folder: Path) -> Adapter:
        """Read what `save` wrote.

        Raises:
            CaveatError: a file is missing or corrupt.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            config: dict[str, Any] = parse_json((folder / "adapter_config.json").read_text())
            tensors = load_file(folder / "adapter_model.safetensors")
            names = [key.removesuffix(".lora_A.weight") for key in tensors if ".lora_A." in key]
            weights = {
                name.removeprefix(PEFT_PREFIX): (
                    tensors[f"{name}.lora_A.weight"],
                    tensors[f"{name}.lora_B.weight"],
                )
                for name in names
            }
            return cls(int(config["r"]), float(config["lora_alpha"]), weights)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise CaveatError(
                f"adapter '{folder}' cannot be read ({error}); delete that folder and run again"
            ) from error


MOMENTS_FILE = "optimiser.safetensors"
MOMENTS = ("first_down", "first_up", "second_down", "second_up")
STEPS = "steps"
"""Key of the number of steps among the tensors of the file."""


@dataclass(frozen=True)
class TrainingState:
    """An adapter and the state of its optimizer; on the CPU in float32."""

    adapter: Adapter
    moments: dict[str, tuple[Tensor, ...]]
    """Per module name, the first moments of A and of B, then the second ones, in their shapes. SGD
    keeps its momentum as the first, and no second ones: they are 0."""
    steps: int

    def save(self, folder: Path, base_name: str = "") -> None:
        """Write the adapter in PEFT's format, and the moments beside it."""
        import torch
        from safetensors.torch import save_file

        self.adapter.save(folder, base_name)
        moments = {
            f"{name}.{moment}": tensor.contiguous()
            for name, tensors in self.moments.items()
            for moment, tensor in zip(MOMENTS, tensors, strict=True)
        }
        save_file({**moments, STEPS: torch.tensor(self.steps)}, folder / MOMENTS_FILE)

    @classmethod
    def load(cls, folder: Path) -> TrainingState:
        """Read what `save` wrote. Raises CaveatError where a file is missing or corrupt."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        adapter = Adapter.load(folder)
        try:
            tensors = load_file(folder / MOMENTS_FILE)
            moments = {
                name: tuple(tensors[f"{name}.{moment}"] for moment in MOMENTS)
                for name in adapter.weights
            }
            return cls(adapter, moments, int(tensors[STEPS]))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise CaveatError(
                f"optimiser '{folder / MOMENTS_FILE}' cannot be read ({error}); delete "
                "that folder and run again"
            ) from error
