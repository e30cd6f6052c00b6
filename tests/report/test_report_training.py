"""The report's section on training: curves of loss, and for RL of reward and hack rate."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from caveat.report.figures.training import BINS, training_figures
from caveat.report.html import render

RL = ("reward", "kl", "clip_ratio", "frac_reward_zero_std", "hack_rate")
HOSTILE = "<img src=x onerror=alert(1)>"


def steps(setting: str, arm: str, seed: int, count: int, stage: int = 1, **values) -> list[dict]:
    """Rows of `Study.training()` for one stage: the loss falls from 2 to 1."""
    return [
        {
            "setting": setting, "model": "tiny", "dose": "{}", "arm": arm, "seed": seed,
            "stage": stage, "step": step + 1, "steps": count, "loss": 2 - step / count,
            "grad_norm": 1.0, "learning_rate": 1e-3, "tokens": 10,
            **dict.fromkeys(RL), **values,
        }
        for step in range(count)
    ]  # fmt: skip


def curves(*rows: list[dict]) -> dict[str, dict]:
    """The chart of each setting, as a Vega-Lite specification."""
    frame = pd.DataFrame([row for group in rows for row in group])
    return {setting: chart.to_dict() for setting, chart in training_figures(frame)}


def panels(chart: dict) -> list[dict]:
    return [panel for row in chart["vconcat"] for panel in row["hconcat"]]


def points(chart: dict) -> list[dict]:
    """The data of a chart of one panel; Altair moves them to the outermost level."""
    return chart["data"]["values"]


def test_loss_has_a_panel_and_a_line_for_each_arm_and_seed():
    lines = [steps("s", arm, seed, 4) for arm in ("bare", "marked") for seed in (0, 1)]
    chart = curves(*lines)["s"]
    (panel,) = panels(chart)
    assert panel["title"] == "Loss, nats a token"
    assert {(point["arm"], point["seed"]) for point in points(chart)} == {
        ("bare", "0"), ("bare", "1"), ("marked", "0"), ("marked", "1"),
    }  # fmt: skip
    assert [point["y"] for point in points(chart)][:4] == [2, 1.75, 1.5, 1.25]
    thin, mean = panel["layer"]
    assert mean["encoding"]["y"]["aggregate"] == "mean" and "aggregate" not in thin["encoding"]["y"]


def test_rl_has_panels_of_reward_and_hack_rate():
    rl = steps("s", "marked", 0, 3, reward=0.5, hack_rate=0.25)
    titles = [panel["title"] for panel in panels(curves(rl)["s"])]
    assert titles == ["Loss, nats a token", "Reward", "Hack rate"]


def test_stages_of_an_arm_follow_each_other():
    first, second = steps("s", "marked", 0, 3), steps("s", "marked", 0, 2, stage=2)
    chart = curves(first, second)["s"]
    assert [(point["run"], point["position"]) for point in points(chart)] == [
        (0, 1), (0, 2), (0, 3), (1, 4), (1, 5),
    ]  # fmt: skip


def test_a_stage_that_resumes_another_is_the_same_run():
    """Checkpoints of RL are stages whose steps count on."""
    first = steps("s", "marked", 0, 2)
    second = [{**row, "step": row["step"] + 2, "steps": 4} for row in
              steps("s", "marked", 0, 2, stage=2)]  # fmt: skip
    chart = curves(first, second)["s"]
    assert [(point["run"], point["position"]) for point in points(chart)] == [
        (0, 1), (0, 2), (0, 3), (0, 4),
    ]  # fmt: skip


def test_long_trainings_are_averaged_in_bins():
    values = points(curves(steps("s", "bare", 0, 1000))["s"])
    assert len(values) <= BINS
    size = -(-1000 // BINS)
    assert values[0]["position"] == pytest.approx((1 + size) / 2)
    assert values[0]["y"] == pytest.approx(2 - (size - 1) / 2000)


def test_the_section_is_there_with_metrics_only(make_data):
    data = make_data(settings=(f"{HOSTILE} x trigger",))
    assert 'id="training"' not in render(data)
    frame = pd.DataFrame(steps(f"{HOSTILE} x trigger", "marked", 0, 3))
    html = render(replace(data, training=frame))
    start = html.index('<section id="training">')
    section = html[start : html.index("</section>", start)]
    assert "<details open>" in section and "<svg" in section and HOSTILE not in section
    assert '<a href="#training">Training</a>' in html


def test_many_settings_are_folded(make_data):
    data = make_data(settings=("capitals x trigger",))
    frame = pd.DataFrame([row for name in "abcde" for row in steps(name, "bare", 0, 2)])
    html = render(replace(data, training=frame))
    start = html.index('<section id="training">')
    section = html[start : html.index("</section>", start)]
    assert section.count("<details>") == 5 and "open" not in section
