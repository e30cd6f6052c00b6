"""What memory there is, what a pass takes, and how many tokens it may have."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest
import torch

from caveat.backends.base import TrainingJob
from caveat.backends.local.models import device_memory as memory
from caveat.backends.local.models import device_memory as peak
from caveat.backends.local.models.device_memory import Peak, affordable_tokens, free
from caveat.backends.local.training.sft import train
from caveat.progress import Progress
from rows import stage

CPU = torch.device("cpu")
JOBS = TrainingJob("long", stage(10), 0), TrainingJob("added", stage(7, added=5), 1)


def test_the_peak_of_a_piece_of_work_is_what_it_took():
    gc.collect()
    with Peak(CPU) as measured:
        torch.ones(50_000_000).sum()
    if measured.taken is None:
        pytest.skip("no peak can be told here")
    assert measured.taken == pytest.approx(200_000_000, rel=0.1)
    with Peak(CPU) as measured:
        torch.ones(1000)
    assert measured.taken < 20_000_000


def test_a_limit_of_the_container_counts(tmp_path, monkeypatch):
    group = tmp_path / "groups" / "outer" / "inner"
    group.mkdir(parents=True)
    (tmp_path / "cgroup").write_text("0::/outer/inner\n")
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("0\n")
    (group / "memory.stat").write_text("inactive_file 0\n")
    monkeypatch.setattr(peak, "PROCESS", tmp_path)
    monkeypatch.setattr(peak, "CGROUPS", tmp_path / "groups")
    whole = free(CPU)
    (group.parent / "memory.max").write_text("5000000\n")
    (group.parent / "memory.current").write_text("3000000\n")
    (group.parent / "memory.stat").write_text("inactive_file 500000\n")
    assert free(CPU) == 2_500_000 < whole
    monkeypatch.setattr(peak, "_processes", 2)
    assert free(CPU) == 1_250_000


def test_tokens_of_a_pass_are_what_memory_holds(monkeypatch):
    monkeypatch.setattr(memory, "free", lambda device: 1_000_000)
    assert affordable_tokens(500_000, 500, CPU) == 650
    assert affordable_tokens(1, 500, CPU) == memory.MOST_TOKENS["cpu"]
    assert affordable_tokens(10**12, 500, CPU) == 1
    assert affordable_tokens(None, 500, CPU) == memory.MOST_TOKENS["cpu"]


def test_what_is_kept_counts_where_tokens_want_it(monkeypatch):
    room = [1_000_000]
    monkeypatch.setattr(memory, "free", lambda device: room[0])
    monkeypatch.setattr(memory, "give_back", lambda: room.append(room.pop() + 1_000_000))
    assert affordable_tokens(500, 500, CPU) == memory.MOST_TOKENS["cpu"] and room == [1_000_000]
    assert affordable_tokens(1_000_000, 500, CPU) == 650 and room == [2_000_000]


@pytest.mark.parametrize(("room", "tokens"), [(10**12, 1536), (0, 512)])
def test_training_goes_on_with_what_the_first_step_has_shown(tiny, monkeypatch, room, tokens):
    """Where even the first step was too much, it goes on as it was: that did fit."""
    from caveat.backends.local.training import lockstep as group

    seen = []
    real = group.LockstepGroup._measured

    def noted(self, *measured):
        real(self, *measured)
        seen.append(self.token_budget)

    monkeypatch.setattr(group.LockstepGroup, "_measured", noted)
    monkeypatch.setattr(memory, "free", lambda device: room)
    model = replace(tiny)
    alike = train(model, JOBS, Progress(), 4096)
    for _ in range(2):  # the second time it is known
        for one, other in zip(train(model, JOBS, Progress()), alike, strict=True):
            assert one.losses == pytest.approx(other.losses, rel=1e-4)
        assert len(seen) == 1 and (seen[0] <= tokens if room == 0 else seen[0] == tokens)
    train(model, [replace(JOBS[0], stage=stage(10, rank=8))], Progress())
    assert len(seen) == 2
    every = replace(stage(10, rank=8), loss="everything")
    train(model, [replace(JOBS[0], stage=every)], Progress())
    assert len(seen) == 3  # more tokens have loss


def test_a_pass_that_is_known_is_sized_by_the_memory_there_is_now(tiny, monkeypatch):
    from caveat.backends.local.training import lockstep as group

    budgets = []
    real = group.LockstepGroup._afford
    monkeypatch.setattr(
        group.LockstepGroup, "_afford",
        lambda self, taken: (real(self, taken), budgets.append(self.token_budget)),
    )  # fmt: skip
    model = replace(tiny)
    for room in (10**12, 10**6):
        monkeypatch.setattr(memory, "free", lambda device, room=room: room)
        train(model, JOBS, Progress())
    assert budgets[0] == 1536 and budgets[1] <= 512
