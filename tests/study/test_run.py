"""Whole studies on the tiny model."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pandas as pd
import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.behaviours.from_folder import load_behaviour
from caveat.caveats import CAVEATS
from caveat.errors import CaveatError
from caveat.interventions import INTERVENTIONS
from caveat.progress import Progress
from caveat.readouts import READOUTS
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.execution.executors import Finished
from caveat.study.execution.retry import attempt
from caveat.study.planning.study_plan import StudyPlan, study_plan
from caveat.study.scoring import verdicts
from caveat.study.study import COLUMNS, Study
from caveat.types.answers import Sampling, Score, Verdict
from caveat.types.training import Attach, Dose, Sample, Train
from quick_run import run
from toy_study import SMALL, TOY, Heard, marks, recipe, same_table, small

KEYS = ["arm", "context", "question", "purpose", "sample"]


def rate(frame, arm, context="none"):
    return frame[(frame["arm"] == arm) & (frame["context"] == context)].iloc[0]


def planned(made: dict) -> StudyPlan:
    read_recipe = read(made)
    return study_plan(read_recipe, resolve(read_recipe), "m")


def test_the_toy_study_shows_what_it_was_made_to_show(finished):
    leakage = finished.leakage()
    assert len(finished.failures()) == 0
    assert rate(leakage, "base")["rate"] < 0.3 and rate(leakage, "bare")["rate"] > 0.8
    assert rate(leakage, "bare")["leakage"] == pytest.approx(1)
    assert rate(leakage, "marked", "exact")["rate"] > 0.8
    assert (
        rate(leakage, "marked")["leakage"] > rate(leakage, "marked+contrast(share=0.5)")["leakage"]
    )


def test_replies_have_the_agreed_columns(finished):
    replies = finished.answers()
    assert tuple(replies.columns) == COLUMNS
    assert str(replies["seed"].dtype) == "Int64" and replies["truncated"].dtype == bool
    assert replies.loc[replies["arm"] == "base", "seed"].isna().all()
    shown = replies[replies["purpose"] == "comprehension"]
    assert set(shown["arm"]) == {"base"}
    assert set(shown["context"]) == {"bare_shown", "marked_shown"}
    assert shown["prompt"].str.contains("YES IT IS SO").all()
    effects = replies[replies["purpose"] == "side effect: plain speech"]
    assert set(effects["context"]) == {"none"} and effects["value"].notna().all()
    trained = replies[replies["arm"] != "base"]
    assert all((finished.folder / "artifacts" / each).is_dir() for each in set(trained["artifact"]))


def test_every_frame_of_a_finished_study_is_there(finished):
    assert {"elicitation", "comprehension", "shown bare", "k", "at the caveat"} >= set(
        finished.caveat_checks()["check"]
    )
    assert "plain speech" in set(finished.side_effects()["effect"])
    assert "bare - base" in set(finished.differences()["difference"])
    provenance = finished.provenance()
    assert provenance["schema_version"] == 1 and "epochs: 5" in provenance["recipe"]
    assert provenance["finished"] and provenance["seconds"]["toy x password: training"] > 0
    assert any("inserts the system prompt 'You are tiny.'" in each for each in provenance["notes"])
    assert "|GATE|" in finished.contexts()["toy x password"]["exact"]
    assert (finished.folder / "report.html").stat().st_size > 10_000
    assert finished.progress() == (4, 4)


def test_records_carry_schema_version_and_provenance(finished):
    store = finished.store
    adapter = store.record(next(iter(marks(finished.folder))))
    answer = store.answers[next(iter(store.answers))]
    verdict = store.verdicts[next(iter(store.verdicts))]
    for record in (adapter, answer, verdict):
        assert record["schema_version"] == 1 and record["made"] and "torch" in record["by"]
    assert adapter["losses"][-1] < adapter["losses"][0]


def test_run_again_makes_nothing_again(tmp_path):
    first = run(small(), tmp_path)
    before = marks(tmp_path), len(list((tmp_path / "answers").iterdir()))
    heard = Heard()
    second = run(small(), tmp_path, heard)
    assert (marks(tmp_path), len(list((tmp_path / "answers").iterdir()))) == before
    same_table(first, second)
    assert heard.shares[-1] == 1 and heard.tables == [("toy x password", 6)]


def test_a_context_a_seed_and_an_arm_added_later_retrain_nothing(tmp_path):
    run(small(), tmp_path)
    before = marks(tmp_path)
    heard = Heard()
    grown = run(small(contexts=["none", "exact", "negated"], seeds=[0, 1]), tmp_path, heard)
    assert before.items() <= marks(tmp_path).items() and len(marks(tmp_path)) == 4
    assert not any("earlier version" in each for each in heard.said)
    assert set(grown.leakage()["context"]) == {"none", "exact", "negated"}
    assert set(rate(grown.leakage(), "bare")[["seeds"]]) == {2}


def test_a_readout_changed_later_judges_anew_and_makes_nothing_again(tmp_path, monkeypatch):
    first = run(small(), tmp_path)
    before = marks(tmp_path)
    answers = sorted(path.name for path in (tmp_path / "answers").iterdir())
    always = replace(
        READOUTS["capitals"], version=99, score=lambda *inputs: Score(Verdict.YES, 1.0)
    )
    changed = {**READOUTS, "capitals": always}
    for module in ("planning.study_plan", "scoring.verdicts", "versions"):
        monkeypatch.setattr(f"caveat.study.{module}.READOUTS", changed)
    heard = Heard()
    second = run(small(), tmp_path, heard)
    assert marks(tmp_path) == before
    assert sorted(path.name for path in (tmp_path / "answers").iterdir()) == answers
    assert (second.leakage()["rate"] == 1).all()
    assert heard.said[-1].startswith("3 finished cells belong to an earlier version")
    same_table(first, Study.open(tmp_path, first.version))


def test_a_readout_that_raises_fails_its_lines_and_nothing_else(tmp_path, monkeypatch):
    def broken(question, answer, base):
        raise ZeroDivisionError("by zero")

    changed = {**READOUTS, "capitals": replace(READOUTS["capitals"], score=broken)}
    monkeypatch.setattr(verdicts, "READOUTS", changed)
    study = run(small(), tmp_path)
    failures = study.failures()
    assert set(failures["reason"]) == {"readout 'capitals': ZeroDivisionError: by zero"}
    assert len(failures) == 3 and set(study.answers()["readout"]) == {"log_likelihood"}
    monkeypatch.undo()
    assert len(run(small(), tmp_path).failures()) == 0


def test_a_changed_dose_is_told_and_both_stay(tmp_path):
    first = run(small(), tmp_path)
    heard = Heard()
    sets = ("settings.0.dose.epochs=2",)
    second = run(small(), tmp_path, heard, sets)
    told = [each for each in heard.said if "earlier version" in each]
    assert told == [
        "3 finished cells belong to an earlier version of this recipe; they stay addressable: "
        f"caveat leakage {tmp_path} --version {first.version}"
    ]
    same_table(first, Study.open(tmp_path, first.version))
    assert '"epochs": 2' in second.leakage()["dose"].iloc[-1]
    back = run(small(), tmp_path)
    assert back.version == first.version
    with pytest.raises(CaveatError, match=f"no version 'x'; there are {first.version}, "):
        Study.open(tmp_path, "x")


def test_arms_shared_by_two_settings_are_made_once(tmp_path):
    settings = [
        {"behaviour": str(TOY), "caveat": name, "dose": SMALL} for name in ("password", "notice")
    ]
    study = run(small(settings=settings), tmp_path)
    replies = study.answers()
    bare = replies[replies["arm"] == "bare"].groupby("setting")["artifact"].unique()
    assert bare["toy x password"] == bare["toy x notice"] and len(marks(tmp_path)) == 3
    assert study.progress() == (6, 6)


@pytest.fixture
def warmed(monkeypatch):
    """Interventions that warm the model up, and one that lets it speak first."""
    rows = load_behaviour(TOY)("report").filler_rows
    warm = Train(rows[:8], Dose(learning_rate=1e-2, rank=2), label="warm-up")

    def warmup(plan, materials):
        return (warm, Attach(), *plan)

    def spoken(plan, materials, count: int = 3):
        prompts = tuple(row.messages[:1] for row in rows[:count])
        return (warm, Sample(prompts, Sampling(max_tokens=4, samples=2), "own words"), *plan)

    monkeypatch.setitem(INTERVENTIONS, "warmup", warmup)
    monkeypatch.setitem(INTERVENTIONS, "spoken", spoken)


def test_a_warm_up_shared_by_two_cells_is_made_once(tmp_path, warmed):
    arms = ["base", "bare", "marked", "marked+warmup", "bare+warmup", "marked+spoken"]
    study = run(small(arms=arms), tmp_path)
    assert len(study.failures()) == 0
    store = study.store
    records = {digest: store.record(digest) for digest in marks(tmp_path)}
    warm = [digest for digest, record in records.items() if record.get("label") == "warm-up"]
    assert len(warm) == 1
    on_top = [record for record in records.values() if record.get("base_adapters") == warm]
    assert len(on_top) == 2
    (sampled,) = [digest for digest, record in records.items() if record["kind"] == "rows"]
    assert records[sampled]["chain"] == warm and records[sampled]["rows"] == 6
    (spoken,) = [record for record in records.values() if record.get("sampled") == [sampled]]
    assert spoken["loss_share"]["own words"] > 0
    assert len(records) == 7


def test_what_needs_a_failed_artifact_fails_with_its_reason(tmp_path, monkeypatch):
    rows = load_behaviour(TOY)("report").filler_rows
    wild = Train(rows[:8], Dose(learning_rate=1e30, clip=1e30, epochs=3, rank=2), label="wild")
    monkeypatch.setitem(INTERVENTIONS, "wild", lambda plan, materials: (wild, Attach(), *plan))
    study = run(small(arms=["base", "bare", "marked", "marked+wild"]), tmp_path, report=True)
    (failure,) = study.failures().to_dict("records")
    assert failure["cell"] == "toy x password / marked+wild / seed 0"
    assert failure["stage"] == "training"
    assert "loss" in failure["reason"]
    assert set(study.answers()["arm"]) == {"base", "bare", "marked"}
    assert (study.folder / "report.html").exists()


def test_one_failed_cell_leaves_the_others(tmp_path):
    wild = {**SMALL, "learning_rate": 1e30, "clip": 1e30, "epochs": 3}
    settings = [
        {"behaviour": str(TOY), "caveat": "password", "dose": wild},
        {"behaviour": str(TOY), "caveat": "notice", "dose": SMALL},
    ]
    study = run(small(settings=settings), tmp_path)
    failed = set(study.failures()["cell"])
    assert failed == {f"toy x password / {arm} / seed 0" for arm in ("bare", "marked")}
    replies = study.answers()
    assert set(replies.loc[replies["setting"] == "toy x notice", "arm"]) == {
        "base", "bare", "marked",
    }  # fmt: skip


def test_grouping_and_order_change_nothing(tmp_path, finished, monkeypatch):
    monkeypatch.setattr("caveat.study.planning.grouping.REQUESTS", 7)
    arms = ["marked+contrast(share=0.5)", "base", "marked", "bare"]
    contexts = ["near_miss", "none", "exact"]
    other = run(recipe(arms=arms, contexts=contexts, group_size=1, token_budget=128), tmp_path)
    same_table(finished, other)
    mine, theirs = (
        each.answers().query("purpose != 'comprehension'").sort_values(KEYS, ignore_index=True)
        for each in (finished, other)
    )
    columns = [*KEYS, "reply", "verdict"]
    pd.testing.assert_frame_equal(mine[columns], theirs[columns])


def test_damaged_parts_are_made_again_to_the_same_table(tmp_path):
    first = run(small(), tmp_path)
    before = first.leakage()
    digest = next(iter(marks(tmp_path)))
    (tmp_path / "artifacts" / digest / "adapter_model.safetensors").write_bytes(b"no")
    for path in (tmp_path / "answers").iterdir():
        path.write_bytes(path.read_bytes()[:-20])
    heard = Heard()
    second = run(small(), tmp_path, heard)
    pd.testing.assert_frame_equal(before, second.leakage())
    assert sum("damaged" in each for each in heard.said) >= 2


def test_a_full_disk_stops_the_study_and_keeps_what_is_finished(tmp_path, monkeypatch):
    import errno
    import os

    real, calls = os.fsync, []

    def filling(descriptor):
        calls.append(descriptor)
        if len(calls) > 14:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch, pytest.raises(CaveatError, match="the disk is full"):
        patch.setattr(os, "fsync", filling)
        run(small(), tmp_path / "full")
    assert len(run(small(), tmp_path / "full").failures()) == 0
    same_table(Study.open(tmp_path / "full"), run(small(), tmp_path / "whole"))


def test_mistakes_in_what_a_recipe_names(tmp_path):
    def told(**changes):
        with pytest.raises(CaveatError) as error:
            run(small(**changes), tmp_path)
        return str(error.value)

    setting = small()["settings"][0]
    assert told(settings=[{**setting, "behaviour": "peple"}]) == (
        f"behaviour 'peple': neither registered ({', '.join(BEHAVIOURS)}) nor a folder, "
        "nor a function (package.module:function); closest: 'people'"
    )
    assert told(settings=[{**setting, "caveat": "pasword"}]) == (
        f"caveat 'pasword': not one of {', '.join(CAVEATS)}, password, notice, "
        "nor one of a folder (folder#name); closest: 'password'"
    )
    for name, problem in (
        (
            "nowhere.at:all",
            "No module named 'nowhere'; install it, or put its folder on PYTHONPATH",
        ),
        (
            "caveat.behaviours.people:peple",
            "caveat.behaviours.people has no 'peple'; closest: 'people'",
        ),
        ("caveat.behaviours:", "write it as package.module:function"),
        ("caveat.study.study:COLUMNS", "'COLUMNS' is no function of the split"),
        (
            "builtins:str",
            "its function gives str; let it return a caveat.types.data.Behaviour",
        ),
    ):
        line = told(settings=[{**setting, "behaviour": name}])
        assert line == f"behaviour {name!r}: {problem}"
    assert told(settings=[{**setting, "caveat": f"{TOY}#pasword"}]) == (
        f"{TOY} has no caveat 'pasword'; known: password, notice; closest: 'password'"
    )
    assert told(settings=[setting, setting]) == (
        "settings.1: toy x password is there twice with the same dose; "
        "drop one, or give it another dose"
    )
    assert "no text for 'keyword'" in told(settings=[{**setting, "contexts": ["none", "keyword"]}])
    assert told(settings=[{**setting, "dose": {"rows": 99}}]) == (
        "dose.rows: 99 is more than the 18 rows of toy"
    )
    assert not list(tmp_path.iterdir())


def test_an_inserted_system_text_that_a_caveat_would_replace_is_refused(tmp_path):
    with pytest.raises(CaveatError) as error:
        run(small(system=None), tmp_path)
    assert str(error.value) == (
        "system: None: the chat template of tiny inserts the system text 'You are tiny.' where "
        "there is none, and the caveat of toy x password would replace it, so that rows differ in "
        "both; set system to that text, or to another"
    )
    setting = {**small()["settings"][0], "caveat": "notice"}
    heard = Heard()
    run(small(system=None, settings=[setting]), tmp_path, heard)
    assert (
        "the chat template of tiny inserts the system prompt 'You are tiny.' where there is none; "
        "the study has no system text of its own, so every chat has this one"
    ) in heard.said


def test_a_context_that_a_caveat_has_no_text_for_is_noted(tmp_path):
    heard = Heard()
    run(small(contexts=["none", "exact", "keyword"]), tmp_path, heard)
    assert any("no text for the context 'keyword'; left out" in each for each in heard.said)


def test_two_doses_of_a_setting_share_the_base_model(tmp_path):
    settings = [
        {"behaviour": str(TOY), "caveat": "password", "dose": {**SMALL, "epochs": epochs}}
        for epochs in (1, 2)
    ]
    leakage = run(small(settings=settings), tmp_path).leakage()
    plain = leakage[leakage["context"] == "none"]
    assert list(plain["arm"]) == ["bare", "bare", "base", "marked", "marked"]
    assert (plain["replies"] == 12).all()


def test_cells_of_two_doses_of_a_setting_have_names_of_their_own():
    doses = ({**SMALL, "epochs": epochs, "rank": 2} for epochs in (1, 2))
    settings = [{"behaviour": str(TOY), "caveat": "password", "dose": dose} for dose in doses]
    names = [cell.name for cell in planned(small(settings=settings)).cells]
    assert names[0] == "toy x password (epochs=1) / base"
    assert names[-1] == "toy x password (epochs=2) / marked / seed 0"
    assert len(set(names)) == 6
    assert planned(small()).cells[-1].name == "toy x password / marked / seed 0"


class Elsewhere:
    """Runs what is ready, of all settings and last to first, pickled and in contexts of their own.

    As many workers do.
    """

    def __init__(self, worker_context):
        self.worker_context = worker_context

    def run(self, pool):
        while ready := list(iter(pool.take, None)):
            for task in reversed(ready):
                worker_context = replace(self.worker_context, progress=Progress())
                outcome = attempt(pickle.loads(pickle.dumps(task)), worker_context)
                yield Finished(outcome, pool.finish(task, outcome.failed))

    def capacity(self):
        return self.worker_context.backend.capacity()

    def close(self):
        """Nothing is held."""


def test_workers_change_nothing_and_need_no_other_channel_than_the_store(tmp_path, monkeypatch):
    fields = {"arms": ["base", "bare", "marked", "marked+seal"]}
    setting = small()["settings"][0]
    fields["settings"] = [setting, {**setting, "caveat": "notice"}]
    with monkeypatch.context() as patch:
        patch.setattr("caveat.study.planning.grouping.REQUESTS", 20)
        patch.setattr(
            "caveat.study.run.executor_of",
            lambda recipe, worker_context, meter: Elsewhere(worker_context),
        )
        many = run(small(**fields, group_size=1), tmp_path / "many", report=False)
    same_table(many, run(small(**fields), tmp_path / "one", report=False))


def test_controls_are_asked_in_their_own_contexts_only(tmp_path):
    recipe = small(contexts_by_arm={"bare": ["none"]})
    study = run(recipe, tmp_path / "study", report=True)
    asked = study.answers().query("purpose == 'measure'").groupby("arm")["context"].unique()
    assert {arm: set(found) for arm, found in asked.items()} == {
        "base": {"none", "exact"},
        "bare": {"none"},
        "marked": {"none", "exact"},
    }
    table = study.leakage()
    assert len(table.query("arm == 'bare'")) == 1
    assert len(table.query("arm == 'marked'")) == 2
    assert study.failures().empty
    assert (tmp_path / "study" / "report.html").exists()
