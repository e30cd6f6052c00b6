"""GGUF files as model sources: a file on disk or in a hub repository, dequantised once.

transformers reads a GGUF file by dequantising every weight, which takes minutes for a model of a
billion weights. The result is kept in the cache folder as safetensors, with the tokenizer and chat
template of the file. What is trained on is therefore the dequantised model: its weights are those
of the file to the last bit, and not those of the model that the file was quantised from.

A model's identity is the SHA-256 of its file.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from caveat.errors import CaveatError
from caveat.files.hashing import MODEL_FILES, cache_folder, remembered_sha256, sha256_of
from caveat.files.reading import parse_json, user_path

SUFFIX = ".gguf"
MAGIC = b"GGUF"
CONVERSION = 1
"""Version of the conversion. A change to what it writes needs another one: it is identity."""
MARKER = "converted.json"
"""In a converted folder: the digests of its safetensors files. It is written last."""


def is_gguf(name: str) -> bool:
    """Whether a model's name means a GGUF file."""
    return name.endswith(SUFFIX)


def files_in(folder: Path) -> list[Path]:
    """The GGUF files of a folder, in order."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file())


def only_file(name: str, folder: Path) -> Path | None:
    """The GGUF file of a folder that has no model but this; None where there is none.

    Raises CaveatError where there are several.
    """
    files = files_in(folder)
    if (folder / "config.json").is_file() or not files:
        return None
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        raise CaveatError(
            f"model folder '{name}' has {len(files)} GGUF files ({names}); name one: "
            f"model: {{name: {name}, gguf: {files[0].name}}}"
        )
    return files[0]


def describe(name: str) -> str:
    """Where a GGUF model comes from, checked as far as no download is needed.

    Raises CaveatError for a file that does not exist, or that is no GGUF file.
    """
    path = user_path(name)
    if path.is_file():
        _check_magic(path)
        return "a GGUF file, dequantised"
    folder = path.parent
    if folder != Path() and folder.is_dir():
        names = ", ".join(file.name for file in files_in(folder)) or "none"
        raise CaveatError(f"model file '{name}' does not exist; GGUF files of that folder: {names}")
    if name.startswith((".", "/", "~")) or name.count("/") < 2:
        raise CaveatError(
            f"model file '{name}' does not exist; check the path, or name a file of the hub as "
            "ORGANISATION/MODEL/FILE.gguf"
        )
    return "a GGUF file of the Hugging Face hub, dequantised"


def converted(name: str, dtype: str) -> tuple[Path, str]:
    """The folder with the dequantised model, written at first use, and its identity.

    Args:
        dtype: In which the copy is stored; it rounds each weight once.

    Raises CaveatError for a file that cannot be had or read, or a cache that cannot be written.
    """
    from filelock import FileLock

    path = _local_file(name)
    _check_magic(path)
    digest = remembered_sha256(path)
    target = cache_folder() / "models" / f"gguf-{digest[:16]}-{dtype}-v{CONVERSION}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):
            if not (target / MARKER).is_file():
                convert(path, target, dtype, name)
    except OSError as error:
        raise unwritable(target, error) from error
    check_converted(target)
    return target, f"gguf:{digest[:32]}-v{CONVERSION}"


def unwritable(target: Path, error: OSError) -> CaveatError:
    """One line for a cache folder that cannot hold the converted model."""
    return CaveatError(
        f"the converted model cannot be written to '{target}' ({error.strerror or error}); "
        "free some space there, or name another folder in CAVEAT_CACHE"
    )


def check_converted(target: Path) -> None:
    """Raise CaveatError where a file of a converted folder is not what was written at first.

    Weights, configuration and tokenizer are checked; folders of earlier versions list weights only.
    """
    try:
        digests = dict(parse_json((target / MARKER).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        digests = {}
    for name, digest in digests.items() or [("model.safetensors", "")]:
        file = target / name
        if not file.is_file() or remembered_sha256(file) != digest:
            raise CaveatError(
                f"the converted model file '{file}' is missing or corrupt; "
                f"delete the folder '{target}' and run again"
            )


def convert(path: Path, target: Path, dtype: str, name: str | None = None) -> None:
    """Write the dequantised model to a folder, which is there when it is complete.

    Raises CaveatError for a file that is damaged or of an unknown architecture.
    """
    from transformers import AutoTokenizer

    name = name or str(path)
    architecture = _architecture(path, name)
    model = _dequantised(path, dtype, architecture, name)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".converting-"))
    try:
        model.save_pretrained(scratch)
        try:
            tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        except Exception as error:  # transformers and gguf raise many kinds here
            raise CaveatError(
                f"model '{name}': its tokenizer cannot be read ({_first_line(error)}); take a GGUF "
                "file that holds its tokenizer"
            ) from error
        tokenizer.save_pretrained(scratch)
        files = sorted({file for pattern in MODEL_FILES for file in scratch.glob(pattern)})
        digests = {file.name: sha256_of(file) for file in files}
        (scratch / MARKER).write_text(json.dumps(digests), "utf-8")
        if not target.exists():
            os.replace(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _local_file(name: str) -> Path:
    """The file itself, from the hub where no such path is on disk."""
    path = user_path(name)
    if path.is_file():
        return path
    describe(name)
    from huggingface_hub import hf_hub_download

    organisation, model, file = name.split("/", 2)
    try:
        return Path(hf_hub_download(f"{organisation}/{model}", file))
    except Exception as error:  # the hub's client and its connection raise many kinds
        raise CaveatError(
            f"model '{name}' cannot be fetched from the hub ({_first_line(error)}); check the id, "
            "the file's name and the connection, or name a file on disk"
        ) from error


def _check_magic(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start != MAGIC:
        raise CaveatError(
            f"model file '{path}' is no GGUF file (it begins with {start!r}, not {MAGIC!r}); "
            "check the path, or fetch it again"
        )


def _architecture(path: Path, name: str) -> str:
    """What the file says that it is, such as `llama`. Raises CaveatError for a damaged file."""
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise CaveatError(
            f"model '{name}' needs the package gguf, which is not installed; pip install gguf"
        ) from error
    try:
        reader = GGUFReader(path)
        return str(reader.fields["general.architecture"].contents())
    except Exception as error:  # numpy and gguf raise many kinds for a damaged file
        raise CaveatError(
            f"model file '{path}' is damaged ({_first_line(error)}); fetch it again"
        ) from error


def _dequantised(path: Path, dtype: str, architecture: str, name: str) -> Any:
    """The model, without any trace of having been quantised. Raises CaveatError."""
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with redirect_stderr(StringIO()):  # a progress bar that cannot be switched off otherwise
            model, loading = AutoModelForCausalLM.from_pretrained(
                path.parent,
                gguf_file=path.name,
                dtype=getattr(torch, dtype),
                output_loading_info=True,
            )
    except Exception as error:  # transformers and gguf raise many kinds here
        if "architecture" in str(error):
            raise CaveatError(
                f"model '{name}' has the architecture {architecture!r}, which transformers does "
                "not read from GGUF; give the folder or id of the model itself"
            ) from error
        raise CaveatError(
            f"model '{name}' cannot be dequantised ({_first_line(error)}); fetch the file again, "
            "or give the folder or id of the model itself"
        ) from error
    lacking = sorted([*loading["missing_keys"], *(key[0] for key in loading["mismatched_keys"])])
    if lacking:
        raise CaveatError(
            f"model '{name}': {len(lacking)} of its weights are not in the file, or of another "
            f"shape (the first: {lacking[0]}); fetch the file again, or give the model itself"
        )
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.is_quantized, model.hf_quantizer = False, None
    return model


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else repr(error)
