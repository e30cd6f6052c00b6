"""The report's section on training: curves of loss, and for RL of reward and hack rate."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from caveat.report.figures.learning_curve import learning_figures
from caveat.report.figures.svg import Plot
from caveat.report.figures.training import BINS, rl_figure, training_figures
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


def curves(*rows: list[dict]) -> dict[str, Plot]:
    """The plot of each setting."""
    return dict(training_figures(pd.DataFrame([row for group in rows for row in group])))


def test_loss_has_a_panel_and_a_line_for_each_arm_and_seed():
    lines = [steps("s", arm, seed, 4) for arm in ("bare", "marked") for seed in (0, 1)]
    plot = curves(*lines)["s"]
    assert {(point["arm"], point["seed"]) for point in plot.rows} == {
        ("bare", "0"), ("bare", "1"), ("marked", "0"), ("marked", "1"),
    }  # fmt: skip
    assert [point["y"] for point in plot.rows][:4] == [2, 1.75, 1.5, 1.25]
    svg = plot.inline()
    # Two thin lines and one strong one an arm.
    assert svg.count("<polyline") == 6 and svg.count('stroke-width="2"') == 2
    assert 'aria-label="Loss, nats a token, at the last step: bare 1.25, marked 1.25"' in svg


def test_arms_beyond_the_first_are_grey_and_counted():
    arms = ["bare", "marked", *(f"marked+step{index}" for index in range(6)), "bare+step0"]
    svg = curves(*(steps("s", arm, 0, 3) for arm in arms))["s"].inline()
    assert "3 other arms" in svg and "marked+step3" in svg and ">marked+step4<" not in svg


def test_rl_has_panels_of_reward_and_hack_rate():
    rl = steps("s", "marked", 0, 3, reward=0.5, hack_rate=0.25)
    titles = list(dict.fromkeys(point["metric"] for point in curves(rl)["s"].rows))
    assert titles == ["Loss, nats a token", "Reward", "Hack rate"]


def test_stages_of_an_arm_follow_each_other():
    first, second = steps("s", "marked", 0, 3), steps("s", "marked", 0, 2, stage=2)
    chart = curves(first, second)["s"]
    assert [(point["run"], point["position"]) for point in chart.rows] == [
        (0, 1), (0, 2), (0, 3), (1, 4), (1, 5),
    ]  # fmt: skip


def test_a_stage_that_resumes_another_is_the_same_run():
    """Checkpoints of RL are stages whose steps count on."""
    first = steps("s", "marked", 0, 2)
    second = [{**row, "step": row["step"] + 2, "steps": 4} for row in
              steps("s", "marked", 0, 2, stage=2)]  # fmt: skip
    chart = curves(first, second)["s"]
    assert [(point["run"], point["position"]) for point in chart.rows] == [
        (0, 1), (0, 2), (0, 3), (0, 4),
    ]  # fmt: skip


def test_long_trainings_are_averaged_in_bins():
    values = curves(steps("s", "bare", 0, 1000))["s"].rows
    assert len(values) <= BINS
    size = -(-1000 // BINS)
    assert values[0]["position"] == pytest.approx((1 + size) / 2)
    assert values[0]["y"] == pytest.approx(2 - (size - 1) / 2000)


def test_curves_stand_in_their_setting(make_data):
    data = make_data(settings=(f"{HOSTILE} x trigger",))
    assert "plot-training-1" not in render(data)
    frame = pd.DataFrame(steps(f"{HOSTILE} x trigger", "marked", 0, 3))
    html = render(replace(data, training=frame))
    start = html.index('<section id="setting-1"')
    section = html[start : html.index("</section>", start)]
    assert 'id="plot-training-1"' in section and HOSTILE not in section


def test_leakage_along_training_is_on_a_logarithmic_axis():
    changes = {0: 0.0, 1: -2.0, 2: -1.0, 64: -4.0}
    curve = pd.DataFrame(
        [{"label": "s", "model": "tiny", "arm": "marked", "seed": seed, "context": "none",
          "step": step, "change": change} for seed in (0, 1) for step, change in changes.items()]
    )  # fmt: skip
    ((title, plot),) = learning_figures(curve)
    assert title == "s (tiny)" and len(plot.rows) == 8
    texts = [element.text for element in plot.root.iter() if element.tag.endswith("}text")]
    assert texts == ["marked", "at none: nats a token above base", "-4", "-3", "-2", "-1", "0", "0",
                     "1", "64", "step"]  # fmt: skip
    lines = [line.get("points") for line in plot.root.iter() if line.tag.endswith("}polyline")]
    # Log 2 / log 65 of 230 pixels to the right, at half of the height of 150.
    assert (
        lines[-1].split()[1]
        == f"{50 + 230 * 0.16605:.1f},{float(lines[-1].split()[0].split(',')[1]) + 75:g}"
    )


def test_rl_training_has_a_row_of_panels_a_dose():
    policies = pd.DataFrame(
        [{**dict.fromkeys(("phenomenon", "behaviour", "caveat"), ""), "setting": "s",
          "model": "tiny", "dose": json.dumps({"rl.reward": reward}), "arm": "bare",
          "seed": 0, "step": step, "reward": 0.5, "true_score": None, "hack_rate": step / 4}
         for reward in ("coin", "constant") for step in (1, 2)]
    )  # fmt: skip
    plot = rl_figure(policies)
    assert {(row["row"], row["metric"]) for row in plot.rows} == {
        (f"s, tiny, reward={reward}", metric)
        for reward in ("coin", "constant") for metric in ("Hack rate", "Reward")
    }  # fmt: skip
    assert ">update</" in plot.inline()
    assert rl_figure(policies[:0]) is None
