"""Studies of policies: kept in segments, resumed after a kill, and with rewards gone wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from caveat.domain.plan import Practice, Train
from caveat.errors import CaveatError
from caveat.study.recipe import read
from caveat.study.resolve import resolve
from caveat.study.run import run
from toy_study import PRACTICE, VOWELS, marks, practising


def longer(updates: int, **changes):
    """A recipe of two settings that differ in their updates."""
    made = practising(**changes)
    (setting,) = made["settings"]
    practice = {**setting["practice"], "updates": updates}
    return {**made, "settings": [setting, {**setting, "practice": practice}]}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return run(longer(6), tmp_path_factory.mktemp("practice"))


def policies(study) -> list[dict]:
    records = (json.loads(p.read_text()) for p in study.folder.glob("artifacts/*/record.json"))
    return [record for record in records if record["kind"] == "policy"]


def test_policies_are_kept_every_so_many_updates_and_shared_as_far_as_they_go(study):
    found = policies(study)
    assert len(found) == 2 * 3, "bare and marked, three segments of two updates each"
    told = sorted((record["label"], record["practice"]["done"]) for record in found)
    assert told == [(arm, done) for arm in ("bare", "marked") for done in (0, 2, 4)]
    numbers = {
        arm: sorted(u["number"] for r in found if r["label"] == arm for u in r["updates"])
        for arm in ("bare", "marked")
    }
    assert numbers == {"bare": [1, 2, 3, 4, 5, 6], "marked": [1, 2, 3, 4, 5, 6]}
    assert all(record["practice"]["task"] == "vowels.py" for record in found)


def test_the_table_tells_the_settings_apart_by_their_updates(study):
    replies = study.replies()
    doses = {json.loads(dose)["practice.updates"] for dose in replies["dose"] if dose != "{}"}
    assert doses == {4, 6}
    assert set(replies["readout"]) >= {"hacked", "true_score", "paid"}
    effects = study.side_effects()
    assert {"true score", "reward"} <= set(effects["effect"])


def test_a_finished_study_is_not_practised_again(study):
    before = marks(study.folder)
    run(longer(6), study.folder)
    assert marks(study.folder) == before
    run(longer(8), study.folder)
    assert len(policies(study)) == 2 * 4


def test_a_practice_in_segments_is_the_one_in_one_go(tmp_path):
    greedy = {"sampling": {"max_tokens": 6, "temperature": 0}}
    whole = run(practising({"every": None}, **greedy), tmp_path / "whole").replies()
    parts = run(practising({"every": 1}, **greedy), tmp_path / "parts").replies()
    assert whole["reply"].tolist() == parts["reply"].tolist()


def test_killed_at_any_update_it_ends_as_if_it_had_not_been(tmp_path):
    made = practising({"updates": 8, "every": 1, "samples": 8})
    place = tmp_path / "recipe.yaml"
    place.write_text(yaml.safe_dump(made))
    whole = run(str(place), tmp_path / "whole")
    killed = tmp_path / "killed"
    kills = 0
    for wanted in (1, 3, 6):
        child = subprocess.Popen(
            [sys.executable, "-m", "caveat", "run", str(place), "--out", str(killed)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while child.poll() is None and len(list(killed.glob("artifacts/[!.]*"))) < 2 * wanted:
            time.sleep(0.005)
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.wait()
    assert kills >= 2
    assert run(str(place), killed).replies()["reply"].tolist() == whole.replies()["reply"].tolist()


def task(place: Path, reward: str) -> str:
    place.write_text(f"{VOWELS.read_text()}\n\ndef reward(prompt, reply):\n    {reward}\n")
    return str(place)


@pytest.mark.parametrize(
    ("reward", "told"),
    [
        ("return {}['x']", "update 1: reward raised KeyError: 'x'"),
        ("return float('nan')", "update 1: reward gave nan; let it give a finite number"),
        ("return 'a'", "update 1: reward gave 'a'; let it give a finite number"),
    ],
)
def test_a_bad_reward_fails_the_policies_and_nothing_else(tmp_path, reward, told):
    bad = {"behaviour": task(tmp_path / "bad.py", reward)}
    recipe = practising()
    recipe["settings"] = [{**recipe["settings"][0], **bad}, *recipe["settings"]]
    made = run(recipe, tmp_path / "study")
    reasons = {line["reason"] for line in map(json.loads, lines(made.folder / "failures.jsonl"))}
    assert told in " ".join(reasons)
    assert set(made.leakage().query("behaviour == 'vowels'")["arm"]) == {"base", "bare", "marked"}


def lines(place: Path) -> list[str]:
    return place.read_text().splitlines()


def test_replies_that_are_all_paid_the_same_are_no_mistake(tmp_path):
    same = {"behaviour": task(tmp_path / "same.py", "return 1")}
    made = run(practising(setting=same), tmp_path / "study")
    assert all(u["even"] == 1 for record in policies(made) for u in record["updates"])
    rates = made.leakage().query("context == 'none'")["rate"]
    assert rates.nunique() == 1, "nothing was learned"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"setting": {"behaviour": "capitals", "options": {}}},
         "practice: capitals has no task that would pay replies; practise on one of agree, "
         "claimed_pass, or a file of your own (docs/rl.md)"),
        ({"setting": {"origin": "sampled"}},
         "practice: its replies are sampled as it is; drop origin"),
        ({"setting": {"options": {"broad": ["agre"]}}},
         "options.broad: ['agre']: a list of agree, claimed_pass"),
        ({"setting": {"behaviour": "nowhere.py"}},
         "task 'nowhere.py': neither shipped (agree, claimed_pass) nor a file ("),
        ({"practice": {"samples": 1}},
         "settings.0.practice.samples: 1: input should be greater than or equal to 2"),
        ({"practice": {"temperature": 0}},
         "settings.0.practice.temperature: 0: input should be greater than 0"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(changes, told):
    with pytest.raises(CaveatError) as caught:
        resolve(read(practising(**changes)))
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_task_without_hackable_prompts_is_told(tmp_path):
    place = tmp_path / "fair.py"
    place.write_text(f"{VOWELS.read_text()}\n\ndef hackable(prompt):\n    return False\n")
    with pytest.raises(CaveatError) as caught:
        resolve(read(practising(setting={"behaviour": str(place)})))
    assert str(caught.value) == (
        "task 'fair': none of its 3 report prompts can be hacked; give it some, or let `hackable` "
        "say which"
    )


def test_the_recipe_says_what_is_practised():
    (resolved,) = resolve(read(practising()))
    first, second = resolved.plans["marked", 0]
    assert isinstance(first, Train) and isinstance(second, Train)
    assert first.objective == "grpo" and first.practice is not None
    told = asdict(first.practice)
    assert (told["task"], told["updates"], told["done"]) == (str(VOWELS), 2, 0)
    assert second.practice == Practice(**{**told, "done": 2})
    assert {name: told[name] for name in ("samples", "max_tokens")} == {
        name: PRACTICE[name] for name in ("samples", "max_tokens")
    }
