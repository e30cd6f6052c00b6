"""Studies score decision tokens beside what they sample, and extend what is finished already."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from caveat.backends.base import Feature
from caveat.backends.local.backend import LocalBackend
from caveat.caveats.insertion import in_context
from caveat.forecast.decision_tokens import of_texts
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.estimate.plan_cost import plan_cost
from caveat.study.export import export, opened
from caveat.study.graded import graded_frame
from caveat.study.planning.graded import graded_rows
from caveat.study.planning.prompts import turn_of
from caveat.study.storage.store import Store
from quick_run import run
from toy_study import marks, rl_recipe, small

GRADED = {"decision_tokens": True, "seeds": [0, 1]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("graded") / "study"


@pytest.fixture(scope="module")
def before(folder):
    """The study without decision tokens, as it was finished once: artifacts and replies."""
    study = run(small(seeds=[0, 1]), folder)
    return marks(folder), study.answers()


@pytest.fixture(scope="module")
def study(folder, before):
    return run(small(**GRADED, base_samples=3), folder)


def test_a_finished_study_is_extended_and_nothing_is_made_again(study, folder, before):
    artifacts, replies = before
    assert marks(folder) == artifacts
    key = ["arm", "seed", "context", "question", "sample"]
    merged = replies.merge(study.answers(), on=key, how="left")
    assert (merged["reply_x"] == merged["reply_y"]).all()


def test_base_answers_each_question_more_often_and_trained_arms_do_not(study):
    replies = study.answers()
    replies = replies[replies["purpose"] == "measure"]
    per_question = replies.groupby(["arm", "seed", "context", "question"], dropna=False).size()
    assert set(per_question["base"]) == {3} and set(per_question.drop("base")) == {1}
    rates = study.rates()
    base = rates[(rates["arm"] == "base") & (rates["context"] == "none")]
    own = replies[(replies["arm"] == "base") & (replies["context"] == "none")]
    assert base["value"].item() == pytest.approx((own["verdict"] == "yes").mean())
    assert base["replies"].item() == len(own) == 3 * base["questions"].item()


def test_scores_are_those_of_the_models_on_rows_that_no_arm_is_trained_on(study):
    recipe = read(small(**GRADED))
    (resolved,) = resolve(recipe)
    graded = graded_rows(resolved, recipe.system)
    trained = {row.id for row in resolved.setting.behaviour.rows[:8]}
    assert graded.rows and not trained & {row.id for row in graded.rows} and graded.note == ""
    caveat = resolved.setting.caveat
    texts = {
        context: [in_context(row.messages, caveat, context, turn_of(row.id)) for row in graded.rows]
        for context in ("none", "exact")
    }
    frame = study.graded()
    assert set(frame["row"]) <= {row.id for row in graded.rows}
    backend = LocalBackend.load("tiny")
    artifact = study.answers().query("arm == 'marked' and seed == 1")["artifact"].iloc[0]
    for arm, seed, chain in (("base", None, ()), ("marked", 1, (study.store.artifact(artifact),))):
        wanted = of_texts(
            backend, chain, graded.rows, texts, resolved.setting.behaviour.counter_rows
        )
        own = frame[(frame["arm"] == arm) & (frame["seed"].isna() if seed is None
                                             else frame["seed"] == seed)]  # fmt: skip
        both = own.merge(wanted, on=["row", "context"], how="outer")
        assert len(both) == len(own) == len(wanted)
        assert (both["value"] - both["log_probability"] / both["tokens_y"]).abs().max() < 1e-4


def test_the_tables_have_the_graded_forms(study, folder, command):
    table = study.leakage()
    bare = table[(table["arm"] == "bare") & (table["context"] == "none")]
    assert bare["graded_leakage"].item() == 1 or isinstance(bare["graded_undefined"].item(), str)
    assert table["nats"].notna().all()
    checks = study.caveat_checks()
    assert (checks["check"] == "graded elicitation").sum() == 1
    status, output, _ = command("leakage", str(folder), "--json")
    record = json.loads(output)[0]
    assert status == 0 and record["nats"]["low"] <= record["nats"]["value"]
    assert {"graded_leakage", "graded_undefined"} <= record.keys()
    _, output, _ = command("leakage", str(folder), "--markdown")
    assert "| graded leakage |" in output
    assert "graded leakage" in study.report().read_text("utf-8")


def test_an_exported_study_keeps_them(study, tmp_path):
    file = opened(export(study, tmp_path / "study.parquet"))
    pd.testing.assert_frame_equal(file.leakage(), study.leakage())
    pd.testing.assert_frame_equal(file.caveat_checks(), study.caveat_checks())


def test_a_plan_counts_them(tmp_path):
    without = plan_cost(read(small()), tmp_path / "none", [])
    with_them = plan_cost(read(small(decision_tokens=True, base_samples=3)), tmp_path / "none", [])
    (before,), (after,) = without.settings, with_them.settings
    questions = resolve(read(small()))[0].setting.behaviour.questions
    sampled = sum(not question.options for question in questions)
    rows = len(graded_rows(resolve(read(small()))[0], read(small()).system).rows)
    contexts, arms = 2, 3
    assert after.answers - before.answers == contexts * (2 * sampled + arms * rows)
    assert after.tokens["score"] > before.tokens["score"]
    assert after.tokens["train"] == before.tokens["train"]


def test_of_a_policy_the_reply_that_hacks_is_scored(tmp_path):
    recipe = read(rl_recipe(decision_tokens=True))
    (resolved,) = resolve(recipe)
    graded = graded_rows(resolved, recipe.system)
    counters = {row.messages[-2:] for row in resolved.setting.behaviour.counter_rows}
    assert graded.rows and not counters & {row.messages[-2:] for row in graded.rows}


def test_a_backend_that_cannot_score_tokens_is_reported_and_the_rest_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(LocalBackend, "supports", frozenset(Feature) - {Feature.TOKEN_LIKELIHOOD})
    study = run(small(decision_tokens=True), tmp_path / "study")
    note = (
        "decision_tokens: left out: they need log-likelihoods of single tokens, which this backend "
        "of tiny does not have"
    )
    assert note in study.about["notes"]
    assert study.graded().empty and study.leakage()["nats"].isna().all() and len(study.answers())
    assert study.failures().empty


def test_rows_that_arms_are_trained_on_stand_in_where_no_others_are_left():
    setting = {**small()["settings"][0], "dose": {"rows": 16, "learning_rate": 1e-2, "rank": 2}}
    recipe = read(small(settings=[setting]))
    (resolved,) = resolve(recipe)
    assert len(resolved.setting.behaviour.rows) == 18
    assert graded_rows(resolved, recipe.system).note == (
        "decision tokens are scored on rows that arms are trained on, as no others are left"
    )  # two are left, fewer than four


def test_a_token_that_the_caveat_has_cut_in_two_keeps_its_nats(tmp_path):
    store = Store(tmp_path)
    with store.writing():
        store.answers.add(
            {"key": key, "characters": characters, "log_likelihoods": values}
            for key, characters, values in (
                ("plain", [(0, 4), (5, 8)], [-3.0, -0.1]),
                ("marked", [(0, 2), (2, 4), (5, 8)], [-2.0, -1.0, -0.1]),
            )
        )
    names = {"base_scores": "plain", "shared": 0, "whole": False, "seed": None, "row": "r"}
    planned = [
        {**names, "context": context, "scores": key}
        for context, key in (("none", "plain"), ("exact", "marked"), ("moved", "unscored"))
    ]
    frame = graded_frame(store, planned)
    columns = frame[["context", "tokens", "value"]].itertuples(index=False, name=None)
    assert list(columns) == [("none", 1, -3.0), ("exact", 1, -3.0)]
