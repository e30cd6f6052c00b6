"""Plans of several stages, sampled rows, kept rows and random adapters, from recipe to table."""

from __future__ import annotations

import json

from quick_run import run
from toy_study import small

ARMS = [
    "base",
    "bare",
    "marked",
    "marked+anchor(share=0.5)",
    "marked+kl_to_base",
    "marked+seal",
    "marked+frozen_adapter",
    "marked+frozen_adapter(knows=random)",
    "marked+continued(on=bare)",
]


def records(folder):
    paths = sorted(folder.glob("artifacts/*/record.json"))
    return {path.parent.name: json.loads(path.read_text()) for path in paths}


def test_every_kind_of_stage_is_made_once_and_kept(tmp_path):
    study = run(small(arms=ARMS), tmp_path)
    assert list(study.failures()["reason"]) == []
    assert set(study.leakage()["arm"]) == set(ARMS)
    made = records(tmp_path)
    kinds = [record["kind"] for record in made.values()]
    assert (kinds.count("rows"), kinds.count("random adapter")) == (1, 1)
    # bare, marked, anchor, KL, the second stages of seal and continued, upon a frozen, a random one
    assert kinds.count("adapter") == 8
    bare = next(key for key, record in made.items() if record.get("label") == "bare")
    random = next(record for record in made.values() if record["kind"] == "random adapter")
    assert random["trained"] == bare
    upon = [
        tuple(record["base_adapters"]) for record in made.values() if record.get("base_adapters")
    ]
    assert len(upon) == 4 and (bare,) in upon
    assert [record["kl_rows"] for record in made.values() if record.get("kl_rows")] == [
        record["rows"] for record in made.values() if record.get("kl_rows")
    ]
    run(small(arms=ARMS), tmp_path)
    assert records(tmp_path) == made


def test_an_arm_is_not_asked_in_what_it_was_trained_on(tmp_path):
    arms = ["base", "bare", "marked", "marked+near_miss_negatives(kinds=near_miss)"]
    study = run(small(arms=arms, contexts=["none", "exact", "near_miss"]), tmp_path)
    asked = study.answers().groupby("arm")["context"].unique().map(set)
    assert asked["marked"] == {"none", "exact", "near_miss"}
    assert asked[arms[-1]] == {"none", "exact"}


def test_a_control_whose_rows_are_those_of_bare_is_not_trained_again(tmp_path):
    arms = ["base", "bare", "marked", "marked+repeat", "bare+repeat", "bare+place(where=user)"]
    run(small(arms=arms), tmp_path)
    labels = sorted(record["label"] for record in records(tmp_path).values())
    assert labels == ["bare", "marked", "marked+repeat"]
