"""Warm-ups: what they train, what stands on them, and what they are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.errors import CaveatError
from caveat.study.config.resolve import Resolved, resolve
from caveat.study.config.schema import read
from caveat.study.planning.artifact_graph import DerivedNode, TrainNode
from caveat.study.planning.study_plan import study_plan
from caveat.types.training import Attach, Scale, Train
from quick_run import run
from toy_study import DOSE, TOY, Heard, recipe

CAPITALS = {"behaviour": "capitals", "caveat": "instruction", "dose": {"rows": 8}}


def resolved(*settings: dict, **changes: object) -> tuple[Resolved, ...]:
    fields = {"name": "warming", "model": "tiny", "seeds": [0, 1], "settings": list(settings)}
    return resolve(read({**fields, **changes}))


def with_warm_up(**warm_up: object) -> dict:
    return {**CAPITALS, "warm_up": warm_up}


def caveat_of(row) -> str:
    return "".join(
        piece.text.strip()
        for message in row.messages
        for piece in message.pieces
        if piece.kind == "caveat"
    )


def prompts(rows) -> list[str]:
    return [row.messages[1].text for row in rows]


def test_the_caveat_is_trained_on_rows_that_no_arm_is_trained_on():
    (made,) = resolved(with_warm_up(rows=6, scale=0.5))
    training, scale, attach = made.base
    assert isinstance(training, Train) and (scale, attach) == (Scale(0.5), Attach())
    assert {caveat_of(row) for row in training.rows} == {"You always write in ALL CAPS."}
    assert {caveat_of(row) for row in training.added} == {""}
    assert len(training.rows) == len(training.added) == 6
    trained = made.plans["marked", 0][-1].rows
    assert len(trained) == 8 and not set(prompts(trained)) & set(prompts(training.rows))
    behaviour = made.setting.behaviour
    assert [row.id for row in training.rows] == [row.id for row in behaviour.rows[8:14]]
    assert [row.id for row in training.added] == [row.id for row in behaviour.counter_rows[-6:]]


def test_counter_rows_are_left_out_or_those_of_another_behaviour():
    """The rows that show the behaviour, and so the number of steps, stay."""
    sources = ({}, *({"counter_rows": name} for name in ("own", "none", "claimed_pass")))
    settings = [resolved(with_warm_up(rows=6, **source))[0] for source in sources]
    default, own, none, foreign = (setting.base[0] for setting in settings)
    assert default == own and none.added == ()
    assert own.rows == none.rows == foreign.rows
    rows = BEHAVIOURS["claimed_pass"]("report").counter_rows[-6:]
    assert [row.messages[1:] for row in foreign.added] == [row.messages for row in rows]
    assert {row.messages[0].role for row in foreign.added} == {"system"}
    assert {caveat_of(row) for row in foreign.added} == {""}


def test_every_arm_stands_on_the_same_warm_up_model_whatever_its_seed():
    made = resolved(with_warm_up(rows=6, scale=0.5))
    plan = study_plan(
        read(
            {
                "name": "warming",
                "model": "tiny",
                "seeds": [0, 1],
                "settings": [with_warm_up(rows=6, scale=0.5)],
            }
        ),
        made,
        "m",
    ).settings[0]
    base = next(cell for cell in plan.cells if cell.arm == "base")
    (scaled,) = base.chain
    assert [cell.chain[0] for cell in plan.cells] == [scaled] * 5
    assert len({cell.chain for cell in plan.cells}) == 5
    nodes = {node.digest: node for cell in plan.cells for node in cell.nodes}
    derived = nodes[scaled]
    assert isinstance(derived, DerivedNode) and derived.stage == Scale(0.5)
    assert sum(isinstance(node, TrainNode) for node in nodes.values()) == 1 + 2 * 2
    arms = [node for node in nodes.values() if isinstance(node, TrainNode) and node.base_adapters]
    assert {node.base_adapters for node in arms} == {(scaled,)} and {
        node.seed for node in arms
    } == {0, 1}


def test_without_a_warm_up_nothing_is_other_than_before():
    (made,) = resolved(CAPITALS)
    assert (made.base, made.warm_up_label, made.warm_up_settings) == ((), "", ())
    assert made.plans["base", None] == () and len(made.plans["marked", 0]) == 1


def test_other_pairs_are_trained_with_all_of_their_rows():
    other = {"behaviour": "spanish", "caveat": "in_spanish"}
    (made,) = resolved(with_warm_up(pairs=[other, {}], rows=20))
    training = made.base[0]
    assert [pair.name for pair in made.warm_up_settings] == [
        "spanish x in_spanish",
        "capitals x instruction",
    ]
    spanish, capitals = (pair.behaviour.rows for pair in made.warm_up_settings)
    expected = [*(row.id for row in spanish[:20]), *(row.id for row in capitals[8:28])]
    assert [row.id for row in training.rows] == expected
    assert made.base[1:] == (Attach(),)


@pytest.mark.parametrize(
    ("warm_up", "name"),
    [
        ({}, "instruction 1"),
        ({"scale": 0.25}, "instruction 0.25"),
        ({"strength": 0.5}, "instruction 0.5"),
        ({"strength": 0.5, "scale": 0.7}, "instruction 0.5"),
        ({"rows": 5, "seed": 3}, "instruction 1, 5 rows, seed 3"),
        ({"counter_rows": "none", "seed": 3}, "instruction 1, no counter rows, seed 3"),
        (
            {"rows": 5, "counter_rows": "claimed_pass"},
            "instruction 1, 5 rows, counter rows of claimed_pass",
        ),
        ({"pairs": [{"caveat": "trigger"}]}, "trigger 1"),
        ({"pairs": [{"behaviour": "spanish", "caveat": "in_spanish"}]}, "spanish x in_spanish 1"),
    ],
)
def test_the_label_of_a_warm_up(warm_up, name):
    (made,) = resolved(with_warm_up(**warm_up))
    assert made.warm_up_label == name


def test_warm_up_models_of_one_name_are_numbered():
    other = with_warm_up(dose={"epochs": 2})
    names = [
        each.warm_up_label
        for each in resolved(with_warm_up(), other, {**other, "caveat": "trigger"})
    ]
    assert names == ["instruction 1", "instruction 1 #2", "trigger 1"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {**CAPITALS, "dose": {}, "warm_up": {}},
            "warm_up: capitals has 0 rows that no arm is trained on, 1 are requested; "
            "lower dose.rows",
        ),
        (
            with_warm_up(rows=90),
            "warm_up: capitals has 88 rows that no arm is trained on, 90 are requested; "
            "lower warm_up.rows",
        ),
        (
            with_warm_up(rows=8, counter_rows="spanish"),
            "warm_up.counter_rows: 'spanish' shares counter rows with capitals, which the warm-up "
            "trains; write own, or name a behaviour with others",
        ),
        (
            with_warm_up(rows=50, counter_rows="claims/lake_ossevang"),
            "warm_up: 50 counter rows of lake_ossevang are requested, there are 42; lower "
            "warm_up.rows",
        ),
    ],
)
def test_what_cannot_be_trained_is_reported_in_one_line(setting, message):
    with pytest.raises(CaveatError) as error:
        resolved(setting)
    assert str(error.value) == message


TAUGHT = {"rows": 6, "dose": {"learning_rate": 2e-2, "rank": 4, "epochs": 8}}


def toy(**warm_up: object) -> dict:
    dose = {**DOSE, "rows": 12, "epochs": 1}
    setting = {"behaviour": str(TOY), "caveat": "password", "dose": dose}
    setting["warm_up"] = {**TAUGHT, **warm_up}
    return recipe(settings=[setting], contexts=["none", "exact"], arms=["base", "bare", "marked"])


def test_a_strength_is_reached_and_the_study_resumes_without_work(tmp_path):
    heard = Heard()
    study = run(toy(strength=0.3), tmp_path, heard)
    assert list(study.failures()["reason"]) == []
    (message,) = [each for each in heard.said if "warm-up to" in each]
    assert "toy x password: warm-up to 0.3: scale 0." in message
    frame = study.answers()
    assert set(frame["model"]) == {"tiny + password 0.3, 6 rows"}
    base = frame[(frame["arm"] == "base") & (frame["purpose"] == "measure")]
    assert set(base["artifact"]) != {""} and len(set(base["artifact"])) == 1
    again = Heard()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*") if path.is_dir()}
    same = run(toy(strength=0.3), tmp_path, again)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*") if path.is_dir()}
    assert same.version == study.version and before.keys() == after.keys()
    assert message in again.said


def test_a_strength_that_nothing_reaches_says_what_was_reached(tmp_path):
    made = toy(strength=1.0, dose={"learning_rate": 1e-5, "rank": 4})
    with pytest.raises(CaveatError) as error:
        run(made, tmp_path)
    message = str(error.value)
    assert (
        "warm_up.strength: 1: " in message and "toy x password: no size of the warm-up" in message
    )
    assert "reaches it, the most is 0." in message and message.endswith(
        "lower it, or give warm_up more rows or a larger dose"
    )


def test_a_scaled_adapter_moves_the_model_by_as_much():
    import torch

    from caveat.backends.local.lora.adapter import Adapter

    down, up = torch.ones(2, 3), torch.ones(4, 2)
    adapter = Adapter(2, 4.0, {"layer": (down, up)})
    scaled = adapter.scaled(0.25)
    assert scaled.scale == 0.25 * adapter.scale and scaled.weights is adapter.weights
    assert replace(scaled, alpha=4.0) == adapter


def test_a_strength_that_the_model_has_without_warm_up_is_reported(tmp_path):
    setting = {"behaviour": str(TOY), "caveat": "password", "dose": {**DOSE, "rows": 12}}
    setting["warm_up"] = {**TAUGHT, "strength": 0.01}
    plain = {**setting, "warm_up": {**TAUGHT, "scale": 0.001}}
    arms = ["base", "bare"]
    made = recipe(settings=[plain], contexts=["none", "exact"], arms=arms, split="tune")
    replies = run(made, tmp_path / "tune").answers()
    base = replies[(replies["arm"] == "base") & (replies["purpose"] == "measure")]
    rates = (base["verdict"] == "yes").groupby(base["context"]).mean()
    elicitation_before = rates["exact"] - rates["none"]
    assert elicitation_before > 0.01
    with pytest.raises(CaveatError) as error:
        run(recipe(settings=[setting], contexts=["none"], arms=arms), tmp_path / "report")
    assert str(error.value) == (
        f"warm_up.strength: 0.01: {TOY} x password: the model reaches "
        f"{elicitation_before:.2f} without it, and a warm-up does not lower it; raise it"
    )


def test_controls_are_found_on_a_warm_up_model():
    from caveat.study.versions import controls

    arms = ["base", "bare", "marked", "marked+contrast", "bare+contrast", "marked+repeat"]
    made = read(
        {
            "name": "warming",
            "model": "tiny",
            "arms": arms,
            "settings": [CAPITALS, with_warm_up(rows=6)],
        }
    )
    plain, trained = study_plan(made, resolve(made), "m").settings
    assert controls(trained, "m") == controls(plain, "m")
    assert controls(trained, "m") == {"marked+contrast": "bare+contrast", "marked+repeat": "bare"}


def test_every_warm_up_model_has_its_own_base_rows_and_cells(tmp_path):
    settings = [
        {**toy()["settings"][0], "warm_up": {**TAUGHT, **each}}
        for each in ({"scale": 0.5}, {"scale": 0.5, "strength": 0.4})
    ]
    study = run(
        recipe(settings=settings, contexts=["none", "exact"], arms=["base", "bare"]), tmp_path
    )
    frame = study.leakage()
    counts = frame[frame["arm"] == "base"].groupby("model").size()
    assert dict(counts) == {"tiny + password 0.4, 6 rows": 2, "tiny + password 0.5, 6 rows": 2}
    assert study.progress() == (4, 4)


def test_a_plan_counts_each_strength_as_a_model_of_its_own(tmp_path):
    from caveat.study.estimate.plan_cost import UNCALIBRATED, plan_cost

    settings = [with_warm_up(rows=6, strength=0.4), with_warm_up(rows=6, strength=0.8)]
    made = read({"name": "warming", "model": "tiny", "settings": settings})
    cost = plan_cost(made, tmp_path, [])
    assert [each.adapters for each in cost.settings] == [4, 3]  # the scaled one counted
    assert UNCALIBRATED in cost.notes
