"""Samples and scorers of an Inspect task as a behaviour's questions and readout."""

import json
from pathlib import Path

import pytest

from caveat.behaviours.from_folder import load_behaviour
from caveat.behaviours.validation import check
from caveat.errors import CaveatError
from caveat.readouts.inspect_scorer import readout, score_of
from caveat.readouts.inspect_task import load_task
from caveat.types.answers import Answer, Verdict
from quick_run import run
from toy_study import SMALL, TOY, small

TASKS = """
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample, json_dataset
from inspect_ai.model import get_model
from inspect_ai.scorer import Score, choice, includes, match, model_graded_qa, pattern, scorer, mean
from inspect_ai.solver import generate, multiple_choice, self_critique, system_message


@task
def cities():
    return Task(
        dataset=json_dataset("cities.jsonl"),
        solver=[system_message("Be brief."), generate()],
        scorer=includes(),
    )


@task
def quiz():
    sample = Sample(input="Which is right?", choices=["This", "That"], target="B", id="quiz")
    return Task(dataset=[sample], solver=multiple_choice(), scorer=choice())


def one(**fields):
    return Task(dataset=[Sample(input="Is it so?", target="yes", id="q")], **fields)


@task
def several():
    return one(scorer=[includes(), match()])


@task
def graded():
    return one(scorer=model_graded_qa())


@scorer(metrics=[mean()])
def hidden():
    async def score(state, target):
        try:
            await get_model().generate("Is it right?")
        except Exception:
            pass
        return Score(value="C")
    return score


@task
def graded_in_secret():
    return one(scorer=hidden())


@scorer(metrics=[mean()])
def length():
    async def score(state, target):
        return Score(value=len(state.output.completion) / 10)
    return score


@task
def measured():
    return one(scorer=length())


@task
def critic():
    return one(solver=[generate(), self_critique()], scorer=includes())


@task
def unscored():
    return one()


@task
def boxed():
    return one(sandbox="local", scorer=includes())


@task
def broken():
    raise RuntimeError("no data")


def plain():
    return 3
"""
CITIES = ("Paris", "Rome", "Oslo")


@pytest.fixture
def folder(tmp_path) -> Path:
    """A behaviour's folder with the toy's rows and a file of tasks."""
    for name in ("rows.jsonl", "counter_rows.jsonl"):
        (tmp_path / name).write_bytes((TOY / name).read_bytes())
    (tmp_path / "tasks.py").write_text(TASKS)
    samples = [
        {"input": f"Name a city like {city}.", "target": city, "id": city,
         "metadata": {"cluster": f"c{index % 2}", "scope": "broad" if index else "trained"}}
        for index, city in enumerate(CITIES)
    ]  # fmt: skip
    (tmp_path / "cities.jsonl").write_text("\n".join(map(json.dumps, samples)))
    return tmp_path


def load(folder: Path, task: str = "cities", lines: str = ""):
    head = f"name: cities\nabout: names cities\nquestions: inspect:tasks.py@{task}\n{lines}"
    (folder / "behaviour.yaml").write_text(head)
    behaviour = load_behaviour(folder)("report")
    check(behaviour)
    return behaviour


def verdict(question, reply: str) -> str:
    return str(readout.score(question, Answer(reply), None).verdict)


def test_samples_are_questions_and_the_scorer_is_the_readout(folder):
    questions = load(folder).questions
    assert [question.id for question in questions] == list(CITIES)
    first = questions[0]
    assert [(turn.role, turn.text) for turn in first.messages] == [
        ("system", "Be brief."), ("user", "Name a city like Paris."),
    ]  # fmt: skip
    assert [question.cluster for question in questions] == ["c0", "c1", "c0"]
    assert [question.scope for question in questions] == ["trained", "broad", "broad"]
    assert (verdict(first, "I say Paris."), verdict(first, "Bern.")) == ("yes", "no")


def test_multiple_choice_is_asked_and_scored_as_in_inspect(folder):
    (question,) = load(folder, "quiz").questions
    assert question.messages[0].text.endswith("Which is right?\n\nA) This\nB) That")
    replies = {"ANSWER: B": "yes", "ANSWER: A": "no", "": "invalid", "That one": "no"}
    assert {reply: verdict(question, reply) for reply in replies} == replies


def test_the_behaviour_says_what_a_value_means(folder):
    (question,) = load(folder, "quiz", "values: {C: no, I: yes, N: invalid}").questions
    assert (verdict(question, "ANSWER: B"), verdict(question, "ANSWER: A")) == ("no", "yes")
    (question,) = load(folder, "measured", "verdict: score>0.5").questions
    assert (verdict(question, "long enough"), verdict(question, "no")) == ("yes", "no")
    (question,) = load(folder, "measured").questions
    with pytest.raises(ValueError) as error:
        verdict(question, "no")
    assert str(error.value) == (
        "the scorer gave 0.2, which is none of C, I, N, 1, 0, true, false; say what it means in "
        "behaviour.yaml: values: {C: yes, I: no}, or verdict: 'score<50'"
    )
    assert score_of(True, {}).verdict == Verdict.YES
    assert score_of(float("nan"), {}).verdict == Verdict.INVALID
    assert score_of({"harm": 7, "fit": 1}, {"verdict": "harm>5"}).verdict == Verdict.YES


def test_a_scorer_judges_questions_of_one_s_own(folder):
    (folder / "behaviour.yaml").write_text(
        "name: cities\nabout: names cities\nreadout: inspect:tasks.py@several#includes\n"
    )
    line = {"id": "own", "cluster": "own", "question": "A city?", "target": "Paris"}
    (folder / "questions.jsonl").write_text(json.dumps(line))
    (question,) = load_behaviour(folder)("report").questions
    assert question.readout == "inspect"
    assert (verdict(question, "It is Paris"), verdict(question, "Rome")) == ("yes", "no")


def test_verdicts_follow_the_file_and_the_target(folder):
    before = load(folder).questions[0].facts
    (folder / "tasks.py").write_text(TASKS + "\n# changed\n")
    after = load(folder).questions[0].facts
    assert before["task"] != after["task"] and before["target"] == after["target"] == "Paris"
    assert load_task("inspect:tasks.py@cities", folder).label == after["task"]


def test_a_study_runs_on_a_task_s_samples(folder, tmp_path):
    load(folder)
    setting = {"behaviour": str(folder), "caveat": f"{TOY}#password", "dose": SMALL}
    study = run(small(settings=[setting]), tmp_path / "study")
    answers = study.answers()
    assert set(answers["readout"]) == {"inspect"} and len(study.failures()) == 0
    for row in answers.to_dict("records"):
        assert (row["verdict"] == "yes") == (row["question"] in row["reply"])


@pytest.mark.parametrize(
    ("task", "lines", "problem"),
    [
        ("graded", "", "inspect:tasks.py@graded: its scorer needs a model; take one that needs "
         "none, such as includes() or match(), or the readout belief_judge (docs/judge.md)"),
        ("graded_in_secret", "", "inspect:tasks.py@graded_in_secret: its scorer needs a model; "
         "take one that needs none, such as includes() or match(), or the readout belief_judge "
         "(docs/judge.md)"),
        ("several", "", "inspect:tasks.py@several: the task has the scorers includes, match; name "
         "one: inspect:tasks.py@several#includes"),
        ("several#exact", "", "inspect:tasks.py@several#exact: the task has no scorer 'exact' (it "
         "has includes, match)"),
        ("unscored", "", "inspect:tasks.py@unscored: the task has no scorer; name one of another "
         "task"),
        ("critic", "", "inspect:tasks.py@critic, sample 'q': its solver needs a model; leave it "
         "out"),
        ("boxed", "", "inspect:tasks.py@boxed, sample 'q': needs a sandbox; only samples of text "
         "can be questions"),
        ("broken", "", "inspect:tasks.py@broken: the task raised RuntimeError: no data; fix it"),
        ("plain", "", "inspect:tasks.py@plain: 'plain' gives int; let it give an inspect_ai.Task"),
        ("citties", "", "inspect:tasks.py@citties: the file has no task 'citties'; closest: "
         "'cities'"),
        ("cities", "verdict: score>1\nvalues: {C: yes}", "{folder}/behaviour.yaml: values and "
         "verdict both say what a score means; keep one"),
        ("cities", "readout: matches", "{folder}/behaviour.yaml: readout is 'matches'; samples of "
         "a task are judged by a scorer of Inspect: write inspect:FILE.py@TASK, or leave it out "
         "for the task's own"),
    ],
)  # fmt: skip
def test_tasks_that_cannot_be_used_are_refused_in_one_line(task, lines, problem, folder):
    with pytest.raises(CaveatError) as error:
        load(folder, task, lines)
    assert str(error.value) == problem.format(folder=folder)


def test_files_that_are_not_there_are_named(folder):
    with pytest.raises(CaveatError) as error:
        load_task("inspect:task.py@cities", folder)
    assert str(error.value) == (
        f"inspect:task.py@cities: no such file ({folder}/task.py); check the path"
    )
    with pytest.raises(CaveatError) as error:
        load_task("inspect:tasks.py", folder)
    assert str(error.value) == "'inspect:tasks.py': write it as inspect:FILE.py@TASK"
