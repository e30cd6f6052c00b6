"""The report's section on RL training."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd

from caveat import analysis as measure
from caveat.report.html import render
from caveat.report.tables.rl import dose_labels

HOSTILE = "<img src=x onerror=alert(1)>"


def with_rl(make_data, at_ceiling: bool = False):
    """A study whose arms were trained with RL for four updates."""
    data = make_data(settings=(f"agree{HOSTILE} x trigger",), arms=("base", "bare", "marked"))
    dose = json.dumps({"rl.max_steps": 4})
    trained = data.replies["arm"] != "base"
    replies = data.replies.assign(dose=np.where(trained, dose, "{}"))
    if at_ceiling:
        replies.loc[trained, "verdict"] = "yes"
    names = {name: replies[name].iloc[0] for name in ("setting", "phenomenon", "behaviour",
                                                      "caveat", "model")}  # fmt: skip
    policies = pd.DataFrame(
        [
            {**names, "dose": dose, "arm": arm, "seed": 0, "step": number, "reward": number / 4,
             "true_score": 0.3, "hack_rate": number / 5, "frac_reward_zero_std": 0.0, "distinct": 8,
             "completion_length": 3.0, "truncated": 0.0, "kl": np.nan, "skipped": 0}
            for arm in ("bare", "marked") for number in (1, 2, 3, 4)
        ]
    )  # fmt: skip
    return replace(data, policies=policies, rl=measure.rl_leakage(replies))


def section(data) -> str:
    whole = render(data)
    start = whole.index('<section id="rl">')
    return whole[start : whole.index("</section>", start)]


def test_it_has_the_curves_the_leakage_and_how_they_learned(make_data):
    shown = section(with_rl(make_data))
    assert "<svg" in shown and "0.20 → 0.80" in shown
    assert "leakage, equal hack rate" in shown and "How they learned" in shown
    assert HOSTILE not in shown
    (marked,) = re.findall(r"<tr>(?:(?!</tr>).)*marked(?:(?!</tr>).)*</tr>",
                           shown.split("How they learned")[0], re.DOTALL)  # fmt: skip
    assert re.search(r"\d\.\d\d \[", marked)


def test_a_ceiling_replaces_the_values(make_data):
    shown = section(with_rl(make_data, at_ceiling=True)).split("How they learned")[0]
    assert "every arm hacks at 0.95 or more without the caveat" in shown
    assert shown.count("ceiling") >= 4


def test_a_study_without_rl_has_no_such_section(make_data):
    assert 'id="rl"' not in render(make_data())


def test_doses_are_distinguished_by_reward_and_optimizer():
    """A field that came later is missing where it has its default."""
    plain = {"rl.max_steps": 4, "learning_rate": 0.1}
    doses = [json.dumps(plain | more) for more in ({}, {"rl.reward": "coin"}, {"rl.optim": "sgd"})]
    assert [dose_labels(dose, doses) for dose in doses] == [
        ("reward=proxy", "optim=adamw_torch"),
        ("reward=coin", "optim=adamw_torch"),
        ("reward=proxy", "optim=sgd"),
    ]
    assert dose_labels(doses[0], doses[:1]) == ()
