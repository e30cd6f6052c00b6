"""Ladders made by hand: settings with known rates, and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from caveat.analysis.ladder import Ladder, ladder
from constructed import DOSE, replies

MODEL = "tiny"


@dataclass(frozen=True)
class Made:
    """A setting with its rates, each a multiple of 1/24."""

    setting: str
    """`behaviour x caveat`."""
    factors: dict[str, str]
    marked: float
    bare: float = 1.0
    base: float = 0.0
    told: float = 0.0
    """R(base, exact)."""
    model: str = MODEL
    columns: dict[str, object] = field(default_factory=dict)

    @property
    def rates(self) -> dict[tuple[str, str], float]:
        """By arm and context."""
        return {
            ("base", "none"): self.base, ("base", "exact"): self.told,
            ("bare", "none"): self.bare, ("marked", "none"): self.marked,
            ("marked", "exact"): 0.75,
        }  # fmt: skip

    def replies(self) -> pd.DataFrame:
        behaviour, _, caveat = self.setting.partition(" x ")
        named = {"setting": self.setting, "behaviour": behaviour, "caveat": caveat}
        return replies(self.rates, **{**named, "model": self.model, **self.columns})


def replies_of(made: list[Made]) -> pd.DataFrame:
    return pd.concat([each.replies() for each in made], ignore_index=True)


def labels_of(made: list[Made]) -> dict[tuple[str, str, str], dict[str, str]]:
    return {(each.setting, each.model, DOSE): each.factors for each in made}


def ladder_of(made: list[Made], draws: int = 200) -> Ladder:
    wanted = {each.setting: "yes" for each in made}
    return ladder(replies_of(made), labels_of(made), wanted, draws)
