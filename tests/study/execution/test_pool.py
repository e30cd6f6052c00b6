"""The graph of tasks: what may start, what can no longer be made, and the order in one process."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.execution.jobs import Task
from caveat.study.execution.pool import TaskPool
from caveat.study.execution.tasks import inputs, needs, steps
from caveat.study.planning.grouping import Grouping
from caveat.study.planning.study_plan import StudyPlan, study_plan
from caveat.study.storage.store import Store
from quick_run import run
from toy_study import SMALL, TOY, Heard, small

SETTINGS = [
    {"behaviour": str(TOY), "caveat": "password", "dose": {**SMALL, "epochs": epochs}}
    for epochs in (1, 2, 3)
]


@cache
def planned() -> StudyPlan:
    """Three settings with chains: `seal` trains on top of an adapter, `anchor` on sampled rows."""
    recipe = read(
        small(
            arms=["base", "bare", "marked", "marked+seal", "marked+anchor"],
            seeds=[0, 1],
            settings=SETTINGS,
        )
    )
    return study_plan(recipe, resolve(recipe), "m", Grouping(lambda dose: 2))


def tasks() -> list[Task]:
    return [task for setting in planned().settings for _, stage in steps(setting) for task in stage]


def ancestors() -> dict[str, set[str]]:
    """Per node and answer, all that it is made from, over all generations."""
    above: dict[str, set[str]] = {}
    for cell in planned().cells:
        for node in cell.nodes:
            direct = set(inputs(node))
            above[node.digest] = direct.union(*(above[digest] for digest in direct))
    for setting in planned().settings:
        for group in setting.requests:
            for request in group:
                direct = set(request.chain)
                above[request.key] = direct.union(*(above[digest] for digest in direct))
    return above


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_number_of_workers_makes_all_that_does_not_need_what_failed(tmp_path_factory, data):
    """Tasks end in any order, and some parts of them fail."""
    above = ancestors()
    fails = data.draw(st.sets(st.sampled_from(sorted(above)), max_size=4))
    workers = data.draw(st.integers(1, 5))
    pool = TaskPool(tasks(), Store(tmp_path_factory.getbasetemp() / "none"))
    assert pool.keys == above.keys() and pool.dropped == set()
    made, failed, over, running = set(), set(), set(), []
    while True:
        while len(running) < workers and (task := pool.take()) is not None:
            assert needs(task) <= made
            running.append(task)
        if not running:
            break
        task = running.pop(data.draw(st.integers(0, len(running) - 1)))
        lost = fails & set(task.keys)
        made |= set(task.keys) - lost
        failed |= lost
        finished = pool.finish(task, lost)
        assert set(task.keys) <= finished and not finished & over
        over |= finished
    assert over == above.keys()
    assert made == {key for key in above if key not in fails and not above[key] & fails}
    assert failed == {key for key in fails if not above[key] & fails}


def test_tasks_of_any_setting_may_start_at_once_and_one_by_one_they_keep_their_order(tmp_path):
    store = Store(tmp_path)
    first_levels = [task for task in tasks() if not needs(task)]
    pool = TaskPool(tasks(), store)
    at_once = []
    while (task := pool.take()) is not None:
        at_once.append(task)
    assert at_once == first_levels
    assert len(at_once) == 3 * 2 + 1  # four adapters by two, and the rows that all settings share
    pool, order = TaskPool(tasks(), store), []
    while (task := pool.take()) is not None:
        order.append(task)
        pool.finish(task)
    assert order == tasks()


def test_what_cannot_be_made_from_the_start_is_dropped(tmp_path):
    """As answers of arms whose training failed before they were put into a pool."""
    answers = [task for setting in planned().settings for task in list(steps(setting))[-1][1]]
    pool = TaskPool(answers, Store(tmp_path))
    above = ancestors()
    assert pool.dropped == {key for task in answers for key in task.keys if above[key]}
    assert {key for task in pool.left for key in task.keys if key not in pool.dropped} == {
        key for task in answers for key in task.keys if not above[key]
    }


class Log(Heard):
    """Stages and tables in one list."""

    def table(self, setting, frame):
        self.stages.append(f"table of {setting}")


def test_in_one_process_settings_are_made_and_reported_one_by_one(tmp_path):
    recipe = small(
        settings=[{**SETTINGS[0], "caveat": name} for name in ("password", "notice")],
        arms=["base", "bare", "marked", "marked+seal"],
        contexts=["none"],
    )
    log = Log()
    run(recipe, tmp_path, log)
    names = ("toy x password", "toy x notice")
    assert log.stages == [
        "loading tiny",
        *(
            f"{name}: {stage}" if stage else f"table of {name}"
            for name in names
            for stage in ("training", "training", "answers", "verdicts", "")
        ),
    ]
