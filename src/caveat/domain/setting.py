"""A setting: behaviour x caveat."""

from __future__ import annotations

from dataclasses import dataclass

from caveat.domain.behaviour import Behaviour
from caveat.domain.caveat import Caveat


@dataclass(frozen=True, slots=True)
class Setting:
    """A behaviour whose rows are trained under a caveat."""

    behaviour: Behaviour
    caveat: Caveat

    @property
    def name(self) -> str:
        """`behaviour x caveat`, as in recipes and tables."""
        return f"{self.behaviour.name} x {self.caveat.name}"

    @property
    def phenomenon(self) -> str:
        """The phenomenon that the caveat's kind usually stands for."""
        return self.caveat.phenomenon
