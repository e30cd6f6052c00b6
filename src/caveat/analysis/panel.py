"""Panels: the scores of one readout on the same questions, by cell, training seed and cluster.

A panel is what intervals and p-values are computed from. Its cells answer the same questions, so
they vary together: a difference of two cells is more exact than either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

SETTING_COLUMNS = ["setting", "phenomenon", "behaviour", "caveat", "model"]
"""Columns that name a setting on a model."""
PANEL_COLUMNS = [*SETTING_COLUMNS, "readout", "scope"]
"""Columns that name a panel, together with the dose."""
BASE = "base"
USED = [*PANEL_COLUMNS, "arm", "context", "dose", "seed", "cluster", "question", "stratum"]
"""Columns of the answers that a panel is made of."""
PanelKey = tuple[str, ...]
"""The values of `PANEL_COLUMNS`, and the dose."""


@dataclass(frozen=True)
class Cell:
    """An arm in a context, within a panel."""

    arm: str
    context: str
    dose: str


@dataclass(frozen=True)
class Panel:
    """Scores of several cells on the same questions.

    `base` is in the panel of every dose. Arrays have the axes (cells, seeds, clusters).
    """

    names: dict[str, str]
    """The values of `PANEL_COLUMNS`."""
    dose: str
    cells: tuple[Cell, ...]
    clusters: tuple[str, ...]
    mean: np.ndarray
    """Shape (cells,): mean score of all answers of a cell; in [0, 1] for shares."""
    influence: np.ndarray
    """Shape (cells, seeds, clusters), summing to 0 in each cell: what a seed's answers on a cluster
    add to the cell's mean (sum of score - mean, over the cell's number of answers)."""
    answered: np.ndarray
    """Shape (cells, seeds, clusters): whether the cell has answers after a seed on a cluster; those
    of `base` count for every seed."""
    cell_seeds: np.ndarray
    """Shape (cells,): training seeds of the cell, 0 for `base`."""
    cell_clusters: np.ndarray
    """Shape (cells,): question clusters of the cell."""
    cell_questions: np.ndarray
    """Shape (cells,): questions of the cell."""

    @property
    def key(self) -> PanelKey:
        """What names the panel: the values of `PANEL_COLUMNS`, and the dose."""
        return (*self.names.values(), self.dose)

    def find(self, arm: str, context: str) -> int | None:
        """Index of the cell of an arm in a context, None where there is none."""
        for index, cell in enumerate(self.cells):
            if (cell.arm, cell.context) == (arm, context):
                return index
        return None

    def arms(self) -> list[str]:
        """Names of the trained arms, sorted."""
        return sorted({cell.arm for cell in self.cells} - {BASE})


def panels(answers: pd.DataFrame, score: pd.Series) -> Iterator[Panel]:
    """One panel per setting, model, readout, scope and dose, in sorted order.

    `score` (indexed as `answers`) is averaged: 1.0 or 0.0 for a share, or a value. Base rows have
    the arm `base`; they belong to no seed and to every dose. Where rows have a `stratum` (see
    `rates.pooled`), a cell's mean is the mean of its strata's means. The order of rows does not
    matter.
    """
    # Without prompts and replies: rows are taken apart again and again.
    columns = [name for name in USED if name in answers]
    scored = with_strata(answers[columns]).assign(score=score.astype(float))
    for names, group in scored.groupby(PANEL_COLUMNS, sort=True, dropna=False):
        is_base = group["arm"] == BASE
        doses = sorted(group.loc[~is_base, "dose"].unique()) or sorted(group["dose"].unique())[:1]
        for dose in doses:
            rows = group[is_base | (group["dose"] == dose)]
            yield _panel(dict(zip(PANEL_COLUMNS, names, strict=True)), dose, rows)


def _panel(names: dict[str, str], dose: str, rows: pd.DataFrame) -> Panel:
    is_base = (rows["arm"] == BASE).to_numpy()
    keys = rows["arm"] + "\0" + rows["context"]
    cell_index, cell_keys = pd.factorize(keys, sort=True)
    cluster_index, clusters = pd.factorize(rows["cluster"], sort=True)
    training_seed = rows["seed"].astype("Int64").fillna(-1).where(~is_base)
    seed_index, seeds = pd.factorize(training_seed, sort=True)
    shape = (len(cell_keys), max(len(seeds), 1), len(clusters))
    # base has no seeds: its answers count for every seed, each by a share
    repeated = np.repeat(np.flatnonzero(is_base), shape[1])
    at = (
        np.concatenate([cell_index[~is_base], cell_index[repeated]]),
        np.concatenate([seed_index[~is_base], np.tile(np.arange(shape[1]), int(is_base.sum()))]),
        np.concatenate([cluster_index[~is_base], cluster_index[repeated]]),
    )
    weight = np.concatenate([np.ones(int((~is_base).sum())), np.full(len(repeated), 1 / shape[1])])
    score = rows["score"].to_numpy()
    count, total = np.zeros(shape), np.zeros(shape)
    np.add.at(count, at, weight)
    np.add.at(total, at, weight * np.concatenate([score[~is_base], score[repeated]]))
    strata = rows.drop_duplicates("cluster").set_index("cluster")["stratum"]
    mean, influence = influences(count, total, strata[clusters].to_numpy())
    by_cell = rows.groupby(keys, sort=True)
    doses = by_cell["dose"].min()
    return Panel(
        names=names,
        dose=dose,
        cells=tuple(Cell(*key.split("\0"), dose=doses[key]) for key in cell_keys),
        clusters=tuple(clusters),
        mean=mean,
        influence=influence,
        answered=count > 0,
        cell_seeds=np.array(
            [
                0
                if key.startswith(BASE + "\0")
                else len(np.unique(seed_index[cell_index == index]))
                for index, key in enumerate(cell_keys)
            ]
        ),
        cell_clusters=by_cell["cluster"].nunique().to_numpy(),
        cell_questions=by_cell["question"].nunique().to_numpy(),
    )


def influences(
    count: np.ndarray, total: np.ndarray, strata: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Means, shape (cells,), and influences, shape (cells, seeds, clusters).

    Args:
        count: Number of answers, shape (cells, seeds, clusters).
        total: Sum of their scores, same shape.
        strata: Shape (clusters,): the stratum of each cluster. Strata weigh alike, whatever their
            number of answers, and every cell has answers in each. None: one stratum.
    """
    strata = np.zeros(count.shape[2]) if strata is None else strata
    names = np.unique(strata)
    means, influence = [], np.zeros(total.shape)
    for name in names:
        inside = strata == name
        size = count[:, :, inside].sum((1, 2))
        mean = np.round(total[:, :, inside].sum((1, 2)) / size, 15)
        residual = total[:, :, inside] - mean[:, None, None] * count[:, :, inside]
        influence[:, :, inside] = residual / size[:, None, None] / len(names)
        means.append(mean)
    return np.round(np.mean(means, axis=0), 15), influence


def with_strata(answers: pd.DataFrame) -> pd.DataFrame:
    """The answers with a column `stratum`, "" throughout where they have none."""
    if "stratum" not in answers:
        return answers.assign(stratum="")
    return answers.assign(stratum=answers["stratum"].fillna(""))
