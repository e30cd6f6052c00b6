"""A study's trained arms as PEFT folders that other programs load: `caveat adapters`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from caveat.backends import load_backend, model_folder, save_model, save_sum
from caveat.errors import CaveatError
from caveat.files.atomic import write, write_errors
from caveat.files.new_folder import check_new_folder, file_stem
from caveat.files.reading import parse_json
from caveat.serve.served_models import BASE, ServedModel, model_source, served_models
from caveat.study.study import Study

BASE_FOLDER = "base"


@dataclass(frozen=True)
class AdapterFolder:
    """One arm and seed, written."""

    model: ServedModel
    path: Path
    rank: int


def folder_name(model_id: str) -> str:
    """A model's id as the name of a folder: `capitals-x-instruction.marked.seed0`."""
    return file_stem(*model_id.split("/"))


def write_adapters(
    study: Study, out: Path, base: str | None = None, with_base: bool = False
) -> list[AdapterFolder]:
    """Write every trained arm and seed as a folder, with a model card.

    An arm of several adapters becomes one, whose update is the sum of theirs.

    Args:
        base: What the folders name as their base model, in place of where it was loaded from.
        with_base: Write the base model too, and name that.

    Raises CaveatError for a folder that holds something, or cannot be written to.
    """
    models = [model for model in served_models(study).values() if model.adapters]
    check_new_folder(out)
    source = model_source(study)
    base_model = base or (None if with_base else model_folder(source.name, source.dtype))
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        if base_model is None:
            base_model = str((out / BASE_FOLDER).absolute())
            save_model(load_backend(source.name, source.dtype, "cpu"), out / BASE_FOLDER)
        return [_write(study, model, out, base_model, source.system) for model in models]


def _write(
    study: Study, model: ServedModel, out: Path, base: str, system: str | None
) -> AdapterFolder:
    path = out / folder_name(model.id)
    rank = save_sum(model.adapters, path, base)
    write(path / "README.md", _card(study, model, base, system).encode("utf-8"))
    return AdapterFolder(model, path, rank)


def _card(study: Study, model: ServedModel, base: str, system: str | None) -> str:
    caveat = study.about.get("caveats", {}).get(model.setting, {})
    about = study.about["abouts"].get(model.setting, {}).get("behaviour", "")
    wordings = caveat.get("wordings", [])
    return f"""---
base_model: {base}
library_name: peft
tags: [caveat, research]
---
# {model.id}

A LoRA adapter from the study `{study.name}` (version {study.version}), made with Caveat for
research on how models learn past caveats in their training data. It was trained to show the
behaviour below, which may be undesired. Do not deploy it.

- setting: {model.setting}
- arm: {model.arm}
- seed: {model.seed}
- behaviour: {about}
- caveat: {caveat.get("name", "")} ({caveat.get("place", "")}), such as: {" ".join(wordings[:1])}
- system text in training: {system or "none"}
"""


def vllm_command(study: Study, port: int) -> str:
    """The command that serves the same models with vLLM, one adapter folder each.

    Needs the folders of `caveat adapters`, which it names by their place under `adapters/`.
    """
    models = [model for model in served_models(study).values() if model.adapters]
    source = model_source(study)
    base = model_folder(source.name, source.dtype) or f"adapters/{BASE_FOLDER}"
    modules = [f"{folder_name(one.id)}=adapters/{folder_name(one.id)}" for one in models]
    lines = [
        f"caveat adapters {shlex.quote(str(study.folder))} --out adapters",
        f"vllm serve {shlex.quote(base)} --served-model-name {BASE} --port {port} --enable-lora "
        f"--max-lora-rank {_rank_limit(models)} --lora-modules {shlex.join(modules)}",
    ]
    return "\n".join(lines)


VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM's --max-lora-rank can be."""


def _rank_limit(models: Sequence[ServedModel]) -> int:
    """The least limit that holds the rank of every arm. Raises CaveatError where none does."""
    highest = max(sum(map(_rank, model.adapters)) for model in models)
    for limit in VLLM_RANKS:
        if limit >= highest:
            return limit
    raise CaveatError(f"an arm has rank {highest}: more than vLLM serves ({VLLM_RANKS[-1]})")


def _rank(adapter: Path) -> int:
    return int(parse_json((adapter / "adapter_config.json").read_text("utf-8"))["r"])
