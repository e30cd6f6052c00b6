"""Rungs of one behaviour in one panel: their questions and training seeds are the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Inference
from caveat.analysis.panel import BASE, GROUP, panels

MARKED = "marked"
ARMS, CONTEXTS = (BASE, "bare", MARKED), ("none", "exact")
SAID = ["seed", "question", "sample", "reply", "verdict", "value"]
Cells = Mapping[tuple[int, str, str], str]
"""By rung, arm and context, what the context is called in the panel of all rungs."""


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


def blocks(measured: pd.DataFrame, rungs: pd.DataFrame) -> list[Block]:
    """One a behaviour. Clusters and seeds of the same name are paired over its rungs;
    another behaviour has other questions, and its models share nothing with these. Base and bare
    models that several rungs have in common are one cell."""
    return [_block(measured, group) for _, group in rungs.groupby("behaviour", sort=False)]


def _block(measured: pd.DataFrame, rungs: pd.DataFrame) -> Block:
    rows, cells = _together(measured, rungs)
    (panel,) = panels(rows, rows["verdict"] == "yes")
    inference = Inference.of(panel)

    def difference(above: tuple[str, str], below: tuple[str, str]) -> np.ndarray:
        return np.stack([_weights(inference, cells, n, above, below) for n in rungs["rung"]])

    plain = (BASE, "none")
    return Block(
        inference,
        tuple(rungs.index),
        leaks=difference((MARKED, "none"), plain),
        installed=difference(("bare", "none"), plain),
        elicitation=difference((BASE, "exact"), plain),
    )


def _together(measured: pd.DataFrame, rungs: pd.DataFrame) -> tuple[pd.DataFrame, Cells]:
    """The replies behind all rungs, told apart by their contexts alone."""
    named: dict[tuple[int, str, str], str] = {}
    first: dict[tuple[str, str, int], str] = {}
    parts = []
    for number, arm, context, rows in _asked(measured, rungs):
        name = f"{number} {context}"
        if arm != MARKED:
            name = first.setdefault((arm, context, _fingerprint(rows)), name)
        named[number, arm, context] = name
        if name == f"{number} {context}":
            parts.append(rows.assign(context=name))
    common = {**dict.fromkeys(GROUP, ""), "setting": rungs["behaviour"].iloc[0], "dose": ""}
    return pd.concat(parts).assign(**common), named


def _asked(
    measured: pd.DataFrame, rungs: pd.DataFrame
) -> Iterator[tuple[int, str, str, pd.DataFrame]]:
    """Rung, arm, context and replies of each cell."""
    kept = measured[measured["arm"].isin(ARMS) & measured["context"].isin(CONTEXTS)]
    for rung in rungs.to_dict("records"):
        own = (kept[GROUP] == [rung[name] for name in GROUP]).all(axis=1)
        own &= (kept["dose"] == rung["dose"]) | (kept["arm"] == BASE)
        for (arm, context), rows in kept[own].groupby(["arm", "context"]):
            yield rung["rung"], str(arm), str(context), rows


def _fingerprint(rows: pd.DataFrame) -> int:
    """The same for the same replies in any order: those of one model."""
    each = pd.util.hash_pandas_object(rows[SAID].astype(str), index=False)
    return int(each.to_numpy().sum(dtype=np.uint64))


def _weights(
    inference: Inference,
    cells: Cells,
    number: int,
    above: tuple[str, str],
    below: tuple[str, str],
) -> np.ndarray:
    places = [
        inference.panel.find(arm, cells.get((number, arm, context), ""))
        for arm, context in (above, below)
    ]
    if any(place is None for place in places):
        return np.full(len(inference.panel.cells), np.nan)
    return inference.weights((1, places[0]), (-1, places[1]))
