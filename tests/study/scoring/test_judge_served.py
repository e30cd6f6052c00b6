"""A judge that `transformers serve` serves: SmolLM2, which speaks the protocol if little else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from quick_run import run
from toy_study import judged

NEEDED = ("fastapi", "uvicorn", "openai")
STARTING = 180.0
CAP = 2500


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Address and model of a server in a process of its own."""
    for package in NEEDED:
        pytest.importorskip(package, reason="transformers serve wants: pip install 'caveat[serve]'")
    from caveat.backends.local.models.builtin import convert_smollm2

    model = str(convert_smollm2()[0])
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", model]
    log = tmp_path_factory.mktemp("served") / "log"
    with log.open("w") as told:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
            stdout=told,
            stderr=told,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1", model
    finally:
        server.kill()
        server.wait()


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    start = time.monotonic()
    while time.monotonic() - start < STARTING:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(log.read_text())


@pytest.mark.slow
def test_a_study_is_judged_by_a_served_model(tmp_path, served):
    url, model = served
    judge = {"model": model, "token_cap": CAP, "concurrency": 1, "max_tokens": 8, "timeout": 300}
    study = run(judged(url, judge, contexts=["none"]), tmp_path)
    study.store.judge_replies.refresh()
    judge_replies = list(study.store.judge_replies.records.values())
    assert judge_replies and all(each["counted"] for each in judge_replies)
    assert CAP / 2 < sum(each["tokens"] for each in judge_replies) <= CAP
    reasons = set(study.failures()["reason"])
    assert any("judge.token_cap" in reason for reason in reasons)
    assert all("judge.token_cap" in each or "gave no verdict" in each for each in reasons)
