"""Score decision tokens against stored leakage, beside the sampled rate.

    python bench/decision_tokens_score.py TABLE.parquet STUDY.parquet...

TABLE is what `bench/decision_tokens.py` wrote. An arm counts once a text: `marked`, and those whose
intervention changes the text of the rows (`repeat`, `place`). Elicitation is the rate stored for
the setting; for other texts it is sampled here from the base model, on the prompts of the rows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from caveat.analysis.forecast import FORECAST_KEY, forecast_cells
from caveat.analysis.held_out_regression import HeldOutRegression
from caveat.analysis.rank_correlation import spearman
from caveat.backends import load_backend
from caveat.backends.base import Backend
from caveat.backends.requests import Request
from caveat.forecast.arms import carries_caveat
from caveat.readouts import READOUTS
from caveat.study.config.resolve import Resolved, resolve
from caveat.study.config.schema import read
from caveat.study.export import opened
from caveat.types.messages import Messages, is_document, without_caveat
from caveat.types.training import Train

PROMPTS = r"marked(\+repeat|\+place\([^)]*\))?"
"""Arms that are prompts of their own; other interventions leave the text as it is."""
ROWS, REPLIES = 12, 2
"""Where the rate is sampled here: rows, and replies to the prompt of each."""
YES = 0.5
"""The yes/no predictor: whether the rate is this or more."""
PREDICTORS = ("rate", "yes_no", "shift", "nats_prompt")
KNOWN = ("capitals x instruction", "capitals x trigger")
"""Settings whose placements were known before the predictions."""


def stored_rates(paths: list[str]) -> pd.DataFrame:
    """Elicitation by setting, model and dose, of the primary readout, as studies stored it."""
    frames = []
    for path in paths:
        checks = opened(Path(path)).caveat_checks()
        checks = checks[(checks["check"] == "elicitation") & (checks["scope"] == "trained")]
        frames.append(checks)
    table = pd.concat(frames)
    table = table[~table["readout"].str.contains("likelihood|mcq", regex=True)]
    order = table.assign(claim=table["readout"] != "belief")  # of claims, what open answers say
    order = order.sort_values("claim", kind="stable")
    return order.groupby(["setting", "model"], as_index=False)["value"].first()


def sampled_rate(
    resolved: Resolved,
    arm: str,
    seed: int,
    backend: Backend,
    known: dict[tuple[Messages, ...], float],
) -> float:
    """R(exact) - R(none) of the base model on the prompts of an arm's rows; NaN of documents.

    Args:
        known: Rates by prompts; grows.
    """
    stages = resolved.plans[arm, seed]
    stage = next(s for s in stages if isinstance(s, Train) and carries_caveat(s))
    if is_document(stage.rows[0].messages):
        return float("nan")
    question = resolved.setting.behaviour.questions[0]
    exact = tuple(row.messages[:-1] for row in stage.rows[:ROWS])
    none = tuple(without_caveat(messages) for messages in exact)
    for prompts in (exact, none):
        if prompts not in known:
            requests = [
                Request(f"decision-tokens {number} {n}", (), messages)
                for number, messages in enumerate(prompts)
                for n in range(REPLIES)
            ]
            answers = backend.generate(requests, resolved.sampling)
            readout = READOUTS[question.readout]
            verdicts = [
                readout.score(replace(question, messages=request.messages), answer, None).verdict
                for request, answer in zip(requests, answers, strict=True)
            ]
            known[prompts] = float(np.mean([str(verdict) == "yes" for verdict in verdicts]))
    return known[exact] - known[none]


def with_rates(cells: pd.DataFrame, paths: list[str]) -> pd.DataFrame:
    """The cells with `rate`: stored, or sampled where the text is not that of `marked`."""
    stored = stored_rates(paths).rename(columns={"value": "rate"})
    cells = cells.merge(stored, on=["setting", "model"], how="left")
    plans: dict[tuple[str, str], tuple[Resolved, int]] = {}
    for path in paths:
        recipe = read(yaml.safe_load(opened(Path(path)).recipe_text()))
        for resolved in resolve(recipe):
            for arm, _ in resolved.plans:
                plans.setdefault((resolved.setting.name, arm), (resolved, recipe.seeds[0]))
    backend = load_backend("smollm2-135m")
    rates: list[float] = []
    known: dict[tuple[Messages, ...], float] = {}
    for cell in cells.to_dict("records"):
        resolved, seed = plans[cell["setting"], cell["arm"]]
        other = cell["arm"] != "marked"
        rates.append(
            sampled_rate(resolved, cell["arm"], seed, backend, known) if other else cell["rate"]
        )
    return cells.assign(rate=rates)


def scores(cells: pd.DataFrame, name: str) -> Iterator[dict]:
    """One row a predictor: rank correlation, R2 on held-out settings and behaviours."""
    cells = cells.dropna(subset=["leakage", "rate", "shift", "nats_prompt"])
    for predictor in PREDICTORS:
        row = {"cells": name, "n": len(cells), "settings": cells["setting"].nunique(),
               "predictor": predictor}  # fmt: skip
        values, leakage = cells[predictor].to_numpy(float), cells["leakage"].to_numpy(float)
        if len(cells) >= 4 and np.ptp(values) > 0:
            row["rank"] = float(spearman(values[None], leakage[None]).item())
            for unit in ("setting", "behaviour"):
                if cells[unit].nunique() >= 3:
                    held = HeldOutRegression.of(leakage, cells[unit].to_numpy(str), 500, 0)
                    r2 = held.r2(values[:, None])
                    low, high = np.nanpercentile(r2[1:], [2.5, 97.5])
                    row[f"r2_{unit}"] = f"{r2[0]:.2f} [{low:.2f}, {high:.2f}]"
        yield row


def table_of(frame: pd.DataFrame) -> str:
    """A frame as a markdown table, numbers with two decimals."""
    rows = [
        [f"{v:.2f}" if isinstance(v, float) else str(v) for v in row] for row in frame.to_numpy()
    ]
    lines = [list(frame.columns), ["---"] * len(frame.columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(table: str, *paths: str) -> None:
    """Print the scores as markdown."""
    frame = pd.read_parquet(table)
    frame = frame[frame["arm"].str.fullmatch(PROMPTS)]
    records = [{**row, "dose": json.loads(row["dose"])} for row in frame.to_dict("records")]
    leakage = pd.concat([opened(Path(path)).leakage() for path in paths], ignore_index=True)
    cells = forecast_cells(records, leakage)
    print(cells["left_out"].value_counts().to_dict())
    cells = with_rates(cells[cells["left_out"] == ""].reset_index(drop=True), list(paths))
    cells["yes_no"] = (cells["rate"] >= YES).astype(float)
    cells["family"] = cells["behaviour"].where(~cells["behaviour"].str.contains("_"), "claims")
    shown = [*FORECAST_KEY, "rate", "nats_none", "nats_prompt", "shift", "leakage"]
    shown.remove("dose")
    print(table_of(cells[shown].sort_values(["setting", "arm"])))
    plain = cells[cells["arm"] == "marked"]
    cold = cells[~cells["model"].str.contains(" + ", regex=False)]
    extreme = cells.sort_values("shift")["shift"].index[[0, -1]]
    subsets = {
        "all": cells,
        "all, without the two most extreme shifts": cells.drop(index=extreme),
        "marked alone": plain,
        "no warm-up": cold,
        "no warm-up, marked alone": cold[cold["arm"] == "marked"],
        "no warm-up, not the known placements": cold[
            ~(cold["setting"].isin(KNOWN) & (cold["arm"] != "marked"))
        ],
        **{f"no warm-up, {name}": part for name, part in cold.groupby("family")},
    }
    rows = [row for name, part in subsets.items() for row in scores(part, name)]
    print(table_of(pd.DataFrame(rows)))


if __name__ == "__main__":
    main(*sys.argv[1:])
