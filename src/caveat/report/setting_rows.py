"""The settings of the first screen, with their arms by effect, and one sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from caveat.analysis.primary import Candidate, primary
from caveat.report.data import ReportData
from caveat.report.formatting import Estimate, decimal, is_true, number, survives, text
from caveat.report.panels import Panel, panels_of
from caveat.report.setting_labels import panel_labels

if TYPE_CHECKING:
    from pandas import DataFrame


FILLER = "marked+filler"


@dataclass(frozen=True)
class Arm:
    """A trained arm under the caveat, at `none`."""

    name: str
    kind: str
    """`marked`, `intervention` or `control`."""
    leakage: Estimate
    rate: Estimate
    hover: str
    changes: bool | None = None
    """Whether it is distinguishable from marked, once corrected; None where that was not tested."""
    is_alone: bool = False
    """Whether it has a lane of its own in a plot."""

    @property
    def quiet(self) -> bool:
        """Whether it is plotted in grey."""
        return self.kind != "marked" and self.changes is not True

    @property
    def low(self) -> float:
        """The lower limit of leakage; the value without an interval."""
        return self.leakage.value if self.leakage.low is None else self.leakage.low

    @property
    def high(self) -> float:
        """The upper limit of leakage; the value without an interval."""
        return self.leakage.value if self.leakage.high is None else self.leakage.high

    @property
    def step(self) -> str:
        """What is done more than in marked: `contrast` of `marked+contrast`."""
        return self.name.removeprefix("marked+")


@dataclass(frozen=True)
class SettingRow:
    """One setting in the main plot and in one sentence."""

    title: str
    label: str
    """The title without what all settings share: see `setting_labels`."""
    setting: str
    anchor: str
    phenomenon: str
    panel: Panel
    marked: Arm | None
    """None where marked has no leakage."""
    arms: tuple[Arm, ...]
    """The other arms under the caveat or without it that have a leakage, base and bare left out."""
    undefined: str
    """Why leakage has no value; "" where it has one."""
    verdict: str
    """`leaks`, `none` (not distinguishable from base), `all` (not from bare), or ""."""

    @cached_property
    def changed(self) -> tuple[Arm, ...]:
        """The arms `marked+X` that differ from marked once corrected, most lowering first."""
        arms = [arm for arm in self.arms if arm.changes]
        return tuple(sorted(arms, key=lambda arm: arm.leakage.value))

    @cached_property
    def rest(self) -> tuple[Arm, ...]:
        """All others: arms that are not distinguishable from marked, and controls."""
        return tuple(arm for arm in self.arms if not arm.changes)

    @property
    def tried(self) -> list[Arm]:
        """The arms `marked+X`, without the control `filler`."""
        return [arm for arm in self.arms if arm.kind == "intervention"]

    @property
    def alike(self) -> int:
        """How many of them are not distinguishable from marked."""
        return sum(not arm.changes for arm in self.tried)

    @property
    def strongest(self) -> Arm | None:
        """The arm that lowers marked's leakage most, None without one."""
        if self.marked is None:
            return None
        value = self.marked.leakage.value
        lower = [arm for arm in self.changed
                 if arm.kind == "intervention" and arm.leakage.value < value]  # fmt: skip
        return lower[0] if lower else None

    @property
    def strongest_words(self) -> str:
        """That arm with its leakage, or how many arms change nothing; "" without arms."""
        if self.strongest is not None:
            return f"{self.strongest.step} {decimal(self.strongest.leakage.value)}"
        return f"none of {len(self.tried)} arms" if self.tried else ""

    @property
    def reason(self) -> str:
        """Why there is no point, in a few words."""
        if self.undefined:
            return self.undefined.partition(":")[0]
        return "" if self.marked else "marked was not measured at none"

    @property
    def sentence(self) -> str:
        """What the setting shows, in one sentence."""
        if self.undefined:
            return f"Leakage is undefined: {self.undefined}."
        if self.marked is None:
            return "The arm marked was not measured at none."
        leakage = str(self.marked.leakage)
        sentence = {
            "none": f"No leakage was detected: marked, at {leakage}, is not distinguishable from "
            "base",
            "all": f"Leaks {leakage}, not distinguishable from bare: no effect of the caveat was "
            "detected",
        }.get(self.verdict, f"Leaks {leakage}")
        return f"{sentence}{self._arms_in_words()}."

    def _arms_in_words(self) -> str:
        if not self.tried:
            return ""
        best, count = self.strongest, len(self.tried)
        value = self.marked.leakage.value
        interventions = [arm for arm in self.changed if arm.kind == "intervention"]
        raising = [arm for arm in interventions if arm.leakage.value > value]
        parts = []
        if best is not None:
            parts.append(f"{best.step} lowers it most, to {best.leakage}")
        else:
            parts.append(f"no arm of {count} is seen to lower it")
        if raising:
            parts.append(f"{raising[-1].step} raises it most, to {raising[-1].leakage}")
        if best is not None and self.alike:
            parts.append(f"{self.alike} of {count} arms are not distinguishable from marked")
        return "; " + "; ".join(parts)


def setting_rows(data: ReportData, panels: Sequence[Panel] | None = None) -> tuple[SettingRow, ...]:
    """The main panels, by phenomenon, from what leaks most to what leaks least; undefined last.

    Args:
        panels: `panels_of` the data, where they are at hand.
    """
    names = data.settings
    main = primary(panels_of(data) if panels is None else panels, _candidate)
    labels, _ = panel_labels(data, main)
    rows = [
        _row(panel, label, data, f"setting-{names.index(panel.setting) + 1}")
        for panel, label in zip(main, labels, strict=True)
    ]
    phenomena = list(dict.fromkeys(row.phenomenon for row in rows))

    def order(row: SettingRow) -> tuple[int, bool, float]:
        value = row.marked.leakage.value if row.marked else 0.0
        return phenomena.index(row.phenomenon), row.marked is None, -value

    return tuple(sorted(rows, key=order))


def _candidate(panel: Panel) -> Candidate:
    """Each kind of questions is by itself: a report by kind shows all."""
    clusters = max((number(value) or 0.0 for value in panel.frame["clusters"]), default=0.0)
    variant = panel.variant
    group = (panel.setting, *(variant[name] for name in ("model", "kind", "dose")))
    return Candidate(group, variant["scope"], clusters, variant["readout"])


def _row(panel: Panel, label: str, data: ReportData, anchor: str) -> SettingRow:
    plain = panel.of(data.frame("differences"))
    plain = plain[plain["context"] == "none"]
    changes = _changes(panel.of(data.frame("transfer")))
    pairs = {
        (text(row["arm"]), text(row["against"])): row
        for row in plain.to_dict("records")
        if number(row["value"]) is not None
    }
    arms = {
        arm: _arm(panel, arm, changes.get(arm, _differs(pairs.get((arm, "marked")))))
        for arm in panel.arms
        if arm not in ("base", "bare") and panel.leakage(arm, "none").value is not None
    }
    undefined = panel.undefined
    marked = None if undefined else arms.pop("marked", None)
    phenomena = panel.frame["phenomenon"].dropna()
    return SettingRow(
        panel.title,
        label,
        panel.setting,
        anchor,
        "" if phenomena.empty else str(phenomena.iloc[0]),
        panel,
        marked,
        tuple(arms.values()) if marked else (),
        undefined,
        _verdict(pairs) if marked else "",
    )


def _changes(transfer: DataFrame) -> dict[str, bool]:
    """Whether arms `marked+X` are distinguishable from marked, corrected over all of these: the
    family of the transfer matrix, so that the first screen and the matrix agree."""
    return {
        text(row["arm"]): survives(row["p_holm"])
        for row in transfer.to_dict("records")
        if number(row["p_holm"]) is not None
    }


def _differs(row: dict[str, Any] | None) -> bool | None:
    """The same by a row of the differences, which are corrected over more pairs; None without."""
    if row is None:
        return None
    return is_true(row["distinguishable"]) and survives(row["p_holm"])


def _arm(panel: Panel, name: str, changes: bool | None) -> Arm:
    leakage, rate = panel.leakage(name, "none"), panel.rate(name, "none")
    is_control = not name.startswith("marked+") or name == FILLER
    kind = "marked" if name == "marked" else "control" if is_control else "intervention"
    hover = f"{panel.title}, {name}: leakage {leakage}, rate {rate} at none"
    if changes is False:
        hover += "; not distinguishable from marked"
    return Arm(name, kind, leakage, rate, hover, changes)


def _verdict(pairs: dict[tuple[str, str], dict[str, Any]]) -> str:
    def alike(arm: str, against: str) -> bool:
        row = pairs.get((arm, against))
        return row is not None and not is_true(row["distinguishable"])

    if alike("marked", "base"):
        return "none"
    return "all" if alike("bare", "marked") else "leaks"
