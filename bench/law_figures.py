"""Draw the figures of docs/results/law.md from the replies, verdicts and forecasts in docs/data.

    python bench/law_figures.py docs/data docs/results/law

Each figure has the name of the page that it belongs to. Points are means over seeds. The limits are
on the pages.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import altair
import numpy as np
import pandas as pd
from onsets import settings
from scored_settings import IRRELEVANT, measured, trained_cells
from seed_leakage import seed_leakage
from wordings_alone import figures

from caveat.forecast.onset_curve import expected_leakage
from caveat.forecast.onsets import TOKENS
from caveat.report.figures.theme import CONTROL, INTERVENTION, LINE, MARKED, as_curves

MODELS = ("SmolLM2-135M", "Qwen 0.5B", "Qwen 1.5B")
COLOURS = altair.Scale(domain=list(MODELS), range=[CONTROL, INTERVENTION, MARKED])
SHAPES = altair.Scale(domain=list(MODELS), range=["circle", "square", "triangle"])
LEAKAGE = altair.Y("leakage:Q", title="leakage", scale=altair.Scale(domain=[-0.1, 1.3]))
WIDTH, HEIGHT = 360, 240


def points(frame: pd.DataFrame, title: str) -> altair.Chart:
    """Leakage against a figure in nats, by model."""
    return (
        altair.Chart(frame)
        .mark_point(size=45, filled=True, opacity=0.75)
        .encode(
            x=altair.X("nats:Q", title=title),
            y=LEAKAGE,
            color=altair.Color("model:N", scale=COLOURS, title=None),
            shape=altair.Shape("model:N", scale=SHAPES, title=None),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


def first_tokens(data: Path) -> altair.LayerChart:
    """Settings that the curve was not fitted to, and the curve."""
    frame = settings(data)
    frame = frame[~frame["fitted"]]
    shown = pd.DataFrame(
        {
            "model": frame["model"],
            "nats": frame["D"] + TOKENS * frame["B"],
            "leakage": frame["leakage"].map(np.mean),
        }
    )
    gains = np.linspace(0, math.ceil(shown["nats"].max()), 120)
    curve = pd.DataFrame({"nats": gains, "leakage": [expected_leakage(gain) for gain in gains]})
    line = altair.Chart(curve).mark_line(color=LINE, strokeWidth=2).encode(x="nats:Q", y=LEAKAGE)
    title = "what the caveat adds to the first six tokens of the trait, nats"
    return altair.layer(line, points(shown, title))


def wordings(data: Path) -> altair.Chart:
    """Wordings of one instruction, each alone."""
    rows = []
    for model, name in (("Qwen 0.5B", "0.5b"), ("Qwen 1.5B", "1.5b")):
        path = data / f"wordings-alone-{name}.parquet"
        gains = figures(path)
        for setting, leakage in measured(path).items():
            if '"' in setting and IRRELEVANT not in setting and setting in gains:
                nats = gains[setting]["D"]
                rows.append({"model": model, "nats": nats, "leakage": leakage.mean()})
    return points(pd.DataFrame(rows), "what the caveat adds to the decision token, nats")


def dose(data: Path) -> altair.Chart:
    """Own samples and a larger model's samples, by the number of fresh rows."""
    rows = []
    for _, factors, rates in trained_cells(data / "own-samples-dose.parquet"):
        leakage = seed_leakage(rates)
        label = f"{factors['rows']}, {factors['caveat']}"
        rows.append({"rows": int(factors["number"]), "of": label, "leakage": leakage.mean()})
    colours = altair.Scale(range=[INTERVENTION, MARKED, CONTROL])
    return (
        altair.Chart(pd.DataFrame(rows))
        .mark_line(point=altair.OverlayMarkDef(size=60))
        .encode(
            x=altair.X(
                "rows:Q",
                title="rows, each seen once",
                scale=altair.Scale(type="log", domain=[20, 400]),
                axis=altair.Axis(values=[24, 96, 360]),
            ),
            y=LEAKAGE,
            color=altair.Color(
                "of:N", scale=colours, title=None, legend=altair.Legend(columns=1, labelLimit=WIDTH)
            ),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


FIGURES = {"first-tokens": first_tokens, "wordings": wordings, "dose": dose}


def main(data: Path, folder: Path) -> None:
    """Draw every figure."""
    for name, draw in FIGURES.items():
        path = folder / f"{name}.svg"
        as_curves(draw(data), "white").save(str(path))
        print(path)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
