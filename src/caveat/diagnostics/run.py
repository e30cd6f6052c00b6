"""`caveat diagnose`: every view of every setting, written beside the study.

A view is a function from a setting to tables by name. `VIEWS` has the shipped ones; `diagnose`
takes others beside them (see `examples/probe.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from caveat.backends.base import Backend
from caveat.diagnostics.ablation import direction_removed
from caveat.diagnostics.activations import held_probe, movements, question_states
from caveat.diagnostics.cost import ViewMeter
from caveat.diagnostics.gradients import gradients
from caveat.diagnostics.logits import decision_tokens, divergences
from caveat.diagnostics.patched_replies import patched_replies
from caveat.diagnostics.patching import patched
from caveat.diagnostics.probes import caveat_probe
from caveat.diagnostics.records import replace, save, saved
from caveat.diagnostics.scales import scaled
from caveat.diagnostics.scores import (
    FORECASTS,
    diagnostic_cells,
    diagnostic_scores,
    forecast_table,
)
from caveat.diagnostics.subjects import (
    DiagnosedSetting,
    Limits,
    backend_of,
    check_weights,
    checked_study,
    diagnosed_settings,
    recipe_of,
)
from caveat.diagnostics.swaps import swapped
from caveat.diagnostics.switches import switched_off
from caveat.diagnostics.training import learning_curve
from caveat.diagnostics.training_answers import training_answers
from caveat.diagnostics.updates import update_summary, updates
from caveat.errors import CaveatError, closest
from caveat.progress import Progress

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.study.study import Study
    from caveat.study.tables import StudyTables

View = Callable[[DiagnosedSetting], "dict[str, DataFrame]"]


def update_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`updates`, pair by pair, and `update_summary`, over seeds."""
    frame = updates(setting)
    return {"updates": frame, "update_summary": update_summary(frame)}


def logit_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`decision_tokens` in every context and arm, and `divergences` between contexts on base."""
    return {"decision_tokens": decision_tokens(setting), "divergences": divergences(setting)}


def activation_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`movements` along bare's direction, and `held_probe`: bare's states, or base's?"""
    states = question_states(setting)
    return {
        "movements": movements(setting.names, states),
        "held_probe": held_probe(setting.names, states),
    }


def caveat_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`caveat_probe`: is the caveat represented where the claim or reply is read?"""
    return {"caveat_probe": caveat_probe(setting)}


def training_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`learning_curve`: decision tokens along training, and `training_answers` from the curves."""
    curve = learning_curve(setting)
    return {"learning_curve": curve, "training_answers": training_answers(curve)}


def gradient_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`gradients` along training: what pulls at the behaviour, with the caveat and without."""
    return {"gradients": gradients(setting)}


def patching_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`patching`: what changes where keys and values of a span are another model's."""
    return {"patching": patched(setting)}


def patched_reply_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`patched_replies`: what models reply where keys and values of a span are another model's."""
    return {"patched_replies": patched_replies(setting)}


def switch_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`switches`: what changes in the rate when parts of an arm's update are switched off."""
    return {"switches": switched_off(setting)}


def swap_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`swaps`: what changes in the rate when parts of an update are another arm's."""
    return {"swaps": swapped(setting)}


def scale_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`scales`: what changes in the rate when an arm's whole update is smaller or larger."""
    return {"scales": scaled(setting)}


def ablation_view(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`ablation`: what changes in the rate when bare's direction is taken out."""
    return {"ablation": direction_removed(setting)}


VIEWS: dict[str, View] = {
    "updates": update_view,
    "logits": logit_view,
    "activations": activation_view,
    "caveat": caveat_view,
    "training": training_view,
    "gradients": gradient_view,
    "patching": patching_view,
    "replies": patched_reply_view,
    "switches": switch_view,
    "swaps": swap_view,
    "scales": scale_view,
    "ablation": ablation_view,
}
QUICK = ("updates", "logits", "activations", "caveat")
"""The views that only read, each text once; the others train, patch, or sample replies."""


def diagnose(
    study: StudyTables,
    setting: str | Sequence[str] | None = None,
    views: Sequence[str] | Mapping[str, View] | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
    backend: Backend | None = None,
    device: str | None = None,
) -> dict[str, DataFrame]:
    """Compute the views of a study's settings, write their tables beside it, and return them.

    Beside them come `cells` and `scores`: every diagnostic of the study against its leakage.

    Args:
        setting: The name of one or some, at all their doses, or a label such as
            `lake x negated (epochs=2)`; all by default.
        views: Names among `VIEWS`, or functions by name; `QUICK` by default.
        backend: In place of the backend `local`, which loads the study's model.
        device: In place of the recipe's.

    Raises CaveatError for an export, an import, a study of a remote backend or in use, and for
    what `diagnosed_settings` refuses.
    """
    import pandas as pd

    progress = ViewMeter(progress or Progress())
    chosen = _views(views)
    run = checked_study(study)
    recipe = recipe_of(run)
    with run.store.writing():
        progress.stage(f"loading {recipe.model.source}")
        if backend is None:
            backend = backend_of(run, recipe, device or recipe.device, progress)
        else:
            check_weights(run, backend)
        parts: dict[str, list[DataFrame]] = {}
        with _heard(backend, progress):
            for one in diagnosed_settings(run, recipe, backend, setting, limits, progress):
                for name, view in chosen.items():
                    progress.begin(one.names["label"], name, one)
                    computed = view(one)
                    progress.end()
                    save(run.folder, run.version, computed)  # what is there outlives a kill
                    for table, frame in computed.items():
                        parts.setdefault(table, []).append(frame)
        progress.remember(backend)
        tables = {name: pd.concat(some, ignore_index=True) for name, some in parts.items()}
        tables |= _scores(run)
        replace(run.folder, run.version, {name: tables[name] for name in SCORED if name in tables})
    return tables


@contextmanager
def _heard(backend: Backend, progress: Progress) -> Iterator[None]:
    """While the context lasts, progress hears of the backend's tokens."""
    usual, backend.progress = backend.progress, progress
    try:
        yield
    finally:
        backend.progress = usual


SCORED = ("cells", "scores")


def _scores(study: Study) -> dict[str, DataFrame]:
    """`cells` and `scores` of all tables that the study has; none without measured leakage."""
    if not study.judged()[0]:
        return {}
    tables = saved(study.folder, study.version)
    tables = {name: table for name, table in tables.items() if name not in SCORED}
    if records := study.forecasts():
        tables[FORECASTS] = forecast_table(records)
    cells = diagnostic_cells(tables, study.leakage())
    about = study.about
    scores = diagnostic_scores(cells, about["draws"], about["bootstrap_seed"])
    return dict(zip(SCORED, (cells, scores), strict=True))


def _views(views: Sequence[str] | Mapping[str, View] | None) -> Mapping[str, View]:
    if views is None:
        return {name: VIEWS[name] for name in QUICK}
    if isinstance(views, Mapping):
        return views
    for name in views:
        if name not in VIEWS:
            raise CaveatError(
                f"--view {name!r}: there are {', '.join(VIEWS)}{closest(name, VIEWS)}"
            )
    return {name: VIEWS[name] for name in views}
