"""Leakage along training as a figure: the change of decision tokens at every checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from caveat.report.figures.theme import as_curves
from caveat.report.formatting import decimal
from caveat.report.panels import arm_order

if TYPE_CHECKING:
    import altair
    from pandas import DataFrame


WIDTH, HEIGHT = 260, 200
"""Pixels of a panel."""


def learning_figures(
    curve: DataFrame, background: str = "white"
) -> Iterator[tuple[str, altair.HConcatChart]]:
    """Each setting with a panel a context: strong lines are means over seeds, thin ones seeds.

    Args:
        curve: The table `learning_curve` of `caveat diagnose`.
    """
    import altair

    for (label, model), rows in curve.groupby(["label", "model"], sort=False):
        panels = [
            _panel(some, str(context)) for context, some in rows.groupby("context", sort=False)
        ]
        chart = altair.hconcat(*panels).resolve_scale(y="shared")
        yield f"{label} ({model})", as_curves(chart, background, legend={"orient": "top"})


def _panel(rows: DataFrame, context: str) -> altair.LayerChart:
    import altair

    points = [
        {
            "arm": str(row["arm"]), "seed": str(row["seed"]), "position": int(row["step"]),
            "y": float(row["change"]),
            "hover": f"{row['arm']}, seed {row['seed']}, step {row['step']}: "
                     f"{decimal(row['change'])} nats a token",
        }
        for row in rows.to_dict("records")
    ]  # fmt: skip
    arms = sorted({point["arm"] for point in points}, key=arm_order)
    chart = altair.Chart(altair.Data(values=points)).encode(
        x=altair.X("position:Q", title="step", scale=altair.Scale(type="symlog")),
        color=altair.Color("arm:N", sort=arms),
    )
    seeds = chart.mark_line(strokeWidth=1, opacity=0.35).encode(
        y=altair.Y("y:Q", title=None), detail="seed:N", description="hover:N"
    )
    mean = chart.mark_line(strokeWidth=2, aria=False, point=True).encode(
        y=altair.Y("mean(y):Q", title="change from base, nats a token")
    )
    return altair.layer(seeds, mean).properties(width=WIDTH, height=HEIGHT, title=f"at {context}")
