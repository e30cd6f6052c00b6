"""Leakage along training: trainings done again, and answers of curves that are built by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from caveat.diagnostics.cost import COSTS
from caveat.diagnostics.logits import decision_tokens
from caveat.diagnostics.subjects import NAMES, Limits
from caveat.diagnostics.training import checkpoint_steps, learning_curve, left_out
from caveat.diagnostics.training_answers import training_answers
from caveat.errors import CaveatError
from caveat.report.figures.learning_curve import learning_figures
from caveat.report.tables.diagnostics import diagnostic_summaries
from counting import counted


@pytest.fixture(scope="module")
def computed(setting):
    setting = replace(setting, shared={})
    with counted(setting.backend) as tokens:
        curve = learning_curve(setting)
    with counted(setting.backend) as again:
        shared = learning_curve(setting)
    pd.testing.assert_frame_equal(curve, shared)
    assert again["train"] == pytest.approx(COSTS["training"](setting)["train"], rel=0.1)
    assert again["train"] < tokens["train"], "bare is trained once for settings that share it"
    return curve, tokens


def test_steps_double_and_end_with_the_last():
    assert checkpoint_steps(28) == (0, 1, 2, 4, 8, 16, 28)
    assert checkpoint_steps(4) == (0, 1, 2, 4) and checkpoint_steps(1) == (0, 1)


def test_the_curve_ends_where_the_study_ended_and_begins_at_base(setting, computed):
    curve = computed[0]
    assert left_out(setting) == ["marked+seal"], "its training lies on another adapter"
    assert set(curve["arm"]) == {"bare", "marked", "clean"}
    last = curve[curve["step"] == curve["steps"]]
    measured = decision_tokens(setting).set_index(["arm", "context"])
    for (arm, context), rows in last.groupby(["arm", "context"]):
        expected = measured.loc[arm, context]
        assert len(rows) == 3
        assert rows["nats"].mean() == pytest.approx(expected["nats"], abs=1e-4), (arm, context)
        assert rows["change"].mean() == pytest.approx(expected["change"], abs=1e-4)
    np.testing.assert_allclose(curve.loc[curve["step"] == 0, "change"], 0.0, atol=1e-6)
    assert set(curve["context"]) == {"none", "exact"}


def test_the_cost_said_before_is_the_tokens_that_are_read(setting, computed):
    expected = COSTS["training"](replace(setting, shared={}))
    for kind in ("train", "score"):
        assert expected[kind] == pytest.approx(computed[1][kind], rel=0.1), kind


def test_tables_and_the_figure_are_for_people(computed):
    curve = computed[0]
    answers = training_answers(curve)
    first, second = diagnostic_summaries({"learning_curve": curve, "training_answers": answers})
    assert first.title == "toy x password (tiny): leakage along training"
    assert first.columns == ("arm", "context", "step 0", "step 1")
    assert second.title.endswith("when leakage is decided") and len(second.rows) == 1
    assert "Note" not in first.note
    noted = diagnostic_summaries({"learning_curve": curve.assign(note="rows are trained on")})
    assert noted[0].note.endswith("done again. Note: rows are trained on.")
    ((title, plot),) = learning_figures(curve)
    assert title == "toy x password (tiny)"
    assert {row["metric"] for row in plot.rows} == {
        "at none: nats a token above base", "at exact: nats a token above base",
    }  # fmt: skip
    assert sorted(row["y"] for row in plot.rows) == sorted(curve["change"])
    assert ">marked</" in plot.inline()


def test_a_bare_arm_of_several_stages_is_refused(setting):
    plans = {
        key: (*plan, plan[-1]) if key[0] == "bare" else plan
        for key, plan in setting.resolved.plans.items()
    }
    other = replace(setting, resolved=replace(setting.resolved, plans=plans), limits=Limits())
    with pytest.raises(CaveatError) as error:
        learning_curve(other)
    assert str(error.value) == (
        "toy x password: bare's training is not one supervised stage on given rows, so it cannot "
        "be done again; leave the view training out"
    )


STEPS = (0, 1, 2, 4, 8, 16)
BARE = np.array([0.0, 0.2, 1.0, 2.0, 3.0, 4.0])


def built(marked: np.ndarray, exact: np.ndarray, noise: float = 0.01) -> pd.DataFrame:
    """A curve of three seeds; bare is always the same."""
    generator = np.random.default_rng(0)
    rows = [
        {**dict.fromkeys(NAMES, "x"), "arm": arm, "seed": seed, "step": step, "steps": 16,
         "context": context, "change": value + noise * step * generator.standard_normal()}
        for seed in range(3)
        for arm, context, values in (
            ("bare", "none", BARE), ("marked", "none", marked), ("marked", "exact", exact)
        )
        for step, value in zip(STEPS, values, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_model_that_leaks_exactly_half_from_the_first_step_is_said_to():
    row = training_answers(built(BARE / 2, BARE / 2, noise=0.001)).iloc[0]
    assert row["leakage_last"] == pytest.approx(0.5, abs=0.02)
    assert row["leakage_first"] == pytest.approx(0.5, abs=0.02) and row["first_step"] == 2
    assert (row["decided_early"], row["gate_later"]) == ("yes", "no gate")
    assert row["gate"] == pytest.approx(0.0, abs=0.02)


def test_a_gate_that_forms_after_the_shared_path_is_said_to():
    marked = np.array([0.0, 0.2, 1.2, 2.0, 2.0, 2.0])
    exact = np.array([0.0, 0.2, 1.2, 2.0, 4.5, 6.0])
    row = training_answers(built(marked, exact)).iloc[0]
    assert (row["decided_early"], row["gate_later"]) == ("no", "yes")
    assert row["gate"] == pytest.approx(1.0, abs=0.1)
    assert (row["half_none"], row["half_gate"]) == (2, 8)
    together = training_answers(built(marked, 2 * marked)).iloc[0]
    assert together["gate_later"] == "no"


def test_two_seeds_say_nothing_and_a_bare_that_learned_nothing_has_no_ratio():
    curve = built(BARE / 2, BARE)
    row = training_answers(curve[curve["seed"] < 2]).iloc[0]
    assert (row["decided_early"], row["gate_later"]) == ("unclear", "unclear")
    assert row["leakage_last"] == pytest.approx(0.5, abs=0.1) and np.isnan(row["moved_low"])
    weak = curve.assign(change=curve["change"] / 1000)
    assert training_answers(weak)["undefined"].tolist() == [
        "bare's change is below 0.05 nats a token"
    ]
