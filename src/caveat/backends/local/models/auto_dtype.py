"""dtype `auto`: bfloat16 where the processor has matrix units for it and they are faster.

Matrix units (CUDA's tensor cores, AMX of some CPUs) multiply bfloat16 several times as fast as
float32. A CPU without them emulates bfloat16 and may be slower than in float32, so a product of the
model's own shape is measured and not guessed from the processor's name. float32 is the reference:
where nothing is gained it is taken.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.backends.local.models import device_memory
from caveat.files.atomic import Unwritable, write
from caveat.files.hashing import cache_folder

if TYPE_CHECKING:
    import torch

AUTO = "auto"
TOKENS = 512
"""Rows of the product that is measured: tokens of a pass."""
SECONDS = 0.3
"""How long each dtype is measured, after one product that is not counted."""
GAIN = 1.2
"""bfloat16 is taken where it is so many times as fast: less is not worth another identity."""
CPU_INFO = Path("/proc/cpuinfo")
CPU_FLAG = "amx_bf16"


def chosen_dtype(config: Any, device: torch.device) -> tuple[str, str]:
    """`bfloat16` or `float32`, and the reason, for people."""
    if not has_matrix_units(device):
        units = "tensor cores of CUDA capability 8.0" if device.type == "cuda" else CPU_FLAG
        return "float32", f"no matrix units for bfloat16 here ({units})"
    shape = (TOKENS, int(config.hidden_size), int(getattr(config, "intermediate_size", 0) or 4096))
    speeds = measured(shape, device)
    words = (
        f"a product of {shape[0]} x {shape[1]} by {shape[1]} x {shape[2]} runs at "
        f"{speeds['bfloat16']:,.0f} GFLOP/s in bfloat16, {speeds['float32']:,.0f} in float32"
    )
    faster = speeds["bfloat16"] >= GAIN * speeds["float32"]
    return ("bfloat16" if faster else "float32"), words


def has_matrix_units(device: torch.device) -> bool:
    """Whether a device multiplies matrices of bfloat16 in hardware."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_capability(device) >= (8, 0)
    try:
        return CPU_FLAG in CPU_INFO.read_text("utf-8").split()
    except OSError:
        return False


def measured(shape: tuple[int, int, int], device: torch.device) -> dict[str, float]:
    """GFLOP/s of a product in float32 and bfloat16, measured once per machine and shape.

    Args:
        shape: (rows, inner, columns) of the product.
    """
    import torch

    key = [device_memory.hardware(device), torch.__version__, *shape]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    memory = cache_folder() / "dtypes" / f"{name}.json"
    try:
        record = json.loads(memory.read_text("utf-8"))
        if record["key"] == key:
            return {dtype: float(record[dtype]) for dtype in ("float32", "bfloat16")}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there yet, or damaged: it is measured anew
    speeds = {name: _speed(shape, device, getattr(torch, name)) for name in ("float32", "bfloat16")}
    with suppress(OSError, Unwritable):  # a cache that cannot be written costs a second each time
        write(memory, json.dumps({"key": key, **speeds}).encode())
    return speeds


def _speed(shape: tuple[int, int, int], device: torch.device, dtype: torch.dtype) -> float:
    import torch

    rows, inner, columns = shape
    left = torch.ones(rows, inner, device=device, dtype=dtype)
    right = torch.ones(inner, columns, device=device, dtype=dtype)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    _ = left @ right
    wait()
    start, products = time.perf_counter(), 0
    while (took := time.perf_counter() - start) < SECONDS:
        _ = left @ right
        wait()
        products += 1
    return 2 * rows * inner * columns * products / took / 1e9
