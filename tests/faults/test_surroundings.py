"""Real limits of the system, and company: a full disk, no permission or memory, other processes."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from caveat.study.study import Study
from harness import Ended, Errand, child, ended, started
from studies import STUDIES
from toy_study import SMALL, TOY, marks, small

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are set as Linux sets them")


def sent(name: str, folder: Path, before) -> Ended:
    """A child that runs a study under a limit that `before` sets."""
    return ended(*started(Errand(STUDIES[name], folder, before=before)))


def limited(what: int, amount: int) -> None:
    """Let this process have no more of something."""
    resource.setrlimit(what, (amount, amount))


@pytest.mark.parametrize("size", [200, 5_000])
def test_files_that_may_not_grow(undisturbed, tmp_path, size):
    """As under a quota: the system refuses what is longer, in Python as in Rust."""
    folder = tmp_path / "study"
    told = sent("practised", folder, partial(limited, resource.RLIMIT_FSIZE, size))
    assert told.code == 1, told.said
    assert told.said.endswith(
        ": cannot be written (File too large); fix that, or name another folder with --out"
    )
    before = marks(folder)
    assert child(STUDIES["practised"], folder).code == 0
    undisturbed("practised").assert_same(folder, before)


@pytest.fixture
def little_disk(tmp_path):
    """A file system of 128 KiB."""
    place = tmp_path / "little"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills(undisturbed, little_disk, tmp_path):
    folder = little_disk / "study"
    told = child(STUDIES["practised"], folder)
    assert (told.code, told.said) == (
        1,
        f"{folder / told.said.split(':')[0].removeprefix(f'{folder}/')}: the disk is full; "
        "what was finished is kept: free some space and run the same command again",
    )
    subprocess.run(["mount", "-o", "remount,size=8m", str(little_disk)], check=True)
    before = marks(folder)
    assert child(STUDIES["practised"], folder).code == 0
    undisturbed("practised").assert_same(folder, before)


def no_privilege() -> None:
    """Take from this process root's right to write where nobody may (capabilities 1 and 2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, data) == 0
    data[0] &= ~0b110  # effective
    assert libc.capset(header, data) == 0


@pytest.mark.parametrize("place", [".", "answers", "artifacts"])
def test_a_folder_without_permission(undisturbed, tmp_path, place):
    folder = tmp_path / "study"
    for name in (".", "answers", "artifacts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / place).chmod(0o555)
    told = sent("trained", folder, no_privilege)
    (folder / place).chmod(0o755)
    assert told.code == 1, told.said
    assert told.said.startswith(str(folder)) and told.said.endswith(
        ": cannot be written (Permission denied); fix that, or name another folder with --out"
    )
    before = marks(folder)
    assert child(STUDIES["trained"], folder).code == 0
    undisturbed("trained").assert_same(folder, before)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_share_a_folder(undisturbed, tmp_path, processes):
    folder, made = tmp_path / "study", STUDIES["trained"]
    ends = [ended(*each) for each in [started(Errand(made, folder)) for _ in range(processes)]]
    assert [each for each in ends if each.code == 0]
    for each in ends:
        assert each.code == 0 or each.said == (
            f"{folder}: another caveat process is writing here; "
            "wait for it, or name another folder with --out"
        )
    before = marks(folder)
    undisturbed("trained").assert_same(folder)
    assert child(made, folder).code == 0
    undisturbed("trained").assert_same(folder, before)


def test_readers_beside_a_writer(undisturbed, tmp_path):
    folder = tmp_path / "study"
    process, told = started(Errand(STUDIES["trained"], folder))
    heard: list[str] = []
    reads = 0
    while process.is_alive():
        if (folder / "study.json").is_file():
            study = Study(folder, say=heard.append)
            study.answers(), study.progress(), study.failures()
            reads += 1
    assert ended(process, told).code == 0
    assert reads and not heard
    undisturbed("trained").assert_same(folder)


@pytest.mark.parametrize(
    "megabytes", [16, *(pytest.param(few, marks=pytest.mark.slow) for few in (1, 64))]
)
def test_too_little_memory_costs_nothing_that_is_finished(undisturbed, tmp_path, megabytes):
    """Whatever a process does that gets no memory, the next one ends as if it had not been."""
    folder = tmp_path / "study"
    sent("trained", folder, partial(little_memory, megabytes))
    before = marks(folder)
    assert child(STUDIES["trained"], folder).code == 0
    undisturbed("trained").assert_same(folder, before)


def little_memory(megabytes: int) -> None:
    """Let this process grow by no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limited(resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + megabytes * 2**20)


def test_a_training_that_runs_to_infinity_fails_alone_and_says_so(tmp_path):
    wild = {"behaviour": str(TOY), "caveat": "notice", "dose": {**SMALL, "learning_rate": 1e38}}
    made = small(settings=[*small()["settings"], wild])
    assert child(made, tmp_path / "study").code == 2
    study = Study(tmp_path / "study")
    failed = study.failures()
    assert set(failed["cell"]) == {f"toy x notice / {arm} / seed 0" for arm in ("bare", "marked")}
    assert failed["reason"].str.contains("not finite").all()
    assert failed["reason"].str.contains("lower dose.learning_rate (now 1e+38)", regex=False).all()
    assert child(small(), tmp_path / "alone").code == 0
    alone = Study(tmp_path / "alone").leakage()
    assert study.leakage().query("caveat == 'password'")["rate"].tolist() == alone["rate"].tolist()
