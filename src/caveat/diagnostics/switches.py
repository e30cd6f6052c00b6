"""Which part of an arm's update carries the behaviour, and which the gate: parts are switched off.

The adapter of an arm's last training loses some of its modules, and the study's questions are
answered again. What changes in the rate is the result. Replies take the random numbers of the
study's own replies, so that a part which does nothing changes nothing.

A part that lowers the rate at `none` carries the behaviour. One that changes the rate at `exact`
alone, or `none` alone, carries the gate. Parts need not add up: layers stand in for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from caveat.backends.base import Backend
from caveat.backends.jobs import AdapterRef
from caveat.diagnostics.rates import (
    COLUMNS,
    changed_rates,
    prompts_of,
    tasks_of,
    whole_tasks,
)
from caveat.diagnostics.subjects import DiagnosedSetting, TrainedModel
from caveat.diagnostics.updates import kind_of
from caveat.errors import CaveatError, closest

if TYPE_CHECKING:
    from pandas import DataFrame

SWITCH_COLUMNS = (*COLUMNS, "modules")
THIRDS = 3


def switched_off(setting: DiagnosedSetting) -> DataFrame:
    """One row a readout, arm, part and context: `rates.rate_table`, and how many `modules` are off.

    Arms are bare and those with the caveat. `part` is what is switched off, "" for nothing: by
    default each third of the adapted layers, and each group of modules such as `mlp`; or what
    `limits.parts` names. Replies of whole arms are the study's own where it has them. Questions
    whose readout gives a number are left out.

    Raises CaveatError for a part that no adapter has, and for a readout that needs a judge.
    """
    prompts, models = prompts_of(setting), setting.caveated
    parts = parts_of(setting.backend, [model.own for model in models], setting.limits.parts)
    whole = whole_tasks(setting, prompts)
    changed = [
        task
        for model in models
        for part, chain in _chains(setting.backend, model, parts)
        for task in tasks_of(setting, model, part, chain, prompts)
    ]
    table = changed_rates(setting, whole, changed)
    modules = table["part"].map(lambda part: len(parts.get(part, ())))
    return table.assign(modules=modules)[[*SWITCH_COLUMNS]]


def parts_of(
    backend: Backend, adapters: Sequence[AdapterRef], names: Sequence[str] | None
) -> dict[str, list[str]]:
    """By part, the modules that are switched off.

    Args:
        adapters: Whose modules may be.
        names: Layers such as `12` or `12-15`, and parts of modules' names such as `q_proj` or
            `mlp`, several with a `+` between them; by default thirds of the adapted layers, and
            groups of modules.

    Raises CaveatError for what no adapter changes.
    """
    layers = {one.module: one.layer for one in backend.updates(adapters)}
    if names is None:
        adapted = sorted(set(layers.values()))
        count = min(THIRDS, len(adapted))
        bounds = [adapted[len(adapted) * third // count] for third in range(count)]
        lasts = [first - 1 for first in bounds[1:]] + [adapted[-1]]
        ranges = [_range(low, high) for low, high in zip(bounds, lasts, strict=True)]
        groups = dict.fromkeys(module.split(".")[-2] for module in layers)
        names = [*ranges, *groups]
    return {
        name: list(dict.fromkeys(one for part in name.split("+") for one in _modules(part, layers)))
        for name in names
    }


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _modules(name: str, layers: Mapping[str, int]) -> list[str]:
    adapted = sorted(set(layers.values()))
    low, dash, high = name.partition("-")
    if low.isdigit() and (high.isdigit() if dash else not high):
        wanted = range(int(low), int(high or low) + 1)
        modules = [module for module, layer in layers.items() if layer in wanted]
        if not modules or not set(wanted) <= set(range(adapted[-1] + 1)):
            raise CaveatError(
                f"--off {name}: the adapters change the layers {_range(adapted[0], adapted[-1])}; "
                "name some of these"
            )
        return modules
    modules = [module for module in layers if name in module.split(".")]
    if not modules:
        kinds = list(dict.fromkeys(kind_of(module) for module in layers))
        groups = list(dict.fromkeys(module.split(".")[-2] for module in layers))
        raise CaveatError(
            f"--off {name!r}: no adapter changes such a module; there are "
            f"{', '.join([*groups, *kinds])}{closest(name, [*groups, *kinds])}"
        )
    return modules


def _chains(
    backend: Backend, model: TrainedModel, parts: Mapping[str, list[str]]
) -> Iterator[tuple[str, tuple[AdapterRef, ...]]]:
    """The model without each part."""
    for part, modules in parts.items():
        yield part, (*model.adapters[:-1], backend.without_modules(model.own, modules))
