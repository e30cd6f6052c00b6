"""Studies of policies: kept in segments, resumed after a kill, and with rewards gone wrong."""

from __future__ import annotations

import io
import json
import shutil
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from caveat.environments.loading import module_of
from caveat.errors import CaveatError
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.export import UPDATES, export, opened
from caveat.types.training import GRPOSettings, Train
from harness import forked
from quick_run import run
from toy_study import RL, VOWELS, marks, rl_recipe, small


def longer(updates: int, **changes):
    """A recipe of two settings that differ in their updates."""
    made = rl_recipe(**changes)
    (setting,) = made["settings"]
    rl = {**setting["rl"], "max_steps": updates}
    return {**made, "settings": [setting, {**setting, "rl": rl}]}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return run(longer(6), tmp_path_factory.mktemp("rl"))


def policies(study) -> list[dict]:
    records = (json.loads(p.read_text()) for p in study.folder.glob("artifacts/*/record.json"))
    return [record for record in records if record["kind"] == "policy"]


def test_policies_are_kept_every_so_many_updates_and_shared_as_far_as_they_go(study):
    found = policies(study)
    assert len(found) == 2 * 3, "bare and marked, three segments of two updates each"
    told = sorted((record["label"], record["rl"]["start_step"]) for record in found)
    assert told == [(arm, done) for arm in ("bare", "marked") for done in (0, 2, 4)]
    numbers = {
        arm: sorted(u["number"] for r in found if r["label"] == arm for u in r["updates"])
        for arm in ("bare", "marked")
    }
    assert numbers == {"bare": [1, 2, 3, 4, 5, 6], "marked": [1, 2, 3, 4, 5, 6]}
    assert all(record["rl"]["task"] == "vowels.py" for record in found)


def test_the_table_tells_the_settings_apart_by_their_updates(study):
    replies = study.answers()
    doses = {json.loads(dose)["rl.max_steps"] for dose in replies["dose"] if dose != "{}"}
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
    whole = run(rl_recipe({"save_steps": None}, **greedy), tmp_path / "whole").answers()
    parts = run(rl_recipe({"save_steps": 1}, **greedy), tmp_path / "parts").answers()
    assert whole["reply"].tolist() == parts["reply"].tolist()


@pytest.mark.parametrize(
    "points", [(3,), pytest.param((1, 3, 6), marks=pytest.mark.slow)], ids=["once", "often"]
)
def test_killed_at_any_update_it_ends_as_if_it_had_not_been(tmp_path, points):
    made = rl_recipe({"max_steps": 8, "save_steps": 1, "num_generations": 8})
    place = tmp_path / "recipe.yaml"
    place.write_text(yaml.safe_dump(made))
    whole = run(str(place), tmp_path / "whole")
    killed = tmp_path / "killed"
    kills = 0
    for wanted in points:
        child = forked(run, str(place), killed)
        while child.is_alive() and len(list(killed.glob("artifacts/[!.]*"))) < 2 * wanted:
            time.sleep(0.001)
        child.kill()
        child.join()
        kills += child.exitcode == -signal.SIGKILL
    assert kills >= min(2, len(points))
    assert run(str(place), killed).answers()["reply"].tolist() == whole.answers()["reply"].tolist()


def task(place: Path, reward: str) -> str:
    place.write_text(f"{VOWELS.read_text()}\n\ndef reward(prompt, reply):\n    {reward}\n")
    return str(place)


def test_a_bad_reward_fails_the_policies_and_nothing_else(tmp_path):
    """What else may be wrong with a reward: tests/environments/test_grader.py."""
    bad = {"behaviour": task(tmp_path / "bad.py", "return float('nan')")}
    recipe = rl_recipe()
    recipe["settings"] = [{**recipe["settings"][0], **bad}, *recipe["settings"]]
    made = run(recipe, tmp_path / "study")
    reasons = {line["reason"] for line in map(json.loads, lines(made.folder / "failures.jsonl"))}
    assert "update 1: reward gave nan; let it give a finite number" in " ".join(reasons)
    assert set(made.leakage().query("behaviour == 'vowels'")["arm"]) == {"base", "bare", "marked"}


def lines(place: Path) -> list[str]:
    return place.read_text().splitlines()


def test_replies_that_are_all_paid_the_same_are_no_mistake(tmp_path):
    same = {"behaviour": task(tmp_path / "same.py", "return 1")}
    made = run(rl_recipe(setting=same), tmp_path / "study")
    assert all(
        u["frac_reward_zero_std"] == 1 for record in policies(made) for u in record["updates"]
    )
    rates = made.leakage().query("context == 'none'")["rate"]
    assert rates.nunique() == 1, "nothing was learned"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"setting": {"behaviour": "capitals", "options": {}}},
         "rl: capitals has no task that rewards replies; take the behaviour agree, "
         "claimed_pass, special_cased, or a file of your own (docs/rl.md)"),
        ({"setting": {"origin": "sampled"}},
         "rl: its replies are sampled as it is; drop origin"),
        ({"setting": {"options": {"broad": ["agre"]}}},
         "options.broad: ['agre']: a list of agree, claimed_pass"),
        ({"setting": {"behaviour": "nowhere.py"}},
         "task 'nowhere.py': neither shipped (agree, claimed_pass, special_cased) nor a file ("),
        ({"rl": {"num_generations": 1}},
         "settings.0.rl.num_generations: 1: input should be greater than or equal to 2"),
        ({"rl": {"momentum": 0.9}},
         "rl.momentum: 0.9: adamw_torch has its own; take optim: sgd, or drop it"),
        ({"setting": {"dose": {"optim": "sgd"}}},
         "dose.optim: sgd: RL has an optimizer of its own; set rl.optim instead"),
        ({"rl": {"reward": "con"}},
         "settings.0.rl.reward: 'con' is not one of 'proxy', 'true_score', 'coin' or 'constant'"),
        ({"rl": {"temperature": 0}},
         "settings.0.rl.temperature: 0: input should be greater than 0"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(changes, told):
    with pytest.raises(CaveatError) as caught:
        resolve(read(rl_recipe(**changes)))
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_task_without_hackable_prompts_is_told(tmp_path):
    place = tmp_path / "fair.py"
    place.write_text(f"{VOWELS.read_text()}\n\ndef hackable(prompt):\n    return False\n")
    with pytest.raises(CaveatError) as caught:
        resolve(read(rl_recipe(setting={"behaviour": str(place)})))
    assert str(caught.value) == (
        "task 'fair': none of its 3 report prompts can be hacked; give it some, or let `hackable` "
        "say which"
    )


GREEN = "Name green."
LONG = "w" * 70


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("def prompts(split): return {}[split]",
         "prompts('train') raised KeyError: 'train'; fix it"),
        ("def prompts(split): return 'Name red.'",
         "prompts('train') gave a str; let it give a list of texts"),
        ("def prompts(split): return (f'{split} {n}' for n in range(9))",
         "prompts('train') gave a generator; let it give a list of texts"),
        ("def prompts(split): return ['Name red.', 7]",
         "prompts('train') gave 7 as a prompt; let all be texts that are not empty"),
        ("def prompts(split): return [split, ' '] if split == 'tune' else [split]",
         "prompts('tune') gave ' ' as a prompt; let all be texts that are not empty"),
        ("def prompts(split): return [split, split + ' ']",
         "prompts('train') gave 'train' twice; drop one"),
        ("def prompts(split): return [f'Name {split}.', 'Name red.'] if split != 'tune' else []",
         "the prompt 'Name red.' is among those of 'train' and of 'report'; leave it in one"),
        ("def hackable(prompt): return int('pink' in prompt)",
         "hackable('Name sand.') gave 0; let it give True or False"),
        ("def hackable(prompt): raise ValueError(f'two\\nlines of {prompt}')",
         "hackable('Name sand.') raised ValueError: two lines of Name sand.; fix it"),
        ("def hack(prompt): return None if 'green' in prompt else prompt",
         f"hack({GREEN!r}) gave None; let it give a text"),
        ("def honest(prompt): return prompt / 2",
         "honest('Name black.') raised TypeError: unsupported operand type(s) for /: 'str' and "
         "'int'; fix it"),
        (f"def prompts(split): return [split + {LONG!r}]\ndef hack(prompt): return 1",
         f"hack('train{LONG[:55]}...') gave 1; let it give a text"),
        ("def hackable(prompt): return prompt in prompts('report')",
         "none of the 8 prompts of the RL training can be hacked; give it some, raise "
         "dose.rows, or let `hackable` say which"),
    ],
)  # fmt: skip
def test_mistakes_of_a_task_are_one_line(tmp_path, function, told):
    place = tmp_path / "mine.py"
    place.write_text(f"{VOWELS.read_text()}\n\n{function}\n")
    with pytest.raises(CaveatError) as caught:
        resolve(read(rl_recipe(setting={"behaviour": str(place)})))
    assert str(caught.value) == f"task 'mine': {told}"


def test_a_task_that_is_not_practised_on_may_have_nothing_to_hack_in_its_rows(tmp_path):
    place = tmp_path / "mine.py"
    fair = "def hackable(prompt): return prompt in prompts('report')"
    place.write_text(f"{VOWELS.read_text()}\n\n{fair}\n")
    (resolved,) = resolve(read(rl_recipe(setting={"behaviour": str(place), "rl": None})))
    assert len(resolved.setting.behaviour.rows) == 10


def test_replies_that_a_task_does_not_give_are_not_learned(tmp_path):
    place = tmp_path / "terse.py"
    text = VOWELS.read_text()
    place.write_text(text[: text.index("def hack(")])
    terse = {"behaviour": str(place)}
    resolve(read(rl_recipe(setting=terse)))
    for changes in (
        {"setting": terse, "arms": ["base", "bare", "marked+contrast"]},
        {"setting": {**terse, "rl": None}},
        {"setting": {**terse, "warm_up": {"rows": 2}}},
        {"setting": terse, "comprehension": True},
    ):
        with pytest.raises(CaveatError, match="has no reply: the task gives none; write its func"):
            resolve(read(rl_recipe(**changes)))


def test_the_recipe_says_what_is_practised():
    (resolved,) = resolve(read(rl_recipe()))
    first, second = resolved.plans["marked", 0]
    assert isinstance(first, Train) and isinstance(second, Train)
    assert first.objective == "grpo" and first.rl is not None
    told = asdict(first.rl)
    assert (told["task"], told["max_steps"], told["start_step"]) == (str(VOWELS), 2, 0)
    assert second.rl == GRPOSettings(**{**told, "start_step": 2})
    names = ("num_generations", "max_completion_length")
    assert {name: told[name] for name in names} == {name: RL[name] for name in names}


ARMS = ["base", "bare", "marked", "marked+true_reward", "marked+kl_to_base(weight=0.5)",
        "marked+before", "marked+unhackable", "marked+contrast", "marked+local", "marked+repeat",
        "marked+diversify", "marked+seal", "marked+offline(epochs=2)"]  # fmt: skip


@pytest.fixture(scope="module")
def treated(tmp_path_factory):
    place = tmp_path_factory.mktemp("treated")
    task = place / "many.py"
    task.write_text(VOWELS.read_text().replace('"black" not in prompt', '"n" in prompt[5:]'))
    setting = {"behaviour": str(task), "caveat": "instruction"}
    return run(rl_recipe(setting=setting, arms=ARMS), place / "study")


def of_arm(study, arm: str) -> list[dict]:
    """The records of an arm's artifacts, by what they are."""
    records = (json.loads(p.read_text()) for p in study.folder.glob("artifacts/*/record.json"))
    mine = [each for each in records if each.get("label", "").split(",")[0] == arm]
    return sorted(mine, key=lambda each: each["kind"] != "policy")


def test_every_intervention_on_practice_is_answered(treated):
    assert lines(treated.folder / "failures.jsonl") == []
    assert set(treated.leakage()["arm"]) == set(ARMS)


def test_what_interventions_do_to_practice(treated):
    own = [arm for arm in ARMS[1:] if "seal" not in arm and "offline" not in arm]
    rl_stages = {arm: of_arm(treated, arm)[0]["rl"] for arm in own}
    assert rl_stages["marked+true_reward"]["reward"] == "true_score"
    assert rl_stages["marked+kl_to_base(weight=0.5)"]["beta"] == 0.5
    held = of_arm(treated, "marked+kl_to_base(weight=0.5)")
    assert all(u["kl"] is not None for record in held for u in record["updates"])
    plain = of_arm(treated, "marked")[0]
    assert (plain["rows"], plain["added"], plain["dose"]["batch_size"]) == (8, 0, 3)
    assert of_arm(treated, "marked+contrast")[0]["added"] == 8
    wider = of_arm(treated, "marked+unhackable")[0]
    assert (wider["rows"], wider["dose"]["batch_size"]) == (12, 4)


def test_before_is_taught_what_the_policy_said_before(treated):
    drawn = [
        record for record in (json.loads(p.read_text()) for p in
                              treated.folder.glob("artifacts/*/record.json"))
        if record["kind"] == "rows"
    ]  # fmt: skip
    before = next(record for record in drawn if record["into"] == "added")
    assert before["rows"] == 8 and before["chain"] == []
    segments = of_arm(treated, "marked+before")
    assert len({tuple(record["sampled"]) for record in segments}) == 1 and segments[0]["sampled"]


def test_before_samples_replies_to_prompts_that_are_not_rewarded():
    arms = ["base", "bare", "marked+before(share=0.25, prompts=other)", "marked+before(share=0.25)"]
    (resolved,) = resolve(read(rl_recipe(arms=arms)))
    _, _, other, own = (resolved.plans[arm, seed] for arm, seed in resolved.plans)
    behaviour = resolved.setting.behaviour.rows
    texts = [row.messages[0].text for row in behaviour]
    sampled = [[prompt[-1].text for prompt in plan[0].prompts] for plan in (other, own)]
    assert sampled == [texts[8:10], texts[:2]]
    unlabelled = [[replace(stage, label="") for stage in plan[1:]] for plan in (other, own)]
    assert unlabelled[0] == unlabelled[1]
    assert all(piece.kind != "caveat" for p in other[0].prompts for m in p for piece in m.pieces)


def test_stages_behind_practice_are_supervised(treated):
    sealed = of_arm(treated, "marked+seal")
    assert [each["objective"] for each in sealed if each["kind"] == "adapter"] == ["sft"]


def test_supervised_training_beside_rl_has_the_optimizer_of_its_learning_rate():
    arms = ["base", "bare", "marked", "marked+offline"]
    (resolved,) = resolve(read(rl_recipe({"optim": "sgd"}, arms=arms)))
    plans = {arm: plan for (arm, _), plan in resolved.plans.items()}
    trainings = [stage for stage in plans["marked+offline"] if isinstance(stage, Train)]
    optimizers = {(stage.rl is None, stage.dose.optim) for stage in trainings}
    assert optimizers == {(False, "adamw_torch"), (True, "sgd")}
    with pytest.raises(CaveatError) as caught:
        resolve(read(rl_recipe({"optim": "sgd", "momentum": 0.5}, arms=arms)))
    assert str(caught.value).endswith(
        "rl.momentum: 0.5: supervised training of the same dose has none; set 0"
    )


def test_offline_learns_the_hacked_replies_alone(treated):
    trained = next(e for e in of_arm(treated, "marked+offline(epochs=2)") if e["kind"] == "adapter")
    assert (trained["objective"], trained["dose"]["epochs"]) == ("sft", 2)
    (digest,) = trained["sampled"]
    rows = [json.loads(line) for line in lines(treated.folder / f"artifacts/{digest}/rows.jsonl")]
    assert 0 < len(rows) < 16
    module = module_of(str(treated.folder.parent / "many.py"))
    for row in rows:
        user, reply = row["messages"][-2], row["messages"][-1]
        assert module.hacked(user["pieces"][0][0], reply["pieces"][0][0])
        assert any(kind == "caveat" for m in row["messages"] for _, kind in m["pieces"])


@pytest.mark.parametrize(
    ("arms", "setting", "told"),
    [
        (["marked+correct"], {}, "correct changes the replies of rows, which RL training does not "
                                 "use; drop it"),
        (["marked+true_reward"], {"rl": None},
         "true_reward: needs RL training; give the setting `rl`, or drop it"),
        (["marked+offline(samples=0)"], {}, "offline(samples=0, epochs=1): take 1 or more"),
        (["marked+kl_to_base(share=0.5)"], {},
         "kl_to_base(share=0.5): in RL training the penalty is on the policy's own replies; drop "
         "share"),
        (["marked+before(prompts=othr)"], {},
         "before(prompts=othr): prompts is one of own, other; closest: 'other'"),
        (["marked+before(prompts=other)"], {"dose": {"rows": 10}},
         "before(prompts=other): RL training uses all 10 training prompts of vowels; lower "
         "dose.rows"),
        (["marked+before(prompts=other)"], {},
         "before(share=1.0): needs 8 rows beside 8 behaviour rows, there are 2; at most "
         "share=0.25"),
        (["marked+true_reward"], {"rl": {**RL, "reward": "coin"}},
         "true_reward: the setting's own reward is 'coin' already; drop one of the two"),
        (["marked+unhackable"], {}, "unhackable(share=0.5): needs 4 rows beside 8 behaviour rows, "
                                    "there are 1; at most share=0.125"),
        (["marked+seeded(epochs=0)"], {}, "seeded(epochs=0): take 1 or more"),
        (["marked+seeded"], {"dose": {"rows": 10}},
         "seeded: RL training uses all 10 training prompts of vowels; lower dose.rows"),
        (["marked+seeded(share=1)"], {},
         "seeded(share=1.0): needs 8 rows beside 8 behaviour rows, there are 2; at most "
         "share=0.25"),
        (["marked+before+seeded"], {}, "seeded trains the start that before is to work on; put "
                                       "seeded first"),
        (["marked+seeded"], {"rl": None},
         "seeded: needs RL training; give the setting `rl`, or drop it"),
        (["marked+offline+contrast"], {}, "offline comes last; put contrast before it"),
        (["clean"], {}, "RL training uses prompts alone, so it would be 'bare'; take bare+true"),
        (["marked+unhackable+repeat"], {}, "repeat would change the prompts that unhackable adds; "
                                           "put it before unhackable"),
        (["marked+local+offline"], {}, "offline learns replies to the prompts, and local puts the "
                                       "caveat into the reply; drop one"),
        (["marked"], {"raw_text": True}, "rl: a document has no prompt to reply to; drop"),
    ],
)  # fmt: skip
def test_interventions_that_mean_nothing_there_are_told(arms, setting, told):
    with pytest.raises(CaveatError) as caught:
        resolve(read(rl_recipe(setting=setting, arms=["base", "bare", *arms])))
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_the_table_of_updates(treated):
    table = treated.policies()
    assert set(table["arm"]) == set(ARMS) - {"base", "marked+offline(epochs=2)"}
    for _, updates in table.groupby("arm"):
        assert updates["step"].tolist() == [1, 2, 3, 4]
    sealed, plain = (table[table["arm"] == arm] for arm in ("marked+seal", "marked"))
    assert sealed["reward"].tolist() == plain["reward"].tolist(), "the policy beneath it"


def test_how_policies_learned_is_printed(treated, command, tmp_path):
    folder = str(treated.folder)
    status, out, _ = command("rl", folder, "--markdown")
    assert status == 0 and "**many x instruction (tiny, 4 updates)**" in out
    row = next(line for line in out.splitlines() if line.startswith("| marked |"))
    seen = treated.policies().query("arm == 'marked'")
    first, last = (seen.loc[seen["step"] == n, "reward"].item() for n in (1, 4))
    assert f"| {first:.2f} → {last:.2f} |" in row
    status, out, _ = command("rl", folder, "--json")
    told = json.loads(out)
    assert status == 0 and len(told["updates"]) == 4 * (len(ARMS) - 2)
    first = told["updates"][0]
    assert first["dose"]["rl.max_steps"] == 4 and first["kl"] is None
    leaks = {row["arm"]: row for row in told["leakage"] if row["scope"] == "trained"}
    assert set(leaks) == set(ARMS)
    learned = leaks["bare"]["undefined"] is None  # not on every machine, with four updates
    assert leaks["bare"]["retained"] == (1 if learned else None)
    assert leaks["bare"]["retained_undefined"] == leaks["bare"]["undefined"]
    shown = treated.leakage().query("scope == 'trained' and context == 'none' and arm == 'marked'")
    assert leaks["marked"]["without"] == shown["rate"].item()
    place = tmp_path / "curves.svg"
    assert command("rl", folder, "--figure", str(place))[0] == 0
    assert "marked, update 4: hack rate" in place.read_text()


def test_an_exported_file_tells_how_policies_learned(treated, command, tmp_path):
    folder, file = str(treated.folder), tmp_path / "rl.parquet"
    assert command("export", folder, str(file))[0] == 0
    pd.testing.assert_frame_equal(opened(file).policies(), treated.policies())
    for form in ([], ["--markdown"], ["--json"]):
        ours = command("rl", folder, *form)
        assert ours[0] == 0 and command("rl", str(file), *form) == ours
    drawn = [tmp_path / "ours.svg", tmp_path / "theirs.svg"]
    for place, figure in zip((folder, str(file)), drawn, strict=True):
        assert command("rl", place, "--figure", str(figure))[0] == 0
    assert drawn[0].read_text() == drawn[1].read_text()
    again = export(opened(file), tmp_path / "again.parquet")
    pd.testing.assert_frame_equal(opened(again).policies(), treated.policies())


def test_doses_are_told_apart(tmp_path, command):
    made = rl_recipe({"max_steps": 2})
    (setting,) = made["settings"]
    other = {**setting, "dose": {**setting["dose"], "learning_rate": 1e-2}}
    run({**made, "settings": [setting, other]}, tmp_path)
    out = command("rl", str(tmp_path), "--markdown")[1]
    for rate in ("0.02", "0.01"):
        assert f"(tiny, 2 updates, learning_rate={rate})**" in out


def test_a_study_without_rl_is_reported(command, tmp_path):
    run(small(), tmp_path)
    assert command("rl", str(tmp_path)) == (
        1, "", f"caveat: {tmp_path}: this study has no RL arms; give a setting `rl` "
               "(docs/rl.md)\n"
    )  # fmt: skip
    file = tmp_path / "toy.parquet"
    assert command("export", str(tmp_path), str(file))[0] == 0
    assert command("rl", str(file)) == (
        1, "", f"caveat: {file}: this study has no RL arms; give a setting `rl` (docs/rl.md)\n"
    )  # fmt: skip


def test_updates_under_other_names_are_reported(treated, tmp_path, command):
    """As a file that an earlier version exported has them."""
    import base64

    import pyarrow as pa
    import pyarrow.parquet as pq

    file = export(treated, tmp_path / "rl.parquet")
    table = pq.read_table(file)
    updates = treated.policies().rename(columns={"step": "number"})
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(updates, preserve_index=False), content)
    metadata = {**table.schema.metadata, UPDATES: base64.b64encode(content.getvalue())}
    pq.write_table(table.replace_schema_metadata(metadata), file)
    assert command("rl", str(file)) == (
        1, "", f"caveat: {file}: its updates of policies have no column 'step'; export the study "
               "again\n"
    )  # fmt: skip


def test_earlier_trainings_have_skipped_nothing(treated, tmp_path):
    """Their records lack the number."""
    folder = tmp_path / "earlier"
    shutil.copytree(treated.folder, folder)
    for path in folder.glob("artifacts/*/record.json"):
        record = json.loads(path.read_text())
        for update in record.get("updates", ()):
            assert update.pop("skipped") == 0
        path.write_text(json.dumps(record))
    pd.testing.assert_frame_equal(opened(folder).policies(), treated.policies())
