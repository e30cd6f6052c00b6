"""Gradients along training: at the start those of forecasts, and layers that add up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caveat.backends.jobs import InitialModel
from caveat.diagnostics.cost import COSTS
from caveat.diagnostics.gradients import gradient_sums, gradients
from caveat.diagnostics.training import replays
from caveat.errors import CaveatError
from caveat.report.tables.diagnostics import diagnostic_summaries
from counting import counted


@pytest.fixture(scope="module")
def computed(setting):
    with counted(setting.backend) as tokens:
        table = gradients(setting)
    return table, tokens


def test_gradients_at_the_start_are_those_of_forecasts(setting, computed):
    frame = computed[0]
    start = frame[(frame["step"] == 0) & (frame["by"] == "all")]
    assert set(start["arm"]) == {"marked"} and len(start) == 3
    (replay,) = [one for one in replays(setting, 0) if one.arm == "marked"]
    sums = gradient_sums(setting, replay.job.stage)
    model = InitialModel(replay.job.stage.dose, 0)
    row = start[start["seed"] == 0].iloc[0]
    for context, position in (("none", 2), ("exact", 3)):
        marked, bare = setting.backend.gradient_products(model, sums[:2], sums[position])
        assert row[f"product_{context}"] == pytest.approx(marked.with_direction, rel=1e-3)
        assert row[f"bare_product_{context}"] == pytest.approx(bare.with_direction, rel=1e-3)
        assert row["norm"] ** 2 == pytest.approx(marked.with_itself, rel=1e-3)
    layers = frame[(frame["step"] == 0) & (frame["by"] == "layer") & (frame["seed"] == 0)]
    assert (layers["norm"] ** 2).sum() == pytest.approx(row["norm"] ** 2)
    assert frame["cosine_bare"].between(-1, 1).all()


def test_the_cost_said_before_is_the_tokens_that_are_read_and_the_table_is_printed(
    setting, computed
):
    table, tokens = computed
    assert COSTS["gradients"](setting)["train"] == pytest.approx(tokens["train"], rel=0.1)
    (summary,) = diagnostic_summaries({"gradients": table})
    assert summary.title.endswith("gradients along training") and len(summary.rows) == 2


def test_a_study_whose_marked_arms_cannot_be_done_again_is_refused(setting):
    other = replace(setting, models=tuple(setting.of("bare")))
    with pytest.raises(CaveatError) as error:
        gradients(other)
    assert str(error.value) == (
        "toy x password: no arm with the caveat is trained in one supervised stage on given rows "
        "alone, so none can be done again; leave the view gradients out"
    )
