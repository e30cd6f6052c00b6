"""What a plan needs of a model, remembered from when it was loaded here, so that it need not be.

Loading a model takes longer than most plans: torch is imported, and all weights are read. A plan
reads none of them. What it needs is kept in the cache folder, under everything that it depends on:
the model's files, the dtype that was wanted, the processor and its settings, and the versions of
torch and transformers. Where one of them differs, the model is loaded and remembered anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from caveat.backends.base import Feature
from caveat.backends.capacity import Capacity
from caveat.backends.local.models import device_memory, loading
from caveat.files.atomic import Unwritable, write
from caveat.files.hashing import cache_folder
from caveat.progress import Progress

SCHEMA_VERSION = 1
SETTINGS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
)  # fmt: skip
"""Variables of the environment that say which devices torch sees, and how many threads it takes."""
GPUS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""One of them is there where torch may see a GPU on Linux."""


class ModelDescription(BaseModel):
    """A model on a CPU, without its weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    identity: str
    """As of the loaded model: digest or commit of the weights, and dtype."""
    hardware: str
    """The processor and its threads."""
    weights: int
    """Number of weights."""
    layer_weights: tuple[int, ...]
    """See `device_memory.layer_weights`."""
    value_bytes: int
    """Bytes of a weight and of an activation."""
    model_bytes: int
    """Memory of all weights."""
    tokenizer: str
    """`module:class` of the tokenizer that transformers chose."""
    messages: tuple[str, ...]
    """What loading said, such as the dtype that `auto` took."""

    def capacity(
        self, device: device_memory.Device, free: int, token_budget: int | None
    ) -> Capacity:
        """How much can be trained at once.

        Args:
            free: Bytes beside the model.
            token_budget: Padded tokens of a pass; None: what memory holds.
        """
        tokens = token_budget or device_memory.most_tokens(device, self.value_bytes)
        a_token = device_memory.activation_bytes(self.layer_weights, self.value_bytes)
        return Capacity(
            self.layer_weights,
            device_memory.adapter_bytes(free),
            device_memory.MOST_ADAPTERS.get(device.type, 1),
            self.model_bytes,
            round(tokens * a_token) + 4 * device_memory.logits_at_once(device),
        )


class DescribedModel:
    """A backend's facts for a plan (`backends.base.Facts`), from a description."""

    supports = frozenset(Feature)
    billed_by = None

    def __init__(self, name: str, description: ModelDescription, token_budget: int | None) -> None:
        """Load the tokenizer. Raises CaveatError where that fails."""
        self.name, self.token_budget = name, token_budget
        self.identity, self.hardware = description.identity, description.hardware
        self.weights = description.weights
        self.description = description
        self.tokenizer = loading.load_tokenizer(name, description.tokenizer)
        self.inserted_system = loading.inserted_system(self.tokenizer)

    def capacity(self) -> Capacity:
        """By the memory that would be free beside the model."""
        device = device_memory.Cpu()
        free = max(0, device_memory.free(device) - self.description.model_bytes)
        return self.description.capacity(device, free, self.token_budget)


def described(
    name: str, dtype: str, device: str, token_budget: int | None, progress: Progress
) -> DescribedModel | None:
    """The model as it was when it was last loaded here; None where it was not, or is on a GPU.

    Raises CaveatError as `loading.describe` does.
    """
    path = _path(name, dtype, device)
    try:
        text = path.read_bytes() if path else b""
        description = ModelDescription.model_validate_json(text)
    except (OSError, ValidationError):
        return None  # not there yet, or damaged: it is written anew when the model is loaded
    for message in description.messages:
        progress.say(message)
    return DescribedModel(name, description, token_budget)


def description_of(
    language_model: loading.LanguageModel, messages: tuple[str, ...] = ()
) -> ModelDescription:
    """The description of a loaded model."""
    model = language_model.model
    return ModelDescription(
        identity=language_model.identity,
        hardware=device_memory.hardware(language_model.device),
        weights=sum(weight.numel() for weight in model.parameters()),
        layer_weights=device_memory.layer_weights(model),
        value_bytes=model.dtype.itemsize,
        model_bytes=sum(weight.numel() * weight.element_size() for weight in model.parameters()),
        tokenizer="{0.__module__}:{0.__qualname__}".format(type(language_model.tokenizer)),
        messages=messages,
    )


def remember(
    language_model: loading.LanguageModel, dtype: str, device: str, messages: tuple[str, ...]
) -> None:
    """Write the description of a model that was just loaded, where it is on the CPU.

    A process that has a part of the machine only is no witness of the whole.

    Args:
        dtype: As it was wanted.
        device: As it was wanted.
        messages: What loading said.
    """
    if language_model.device.type != "cpu" or device_memory.shares():
        return
    path = _path(language_model.name, dtype, device)
    if path is None:
        return
    content = description_of(language_model, messages).model_dump_json(indent=1).encode()
    with suppress(OSError, Unwritable):  # a cache that cannot be written costs time only
        if not path.is_file() or path.read_bytes() != content:
            write(path, content)


def _path(name: str, dtype: str, device: str) -> Path | None:
    """Where a description lies; None for a model whose files are not known without loading it."""
    files = loading.identity_of_files(name, dtype)
    if files is None or device not in ("auto", "cpu"):
        return None
    key = [
        SCHEMA_VERSION, files, dtype, device, version("torch"), version("transformers"),
        device_memory.processor(), os.cpu_count(), *map(os.environ.get, SETTINGS),
        *(Path(gpu).exists() for gpu in GPUS),
    ]  # fmt: skip
    return cache_folder() / "described" / f"{_digest(key)}.json"


def _digest(key: list[Any]) -> str:
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
