"""Panels: the parts of a study that share one denominator, each with its own figure and grid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from caveat.report.data import COLUMNS, ReportData, with_columns
from caveat.report.formatting import Estimate, estimate, text
from caveat.types.caveats import CONTEXTS

if TYPE_CHECKING:
    from pandas import DataFrame


VARIANTS = ("model", "readout", "scope", "kind", "dose")
"""Columns in which two panels of one setting may differ."""
NO_DOSE = ("", "{}")
"""Doses of the base model, which was not trained."""


@dataclass(frozen=True)
class Panel:
    """One setting under one model, readout, scope and dose."""

    setting: str
    variant: dict[str, str]
    """Values of `VARIANTS`."""
    label: str
    """What distinguishes this panel from others of its setting; "" where it is the only one."""
    frame: DataFrame
    """Rows of the leakage frame."""

    @property
    def title(self) -> str:
        """The setting's name, and the label where one is needed."""
        return f"{self.setting} ({self.label})" if self.label else self.setting

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms in reading order: base, clean, bare, marked, then each intervention and control."""
        return tuple(sorted(dict.fromkeys(self.frame["arm"].astype(str)), key=arm_order))

    @property
    def contexts(self) -> tuple[str, ...]:
        """Contexts in the order of `CONTEXTS`, others last."""
        names = dict.fromkeys(self.frame["context"].astype(str))
        standard = [context for context in CONTEXTS if context in names]
        return (*standard, *(name for name in names if name not in CONTEXTS))

    @property
    def undefined(self) -> str:
        """Why leakage has no value in the whole panel; "" where it has one somewhere."""
        if any(Estimate.of(value).value is not None for value in self.frame["leakage"]):
            return ""
        reasons = [reason for reason in map(text, self.frame["undefined"]) if reason]
        if reasons:
            return reasons[0]
        lacking = [arm for arm in ("base", "bare") if arm not in self.arms]
        if lacking:
            return f"the arm {' and the arm '.join(lacking)} was not measured"
        return "no value was computed"

    @property
    def recites(self) -> bool:
        """Whether it is a table of claims in which some reply could recite its disclaimer."""
        if "recitation" not in self.frame or "phenomenon" not in self.frame:
            return False
        claims = self.frame["phenomenon"] == "negation neglect"
        return bool((claims & self.frame["recitation"].notna()).any())

    def recitation(self, arm: str) -> Estimate:
        """Share of an arm's replies at `none` that hold a fragment of the caveat's own texts."""
        row = self.row(arm, "none")
        if row is None:
            return Estimate.of(None, None, None)
        names = ("recitation", "recitation_low", "recitation_high")
        return Estimate.of(*(row[name] for name in names))

    @property
    def interval(self) -> str:
        """`seeds`, or `within seed` if that holds for any trained arm; "" without either."""
        trained = self.frame[self.frame["arm"] != "base"]
        kinds = {text(kind) for kind in trained["interval"]} - {""}
        return "within seed" if "within seed" in kinds else next(iter(kinds), "")

    def row(self, arm: str, context: str) -> dict[str, Any] | None:
        """The row of one arm and context as a dict, None where it was not measured."""
        return self._rows.get((arm, context))

    @cached_property
    def _rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Rows by arm and context, of several the first."""
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for row in self.frame.to_dict("records"):
            rows.setdefault((text(row["arm"]), text(row["context"])), row)
        return rows

    def rate(self, arm: str, context: str) -> Estimate:
        """The rate of one arm in one context."""
        return self._estimate(arm, context, "rate")

    def leakage(self, arm: str, context: str) -> Estimate:
        """The leakage of one arm in one context."""
        return self._estimate(arm, context, "leakage")

    def graded(self, arm: str, context: str) -> Estimate:
        """The graded leakage of one arm in one context."""
        return self._estimate(arm, context, "graded_leakage")

    @property
    def graded_undefined(self) -> str:
        """Why graded leakage has no value in the whole panel; "" where it has one somewhere."""
        if any(Estimate.of(value).value is not None for value in self.frame["graded_leakage"]):
            return ""
        reasons = [reason for reason in map(text, self.frame["graded_undefined"]) if reason]
        return reasons[0] if reasons else "decision tokens were not scored"

    @property
    def is_graded(self) -> bool:
        """Whether decision tokens were scored, be it too few of them to compare."""
        return any(
            Estimate.of(value).value is not None or text(reason)
            for value, reason in zip(
                self.frame["nats"], self.frame["graded_undefined"], strict=True
            )
        )

    def _estimate(self, arm: str, context: str, name: str) -> Estimate:
        row = self.row(arm, context)
        if row is None:
            return Estimate(None, None, None)
        return estimate(row, name)

    def of(self, frame: DataFrame) -> DataFrame:
        """The rows of another frame that belong to this panel; missing keys match all panels."""
        rows = frame[frame["setting"] == self.setting]
        for name in VARIANTS:
            if name in rows.columns:
                values = rows[name].map(text)
                matches = (values == self.variant[name]) | values.isin(NO_DOSE)
                rows = rows[matches | (rows["arm"] == "base") if name == "dose" else matches]
        return rows


def panels(leakage: DataFrame) -> tuple[Panel, ...]:
    """The leakage frame cut into panels, in order of appearance."""
    frame = with_columns(leakage, COLUMNS["leakage"])
    frame = frame.assign(**{name: frame[name].map(text) for name in VARIANTS})
    return tuple(
        panel
        for setting in dict.fromkeys(frame["setting"].dropna().astype(str))
        for panel in _of_setting(setting, frame[frame["setting"] == setting])
    )


def panels_of(data: ReportData) -> tuple[Panel, ...]:
    """The panels of a report, its settings in the order of the study."""
    order = data.settings.index
    return tuple(sorted(panels(data.leakage), key=lambda panel: order(panel.setting)))


def _of_setting(setting: str, frame: DataFrame) -> list[Panel]:
    """The base model has no dose of its own: its rows are part of the panel of every dose."""
    trained = frame[frame["arm"] != "base"]
    keys = (trained if len(trained) else frame)[list(VARIANTS)].drop_duplicates()
    variants = [dict(zip(VARIANTS, key, strict=True)) for key in keys.itertuples(index=False)]
    others = [name for name in VARIANTS if name != "dose"]
    result = []
    for variant in variants:
        same = frame[(frame[others] == [variant[name] for name in others]).all(axis=1)]
        own, base = same["dose"] == variant["dose"], same["arm"] == "base"
        shared = base & ~same["context"].isin(same[own & base]["context"])
        result.append(Panel(setting, variant, variant_label(variant, variants), same[own | shared]))
    return result


def variant_label(variant: dict[str, str], among: list[dict[str, str]]) -> str:
    """The fields of `variant` that differ within `among`, its own setting's variants."""
    parts = []
    for name in VARIANTS:
        if len({other[name] for other in among}) > 1:
            if name == "dose":
                parts.append(dose_text(variant[name], [other[name] for other in among]))
            else:
                parts.append(f"{name} {variant[name] or 'not given'}")
    return ", ".join(parts)


def dose_text(dose: str, among: Sequence[str] = ()) -> str:
    """A dose's JSON in words: "rows 96, epochs 1"; anything else is returned as it is.

    Args:
        among: Doses of the same setting: only the fields in which they differ are written.
    """
    fields = _dose_fields(dose)
    if fields is None:
        return text(dose)
    others = [other for other in map(_dose_fields, among) if other is not None]
    names = [
        name
        for name in [
            *(name for name in FIRST if name in fields),
            *(name for name in fields if name not in FIRST),
        ]
        if not others or any(other.get(name) != fields[name] for other in others)
    ]
    return ", ".join(
        f"{name.replace('_', ' ')} {_dose_value(name, fields[name])}" for name in names
    )


FIRST = ("rows", "epochs", "learning_rate", "rank")


def _dose_fields(dose: str) -> dict[str, Any] | None:
    try:
        fields = json.loads(dose)
    except (TypeError, ValueError):
        return None
    return fields if isinstance(fields, dict) else None


def _dose_value(name: str, value: Any) -> str:
    if name == "rows" and value is None:
        return "all"
    return " to ".join(map(str, value)) if isinstance(value, list) else str(value)


def arm_order(arm: str) -> tuple[int, str, int]:
    """Sort key of arms: those without interventions, then each intervention before its controls."""
    plain = ("base", "clean", "bare", "marked", "neutral")
    if arm in plain:
        return (plain.index(arm), "", 0)
    root, _, intervention = arm.partition("+")
    controls = ("marked", "bare", "neutral")
    position = controls.index(root) if root in controls else len(controls)
    return (len(plain), intervention or arm, position)
