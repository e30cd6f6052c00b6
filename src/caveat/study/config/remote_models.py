"""Which model at the endpoint is which arm and seed, from a recipe or a manifest of `caveat rows`.

Every arm and seed needs an id, no id may be left over, and no id may stand for two trainings: two
seeds that are one model would make intervals too narrow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from caveat.backends import load_tokenizer
from caveat.errors import CaveatError, closest
from caveat.files.reading import parse_json
from caveat.study.config.resolve import Resolved
from caveat.study.config.schema import Recipe
from caveat.study.planning.artifact_graph import cell_of
from caveat.study.training_files import NotExpressible, checked_format, training_text

FIELD = "endpoint.models"
BASE = "base"
Ids = dict[tuple[str, int | None], Any]
"""By arm and seed; None or missing where there is no id."""


def with_remote_models(recipe: Recipe, settings: tuple[Resolved, ...]) -> tuple[Resolved, ...]:
    """The settings with the ids of their models; as they are where the study trains them.

    Raises CaveatError for an arm or seed without an id, an id that belongs to no arm or to two
    trainings, and a manifest whose rows are not those of the recipe.
    """
    if recipe.endpoint is None:
        return settings
    models = recipe.endpoint.models
    if isinstance(models, str):
        path = recipe.folder / Path(models).expanduser()
        by_setting, fix = _from_manifest(path, recipe, settings), f'fill in its "model" in {path}'
    else:
        by_setting, fix = _from_mapping(models, recipe, settings), ""
    labels = _labels(settings)
    checked = tuple(
        replace(resolved, models=_checked(ids, resolved, label, recipe, fix))
        for ids, resolved, label in zip(by_setting, settings, labels, strict=True)
    )
    _check_shared(checked, labels)
    return checked


def base_model(recipe: Recipe) -> str | None:
    """The base model's id, if the recipe names one. Raises CaveatError for a bad manifest."""
    assert recipe.endpoint is not None
    models = recipe.endpoint.models
    if isinstance(models, str):
        entries = _entries(recipe.folder / Path(models).expanduser())[1]
        ids = [one.get("model") for one in entries if one.get("arm") == BASE]
    else:
        sections = [one for one in models.values() if isinstance(one, Mapping)]
        ids = [one.get(BASE) for one in (models, *sections)]
    return next((one for one in ids if isinstance(one, str)), None)


def _labels(settings: Sequence[Resolved]) -> list[str]:
    """The settings' names, numbered from the second of a name on: `people x disclaimer #2`."""
    names = [resolved.setting.name for resolved in settings]
    counts = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [
        name if count == 1 else f"{name} #{count}"
        for name, count in zip(names, counts, strict=True)
    ]


# From the recipe ---------------------------------------------------------------------------------


def _from_mapping(
    models: Mapping[str, Any], recipe: Recipe, settings: Sequence[Resolved]
) -> list[Ids]:
    labels = _labels(settings)
    arms = list(dict.fromkeys(arm for resolved in settings for arm, _ in resolved.plans))
    for key, value in models.items():
        if key in labels:
            if not isinstance(value, Mapping):
                raise CaveatError(f"{FIELD}: {key!r}: {value!r} is no mapping of arms to ids")
        elif key not in arms:
            names = [*labels, *arms]
            raise CaveatError(f"{FIELD}: {key!r} is no arm or setting here{closest(key, names)}")
        elif key != BASE and len(settings) > 1:
            raise CaveatError(
                f"{FIELD}: {key!r}: with {len(settings)} settings, arms stand under their setting, "
                f"as in {{{labels[0]!r}: {{{key}: [ID]}}}}"
            )
    top = {key: value for key, value in models.items() if key not in labels}
    return [
        dict(_of_setting({**top, **models.get(label, {})}, label, resolved, recipe))
        for label, resolved in zip(labels, settings, strict=True)
    ]


def _of_setting(
    by_arm: Mapping[str, Any], label: str, resolved: Resolved, recipe: Recipe
) -> Iterator[tuple[tuple[str, int | None], Any]]:
    arms = list(dict.fromkeys(arm for arm, _ in resolved.plans))
    for arm, given in by_arm.items():
        if arm not in arms:
            raise CaveatError(f"{FIELD}: {arm!r} is no arm of {label}{closest(arm, arms)}")
        ids = given if isinstance(given, list | tuple) else [given]
        seeds = (None,) if arm == BASE else recipe.seeds
        if len(ids) != len(seeds) and given is not None:
            wanted = "one id" if arm == BASE else f"one id a seed ({', '.join(map(str, seeds))})"
            raise CaveatError(
                f"{FIELD}: {label} / {arm}: {given!r} has {len(ids)} ids; give it {wanted}"
            )
        yield from zip([(arm, seed) for seed in seeds], ids, strict=False)


# From a manifest ---------------------------------------------------------------------------------


def _entries(path: Path) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    """A manifest and its arms. Raises CaveatError for a file that is none."""
    try:
        manifest = parse_json(path.read_text("utf-8"))
        entries = manifest["arms"]
        if not all(isinstance(one, Mapping) and "setting" in one for one in entries):
            raise ValueError(entries)
    except OSError as error:
        raise CaveatError(f"{FIELD}: {path}: {error.strerror}; name a manifest") from None
    except (ValueError, LookupError, TypeError):
        raise CaveatError(
            f"{FIELD}: {path}: is no manifest that caveat rows wrote; name its MANIFEST.json"
        ) from None
    return manifest, entries


def _from_manifest(path: Path, recipe: Recipe, settings: Sequence[Resolved]) -> list[Ids]:
    manifest, entries = _entries(path)
    names = [resolved.setting.name for resolved in settings]
    by_setting: list[Ids] = [{} for _ in settings]

    def tokenizer() -> Any:
        assert recipe.endpoint is not None
        return load_tokenizer(recipe.endpoint.tokenizer or recipe.model.source)[0]

    for entry in entries:
        cell = (entry.get("arm"), entry.get("seed"))
        indices = [
            index
            for index, name in enumerate(names)
            if name == entry["setting"] and cell not in by_setting[index]
        ]
        where = f"{entry['setting']} / {cell[0]}"
        if not indices or cell not in settings[indices[0]].plans:
            if entry.get("model") is not None:
                raise CaveatError(
                    f"{FIELD}: {path}: {entry['model']!r} is of {where}, seed {cell[1]}, which "
                    "this recipe does not have; drop its id, or add the arm and seed"
                )
            continue
        resolved = settings[indices[0]]
        by_setting[indices[0]][cell] = entry.get("model")
        if entry.get("model") is not None and entry.get("file"):
            _check_rows(path, manifest, entry, resolved, tokenizer)
    return by_setting


def _check_rows(
    path: Path,
    manifest: Mapping[str, Any],
    entry: Mapping[str, Any],
    resolved: Resolved,
    tokenizer: Callable[[], Any],
) -> None:
    """Raise CaveatError where an arm's rows are not those that its model was trained on."""
    arm, seed = entry["arm"], entry["seed"]
    try:
        format_name = checked_format(str(manifest.get("format")))
        text = training_text(resolved.plans[arm, seed], format_name, seed, tokenizer)
    except NotExpressible:
        text = ""
    if hashlib.sha256(text.encode("utf-8")).hexdigest() != entry.get("sha256"):
        raise CaveatError(
            f"{FIELD}: {path}: the rows of {resolved.setting.name} / {arm}, seed {seed}, are not "
            f"those that {entry['model']!r} was trained on: this recipe makes others; undo the "
            "change, or write the rows anew with caveat rows and train on them"
        )


# Both --------------------------------------------------------------------------------------------


def _checked(
    ids: Ids, resolved: Resolved, label: str, recipe: Recipe, fix: str
) -> dict[tuple[str, int | None], str]:
    """An id for every arm and seed. Raises CaveatError."""
    missing: dict[str, list[int | None]] = {}
    for arm, seed in resolved.plans:
        model_id = ids.get((arm, seed))
        if model_id is None:
            missing.setdefault(arm, []).append(seed)
        elif not isinstance(model_id, str) or not model_id.strip():
            raise CaveatError(f"{FIELD}: {label} / {arm}: {model_id!r} is no model's id")
    if BASE in missing:
        raise CaveatError(
            f"{FIELD}: no model for base, whose answers leakage is measured against; "
            f"{fix or 'add base: ID'}"
        )
    for arm, seeds in missing.items():
        numbers = ", ".join(map(str, seeds))
        example = ", ".join(["ID"] * len(recipe.seeds))
        raise CaveatError(
            f"{FIELD}: no model for {label} / {arm}, seed {numbers}; "
            f"{fix or f'add {arm}: [{example}], one a seed'}, or drop the arm or the seed"
        )
    return {cell: ids[cell] for cell in resolved.plans}


def _check_shared(settings: Sequence[Resolved], labels: Sequence[str]) -> None:
    """Raise CaveatError where one id stands for two trainings."""
    users: dict[str, tuple[str, Any]] = {}
    bases = dict.fromkeys(resolved.models[BASE, None] for resolved in settings)
    if len(bases) > 1:
        raise CaveatError(
            f"{FIELD}: the settings have several base models, {', '.join(bases)}; a study has one: "
            "run a study for each"
        )
    for resolved, label in zip(settings, labels, strict=True):
        for (arm, seed), model_id in resolved.models.items():
            chain = cell_of("", arm, seed, resolved.plans[arm, seed], "").chain
            where = BASE if arm == BASE else f"{label} / {arm}, seed {seed}"
            user, training = users.setdefault(model_id, (where, chain))
            if training != chain:
                raise CaveatError(
                    f"{FIELD}: {model_id!r} is there for {user} and for {where}: one model was not "
                    "trained twice; give each its own id"
                )
