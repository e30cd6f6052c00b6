"""Model sources: where a language model comes from, and what identifies it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.backends.local.models import builtin, gguf_files
from caveat.backends.local.models.auto_dtype import AUTO, chosen_dtype
from caveat.errors import CaveatError
from caveat.files.hashing import sha256_of_folder
from caveat.files.reading import user_path

if TYPE_CHECKING:
    import torch

    from caveat.backends.local.models.frozen_layer_cache import FrozenLayerCache
    from caveat.backends.local.models.prepacked_weights import PrepackedWeights
    from caveat.backends.local.models.reader import Reader


PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'Question: ' + message['content'] + '\n' }}"
    "{% else %}{{ 'Answer:\n' + message['content'] + eos_token + '\n\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Answer:\n' }}{% endif %}"
)
"""Chat template of a model that has none: a plain transcript."""

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
        """Hidden states of rows under the lowest adapted layer, as long as the model is loaded."""
        from caveat.backends.local.models.frozen_layer_cache import FrozenLayerCache

        return FrozenLayerCache(self.model, self.device)

    @cached_property
    def prepacked_weights(self) -> PrepackedWeights:
        """Its weights as small products read them fastest, where memory allows a second copy."""
        from caveat.backends.local.models.prepacked_weights import PrepackedWeights

        return PrepackedWeights(self.model)

    def shrink(self) -> None:
        """Where memory has run out: free what was kept for speed, and keep less from now on."""
        from caveat.backends.local.models.device_memory import release

        self.frozen_layer_cache.shrink()
        self.prepacked_weights.shrink()
        release()

    def reader(self, layer: int) -> Reader:
        """Reads rows from a layer on; the whole model where it cannot be cut there.

        Made before the model is stacked (see `frozen_layer_cache`).
        """
        from caveat.backends.local.models.reader import Reader

        cache = self.frozen_layer_cache
        return Reader(cache, layer, cache.split_at(layer))


def known_models() -> list[tuple[str, str, str]]:
    """Rows of (name, description, path) for `caveat models`."""
    return [
        (builtin.SMOLLM2, builtin.SMOLLM2_ABOUT, builtin.smollm2_path()),
        ("tiny", "random weights, 2 layers, a chat template; for tests", "made in process"),
        ("tiny-document", "the same without a chat template", "made in process"),
        ("ORGANISATION/MODEL", "any causal language model of the Hugging Face hub", ""),
        ("./FOLDER", "a local folder with config.json, tokenizer and safetensors", ""),
        ("./FILE.gguf", "a GGUF file, dequantised once", ""),
        ("ORGANISATION/MODEL/FILE.gguf", "a GGUF file of the hub", ""),
    ]


def describe(name: str) -> str:
    """Where the model would come from, without loading it.

    Raises:
        CaveatError: the name is no known model, folder or hub id.
    """
    if name == builtin.SMOLLM2:
        builtin.gguf_path()
        return builtin.SMOLLM2_ABOUT
    if name in builtin.TINY:
        return "made in process"
    if gguf_files.is_gguf(name):
        return gguf_files.describe(name)
    path = user_path(name)
    if path.is_dir():
        if file := gguf_files.only_file(name, path):
            return gguf_files.describe(str(file))
        if not (path / "config.json").is_file():
            raise CaveatError(
                f"model folder '{name}' has no config.json; name a folder saved by "
                "transformers' save_pretrained, or one with a GGUF file"
            )
        return "a local folder"
    if name.startswith((".", "/", "~")):
        raise CaveatError(f"model folder '{name}' does not exist; check the path")
    if name.count("/") == 1:
        return "the Hugging Face hub"
    raise CaveatError(
        f"unknown model '{name}'; known: {builtin.SMOLLM2}, {', '.join(builtin.TINY)}, "
        "a Hugging Face id such as 'Qwen/Qwen3-0.6B', or a folder such as './model'"
    )


def loadable_name(name: str, dtype: str) -> str | None:
    """What transformers loads the model by: a folder's whole path, or a name on the hub.

    None for a model that is made in process. Raises CaveatError as `describe` does.

    Args:
        dtype: In which a dequantised copy is stored.
    """
    describe(name)
    if name in builtin.TINY:
        return None
    source, _ = _source(name, dtype)
    return str(source.absolute()) if isinstance(source, Path) else source


def load(
    name: str,
    dtype: str = "float32",
    device: str = "auto",
    say: Callable[[str], None] = lambda message: None,
) -> LanguageModel:
    """Load a model by name (see `known_models`).

    Args:
        dtype: One of `DTYPES`, or `auto`: see `auto_dtype`.
        say: Hears which dtype `auto` took, and why; and of weights that take more memory than
            their files.

    Raises:
        CaveatError: unknown name, missing or corrupt file, unknown dtype or device, a class of
            model whose layers cannot be adapted.
    """
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    describe(name)
    if dtype not in (*DTYPES, AUTO):
        raise CaveatError(f"unknown dtype '{dtype}'; one of {', '.join(DTYPES)}, {AUTO}")
    model, tokenizer, identity = _model(name, "float32" if dtype == AUTO else dtype)
    _complete(name, tokenizer)
    _check_layers(name, model)
    chosen = _device(device)
    if dtype == AUTO:
        dtype, reason = chosen_dtype(model.config, chosen)
        say(f"dtype auto took {dtype}: {reason}")
    elif note := _size_note(name, model, dtype):
        say(note)
    model.to(device=chosen, dtype=getattr(torch, dtype)).eval().requires_grad_(False)
    return LanguageModel(
        name, f"{identity}/{dtype}", model, tokenizer, chosen, inserted_system(tokenizer)
    )


def _size_note(name: str, model: Any, dtype: str) -> str:
    """What weights take that come in 16 bits and are wanted in float32; "" for others."""
    own = str(model.dtype).removeprefix("torch.")
    if dtype != "float32" or own not in ("bfloat16", "float16"):
        return ""
    count = model.num_parameters()
    return (
        f"model '{name}': its weights come in {own} and take {4 * count / 1e9:.2g} GB in float32, "
        f"{2 * count / 1e9:.2g} GB as they come; model.dtype {own} or auto keeps them small"
    )


def load_tokenizer(name: str, class_name: str | None = None) -> Any:
    """A model's tokenizer alone, as `load` completes it.

    Args:
        name: As of `load`; what follows a colon, as in `openai/gpt-oss-20b:peft:131072`, is the
            service's own.
        class_name: `module:class` of the tokenizer; None: transformers chooses it, which imports
            torch.

    Raises:
        CaveatError: unknown name, missing or corrupt file.
    """
    import transformers

    transformers.utils.logging.set_verbosity_error()
    name = name if user_path(name).is_dir() else name.partition(":")[0]
    describe(name)
    if name in builtin.TINY:
        tokenizer = builtin.make_tokenizer(name)
    else:
        source, _ = _source(name, "float32")
        with _load_errors(name, source):
            tokenizer = _tokenizer_class(class_name).from_pretrained(source)
    _complete(name, tokenizer)
    return tokenizer


def _tokenizer_class(path: str | None) -> Any:
    """What loads a tokenizer: `module:class`, or transformers' own choice for None."""
    if path is None:
        from transformers import AutoTokenizer

        return AutoTokenizer
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _complete(name: str, tokenizer: Any) -> None:
    """Give a tokenizer a chat template where it has none. Raises CaveatError for a slow one."""
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    if not tokenizer.is_fast:
        raise CaveatError(f"model '{name}' has no fast tokenizer; character offsets need one")


def _model(name: str, stored: str) -> tuple[Any, Any, str]:
    """A model, its tokenizer, and what identifies its weights.

    Args:
        stored: Dtype in which a dequantised copy is stored.
    """
    if name in builtin.TINY:
        return builtin.make_tiny(name)
    source, identity = _source(name, stored)
    model, tokenizer = _from_pretrained(name, source)
    if identity is None:
        is_folder = isinstance(source, Path)
        identity = sha256_of_folder(source) if is_folder else _commit(name, model)
    return model, tokenizer, identity


def identity_of_files(name: str, dtype: str) -> str | None:
    """What identifies a model's files, without loading it; None for a name on the hub.

    Raises CaveatError as `describe` does.
    """
    describe(name)
    if name in builtin.TINY:
        return f"{name}-v{builtin.TINY_VERSION}"
    source, identity = _source(name, "float32" if dtype == AUTO else dtype)
    if identity is None and isinstance(source, Path):
        identity = sha256_of_folder(source)
    return identity


def _source(name: str, stored: str) -> tuple[Path | str, str | None]:
    """The folder that holds a model, or its name on the hub; and its identity, where known before.

    A GGUF file is dequantised first.

    Args:
        stored: Dtype in which a dequantised copy is stored.
    """
    if name == builtin.SMOLLM2:
        return builtin.convert_smollm2()
    folder = user_path(name)
    file = gguf_files.only_file(name, folder) if folder.is_dir() else None
    if file or gguf_files.is_gguf(name):
        return gguf_files.converted(str(file or name), stored)
    return folder if folder.is_dir() else name, None


def inserted_system(tokenizer: Any) -> str | None:
    """The system prompt that a chat template inserts where a chat has none, or None."""
    marker, question = "\x02system\x03", "\x02user\x03"

    def before_user(messages: list[dict[str, str]]) -> str:
        return tokenizer.apply_chat_template(messages, tokenize=False).partition(question)[0]

    user = {"role": "user", "content": question}
    bare = before_user([user])
    try:
        text = before_user([{"role": "system", "content": marker}, user])
    except Exception:  # a template that refuses the system role raises its own jinja error
        return None
    head, separator, tail = text.partition(marker)
    if not separator or not bare.startswith(head) or not bare.endswith(tail):
        return None
    return bare[len(head) : len(bare) - len(tail)].strip() or None


def _from_pretrained(name: str, source: Path | str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _load_errors(name, source):
        model = AutoModelForCausalLM.from_pretrained(source, use_safetensors=True)
        return model, AutoTokenizer.from_pretrained(source)


@contextmanager
def _load_errors(name: str, source: Path | str) -> Iterator[None]:
    """Turn whatever goes wrong while files are loaded into a CaveatError."""
    try:
        yield
    except Exception as error:  # transformers and safetensors raise many kinds here
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error)
        fix = (
            "check that its safetensors, config and tokenizer files are whole"
            if isinstance(source, Path)
            else "check the id and the connection, or give a local folder"
        )
        raise CaveatError(f"model '{name}' cannot be loaded ({reason}); {fix}") from error


def _check_layers(name: str, model: Any) -> None:
    """Raises CaveatError where there is nothing that adapters could adapt; see `lora.stacked`."""
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
        chosen = torch.device(device)
    except RuntimeError as error:
        raise CaveatError(f"unknown device '{device}'; use auto, cpu, cuda or cuda:N") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise CaveatError(f"device '{device}' requested, but torch sees no GPU; use device cpu")
    return chosen


__all__ = [
    "LanguageModel",
    "describe",
    "inserted_system",
    "known_models",
    "load",
    "load_tokenizer",
]
