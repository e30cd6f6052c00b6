"""A group that fails is split down to the part that fails."""

from __future__ import annotations

import pytest

from caveat.backends.local.sampling.answers import answer
from caveat.backends.local.training.sft import train
from caveat.errors import CaveatError
from caveat.files.atomic import DiskFull
from caveat.study.study import Study
from quick_run import run
from toy_study import Heard, marks, same_table, small

MEMORY = "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"
SPLIT = "out of memory: the group is split and retried"


def failures(study: Study) -> list[tuple[str, str, str]]:
    return list(study.failures().itertuples(index=False, name=None))


def test_one_bad_request_fails_alone(tmp_path, monkeypatch):
    sizes = []

    def picky(model, adapters, requests, sampling, progress, on_token):
        sizes.append(len(requests))
        if any(each.adapters and "a hat red" in each.messages[-1].text for each in requests):
            raise ZeroDivisionError("this one")
        return answer(model, adapters, requests, sampling, progress, on_token)

    heard = Heard()
    with monkeypatch.context() as patch:
        patch.setattr("caveat.backends.local.backend.answer", picky)
        study = run(small(contexts=["none"]), tmp_path / "one", heard)
    found = failures(study)
    assert [(cell, stage) for cell, stage, _ in found] == [
        ("toy x password / bare / seed 0", "answers"),
        ("toy x password / marked / seed 0", "answers"),
    ]
    assert all(reason.startswith("ZeroDivisionError: this one (picky") for _, _, reason in found)
    assert study.judged() == (3 * (12 + 6) - 2, 3 * (12 + 6))
    assert sum("the group is split and retried" in each for each in heard.said) == 1
    assert sizes.count(1) >= 2 and max(sizes) > 8
    again = run(small(contexts=["none"]), tmp_path / "one")
    assert failures(again) == []
    same_table(again, run(small(contexts=["none"]), tmp_path / "whole"))


def test_groups_that_memory_cannot_hold_are_split(tmp_path, monkeypatch):
    trained, answered = [], []

    def small_train(model, jobs, *rest):
        if len(jobs) > 2:
            raise RuntimeError(MEMORY)
        trained.extend(job.key for job in jobs)
        return train(model, jobs, *rest)

    def small_answer(model, adapters, requests, *rest):
        if len(requests) > 20:
            raise RuntimeError(MEMORY)
        answered.extend(request.key for request in requests)
        return answer(model, adapters, requests, *rest)

    made = small(seeds=[0, 1])
    heard = Heard()
    with monkeypatch.context() as patch:
        patch.setattr("caveat.backends.local.backend.train", small_train)
        patch.setattr("caveat.backends.local.backend.answer", small_answer)
        study = run(made, tmp_path / "split", heard)
    assert failures(study) == [] and heard.said.count(SPLIT) >= 2
    assert sorted(trained) == sorted(marks(tmp_path / "split")) and len(set(trained)) == 4
    assert len(answered) == len(set(answered))
    same_table(study, run(made, tmp_path / "whole"))


def test_one_bad_job_fails_alone(tmp_path, monkeypatch):
    def picky(model, jobs, *rest):
        if any(job.stage.label == "marked" and job.seed == 1 for job in jobs):
            raise CaveatError("not this one")
        return train(model, jobs, *rest)

    monkeypatch.setattr("caveat.backends.local.backend.train", picky)
    study = run(small(seeds=[0, 1]), tmp_path)
    assert failures(study) == [("toy x password / marked / seed 1", "training", "not this one")]
    assert len(marks(tmp_path)) == 3


@pytest.mark.parametrize("stop", [KeyboardInterrupt, DiskFull])
def test_what_stops_the_study_is_not_retried(tmp_path, monkeypatch, stop):
    calls = []

    def stopped(store, artifacts):
        calls.append(store)
        raise stop("now")

    monkeypatch.setattr("caveat.study.storage.store.Store.put", stopped)
    with pytest.raises(stop):
        run(small(), tmp_path)
    assert len(calls) == 1
