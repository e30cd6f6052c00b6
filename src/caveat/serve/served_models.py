"""Which models of a study can be served: the base model, and every arm and seed that is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from caveat.errors import CaveatError, closest
from caveat.study.config.schema import ModelRecipe
from caveat.study.study import Study

BASE = "base"
"""The id of the model that nothing was trained on."""


@dataclass(frozen=True)
class ServedModel:
    """One model that requests can name."""

    id: str
    """Such as `capitals x instruction/marked/seed0`; `base` is the base model."""
    setting: str
    """The setting's name; empty for the base model."""
    arm: str
    seed: int | None
    adapters: tuple[Path, ...]
    """Folders of its adapters, in the order in which they are attached."""


def served_models(study: Study) -> dict[str, ServedModel]:
    """The models of a study's version by id, `base` first.

    A base model with a warm-up has the id `SETTING/base`. Raises CaveatError where no arm is
    trained, or the study was run before its folder named the adapters of each cell.
    """
    cells = study.store.lines(f"versions/{study.version}/cells.jsonl")
    if not cells:
        raise CaveatError(
            f"{study.folder}: its cells do not name their adapters; run its recipe once more with "
            f"--out {study.folder} (nothing is trained again)"
        )
    models = {BASE: ServedModel(BASE, "", BASE, None, ())}
    for cell in cells:
        if cell["chain"] and all(map(study.store.has, cell["chain"])):
            model = _served(study, cell)
            models[model.id] = model
    if len(models) == 1:
        raise CaveatError(f"{study.folder}: no arm is trained yet; run its recipe first")
    return models


def _served(study: Study, cell: Mapping[str, Any]) -> ServedModel:
    name = cell["name"].replace(" / ", "/").replace("/seed ", "/seed")
    adapters = tuple(study.store.artifact(digest) for digest in cell["chain"])
    return ServedModel(name, cell["setting"], cell["arm"], cell["seed"], adapters)


def find(models: Mapping[str, ServedModel], name: str) -> ServedModel:
    """The model of an id. Raises CaveatError for one that is not served."""
    if name not in models:
        few = ", ".join(list(models)[:4])
        raise CaveatError(
            f"model {name!r} is not served{closest(name, models) or f'; served are {few}'}; "
            "GET /v1/models lists all"
        )
    return models[name]


@dataclass(frozen=True)
class ModelSource:
    """The base model that a study was run on, as its recipe names it."""

    name: str
    """By which a backend loads it."""
    dtype: str
    system: str | None
    """The study's system text."""


def model_source(study: Study) -> ModelSource:
    """What `load_backend` needs. Raises CaveatError for an import, which has no recipe."""
    text = study.recipe_text()
    if not text:
        raise CaveatError(f"{study.folder}: an import has no weights; only run studies are served")
    recipe = yaml.safe_load(text)
    if recipe.get("backend", "local") != "local":
        raise CaveatError(
            f"{study.folder}: its arms are at the backend {recipe['backend']}, not on this "
            "machine; only studies of the backend local are served"
        )
    dtype = study.about["model"].rpartition("/")[2]
    return ModelSource(ModelRecipe(**recipe["model"]).source, dtype, recipe["system"])
