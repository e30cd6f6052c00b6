"""Answers that are compared: cells by seeds by clusters; the main panel of a setting.

Replies as arrays: cells by training seeds by question clusters.

Which panel stands for a setting where it has several.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

IDENTITY = ["setting", "phenomenon", "behaviour", "caveat", "model"]
"""Columns that name a setting on a model."""
GROUP = [*IDENTITY, "readout", "scope"]
"""Columns within which cells are compared."""
BASE = "base"


@dataclass(frozen=True)
class Cell:
    """What one rate is about, within a panel."""

    arm: str
    context: str
    dose: str


@dataclass(frozen=True)
class Panel:
    """Cells asked the same questions by one readout, whose draws are therefore paired.

    `base` stands in the panel of every dose. Arrays have the axes (cells, seeds, clusters).
    """

    names: dict[str, str]
    """The columns of `GROUP`."""
    dose: str
    cells: tuple[Cell, ...]
    clusters: tuple[str, ...]
    mean: np.ndarray
    """Shape (cells,): mean score of all replies of a cell; in [0, 1] for shares."""
    influence: np.ndarray
    """Shape (cells, seeds, clusters), summing to 0 in each cell: what a seed's replies on a cluster
    add to the cell's mean (sum of score - mean, over the cell's number of replies)."""
    cell_seeds: np.ndarray
    """Shape (cells,): training seeds of the cell, 0 for `base`."""
    cell_clusters: np.ndarray
    cell_questions: np.ndarray

    def find(self, arm: str, context: str) -> int | None:
        """Index of the cell of an arm in a context, None where it was not asked."""
        for index, cell in enumerate(self.cells):
            if (cell.arm, cell.context) == (arm, context):
                return index
        return None

    def arms(self) -> list[str]:
        """Names of the trained arms, sorted."""
        return sorted({cell.arm for cell in self.cells} - {BASE})


def panels(replies: pd.DataFrame, score: pd.Series) -> Iterator[Panel]:
    """One panel per setting, model, readout, scope and dose, in sorted order.

    `score` (indexed as `replies`) is averaged: 1.0 or 0.0 for a share, or a value. Base rows have
    the arm `base`; they belong to no seed and to every dose. Where rows have a `stratum` (see
    `pooling`), a cell's mean is the mean of its strata's means. The order of rows does not matter.
    """
    scored = with_strata(replies).assign(score=score.astype(float))
    for names, group in scored.groupby(GROUP, sort=True, dropna=False):
        is_base = group["arm"] == BASE
        doses = sorted(group.loc[~is_base, "dose"].unique()) or sorted(group["dose"].unique())[:1]
        for dose in doses:
            chosen = group[is_base | (group["dose"] == dose)]
            yield _panel(dict(zip(GROUP, names, strict=True)), dose, chosen)


def _panel(names: dict[str, str], dose: str, rows: pd.DataFrame) -> Panel:
    is_base = (rows["arm"] == BASE).to_numpy()
    keys = rows["arm"] + "\0" + rows["context"]
    cell_of, cell_keys = pd.factorize(keys, sort=True)
    cluster_of, clusters = pd.factorize(rows["cluster"], sort=True)
    trained_by = rows["seed"].astype("Int64").fillna(-1).where(~is_base)
    seed_of, seeds = pd.factorize(trained_by, sort=True)
    shape = (len(cell_keys), max(len(seeds), 1), len(clusters))
    spread = np.repeat(np.flatnonzero(is_base), shape[1])
    at = (
        np.concatenate([cell_of[~is_base], cell_of[spread]]),
        np.concatenate([seed_of[~is_base], np.tile(np.arange(shape[1]), int(is_base.sum()))]),
        np.concatenate([cluster_of[~is_base], cluster_of[spread]]),
    )
    weight = np.concatenate([np.ones(int((~is_base).sum())), np.full(len(spread), 1 / shape[1])])
    score = rows["score"].to_numpy()
    count, total = np.zeros(shape), np.zeros(shape)
    np.add.at(count, at, weight)
    np.add.at(total, at, weight * np.concatenate([score[~is_base], score[spread]]))
    first = rows.drop_duplicates("cluster").set_index("cluster")["stratum"]
    mean, influence = influences(count, total, first[clusters].to_numpy())
    by_cell = rows.groupby(keys, sort=True)
    doses = by_cell["dose"].min()
    return Panel(
        names=names,
        dose=dose,
        cells=tuple(Cell(*key.split("\0"), dose=doses[key]) for key in cell_keys),
        clusters=tuple(clusters),
        mean=mean,
        influence=influence,
        cell_seeds=np.array(
            [
                0 if key.startswith(BASE + "\0") else len(np.unique(seed_of[cell_of == index]))
                for index, key in enumerate(cell_keys)
            ]
        ),
        cell_clusters=by_cell["cluster"].nunique().to_numpy(),
        cell_questions=by_cell["question"].nunique().to_numpy(),
    )


def influences(
    count: np.ndarray, total: np.ndarray, strata: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Means, shape (cells,), and influences, shape (cells, seeds, clusters), from the number of
    replies and the sum of their scores, both of the latter shape.

    `strata`, shape (clusters,), says what each cluster belongs to; strata weigh alike, whatever
    their number of replies, and every cell has replies in each. None: all belong together.
    """
    strata = np.zeros(count.shape[2]) if strata is None else strata
    names = np.unique(strata)
    means, influence = [], np.zeros(total.shape)
    for name in names:
        inside = strata == name
        size = count[:, :, inside].sum((1, 2))
        mean = np.round(total[:, :, inside].sum((1, 2)) / size, 15)
        left = total[:, :, inside] - mean[:, None, None] * count[:, :, inside]
        influence[:, :, inside] = left / size[:, None, None] / len(names)
        means.append(mean)
    return np.round(np.mean(means, axis=0), 15), influence


def with_strata(replies: pd.DataFrame) -> pd.DataFrame:
    """The replies with a column `stratum`, "" throughout where they have none."""
    if "stratum" not in replies:
        return replies.assign(stratum="")
    return replies.assign(stratum=replies["stratum"].fillna(""))


Key = tuple[str, ...]


def key(panel: Panel) -> Key:
    """What names a panel: the columns of `GROUP`, and the dose."""
    return (*panel.names.values(), panel.dose)


def main_panels(panels: Iterable[Panel]) -> set[Key]:
    """Of every setting, model and dose, the key of the panel that stands for it.

    That is the one of scope `trained` with the most question clusters: of a claim, what is said
    before the likelihood of few closed questions. A tie goes to the first name of a readout.
    """
    found: dict[Key, list[Panel]] = {}
    for panel in panels:
        setting = (*(panel.names[name] for name in IDENTITY), panel.dose)
        found.setdefault(setting, []).append(panel)
    return {key(min(each, key=_place)) for each in found.values()}


def _place(panel: Panel) -> tuple[bool, int, str]:
    names = panel.names
    return (names["scope"] != "trained", -len(panel.clusters), names["readout"])
