"""Memory of a device: what is free, what a training pass may take, and noticing that it ran out.

What adapters and passes take is counted from the shapes of the model's layers, not measured, so
that the same recipe is cut the same way wherever there is enough memory. Where the count was too
low, torch says so and the pass is halved (`lockstep.LockstepGroup.fitting`); a system that kills
processes rather than refuse memory gives no such chance, hence the share that is left free.
"""

from __future__ import annotations

import gc
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from caveat.backends.capacity import BYTES_A_WEIGHT

if TYPE_CHECKING:
    import torch

CGROUPS = Path("/sys/fs/cgroup")
PROCESS = Path("/proc/self")
CGROUP_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of a control group, versions 2 and 1: its limit, its use, and the part that can be dropped."""

TOKEN_BUDGET = 1536
"""Padded tokens of a pass for inner products of gradients in a forecast; twice as many where no
gradients are computed."""
MOST_TOKENS = {"cpu": 1536, "cuda": 16384}
"""Padded tokens of one pass beyond which no speed is gained, by kind of device; on the CPU in
float32, and twice as many in a shorter dtype, where the overhead of calls is a larger share."""
LEAST_TOKENS = 256
"""Padded tokens of one pass, however little memory seems to be free: less would waste more time
than a wrong count, which halving corrects."""
LOGITS = {"cpu": 1 << 24, "cuda": 1 << 27}
"""Logits in memory at once where the head is computed in chunks, by kind of device: few, and yet
enough for a fast product."""
MOST_ADAPTERS = {"cpu": 8, "cuda": 32}
"""Adapters of one group beyond which no speed is gained, by kind of device."""
SHARE = 0.65
"""Share of the free memory that is planned with; the rest is for what comes and goes."""
ADAPTERS_SHARE = 0.5
"""Share of the planned memory that the adapters of a group may have; activations have the rest."""
BYTES_HELD = {4: 4.0, 2: 3.1}
"""Bytes that a pass holds for a value of so many bytes: in a shorter dtype some is held in float32
all the same (norms, attention on a CPU, the adapters' part). Measured on SmolLM2-135M with
eight adapters: 72 MB in bfloat16 where float32 holds 93 MB."""
STORED_PER_VALUE = 1.6
"""Values that a pass holds for backward, in those that the linear layers read and write. Measured
on SmolLM2-135M (docs/engineering/scale.md): 1.74 to 2.10 MB a token, of 1.22 MB read and written.
"""
LOGITS_COPIES = 6
"""Copies of whole logits in memory at once where a KL penalty, or a model that does more to logits
than its head, does not allow chunks: two models' logits, their log-softmax, and gradients."""
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch's allocators say in a plain RuntimeError."""


class Device(Protocol):
    """A device of torch, or one of its type where torch is not loaded."""

    type: str


@dataclass(frozen=True)
class Cpu:
    """The CPU, where torch is not loaded."""

    type: str = "cpu"


_processes, _gpu_share = 1, 1.0
_shares = False


def share_with(processes: int, gpu_share: float = 1.0) -> None:
    """From now on count this process as one of so many that share the machine's memory.

    Args:
        gpu_share: The part of a GPU's memory that it may have, in (0, 1].
    """
    global _processes, _gpu_share, _shares
    _processes, _gpu_share, _shares = processes, gpu_share, True


def shares() -> bool:
    """Whether `share_with` was called: then this process has a part of the machine."""
    return _shares


def free(device: Device) -> int:
    """Bytes that can be had on a device; on the CPU within the container's limit.

    torch's reserve on a GPU counts as free. Processes that share the machine get equal parts; a GPU
    is shared as `share_with` says.
    """
    if device.type == "cuda":
        import torch

        allocated = torch.cuda.memory_allocated(device)
        left, total = torch.cuda.mem_get_info(device)
        return free_of_share(
            left + torch.cuda.memory_reserved(device) - allocated, total, allocated
        )
    import psutil

    return min([psutil.virtual_memory().available, *_left_in_groups()]) // _processes


def free_of_share(left: int, total: int, allocated: int) -> int:
    """Bytes of a GPU that this process may still take: within its share, and not what others have.

    Args:
        left: Bytes that no process has, and torch's reserve.
        total: The GPU's memory.
        allocated: What this process has.
    """
    return max(0, min(left, int(_gpu_share * total) - allocated))


def _left_in_groups() -> Iterator[int]:
    """Bytes left in this process's control group and in each above it; psutil knows of none."""
    try:
        lines = (PROCESS / "cgroup").read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds not in ("", "memory"):
            continue
        group = CGROUPS / kinds / path.lstrip("/")
        for folder in (group, *group.parents):
            yield from _left_in(folder)
            if folder == CGROUPS:
                break


def _left_in(group: Path) -> Iterator[int]:
    for limit, used, inactive in CGROUP_FILES:
        try:
            most, now = (int((group / name).read_text()) for name in (limit, used))
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # "max" is no limit
            continue
        yield max(0, most - now + int(stat.get(inactive, 0)))


def most_tokens(device: Device, size: int) -> int:
    """Padded tokens of a pass where memory does not matter; `size` is the bytes of a value."""
    tokens = MOST_TOKENS.get(device.type, LEAST_TOKENS)
    return tokens * 4 // size if device.type == "cpu" else tokens


def logits_at_once(device: Device) -> int:
    """Logits of one chunk of the head."""
    return LOGITS.get(device.type, LOGITS["cpu"])


def layer_weights(model: Any) -> tuple[int, ...]:
    """Per decoder layer, the weights of an adapter of rank 1 of all its linear layers.

    That is also how many values these layers read and write for a token.
    """
    import torch

    return tuple(
        sum(
            module.in_features + module.out_features
            for module in layer.modules()
            if isinstance(module, torch.nn.Linear)
        )
        for layer in model.get_decoder().layers
    )


def token_bytes(model: Any, lowest_layer: int = 0, whole_logits: bool = False) -> float:
    """Bytes that one token of a training pass takes.

    Args:
        lowest_layer: The lowest adapted layer: those below hold nothing for backward.
        whole_logits: Whether the logits of all tokens are there together.
    """
    activations = activation_bytes(layer_weights(model)[lowest_layer:], model.dtype.itemsize)
    logits = LOGITS_COPIES * 4 * len(model.get_output_embeddings().weight)
    return activations + (logits if whole_logits else 0)


def activation_bytes(layers: Sequence[int], size: int) -> float:
    """Bytes that a pass holds of one token for backward.

    Args:
        layers: Of the adapted layers and those above, their `layer_weights`.
        size: Bytes of a value of the model.
    """
    return STORED_PER_VALUE * sum(layers) * BYTES_HELD.get(size, size)


def affordable_tokens(a_token: float, weights: int, device: torch.device, size: int) -> int:
    """Padded tokens of a pass that the free memory allows, beside adapters in training.

    Args:
        a_token: Bytes that a token takes; see `token_bytes`.
        weights: Weights of all adapters of the group.
        size: Bytes of a value of the model.
    """
    planned = SHARE * free(device) - BYTES_A_WEIGHT * weights
    return max(LEAST_TOKENS, min(most_tokens(device, size), int(planned / a_token)))


def adapter_bytes(free_bytes: int) -> float:
    """Of the free memory, what the adapters of a group may take in training."""
    return ADAPTERS_SHARE * SHARE * free_bytes


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the CPU or on a GPU."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


def release() -> None:
    """Free what a failed attempt left behind."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def hardware(device: torch.device) -> str:
    """The processor that a device computes with, such as `AMD EPYC 7B13, 16 threads`."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, {torch.get_num_threads()} threads"


def processor() -> str:
    """Model of the CPU: on Linux its marketing name, elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
