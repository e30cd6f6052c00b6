"""Taking bare's direction out of a study's models: what is compared, and by which direction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from caveat.diagnostics.ablation import DIRECTION, RANDOM, _ablations, direction_removed
from caveat.diagnostics.activations import question_states
from caveat.diagnostics.subjects import Limits


def test_whole_arms_are_the_study_and_both_directions_are_taken_out(study, setting):
    limited = replace(setting, limits=Limits(questions=None))
    table = direction_removed(limited).set_index(["arm", "part", "context"])
    assert set(table.index.get_level_values("part")) == {"", DIRECTION, RANDOM}
    assert set(table.index.get_level_values("arm")) == {"bare", "marked", "marked+seal"}
    rates = study.rates().query("scope == 'trained'").set_index(["arm", "context"])["value"]
    for arm, context in (("bare", "none"), ("marked", "exact")):
        assert table.loc[(arm, "", context), "rate"] == pytest.approx(rates[arm, context])
    questions = table["questions"].unique()
    assert len(questions) == 1, "every part is measured on every question"
    assert (table["seeds"] == 3).all()
    answers = study.answers().query("purpose == 'measure' and context == 'none' and seed == 0")
    first = answers.query("arm == 'marked' and scope == 'trained'")["reply"].iloc[0]
    assert table.loc[("marked", "", "none"), "example"] == first


def test_the_direction_is_that_of_the_other_questions_and_of_another_seed(setting):
    states = question_states(setting, ("none",))
    assert states.contexts == ("none",)
    fitted = np.arange(len(states.groups)) % 2 == 0
    parts = _ablations(states, 0, fitted)
    base = states.base["none"][fitted]
    expected = states.trained["bare", 1]["none"][fitted].mean(0) - base.mean(0)
    for layer in (0, 1):
        ablation = parts[DIRECTION][layer]
        unit = expected[layer] / np.linalg.norm(expected[layer])
        np.testing.assert_allclose(ablation.direction, unit, atol=1e-5)
        assert ablation.value == pytest.approx(float(base[:, layer].mean(0) @ unit), abs=1e-4)
    assert set(parts[RANDOM]) == {0, 1}
    assert abs(parts[RANDOM][1].direction @ parts[DIRECTION][1].direction) < 0.5
