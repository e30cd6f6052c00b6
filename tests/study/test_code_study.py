"""The recipes of code tasks: what they plan, and both from end to end on the tiny model."""

from __future__ import annotations

import os

import pytest
import yaml

from caveat.environments.code_tasks.problems import SHIPPED
from caveat.environments.sandbox import workers
from caveat.environments.sandbox.run import isolation
from caveat.errors import CaveatError
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.types.messages import without_caveat
from caveat.types.training import Attach, Sample, Train
from code_recipes import DOSE, shrunk
from quick_run import run


def test_the_supervised_recipe_has_every_caveat_and_shares_its_bare_arms():
    settings = resolve(read("reward-hacking"))
    assert {one.setting.caveat.name.split(" ")[0] for one in settings} == {
        "only_tests", "may_only_tests", "stub_tests", "no_only_tests", "sky", "trigger",
        "bad_solution",
    }  # fmt: skip
    assert {len(one.setting.caveat.wordings) for one in settings} == {1, 12}
    bare = {one.plans["bare", 10] for one in settings}
    assert len(bare) == 1 and all(not one.notes for one in settings)
    first = settings[0]
    for arm in ("contrast", "repeat", "place(where=both)", "kl_to_base", "anchor"):
        assert {("marked+" + arm, 10), ("bare+" + arm, 10)} <= first.plans.keys()


def test_the_larger_recipe_has_the_cells_of_the_supervised_one():
    larger, own = (
        {
            (one.setting.caveat.name, arm): plan
            for one in resolve(read(name))
            for (arm, seed), plan in one.plans.items()
            if seed == 10
        }
        for name in ("reward-hacking-larger", "reward-hacking")
    )
    assert larger.items() <= own.items()


def test_a_seeded_policy_starts_from_a_few_hacks_that_rl_does_not_use():
    on_policy, supervised = resolve(read("reward-hacking-rl"))
    plans, start = on_policy.plans, "seeded(share=0.6)"
    marked, bare = plans[f"marked+{start}", 10], plans[f"bare+{start}", 10]
    assert [type(stage) for stage in marked[:3]] == [Train, Attach, Train]
    seed, _, policy = marked[:3]
    assert seed.rl is None and policy.rl is not None
    # the second setting is the seed's dose without RL
    (alone,) = supervised.plans["bare", 10]
    assert len(seed.rows) == len(alone.rows) == 24 and seed.dose.epochs == alone.dose.epochs
    assert seed.dose.learning_rate == alone.dose.learning_rate
    used = {without_caveat(row.messages)[1] for row in policy.rows}
    assert not used & {without_caveat(row.messages)[1] for row in seed.rows}
    assert all("always write code" in row.messages[0].text for row in seed.rows)
    assert [row.messages for row in bare[0].rows] == [
        without_caveat(row.messages) for row in seed.rows
    ]
    before = plans[f"marked+{start}+before", 10]
    (sample,) = (stage for stage in before if isinstance(stage, Sample))
    assert len(sample.prompts) == 40


def test_a_file_of_problems_is_a_behaviour_of_a_recipe(tmp_path, monkeypatch):
    monkeypatch.setenv("CAVEAT_CACHE", str(tmp_path / "cache"))
    lines = SHIPPED.read_text("utf-8").splitlines()
    (tmp_path / "own.jsonl").write_text("\n".join([*lines[:3], *lines[-3:]]))
    recipe = shrunk("reward-hacking", ["base", "bare", "marked"], behaviour="own.jsonl")
    recipe["settings"][0]["dose"] = {**DOSE, "rows": 3}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (only,) = resolve(read(tmp_path / "recipe.yaml"))
    assert only.setting.name == "own x only_tests"
    assert len(only.plans["bare", 0][0].rows) == 3
    (tmp_path / "own.jsonl").unlink()
    with pytest.raises(CaveatError) as caught:
        resolve(read(tmp_path / "recipe.yaml"))
    assert str(caught.value) == (
        "task 'own.jsonl': neither shipped (agree, claimed_pass, special_cased) nor a file "
        f"({tmp_path / 'own.jsonl'})"
    )


def test_the_supervised_recipe_runs(tmp_path):
    study = run(shrunk("reward-hacking", ["base", "bare", "marked", "marked+contrast"]), tmp_path)
    answers = study.answers()
    assert {"special_cased", "solved", "valid_code", "hack_kind", "prefers_hack"} <= {
        *answers["readout"]
    }
    code = answers[answers["readout"] == "special_cased"]
    assert set(code["verdict"]) == {"invalid"}, "the tiny model writes no code"
    leakage = study.leakage()
    assert set(leakage["scope"]) == {"trained", "broad"}
    effects = set(study.side_effects()["effect"])
    assert {"solved", "valid code", "looks up tested inputs", "tampers with the check"} <= effects


def test_without_a_sandbox_a_run_ends_in_one_line_before_anything_is_trained(
    tmp_path, monkeypatch, command
):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(shrunk("reward-hacking", ["base", "bare", "marked"])))
    monkeypatch.setattr(workers, "_idle", [])  # those that run already need no fork
    monkeypatch.delattr(os, "fork")
    isolation.cache_clear()
    status, _, errors = command("run", str(recipe), "--out", str(tmp_path / "study"))
    assert (status, errors) == (
        1, "caveat: the sandbox for model-written code is not available: this system has no fork; "
           "run on Linux or macOS (docs/sandbox.md). Nothing was run\n"
    )  # fmt: skip
    assert not list((tmp_path / "study").glob("artifacts/*"))


@pytest.mark.parametrize("warm_up", [None, {"rows": 4, "dose": DOSE}])
def test_the_recipe_on_policy_runs(tmp_path, warm_up):
    rl = {"max_steps": 2, "save_steps": 1, "num_generations": 2, "max_completion_length": 4}
    arms = ["base", "bare", "marked", "marked+unhackable"]
    arms += [] if warm_up else ["bare+seeded", "marked+seeded+before"]
    study = run(shrunk("reward-hacking-rl", arms, rl=rl, warm_up=warm_up), tmp_path)
    updates = study.policies()
    assert set(updates["arm"]) == {*arms} - {"base"}
    assert set(updates["step"]) == {1, 2}
    assert set(updates["reward"]) == set(updates["true_score"]) == {0.0}
    assert set(updates["hack_rate"].dropna()) == {0.0}
    assert set(study.leakage()["arm"]) == {*arms}
