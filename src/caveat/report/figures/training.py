"""Curves over training: loss of every arm, and for RL the reward and the hack rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caveat.report.figures.theme import as_curves
from caveat.report.tables.rl import dose_labels

if TYPE_CHECKING:
    import altair
    from pandas import DataFrame


POLICY_METRICS = {"hacked": "Hack rate", "reward": "Reward", "true_score": "True score"}
WIDTH, HEIGHT = 220, 200
"""Pixels of a panel."""


def rl_figure(policies: DataFrame, background: str = "white") -> altair.VConcatChart | None:
    """One row of panels a setting and dose: the mean over seeds as a line an arm, each seed as a
    point. None where no arm was trained with RL."""
    import altair

    from caveat.analysis.rl import longest

    if policies.empty:
        return None
    doses = policies.groupby("setting")["dose"].unique()
    rows = [
        altair.hconcat(
            *(_policy_panel(group, name, title) for name, title in POLICY_METRICS.items())
        ).properties(title=", ".join([setting, model, *dose_labels(dose, doses[setting])]))
        for (setting, model, dose), group in longest(policies).groupby(
            ["setting", "model", "dose"], sort=False
        )
    ]
    return as_curves(altair.vconcat(*rows, spacing=30), background)


def _policy_panel(group: DataFrame, name: str, title: str) -> Any:
    import altair

    rows = group.dropna(subset=[name]).to_dict("records")
    points = [_policy_point(row, name, title) for row in rows]
    chart = altair.Chart(altair.Data(values=points)).encode(
        x=altair.X("number:Q", title="update", axis=altair.Axis(tickMinStep=1)),
        color=altair.Color("arm:N", sort=list(dict.fromkeys(point["arm"] for point in points))),
    )
    line = chart.mark_line(aria=False).encode(y=altair.Y("mean(y):Q", title=None))
    dots = chart.mark_point(filled=True, opacity=0.5, size=20).encode(
        y=altair.Y("y:Q", title=None), description=altair.Description("hover:N")
    )
    return altair.layer(line, dots).properties(width=WIDTH, height=HEIGHT, title=title)


def _policy_point(row: dict[str, Any], name: str, title: str) -> dict[str, Any]:
    hover = f"{row['arm']}, seed {row['seed']}, update {row['number']}: {title.lower()}"
    return {
        "arm": row["arm"], "number": int(row["number"]), "y": float(row[name]),
        "hover": f"{hover} {row[name]:.2f}",
    }  # fmt: skip
