"""Curves over training: loss of every arm, and for RL the reward and the hack rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from caveat.report.figures.curves import CurvePanel, CurveRow, curves_plot
from caveat.report.figures.svg import Plot
from caveat.report.formatting import text
from caveat.report.panels import variant_label
from caveat.report.tables.rl import dose_labels

if TYPE_CHECKING:
    from pandas import DataFrame


POLICY_METRICS = {"hack_rate": "Hack rate", "reward": "Reward", "true_score": "True score"}
STEP_METRICS = {"loss": "Loss, nats a token", "reward": "Reward", "hack_rate": "Hack rate"}
"""Columns of `Study.training()` that have a panel, as far as they have values."""
BINS = 60
"""Points of a line at most; more steps are averaged in equal groups."""


def rl_figure(policies: DataFrame) -> Plot | None:
    """One row of panels a setting and dose: the mean over seeds as a line an arm, each seed as a
    thin one. None where no arm was trained with RL."""
    from caveat.analysis.rl import longest_runs

    if policies.empty:
        return None
    doses = policies.groupby("setting")["dose"].unique()
    rows = [
        CurveRow(
            ", ".join([setting, model, *dose_labels(dose, doses[setting])]),
            tuple(_policy_panels(group)),
        )
        for (setting, model, dose), group in longest_runs(policies).groupby(
            ["setting", "model", "dose"], sort=False
        )
    ]
    return curves_plot(rows, "Curves of RL training")


def _policy_panels(group: DataFrame) -> Iterator[CurvePanel]:
    for name, title in POLICY_METRICS.items():
        rows = group.dropna(subset=[name]).to_dict("records")
        points = tuple(
            {"arm": str(row["arm"]), "seed": text(row["seed"]), "run": 0,
             "position": int(row["step"]), "y": float(row[name])}
            for row in rows
        )  # fmt: skip
        if points:
            yield CurvePanel(title, points, axis="update")


def training_figures(frame: DataFrame) -> Iterator[tuple[str, Plot]]:
    """Each setting with its curves: the mean over seeds as a line an arm, each seed as a thin one.

    Stages of an arm follow each other on the axis of steps; each model and dose has its own row.
    Bare, marked and the first interventions have lines of their own; all other arms are grey.

    Args:
        frame: As `Study.training()`; no figures without rows.
    """
    for setting, steps in frame.groupby("setting", sort=False):
        groups = [
            group
            for _, group in steps.reset_index(drop=True).groupby(
                ["model", "dose"], sort=False, dropna=False
            )
        ]
        variants = [_variant(group) for group in groups]
        rows = [
            CurveRow(variant_label(variant, variants), tuple(_step_panels(_on_one_axis(group))))
            for group, variant in zip(groups, variants, strict=True)
        ]
        yield str(setting), curves_plot(rows, f"Training curves of {setting}")


def _step_panels(group: DataFrame) -> Iterator[CurvePanel]:
    for name, title in STEP_METRICS.items():
        if group[name].notna().any():
            yield CurvePanel(title, tuple(_binned(group.dropna(subset=[name]), name)))


def _variant(group: DataFrame) -> dict[str, str]:
    """The model and dose of a group, as `variant_label` takes them."""
    first = group.iloc[0]
    shown = {"model": text(first["model"]), "dose": text(first["dose"])}
    return {"readout": "", "scope": "", "kind": "", **shown}


def _on_one_axis(group: DataFrame) -> DataFrame:
    """With columns `position`, the step counted over all stages of its cell, and `run`.

    A stage that resumes another, such as the next checkpoint of RL, counts its steps on and belongs
    to the same run; one whose steps begin anew is placed after what came before it.
    """
    group = group.assign(position=group["step"].astype(int), run=0)
    for _, cell in group.groupby(["arm", "seed"], sort=False, dropna=False):
        offset, last, run = 0, 0, 0
        for _, stage in cell.sort_values("stage", kind="stable").groupby("stage"):
            if stage["step"].min() <= last:
                offset, run = offset + last, run + 1
            last = int(stage["step"].max())
            group.loc[stage.index, "position"] += offset
            group.loc[stage.index, "run"] = run
    return group


def _binned(group: DataFrame, name: str) -> Iterator[dict[str, Any]]:
    """The points of every arm, seed and run: steps averaged in at most `BINS` groups."""
    for key, line in group.groupby(["arm", "seed", "run"], sort=False, dropna=False):
        arm, seed, run = key
        size = -(-int(line["steps"].max()) // BINS)
        for _, steps in line.groupby((line["step"].astype(int) - 1) // size):
            yield {
                "arm": str(arm), "seed": text(seed), "run": int(run),
                "position": float(steps["position"].mean()), "y": float(steps[name].mean()),
            }  # fmt: skip
