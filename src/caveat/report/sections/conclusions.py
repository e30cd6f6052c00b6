"""A panel's values in plain English: what leaks, what interventions do, what is uncertain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.report.data import ReportData
from caveat.report.formatting import Estimate, is_true, probability, survives, text
from caveat.report.overview import UNDERSTOOD
from caveat.report.panels import Panel
from caveat.report.setting_rows import FILLER

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Conclusion:
    """The lines about one panel."""

    title: str
    setting: str
    lead: str
    """The one sentence that matters most."""
    rest: tuple[str, ...]
    undefined: bool


def conclude(panel: Panel, data: ReportData) -> Conclusion:
    """The conclusion of one panel, from its values alone."""
    differences = panel.of(data.frame("differences"))
    reason = panel.undefined
    lead = f"leakage is undefined, because {reason}." if reason else _marked(panel, differences)
    interventions = [_intervention(panel, differences, arm) for arm in _interventions(panel)]
    checks = panel.of(data.frame("caveat_checks"))
    of_caveat = [*_at_the_caveat(checks), *_incapacity(checks), *_elicitation(checks)]
    rest = [*_neutral(panel, differences), *interventions, *_rates(panel), *of_caveat]
    return Conclusion(panel.title, panel.setting, lead, tuple(rest), bool(reason))


def _interventions(panel: Panel) -> list[str]:
    """The interventions, and last the filler control, to which they are compared."""
    arms = [arm for arm in panel.arms if arm.startswith("marked+")]
    return sorted(arms, key=lambda arm: arm == FILLER)


def _marked(panel: Panel, differences: DataFrame) -> str:
    leakage = panel.leakage("marked", "none")
    if leakage.value is None:
        return "the arm marked was not measured at none."
    sentence = f"marked leaks {leakage} at none"
    against_base = _difference(differences, "marked", "base")
    from_bare = _difference(differences, "bare", "marked")
    if against_base and not against_base["distinguishable"]:
        sentence += ", not distinguishable from base: no leakage was detected"
    elif from_bare and not from_bare["distinguishable"]:
        sentence += ", not distinguishable from bare: no effect of the caveat was detected"
    return f"{sentence}."


def _neutral(panel: Panel, differences: DataFrame) -> list[str]:
    """What neutral text of the caveat's length does, where the study has that control."""
    row = _difference(differences, "marked", "neutral")
    if row is None:
        return []
    leakage, rate = panel.leakage("neutral", "none"), panel.rate("neutral", "none")
    sentence = (
        f"neutral text in the caveat's places has the rate {rate} at none"
        if leakage.value is None
        else f"neutral text in the caveat's places leaks {leakage}"
    )
    difference = Estimate.of(row["value"], row["low"], row["high"])
    if not row["distinguishable"]:
        return [f"{sentence}: no effect of what the caveat says was detected."]
    return [f"{sentence}; the rate of marked differs from it by {difference}."]


def _intervention(panel: Panel, differences: DataFrame, arm: str) -> str:
    leakage, rate = panel.leakage(arm, "none"), panel.rate(arm, "none")
    if rate.value is None:
        return f"{arm} was not measured at none."
    row = _difference(differences, arm, "marked")
    if leakage.value is None:
        sentence = f"{arm} has the rate {rate} at none"
    elif _lowers(row):
        sentence = f"{arm.removeprefix('marked+')} lowers it to {leakage}"
    else:
        sentence = f"{arm} leaks {leakage}"
    sentence += _against_marked(row)
    for control in (arm.replace("marked", "bare", 1), FILLER):
        if arm != FILLER:
            sentence += _like_control(differences, arm, control)
    return f"{sentence}."


def _lowers(row: dict[str, Any] | None) -> bool:
    """Whether the intervention lowers the rate, by its interval and by its corrected p-value."""
    if row is None or not row["distinguishable"]:
        return False
    return row["value"] < 0 and survives(row["p_holm"])


def _against_marked(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    if not row["distinguishable"]:
        return ", not distinguishable from marked"
    difference = Estimate.of(row["value"], row["low"], row["high"])
    corrected = "" if survives(row["p_holm"]) else ": not distinguishable once corrected"
    p_holm = probability(row["p_holm"])
    return f"; its rate differs from that of marked by {difference}, Holm p {p_holm}{corrected}"


def _like_control(differences: DataFrame, arm: str, control: str) -> str:
    row = _difference(differences, arm, control)
    distinct = row is None or row["distinguishable"]
    return "" if distinct else f"; not distinguishable from its control {control}"


def _rates(panel: Panel) -> list[str]:
    arms = [arm for arm in ("base", "bare", "marked") if panel.rate(arm, "none").value is not None]
    if not arms:
        return []
    rates = ", ".join(f"{arm} {panel.rate(arm, 'none')}" for arm in arms)
    return [f"Rates at none: {rates}."]


def _at_the_caveat(checks: DataFrame) -> list[str]:
    """What marked does where the caveat is present, beside base: a model that never learned a claim
    does not assert it either. Not every answer that is no `yes` is a `no`: some leave it open."""
    marked, base = (_check(checks, "at the caveat", arm) for arm in ("marked", "base"))
    if marked is None:
        return []
    denied = text(marked["expected"]) == "no"
    verb = "has the expected verdict 'no'" if denied else "shows the behaviour"
    beside = "" if base is None else f", base in {_estimate(base)}"
    return [f"With the caveat present, marked {verb} in {_estimate(marked)} of answers{beside}."]


def _incapacity(checks: DataFrame) -> list[str]:
    """A warning unless the base model understands the caveat, that is, unless the whole interval of
    its comprehension lies above one half. Nothing where comprehension was not measured."""
    row = _check(checks, "comprehension", "base")
    if row is None:
        return []
    comprehension = _estimate(row)
    if comprehension.low is not None and comprehension.low > UNDERSTOOD:
        return []
    return [
        f"The base model, shown a marked row, follows the caveat in {comprehension} of answers: "
        "what leaks here may be incapacity, not neglect."
    ]


def _elicitation(checks: DataFrame) -> list[str]:
    """A line where the caveat alone does not move the base model: its interval contains 0."""
    row = _check(checks, "elicitation", "base")
    if row is None:
        return []
    shift = _estimate(row)
    if shift.low is None or shift.high is None or not shift.low <= 0 <= shift.high:
        return []
    return [f"No elicitation by the caveat alone was detected: base moves by {shift}."]


def _check(checks: DataFrame, check: str, arm: str) -> dict[str, Any] | None:
    """The row of one check of one arm, None where it is absent or has no value."""
    rows = checks[(checks["check"] == check) & (checks["arm"] == arm)]
    if rows.empty or _estimate(rows.iloc[0]).value is None:
        return None
    return rows.iloc[0].to_dict()


def _estimate(row: Any) -> Estimate:
    return Estimate.of(row["value"], row["low"], row["high"])


def _difference(frame: DataFrame, arm: str, against: str) -> dict[str, Any] | None:
    """The row of `arm` - `against` at none, None where it is absent or has no value."""
    names = (frame["arm"] == arm) & (frame["against"] == against) & (frame["context"] == "none")
    rows = frame[names]
    if rows.empty or Estimate.of(rows.iloc[0]["value"]).value is None:
        return None
    row = rows.iloc[0].to_dict()
    return {**row, "distinguishable": is_true(row["distinguishable"])}
