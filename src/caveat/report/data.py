"""The input of a report: the frames of a finished (or half-finished) study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caveat.analysis.graded import GRADED_METRIC
from caveat.analysis.transfer.correlations import SIDES
from caveat.analysis.transfer.forgetting import METRICS as FORGETTING
from caveat.analysis.transfer.matrix import METRICS

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.analysis.ladder import Ladder


KEYS = ("setting", "phenomenon", "behaviour", "caveat", "model")

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "replies": (
        *KEYS, "arm", "seed", "dose", "purpose", "context", "question", "cluster", "scope", "kind",
        "readout", "sample", "prompt", "reply", "truncated", "verdict", "value", "artifact",
    ),
    "rates": (
        *KEYS, "arm", "context", "scope", "readout", "dose", "purpose", "value", "low", "high",
        "valid", "truncated", "valid_rate", "questions", "clusters", "seeds", "replies", "interval",
    ),
    "leakage": (
        *KEYS, "arm", "context", "scope", "readout", "kind", "dose", "rate", "rate_low",
        "rate_high", "leakage", "leakage_low", "leakage_high", "undefined", "interval", "questions",
        "clusters", "seeds", "replies", "valid", "truncated", *GRADED_METRIC,
    ),
    "differences": (
        *KEYS, "dose", "scope", "readout", "difference", "arm", "against", "context", "value",
        "low", "high", "p", "p_holm", "p_seeds", "distinguishable",
    ),
    "caveat_checks": (
        *KEYS, "dose", "scope", "readout", "check", "arm", "value", "low", "high",
        "expected", "note",
    ),
    "side_effects": (
        *KEYS, "dose", "scope", "readout", "effect", "arm", "value", "low", "high", "unit",
        "questions",
    ),
    "transfer": (
        *KEYS, "dose", "scope", "readout", "primary", "intervention", "role", "arm", "control",
        "verdict", "loses", "undoes",
        *(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")),
        "p_holm", "p_seeds", "gain_p_holm", "gain_p_seeds", "undefined", "valid", "interval",
    ),
    "transfer_effects": (
        *KEYS, "dose", "scope", "readout", "effect", "unit", "intervention", "arm", "value", "low",
        "high", "change", "change_low", "change_high", "distinguishable",
    ),
    "transfer_correlations": (
        "level", *(f"{side}_{name}" for side in ("first", "second") for name in SIDES),
        "behaviours", "pairs", "interventions", "value", "low", "high", "low_interventions",
        "high_interventions", "p", "p_holm", "ceiling", "least", "least_without", "most",
        "most_without", "kept", "kept_value", "undefined",
    ),
    "transfer_reliability": (
        *KEYS, "dose", "scope", "readout", "primary", "interventions", "seeds", "between_seeds",
        "reliability",
    ),
    "transfer_forgetting": (
        "level", *(f"{side}_{name}" for side in ("first", "second") for name in SIDES),
        "interventions", *FORGETTING, "undefined",
    ),
    "failures": ("cell", "stage", "reason"),
}  # fmt: skip
"""The columns the report reads. A frame without some of them, or without any, is read as if they
were missing values, so that a study that failed half-way still has a report."""


@dataclass(frozen=True)
class ReportData:
    """Everything that a report shows. Frames are those of `Study`, by the same names."""

    name: str
    replies: DataFrame
    rates: DataFrame
    leakage: DataFrame
    differences: DataFrame
    caveat_checks: DataFrame
    side_effects: DataFrame
    failures: DataFrame
    provenance: Mapping[str, Any]
    contexts: Mapping[str, Mapping[str, str]]
    """Per setting and context, an example of a prompt, or of the text that surrounds a question."""
    transfer: DataFrame | None = None
    """This and the next four: None where no arm has an intervention."""
    transfer_effects: DataFrame | None = None
    transfer_correlations: DataFrame | None = None
    transfer_reliability: DataFrame | None = None
    transfer_forgetting: DataFrame | None = None
    ladder: Ladder | None = None
    """None where fewer than two settings have factors."""
    forecasts: Sequence[Mapping[str, Any]] = ()
    """Records of `analysis.forecast_records`; none where nothing was forecast."""
    forecast_scores: DataFrame | None = None
    training: DataFrame | None = None
    """Metrics of every training step, as `Study.training()`; None or empty where none were kept."""
    policies: DataFrame | None = None
    """Metrics of RL training, update by update (see `Study.policies`); None without RL arms."""
    rl: DataFrame | None = None
    """Their leakage (see `analysis.rl_leakage`)."""
    diagnostics: Mapping[str, DataFrame] = field(default_factory=dict)
    """Tables of `caveat diagnose`, by name; none where it was not run."""
    abouts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Per setting, `behaviour`: the behaviour in one sentence, and `side_effects`: by name, what a
    high value of each means."""

    def frame(self, name: str) -> DataFrame:
        """The frame called `name` with every column of `COLUMNS`, missing ones filled with None.

        It is made once: nobody may change it.
        """
        frames = self.__dict__.setdefault("_frames", {})
        if name not in frames:
            frames[name] = with_columns(getattr(self, name), COLUMNS[name])
        return frames[name]

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the settings that any frame has, in order of appearance."""
        names: dict[str, None] = {}
        for frame in COLUMNS:
            if "setting" in COLUMNS[frame]:
                names.update(dict.fromkeys(self.frame(frame)["setting"].dropna().astype(str)))
        return tuple(names)


def with_columns(frame: DataFrame | None, columns: tuple[str, ...]) -> DataFrame:
    """A copy of `frame` that has all `columns`; new ones hold None. None has no rows."""
    from pandas import DataFrame

    copy = DataFrame() if frame is None else frame.copy()
    for column in columns:
        if column not in copy.columns:
            copy[column] = None
    return copy
