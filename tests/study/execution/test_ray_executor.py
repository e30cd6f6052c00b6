"""A study on a real cluster of several nodes, of which one is killed, or the user's own process.

`make test-slow` runs it where Ray is installed (make install-ray).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from caveat.errors import CaveatError
from quick_run import run
from toy_study import SMALL, TOY, Heard, marks, same_table, small

pytest.importorskip("ray", reason="Ray is not installed: make install-ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("ray"),
    pytest.mark.filterwarnings("ignore"),
]

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
SETTING = {"behaviour": str(TOY), "caveat": "password", "dose": {**SMALL, "epochs": 40}}
STUDY = small(seeds=[0, 1, 2], group_size=1, settings=[SETTING])
"""Six tasks of training, one after the other on a node, each of some seconds."""
DRIVER = """
from quick_run import run

run({study!r}, {folder!r}, executor="ray")
"""


@pytest.fixture(scope="module")
def cluster():
    """A head that only conducts, and two nodes of one core."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        made = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
        for _ in range(2):
            made.add_node(**NODE)
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The same study in this process."""
    return run(STUDY, tmp_path_factory.mktemp("local"))


def published(folder: Path) -> dict[str, tuple[int, int]]:
    """Without what is still being written."""
    return {name: mark for name, mark in marks(folder).items() if not name.startswith(".")}


def wait_for(folder: Path, artifacts: int) -> None:
    """Until so many artifacts are published."""
    end = time.monotonic() + 400
    while len(published(folder)) < artifacts:
        assert time.monotonic() < end, "nothing was published in time"
        time.sleep(0.05)


def assert_whole(study, local) -> None:
    """The table of the local executor; every part published once, and nothing half written."""
    assert study.failures().empty
    same_table(study, local)
    assert marks(study.folder).keys() == marks(local.folder).keys()
    lines = [
        line
        for chunk in (study.folder / "answers").iterdir()
        for line in chunk.read_text("utf-8").splitlines()[:-1]
    ]
    assert len(lines) == len(list(study.store.answers)) == len(list(local.store.answers))
    assert not list(study.folder.rglob("*.part"))


def test_a_node_killed_while_it_trains_changes_nothing(cluster, local, tmp_path):
    victim = cluster.add_node(**NODE)
    before = {}

    def kill():
        wait_for(tmp_path, 1)
        before.update(published(tmp_path))
        cluster.remove_node(victim, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    heard = Heard()
    study = run(STUDY, tmp_path, heard, executor="ray")
    killer.join()
    assert sum("died; its task is given to another" in each for each in heard.said) == 1
    assert study.failures().empty
    same_table(study, local)
    assert before and before.items() <= marks(tmp_path).items()
    made = published(tmp_path)
    assert_whole(run(STUDY, tmp_path), local)  # which sweeps up what the node was writing
    assert published(tmp_path) == made
    assert heard.shares[-1] == 1 and any(0 < share < 1 for share in heard.shares)


def test_the_own_process_killed_and_started_again_goes_on(cluster, local, tmp_path):
    code = DRIVER.format(study=STUDY, folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code]) as driver:
        wait_for(tmp_path, 1)
        driver.send_signal(signal.SIGKILL)
    before = published(tmp_path)
    assert 0 < len(before) < 6
    study = run(STUDY, tmp_path, executor="ray")
    assert before.items() <= marks(tmp_path).items()
    assert_whole(study, local)


def processes(title: str) -> set[int]:
    """Ray names a worker's process after what it runs, such as `ray::Worker.attempt`."""
    return {
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and title in process.info["cmdline"][0]
    }


def at_work() -> set[int]:
    """Processes of workers that are at a job."""
    return processes("ray::Worker.attempt")


def kill_worker(already: set[int]) -> None:
    """Kill a worker of the cluster that is at a job, and was not killed before."""
    end = time.monotonic() + 400
    while time.monotonic() < end:
        for pid in at_work() - already:
            already.add(pid)
            return psutil.Process(pid).kill()
        time.sleep(0.05)
    raise AssertionError("no worker came to work in time")


SETTINGS = [
    {**SETTING, "dose": {**SETTING["dose"], "learning_rate": rate}} for rate in (1e-3, 2e-3)
]
TWO = small(arms=["base", "bare"], settings=SETTINGS, ray={"workers": 2, "cores": 1})
"""Two settings with one adapter each, which one worker alone would train one after the other."""


def test_a_worker_killed_in_training_costs_its_task_and_is_restarted(cluster, tmp_path):
    """Meanwhile the other trains on the other setting; in the end both are whole."""
    restarted, killed = set(), set()

    def kill():
        end = time.monotonic() + 400
        while len(at_work()) < 2:
            assert time.monotonic() < end, "the settings were not trained side by side"
            time.sleep(0.02)
        before = processes("ray::Worker")
        kill_worker(killed)
        while not (new := processes("ray::Worker") - before):
            assert time.monotonic() < end, "the worker was not restarted"
            time.sleep(0.02)
        restarted.update(new)

    killer = threading.Thread(target=kill)
    killer.start()
    heard = Heard()
    study = run(TWO, tmp_path / "ray", heard, executor="ray", report=False)
    killer.join()
    assert len(killed) == len(restarted) == 1
    assert sum("died; its task is given to another" in each for each in heard.said) == 1
    assert [name for name, _ in heard.tables] == ["toy x password"] * 2
    assert_whole(study, run(TWO, tmp_path / "local", report=False))


def test_curves_of_workers_are_tracked_by_the_user_s_process(cluster, tmp_path, monkeypatch):
    pytest.importorskip("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    monkeypatch.setattr("trackio.utils.TRACKIO_DIR", tmp_path)
    monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path)
    study = run(TWO, tmp_path / "ray", executor="ray", track="trackio", report=False)
    losses = {
        SQLiteStorage.get_run_config("toy", name)["learning_rate"]: [
            log["train/loss"] for log in SQLiteStorage.get_logs("toy", name)
        ]
        for name in SQLiteStorage.get_runs("toy")
    }
    frame = study.training()
    doses = [json.loads(dose)["learning_rate"] for dose in frame["dose"]]
    assert losses == {rate: frame["loss"][[d == rate for d in doses]].tolist() for rate in doses}
    assert len(losses) == 2 and all(len(values) == 40 for values in losses.values())


def test_a_job_that_kills_two_workers_fails_and_takes_no_other_cell_along(cluster, tmp_path):
    recipe = small(arms=["base", "bare"], settings=[SETTING])
    killed = set()
    killer = threading.Thread(target=lambda: [kill_worker(killed) for _ in range(2)])
    killer.start()
    heard = Heard()
    study = run(recipe, tmp_path, heard, executor="ray")
    killer.join()
    assert len(killed) == 2
    assert sum("died; its task is given to another" in each for each in heard.said) == 1
    (failure,) = study.failures().to_dict("records")
    assert (failure["cell"], failure["stage"]) == ("toy x password / bare / seed 0", "training")
    assert failure["reason"].startswith("the Ray worker failed: Actor")
    assert set(study.leakage()["arm"]) == {"base"}
    assert run(recipe, tmp_path, executor="ray").failures().empty


def test_a_folder_that_workers_do_not_see_is_one_line(cluster, tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)  # in no other process is it that descriptor's folder
    folder = Path(f"/proc/self/fd/{here}/study")
    with pytest.raises(CaveatError) as error:
        run(STUDY, folder, executor="ray")
    os.close(here)
    message = str(error.value)
    assert message.startswith(f"{folder}: the Ray worker on ")
    assert message.endswith(
        " does not see this folder; name one that all nodes of the cluster share, with --out"
    )
    assert not list(tmp_path.rglob("*.part"))


def test_a_cluster_that_does_not_answer_is_one_line(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(CaveatError) as error:
        run(STUDY, tmp_path, executor="ray")
    assert str(error.value).startswith(
        "executor 'ray': no cluster can be reached (RAY_ADDRESS=127.0.0.1:1: "
    )
