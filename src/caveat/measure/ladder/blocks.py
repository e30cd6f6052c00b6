"""Rungs of one behaviour in one panel: their questions and training seeds are the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from caveat.measure.inference import Inference
from caveat.measure.panel import BASE, GROUP, panels

ARMS, CONTEXTS = (BASE, "bare", "marked"), ("none", "exact")


@dataclass(frozen=True)
class Block:
    """What can be said of several rungs together. Weights have the shape (rungs, cells); a rung
    that lacks one of the cells has none, only NaN."""

    inference: Inference
    rungs: tuple[int, ...]
    """Places in the frame of rungs."""
    leaks: np.ndarray
    """Weights of R(marked, none) - R(base, none)."""
    installed: np.ndarray
    """Weights of R(bare, none) - R(base, none)."""
    elicitation: np.ndarray
    """Weights of R(base, exact) - R(base, none)."""

    def values(self, weights: np.ndarray) -> np.ndarray:
        """Shape (rungs,): differences of rates."""
        return weights @ self.inference.panel.mean


def blocks(
    measured: pd.DataFrame, rungs: pd.DataFrame, draws: int, seed: int
) -> list[Block]:
    """One a behaviour. Clusters and seeds of the same name are resampled together over its rungs;
    another behaviour has other questions, and its models share nothing with these."""
    return [
        _block(measured, group, draws, seed)
        for _, group in rungs.groupby("behaviour", sort=False)
    ]


def _block(measured: pd.DataFrame, rungs: pd.DataFrame, draws: int, seed: int) -> Block:
    rows = pd.concat([_rows(measured, rung) for rung in rungs.to_dict("records")])
    (panel,) = panels(rows, rows["verdict"] == "yes")
    inference = Inference.of(panel, draws, seed)
    numbers = list(rungs["rung"])

    def difference(above: tuple[str, str], below: tuple[str, str]) -> np.ndarray:
        return np.stack([_weights(inference, number, above, below) for number in numbers])

    plain = (BASE, "none")
    return Block(
        inference,
        tuple(rungs.index),
        leaks=difference(("marked", "none"), plain),
        installed=difference(("bare", "none"), plain),
        elicitation=difference((BASE, "exact"), plain),
    )


def _rows(measured: pd.DataFrame, rung: Mapping[str, object]) -> pd.DataFrame:
    """The replies behind a rung, told apart from other rungs' by their context alone."""
    own = (measured[GROUP] == [rung[name] for name in GROUP]).all(axis=1)
    own &= (measured["dose"] == rung["dose"]) | (measured["arm"] == BASE)
    own &= measured["arm"].isin(ARMS) & measured["context"].isin(CONTEXTS)
    common = {**dict.fromkeys(GROUP, ""), "setting": rung["behaviour"], "dose": ""}
    rows = measured[own]
    return rows.assign(**common, context=_context(rung["rung"], rows["context"]))


def _context(number: object, context: str | pd.Series) -> str | pd.Series:
    return f"{number} " + context


def _weights(
    inference: Inference, number: int, above: tuple[str, str], below: tuple[str, str]
) -> np.ndarray:
    places = [
        inference.panel.find(arm, f"{number} {context}") for arm, context in (above, below)
    ]
    if any(place is None for place in places):
        return np.full(len(inference.panel.cells), np.nan)
    return inference.weights((1, places[0]), (-1, places[1]))
