"""From a study's folder to the application that serves it."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI

from caveat.backends import load_backend
from caveat.errors import CaveatError
from caveat.serve.openai_api import LOOPBACK, openai_app
from caveat.serve.served_models import BASE, ServedModel, model_source, served_models
from caveat.study.study import Study

EVERYWHERE = ("0.0.0.0", "::")


def application(
    study: Study, device: str = "auto", host: str = "127.0.0.1"
) -> tuple[FastAPI, Mapping[str, ServedModel]]:
    """The application over a study's models, with the base model loaded.

    Args:
        host: Where it listens. All names are allowed where it listens on all addresses.

    Raises CaveatError where no arm is trained, or the weights are not those of the study.
    """
    models = served_models(study)
    source = model_source(study)
    backend = load_backend(source.name, source.dtype, device)
    if backend.identity != study.about["model"]:
        raise CaveatError(
            f"model '{source.name}' is {backend.identity} now, and was {study.about['model']} when "
            f"{study.folder} was run; its adapters belong to those weights"
        )
    about = {
        "name": study.name,
        "system": source.system,
        "caveats": study.about.get("caveats", {}),
    }
    return openai_app(backend, models, about, _hosts(host)), models


def model_application(
    model: str, dtype: str = "float32", device: str = "auto", host: str = "127.0.0.1"
) -> tuple[FastAPI, Mapping[str, ServedModel]]:
    """The application over a model alone, under its own name and as `base`.

    Raises CaveatError for a model, dtype or device that there is not.
    """
    backend = load_backend(model, dtype, device)
    ids = (BASE, model)
    models = {name: ServedModel(name, "", BASE, None, ()) for name in ids}
    about = {"name": model, "system": None, "caveats": {}}
    return openai_app(backend, models, about, _hosts(host)), models


def _hosts(host: str) -> tuple[str, ...]:
    return ("*",) if host in EVERYWHERE else (*LOOPBACK, host)
