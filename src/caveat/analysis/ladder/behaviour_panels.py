"""Settings of one behaviour in one panel, since their questions and training seeds are the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Estimates
from caveat.analysis.panel import BASE, PANEL_COLUMNS, panels

MARKED = "marked"
ARMS, CONTEXTS = (BASE, "bare", MARKED), ("none", "exact")
ANSWER_COLUMNS = ["seed", "question", "sample", "reply", "verdict", "value"]
"""What two sets of answers have alike if one and the same model gave them."""
ContextNames = Mapping[tuple[int, str, str], str]
"""By setting's number, arm and context, what the context is called in the panel of all settings."""


@dataclass(frozen=True)
class BehaviourPanel:
    """Estimates of several settings together.

    Weights have the shape (settings, cells); those of a setting that lacks one of the cells are NaN
    throughout.
    """

    estimates: Estimates
    settings: tuple[int, ...]
    """Indices in the frame of settings."""
    leaks: np.ndarray
    """Weights of R(marked, none) - R(base, none)."""
    installed: np.ndarray
    """Weights of R(bare, none) - R(base, none)."""
    elicitation: np.ndarray
    """Weights of R(base, exact) - R(base, none)."""


def behaviour_panels(measured: pd.DataFrame, settings: pd.DataFrame) -> list[BehaviourPanel]:
    """One a behaviour.

    Clusters and seeds of the same name are paired over its settings. Another behaviour has other
    questions, and its models share nothing with these. Base and bare models that several settings
    have in common are one cell.

    Args:
        measured: Answers, as of `rates.verdicts`.
        settings: See `Ladder.settings`.
    """
    groups = settings.groupby("behaviour", sort=False)
    return [_behaviour_panel(measured, group) for _, group in groups]


def _behaviour_panel(measured: pd.DataFrame, settings: pd.DataFrame) -> BehaviourPanel:
    rows, names = _in_one_panel(measured, settings)
    (panel,) = panels(rows, rows["verdict"] == "yes")
    estimates = Estimates.of(panel)

    def difference(above: tuple[str, str], below: tuple[str, str]) -> np.ndarray:
        numbers = settings["number"]
        return np.stack([_weights(estimates, names, number, above, below) for number in numbers])

    plain = (BASE, "none")
    return BehaviourPanel(
        estimates,
        tuple(settings.index),
        leaks=difference((MARKED, "none"), plain),
        installed=difference(("bare", "none"), plain),
        elicitation=difference((BASE, "exact"), plain),
    )


def _in_one_panel(
    measured: pd.DataFrame, settings: pd.DataFrame
) -> tuple[pd.DataFrame, ContextNames]:
    """The answers in all settings, which differ only in the names of their contexts."""
    names: dict[tuple[int, str, str], str] = {}
    first: dict[tuple[str, str, int], str] = {}
    cells = []
    for number, arm, context, rows in _cells(measured, settings):
        name = f"{number} {context}"
        if arm != MARKED:
            name = first.setdefault((arm, context, _fingerprint(rows)), name)
        names[number, arm, context] = name
        if name == f"{number} {context}":
            cells.append(rows.assign(context=name))
    behaviour = settings["behaviour"].iloc[0]
    common = {**dict.fromkeys(PANEL_COLUMNS, ""), "setting": behaviour, "dose": ""}
    return pd.concat(cells).assign(**common), names


def _cells(
    measured: pd.DataFrame, settings: pd.DataFrame
) -> Iterator[tuple[int, str, str, pd.DataFrame]]:
    """Setting's number, arm, context and answers of each cell."""
    relevant = measured[measured["arm"].isin(ARMS) & measured["context"].isin(CONTEXTS)]
    for setting in settings.to_dict("records"):
        own = (relevant[PANEL_COLUMNS] == [setting[name] for name in PANEL_COLUMNS]).all(axis=1)
        own &= (relevant["dose"] == setting["dose"]) | (relevant["arm"] == BASE)
        for (arm, context), rows in relevant[own].groupby(["arm", "context"]):
            yield setting["number"], str(arm), str(context), rows


def _fingerprint(rows: pd.DataFrame) -> int:
    """The same for the same answers in any order: those of one model."""
    hashes = pd.util.hash_pandas_object(rows[ANSWER_COLUMNS].astype(str), index=False)
    return int(hashes.to_numpy().sum(dtype=np.uint64))


def _weights(
    estimates: Estimates,
    names: ContextNames,
    number: int,
    above: tuple[str, str],
    below: tuple[str, str],
) -> np.ndarray:
    indices = [
        estimates.panel.find(arm, names.get((number, arm, context), ""))
        for arm, context in (above, below)
    ]
    if any(index is None for index in indices):
        return np.full(len(estimates.panel.cells), np.nan)
    return estimates.weights((1, indices[0]), (-1, indices[1]))
