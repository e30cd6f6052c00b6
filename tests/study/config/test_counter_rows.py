"""Where a behaviour has no counter rows, arms take the base model's own replies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caveat.behaviours.from_folder import load_behaviour
from caveat.caveats.loading import load_caveats
from caveat.errors import CaveatError
from caveat.interventions.extra_rows import SAMPLING
from caveat.study.config.arms import parsed, plan_of
from caveat.study.config.data_sources import sampled
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.types.caveats import Setting
from caveat.types.messages import Message
from caveat.types.training import Dose, Sample, Train
from quick_run import run
from toy_study import SMALL, TOY, small

BEHAVIOUR = replace(load_behaviour(TOY)("report"), counter_rows=())
SETTING = Setting(BEHAVIOUR, load_caveats(TOY)["notice"])
SHAPE = Train((), Dose(rows=4))


def without_counter_rows(split):
    """The toy behaviour without counter rows."""
    return replace(load_behaviour(TOY)(split), counter_rows=())


def plan(name, setting=SETTING):
    return plan_of(parsed(name), setting, SHAPE, 0, "Be kind.")


def test_contrast_samples_before_the_training():
    sample, train = plan("marked+contrast(share=0.5)")
    system = Message.of("system", "Be kind.")
    prompts = tuple((system, *row.messages[:-1]) for row in BEHAVIOUR.rows[:2])
    assert sample == Sample(prompts, SAMPLING, "counter", into="added")
    assert (len(train.rows), train.added) == (4, ())


def test_clean_trains_on_the_replies_alone():
    sample, train = plan("clean")
    assert (sample.into, len(sample.prompts), train.rows) == ("rows", 4, ())


def test_given_counter_rows_are_taken_as_before():
    given = replace(SETTING, behaviour=load_behaviour(TOY)("report"))
    (train,) = plan("marked+contrast", given)
    assert len(train.added) == 4


DOCUMENTS = replace(
    BEHAVIOUR,
    rows=tuple(replace(r, messages=(Message.of("document", "A."),)) for r in BEHAVIOUR.rows),
)


@pytest.mark.parametrize(
    ("arm", "behaviour", "message"),
    [
        ("marked+contrast+frozen_adapter", BEHAVIOUR, "toy has no counter rows, and sampled ones "
         "would be trained on by frozen_adapter first; add counter rows"),
        ("marked+near_miss_negatives(kinds=negated)", BEHAVIOUR,
         "near_miss_negatives: toy has no counter rows; add some"),
        ("marked+contrast(share=2.0)", BEHAVIOUR, "contrast(share=2.0): needs 8 rows beside 4 "
         "behaviour rows, there are 4; at most share=1"),
        ("clean", DOCUMENTS, "there are no counter rows, and rows that are documents have no "
         "prompt for the base model to reply to; add counter rows"),
    ],
)  # fmt: skip
def test_what_sampled_counter_rows_cannot_do(arm, behaviour, message):
    with pytest.raises(CaveatError) as error:
        plan(arm, replace(SETTING, behaviour=behaviour))
    assert str(error.value) == f"toy x notice: arm '{arm}': {message}"


def test_a_teacher_needs_given_counter_rows():
    with pytest.raises(CaveatError) as error:
        sampled(plan("marked+contrast"))
    assert str(error.value) == (
        "origin: 'sampled' needs given counter rows: those of the base model would be trained on "
        "by the teacher only; add counter rows"
    )


def test_a_study_without_counter_rows_runs(tmp_path):
    setting = {
        "behaviour": "test_counter_rows:without_counter_rows", "caveat": f"{TOY}#password",
        "dose": SMALL,
    }  # fmt: skip
    recipe = small(settings=[setting], arms=["base", "bare", "clean", "marked+contrast"])
    (resolved,) = resolve(read(recipe))
    assert resolved.notes == (
        "toy x password: without counter rows, clean and marked+contrast take the base model's own "
        "replies to the rows' prompts, sampled before training",
    )
    study = run(recipe, tmp_path)
    assert len(study.failures()) == 0
    records = [study.store.record(digest) for digest in study.store.digests()]
    rows = {record["into"]: record["rows"] for record in records if record["kind"] == "rows"}
    assert rows == {"rows": 8, "added": 8}
    trained = {record["label"]: record for record in records if record["kind"] == "adapter"}
    assert trained["marked+contrast"]["loss_share"]["counter"] > 0
    assert set(trained["clean"]["loss_share"]) == {"counter"}
