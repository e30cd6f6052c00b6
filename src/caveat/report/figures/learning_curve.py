"""Leakage along training as a figure: the change of decision tokens at every checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from caveat.report.figures.curves import CurvePanel, CurveRow, curves_plot
from caveat.report.figures.svg import Plot

if TYPE_CHECKING:
    from pandas import DataFrame


def learning_figures(curve: DataFrame) -> Iterator[tuple[str, Plot]]:
    """Each setting with a panel a context: strong lines are means over seeds, thin ones seeds.

    Steps are on a logarithmic axis, as checkpoints are denser where training begins.

    Args:
        curve: The table `learning_curve` of `caveat diagnose`.
    """
    for (label, model), rows in curve.groupby(["label", "model"], sort=False):
        panels = tuple(
            CurvePanel(f"at {context}: nats a token above base", _points(some), logarithmic=True)
            for context, some in rows.groupby("context", sort=False)
        )
        title = f"{label} ({model})"
        yield title, curves_plot([CurveRow("", panels)], f"Leakage along training of {title}")


def _points(rows: DataFrame) -> tuple[dict[str, object], ...]:
    return tuple(
        {"arm": str(row["arm"]), "seed": str(row["seed"]), "run": 0, "position": int(row["step"]),
         "y": float(row["change"])}
        for row in rows.to_dict("records")
    )  # fmt: skip
