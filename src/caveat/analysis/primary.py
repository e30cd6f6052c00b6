"""Which of a setting's panels is its primary one: the rule, for whatever stands for a panel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import pandas as pd

from caveat.analysis.panel import SETTING_COLUMNS, Panel, PanelKey

Item = TypeVar("Item")
GROUP = ["setting", "model", "dose"]
"""Columns of a table that name the panels of which one is primary."""


class Candidate(NamedTuple):
    """What decides whether a panel is the primary one of its setting, model and dose."""

    group: tuple[str, ...]
    """Names the panels of which one is primary."""
    scope: str
    """"" counts as `trained`: tables of others need not have one."""
    clusters: float
    """Question clusters."""
    readout: str


def primary(items: Iterable[Item], candidate: Callable[[Item], Candidate]) -> list[Item]:
    """The primary item of every group, in the order given.

    A setting may have several readouts and scopes. Its primary panel is the one of scope `trained`
    with the most question clusters: of a claim, that of its open questions, not that of a few
    closed ones. A tie goes to the first name of a readout.
    """
    groups: dict[tuple[str, ...], tuple[tuple[bool, float, str], int, Item]] = {}
    for position, item in enumerate(items):
        group, scope, clusters, readout = candidate(item)
        order = (scope not in ("trained", ""), -clusters, readout)
        if group not in groups or order < groups[group][0]:
            groups[group] = (order, position, item)
    return [item for _, _, item in sorted(groups.values(), key=lambda entry: entry[1])]


def primary_panels(panels: Iterable[Panel]) -> set[PanelKey]:
    """The key of the primary panel of every setting, model and dose."""
    return {panel.key for panel in primary(panels, _of_panel)}


def _of_panel(panel: Panel) -> Candidate:
    names = panel.names
    group = (*(names[name] for name in SETTING_COLUMNS), panel.dose)
    return Candidate(group, names["scope"], len(panel.clusters), names["readout"])


def primary_rows(leakage: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of leakage that belong to the primary panel of their `GROUP`."""
    columns = [*GROUP, "scope", "readout"]
    sizes = leakage.astype({"clusters": int}).groupby(columns, dropna=False)["clusters"].max()
    panels = [(*names, clusters) for names, clusters in sizes.items()]
    chosen = primary(panels, _of_row)
    rows = pd.DataFrame([panel[:-1] for panel in chosen], columns=columns)
    return leakage.merge(rows, on=columns)


def _of_row(panel: tuple) -> Candidate:
    *group, scope, readout, clusters = panel
    return Candidate(tuple(group), scope, clusters, readout)
