"""Which panel stands for a setting where it has several."""

from __future__ import annotations

from collections.abc import Iterable

from caveat.measure.panel import IDENTITY, Panel

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
