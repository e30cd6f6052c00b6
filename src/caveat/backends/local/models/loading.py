"""Model sources: where a language model comes from, and what identifies it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.backends.local.models import smollm2 as wheel
from caveat.backends.local.models import tiny
from caveat.errors import CaveatError
from caveat.files.hashing import sha256_of_folder
from caveat.files.reading import user_path

if TYPE_CHECKING:
    import torch

    from caveat.backends.local.models.frozen_layer_cache import FrozenLayerCache


PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'Question: ' + message['content'] + '\n' }}"
    "{% else %}{{ 'Answer:\n' + message['content'] + eos_token + '\n\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Answer:\n' }}{% endif %}"
)
"""How a model without a chat template is asked questions: a plain transcript."""

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class LanguageModel:
    """A frozen base model, ready to compute."""

    name: str
    identity: str
    """What all results depend on: the weights' digest or commit, and the compute dtype."""
    model: Any
    """A `transformers` causal language model in eval mode, its parameters without gradients."""
    tokenizer: Any
    device: torch.device
    inserted_system: str | None
    """The system prompt that the chat template writes when a chat has none."""

    @cached_property
    def frozen_layer_cache(self) -> FrozenLayerCache:
        """What is remembered of rows' lower layers, for as long as the model is there."""
        from caveat.backends.local.models.frozen_layer_cache import FrozenLayerCache

        return FrozenLayerCache(self.model, self.device)


def known_models() -> list[tuple[str, str, str]]:
    """Rows of (name, about, where it lies) for `caveat models`."""
    return [
        (wheel.NAME, wheel.ABOUT, wheel.where()),
        ("tiny", "random weights, 2 layers, a chat template; for tests", "made in process"),
        ("tiny-document", "the same without a chat template", "made in process"),
        ("ORGANISATION/MODEL", "any causal language model of the Hugging Face hub", ""),
        ("./FOLDER", "a local folder with config.json, tokenizer and safetensors", ""),
    ]


def describe(name: str) -> str:
    """Where the model would come from, without loading it.

    Raises:
        CaveatError: the name is no known model, folder or hub id.
    """
    if name == wheel.NAME:
        wheel.gguf_path()
        return wheel.ABOUT
    if name in tiny.NAMES:
        return "made in process"
    path = user_path(name)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise CaveatError(
                f"model folder '{name}' has no config.json; name a folder saved by "
                "transformers' save_pretrained"
            )
        return "a local folder"
    if name.startswith((".", "/", "~")):
        raise CaveatError(f"model folder '{name}' does not exist; check the path")
    if name.count("/") == 1:
        return "the Hugging Face hub"
    raise CaveatError(
        f"unknown model '{name}'; known: {wheel.NAME}, {', '.join(tiny.NAMES)}, "
        "a Hugging Face id such as 'Qwen/Qwen3-0.6B', or a folder such as './model'"
    )


def load(name: str, dtype: str = "float32", device: str = "auto") -> LanguageModel:
    """Load a model by name (see `known_models`).

    Raises:
        CaveatError: unknown name, missing or corrupt file, unknown dtype or device, a class of
            model whose layers cannot be adapted.
    """
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    describe(name)
    if dtype not in DTYPES:
        raise CaveatError(f"unknown dtype '{dtype}'; one of {', '.join(DTYPES)}")
    if name in tiny.NAMES:
        model, tokenizer, identity = tiny.make(name)
    elif name == wheel.NAME:
        folder, identity = wheel.converted()
        model, tokenizer = _from_pretrained(name, folder)
    else:
        folder = user_path(name)
        model, tokenizer = _from_pretrained(name, folder if folder.is_dir() else name)
        identity = sha256_of_folder(folder) if folder.is_dir() else _commit(name, model)
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    if not tokenizer.is_fast:
        raise CaveatError(f"model '{name}' has no fast tokenizer; character offsets need one")
    _check_layers(name, model)
    place = _device(device)
    model.to(device=place, dtype=getattr(torch, dtype)).eval().requires_grad_(False)
    return LanguageModel(
        name, f"{identity}/{dtype}", model, tokenizer, place, inserted_system(tokenizer)
    )


def inserted_system(tokenizer: Any) -> str | None:
    """The system prompt that a chat template inserts where a chat has none, or None."""
    marker, asked = "\x02system\x03", "\x02user\x03"

    def before_user(messages: list[dict[str, str]]) -> str:
        return tokenizer.apply_chat_template(messages, tokenize=False).partition(asked)[0]

    user = {"role": "user", "content": asked}
    bare = before_user([user])
    try:
        head, found, tail = before_user([{"role": "system", "content": marker}, user]).partition(
            marker
        )
    except Exception:  # a template that refuses the system role raises its own jinja error
        return None
    if not found or not bare.startswith(head) or not bare.endswith(tail):
        return None
    return bare[len(head) : len(bare) - len(tail)].strip() or None


def _from_pretrained(name: str, place: Path | str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(place, use_safetensors=True)
        return model, AutoTokenizer.from_pretrained(place)
    except Exception as error:  # transformers and safetensors raise many kinds here
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error)
        mend = (
            "check that its safetensors, config and tokenizer files are whole"
            if isinstance(place, Path)
            else "check the id and the connection, or give a local folder"
        )
        raise CaveatError(f"model '{name}' cannot be loaded ({reason}); {mend}") from error


def _check_layers(name: str, model: Any) -> None:
    """Raises CaveatError where adapters would find nothing to stand on; see `lockstep`."""
    from caveat.backends.local.lora.stacked import adapted_modules

    if not hasattr(model.get_decoder(), "layers") or not adapted_modules(model, (0.0, 1.0)):
        raise CaveatError(
            f"model '{name}': {type(model).__name__} has no linear layers where Caveat puts "
            "adapters (get_decoder().layers); take a model built as Llama or Qwen are"
        )


def _commit(name: str, model: Any) -> str:
    commit = getattr(model.config, "_commit_hash", None)
    return f"{name}@{commit or 'unknown'}"


def _device(device: str) -> torch.device:
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise CaveatError(f"unknown device '{device}'; use auto, cpu, cuda or cuda:N") from error
    if place.type == "cuda" and not torch.cuda.is_available():
        raise CaveatError(f"device '{device}' asked for, but torch sees no GPU; use device cpu")
    return place


__all__ = ["LanguageModel", "describe", "inserted_system", "known_models", "load"]
