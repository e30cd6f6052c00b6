"""`bench/gpu.sh`: it goes on after a failed part, keeps to its limits, and resumes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paths import BENCH, ROOT

SCRIPT = BENCH / "gpu.sh"
STAND_IN = f"""#!/bin/sh
# An interpreter that passes for one with all packages, on a machine without a GPU.
echo "$@" >> "$CALLS"
case "$*" in
    *torch.cuda*) echo False ;;
    *gpu_summary.py*) exec {sys.executable} "$@" ;;
    *"-m pytest"*) echo "one test failed" && exit 1 ;;
    *bench/sampling.py*) sleep 30 ;;
esac
"""


@pytest.fixture
def script(tmp_path):
    """Runs the script with the stand-in; its status, output, and the record."""
    stand_in, out = tmp_path / "python", tmp_path / "out"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)

    def call(*arguments, **environment):
        done = subprocess.run(
            ["bash", str(SCRIPT), "--out", str(out), "--python", str(stand_in), *arguments],
            capture_output=True, text=True, timeout=60, cwd=tmp_path,
            env={**os.environ, "CALLS": str(tmp_path / "calls"), **environment},
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    call.out, call.calls = out, tmp_path / "calls"
    return call


def parts(out: Path) -> dict[str, str]:
    record = json.loads((out / "gpu.json").read_text())
    return {figure["name"]: figure["state"] for figure in record["figures"]}


def test_a_part_that_fails_or_hangs_stops_no_other_and_is_done_when_run_again(script):
    status, output, _ = script("--budget", "6")
    assert status == 2
    assert "equality  failed after" in output and "    one test failed" in output
    assert "sampling  timeout after" in output
    assert parts(script.out) == {
        "equality": "failed", "training": "done", "sampling": "timeout", "grpo": "skipped",
        "demo": "skipped",
    }  # fmt: skip
    (script.out / "parts" / "sampling.state").write_text("done 1 60 status 0\n")
    (script.out / "parts" / "equality.state").write_text("done 1 60 status 0\n")
    before = script.calls.read_text()
    status, output, _ = script("--model", "tiny")
    again = script.calls.read_text().removeprefix(before)
    assert status == 0 and "training  done before" in output
    assert "bench/grpo.py --device cpu" in again and "bench/training.py" not in again
    assert "--set model.name=tiny" in again
    assert set(parts(script.out).values()) == {"done"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "cuda"], "--device cuda: torch sees no GPU"),
        (["--device", "gpu"], "--device gpu: must be auto, cpu, cuda or cuda:N"),
        (["--budget", "ten"], "--budget ten: must be whole seconds, such as 600"),
        (["--model", "nowhere"], "--model nowhere: no such folder"),
        (["--fast"], "unknown option '--fast'; see --help"),
    ],
)
def test_a_mistake_is_one_line(script, arguments, message):
    assert script(*arguments)[::2] == (1, f"gpu.sh: {message}\n")


@pytest.mark.slow
def test_all_parts_run_on_a_cpu(tmp_path):
    command = ["bash", str(SCRIPT), "--out", str(tmp_path), "--python", sys.executable]
    done = subprocess.run(
        [*command, "--device", "cpu", "--model", "tiny"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    record = json.loads((tmp_path / "gpu.json").read_text())
    ratios = {figure["name"]: figure["ratio"] for figure in record["figures"]}
    assert ratios["training: chat, 2 adapters"] > 0 and ratios["grpo: 2 policies"] > 0
