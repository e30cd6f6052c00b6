"""A study's ladder, from its replies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from caveat.analysis.ladder.blocks import blocks
from caveat.analysis.ladder.changes import Changes
from caveat.analysis.ladder.elicitation import dial
from caveat.analysis.ladder.rungs import Labels, rungs
from caveat.analysis.rates import verdicts


@dataclass(frozen=True)
class Ladder:
    """Frames that say which factor carries a difference between settings."""

    rungs: pd.DataFrame
    """See `rungs.rungs`."""
    steps: pd.DataFrame
    """See `Changes.steps`; so for the next two."""
    effects: pd.DataFrame
    interactions: pd.DataFrame
    dial: pd.DataFrame
    """See `dial.dial`."""


def ladder(
    replies: pd.DataFrame,
    labels: Labels,
    wanted: Mapping[str, str],
    draws: int = 2000,
    seed: int = 0,
) -> Ladder:
    """The ladder of the settings that `labels` has. Raises KeyError for one that `wanted` lacks."""
    chosen = replies[replies["setting"].isin({setting for setting, *_ in labels})]
    found = rungs(chosen, labels, wanted, draws, seed)
    drawn = blocks(verdicts(chosen), found, draws, seed)
    changes = Changes(found, drawn)
    return Ladder(
        found,
        changes.steps(),
        changes.effects(),
        changes.interactions(),
        dial(found, drawn, draws, seed),
    )
