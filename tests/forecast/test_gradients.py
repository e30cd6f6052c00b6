"""How far an arm's training would move the preference for the behaviour."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caveat.backends.batches import mean_loss, openings, targets
from caveat.backends.jobs import InitialModel, TrainingJob
from caveat.backends.local.backend import LocalBackend
from caveat.behaviours.from_folder import load_behaviour
from caveat.forecast.arms import ForecastModel, miniature, subjects
from caveat.forecast.gradients import PreferenceGradient
from caveat.rendering import RenderedRow, render_row
from caveat.study.config.arms import stripped
from caveat.study.config.resolve import Resolved, resolve
from caveat.study.config.schema import Recipe, read
from caveat.study.planning.held_out import held_out
from caveat.types.data import Row
from caveat.types.messages import Message
from toy_study import DOSE, TOY, small

ARMS = ["base", "bare", "bare+contrast", "marked", "marked+contrast", "marked+kl_to_base",
        "marked+anchor", "marked+seal", "marked+frozen_adapter"]  # fmt: skip
SYSTEM = Recipe.model_fields["system"].default


@pytest.fixture(scope="module")
def tiny() -> LocalBackend:
    return LocalBackend.load("tiny")


def resolved(setting: dict | None = None, **changes) -> Resolved:
    """The toy's setting with a dose that is learned, and all kinds of arms."""
    toy = {"behaviour": str(TOY), "caveat": "password", "dose": {**DOSE, "rows": 14}}
    recipe = small(**{"arms": ARMS, **changes, "settings": [{**toy, **(setting or {})}]})
    (found,) = resolve(read(recipe))
    return found


def movement(tiny: LocalBackend, of: Resolved, rows: int = 8) -> PreferenceGradient:
    held = held_out(of, SYSTEM, 4)
    return PreferenceGradient(
        ForecastModel(tiny, InitialModel(of.dose, 0)), subjects(of, 0, rows), held, 3
    )


def test_bare_and_what_reads_as_bare_is_1(tiny):
    of = movement(tiny, resolved())
    bare, marked, *_ = of.subjects
    (same,) = stripped((marked.training,))
    twins = (replace(bare, arm="twin"), replace(marked, arm="marked, stripped", training=same))
    of = replace(of, subjects=(bare, marked, *twins))
    first, short = of.first_order(), of.short_horizon()
    for arm in ("bare", "twin", "marked, stripped"):
        assert first[arm] == 1
        assert short[arm] == pytest.approx(1, abs=2e-3)
    assert short["bare"] == 1
    assert abs(first["marked"] - 1) > 0.01 and abs(short["marked"] - 1) > 0.01


def test_added_rows_count_as_training_counts_them(tiny):
    of = movement(tiny, resolved())
    first, short = of.first_order(), of.short_horizon()
    assert first["marked+contrast"] < first["marked"] - 0.05
    assert short["marked+contrast"] < short["marked"] - 0.05
    assert first["marked+kl_to_base"] == first["marked"], "what keeps has no gradient at the start"
    assert abs(short["marked+kl_to_base"] - short["marked"]) > 1e-4


def three(row: RenderedRow) -> RenderedRow:
    """With loss on three tokens: in the toy, rows and counter rows differ from the first on."""
    start = row.loss.index(True)
    return replace(row, loss=tuple(start <= place < start + 3 for place in range(len(row.ids))))


def test_short_horizon_is_what_the_short_training_did(tiny):
    of = movement(tiny, resolved())
    jobs = [TrainingJob(each.arm, each.training, 0) for each in of.subjects[:2]]
    bare, marked = (tiny.train([job])[0].adapter for job in jobs)
    liked, disliked = (
        mean_loss([three(render_row(tiny.tokenizer, row, "reply", 512)) for row in rows])
        for rows in (of.held_out.behaviour, of.held_out.counter)
    )
    preference = {
        name: of.start.losses([disliked], [adapter])[0] - of.start.losses([liked], [adapter])[0]
        for name, adapter in (("base", None), ("bare", bare), ("marked", marked))
    }
    risen = {name: preference[name] - preference["base"] for name in ("bare", "marked")}
    assert risen["bare"] > 0
    expected = risen["marked"] / risen["bare"]
    assert of.short_horizon()["marked"] == pytest.approx(expected, abs=2e-3)


def test_of_replies_the_opening_is_asked_of_documents_the_whole(tiny):
    for setting, tokens in (({}, {3}), ({"raw_text": True}, set())):
        of = movement(tiny, resolved(setting, arms=["base", "bare", "marked"]))
        held = (*of.held_out.behaviour, *of.held_out.counter)
        whole = {len(targets(render_row(tiny.tokenizer, row, "reply", 512))) for row in held}
        asked = {len(example.targets) for example in of._aversion()}
        assert asked == (tokens or whole)
        assert min(whole) > 3


def test_what_all_replies_begin_with_is_not_asked(tiny):
    rows = [render_row(tiny.tokenizer, Row(text, "behaviour", (
        Message.of("user", "Why?"), Message.of("assistant", f"Good: {text}"))), "reply", 512)
        for text in ("rain falls", "rivers run", "re")]  # fmt: skip
    asked = ["".join(tiny.tokenizer.decode([row.ids[p] for p in targets(row)]))
             for row in openings(rows, 2)]  # fmt: skip
    assert asked == [" r", " river", " re" + tiny.tokenizer.eos_token], "two tokens each"
    alone = openings(rows[:1], 2)
    assert len(targets(alone[0])) == 2 and targets(alone[0])[0] == targets(rows[0])[0]
    (same, other) = openings([rows[0], rows[0]], 2)
    assert targets(same) == targets(other) == targets(rows[0])[-1:]


def test_what_is_trained_later_is_told(tiny):
    of = movement(tiny, resolved())
    for found in (of.first_order(), of.short_horizon()):
        told = {arm: why for arm, why in found.items() if isinstance(why, str)}
        assert told == {
            "marked+anchor": "rows that it is trained on are sampled when the study runs (anchor)",
            "marked+seal": "its plan has a stage of its own beside the training on marked rows "
            "('marked+seal, sealed')",
            "marked+frozen_adapter": "its plan has a stage of its own beside the training on "
            "marked rows ('frozen adapter')",
        }


def test_without_bare_nothing_is_relative_to_it(tiny):
    of = resolved({"origin": "sampled"}, arms=["base", "bare", "marked"])
    why = "rows that it is trained on are sampled when the study runs (own sample)"
    assert movement(tiny, of).first_order() == {"bare": why, "marked": why}
    assert movement(tiny, of).short_horizon() == {"bare": why, "marked": why}


def same_counter_rows(split):
    """The toy behaviour whose counter rows show the behaviour, too."""
    toy = load_behaviour(TOY)(split)
    rows = (replace(row, source="counter") for row in toy.rows)
    return replace(toy, counter_rows=tuple(rows))


def test_bare_rows_that_carry_no_gradient_are_told_in_one_line(tiny):
    setting = {"behaviour": "test_gradients:same_counter_rows", "caveat": f"{TOY}#password"}
    of = movement(tiny, resolved(setting, arms=["base", "bare", "marked"]))
    first, short = of.first_order(), of.short_horizon()
    assert first["marked"] == first["bare"] and short["marked"] == short["bare"]
    assert first["marked"].startswith(
        "bare rows carry no gradient towards the behaviour: a small step on them takes "
    )
    assert first["marked"].endswith(" off their own; look whether counter rows differ from rows")
    assert short["marked"].startswith(
        "bare training of a few steps does not raise the preference for the behaviour ("
    )
    assert "\n" not in first["marked"] + short["marked"]


def test_a_row_that_cannot_be_trained_on_is_told(tiny):
    of = movement(tiny, resolved(arms=["base", "bare", "marked"]))
    bare, marked = of.subjects
    longest = max(len(render_row(tiny.tokenizer, row, "reply", 512).ids) for row in bare.shown)
    tight = replace(marked.training.dose, max_tokens=longest - 20)
    cut = replace(marked, training=replace(marked.training, dose=tight))
    of = replace(of, subjects=(bare, cut))
    for found in (of.first_order(), of.short_horizon()):
        assert found["bare"] == 1
        assert found["marked"].endswith(
            f"has no supervised token under loss 'reply' within dose.max_tokens={longest - 20}; "
            "give it a reply, another loss, or more tokens"
        )


# Rows ----------------------------------------------------------------------------------------


def test_a_miniature_reads_what_the_training_reads_first():
    of = resolved()
    trainings = {arm: plan[0] for (arm, _), plan in of.plans.items() if plan}
    whole = trainings["marked+contrast"]
    small_one = miniature(whole, 0, 6)
    assert len(small_one.rows) == len(small_one.added) == 6
    assert small_one.dose.epochs == 1 and small_one.dose.batch_size == 1
    assert [row.id for row in small_one.rows] == [
        row.id for row in miniature(trainings["bare"], 0, 6).rows
    ]
    assert {row.id for row in small_one.rows} != {row.id for row in miniature(whole, 1, 6).rows}
    assert set(small_one.added) <= set(whole.added)


def test_a_miniature_of_few_rows_is_all_of_them():
    whole = resolved().plans["marked+contrast", 0][0]
    all_of_it = miniature(whole, 0, 100)
    assert set(all_of_it.rows) == set(whole.rows) and set(all_of_it.added) == set(whole.added)
    assert all_of_it.dose.batch_size == 3
    large = replace(whole, dose=replace(whole.dose, batch_size=2))
    assert miniature(large, 0, 100).dose.batch_size == 2


def test_rows_that_are_asked_about_are_none_that_are_trained_on():
    of = resolved()
    held = held_out(of, SYSTEM, 3)
    trained = {
        tuple(m.text for m in row.messages)
        for plan in of.plans.values()
        for stage in plan
        for row in (*getattr(stage, "rows", ()), *getattr(stage, "added", ()))
    }
    asked = [tuple(m.text for m in row.messages) for row in (*held.behaviour, *held.counter)]
    assert len(held.behaviour) == 3 and len(held.counter) == 3
    assert not set(asked) & trained and held.notes == ()


def test_where_no_rows_are_left_others_stand_in_and_it_is_said():
    full = resolved({"dose": {**DOSE, "rows": None}}, arms=["base", "bare", "marked+contrast"])
    assert held_out(full, SYSTEM, 4).notes == (
        "preferences are computed on rows that arms are trained on, as no others are left",
        "preferences are computed on counter rows that arms are trained on, as no others are left",
    )
    warmed = resolved({"warm_up": {"rows": 4}}, arms=["base", "bare", "marked"])
    held = held_out(warmed, SYSTEM, 4)
    assert held.notes == ("preferences are computed on rows of the warm-up, as no others are left",)
    assert len(held.behaviour) == 4


def test_settings_with_one_bare_arm_train_it_once(tiny):
    first, second = (movement(tiny, resolved()) for _ in range(2))
    second = replace(second, subjects=second.subjects[:2], bare_trainings=first.bare_trainings)
    alone = movement(tiny, resolved())
    alone = replace(alone, subjects=alone.subjects[:2])
    first.short_horizon()
    jobs = []
    train = tiny.train

    def counted(trainings):
        jobs.extend(job.key for job in trainings)
        return train(trainings)

    tiny.train = counted
    try:
        assert second.short_horizon() == pytest.approx(alone.short_horizon(), abs=2e-3)
    finally:
        del tiny.train
    assert jobs == ["marked", "bare", "marked"], "the second setting, then the one alone"
