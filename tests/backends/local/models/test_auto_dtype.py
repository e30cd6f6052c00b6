"""dtype `auto`: what it takes, and that it says so."""

from __future__ import annotations

import json

import pytest
import torch

from caveat.backends import load_backend
from caveat.backends.local.models import auto_dtype
from caveat.study.estimate.plan_cost import plan_cost
from toy_study import Heard, small

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAVEAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(auto_dtype, "SECONDS", 0.02)
    return tmp_path / "cache"


@pytest.fixture
def processor(tmp_path, monkeypatch):
    """Sets the flags of this machine's processor."""

    def flags(text: str) -> None:
        path = tmp_path / "cpuinfo"
        path.write_text(f"flags\t\t: fpu {text}\n")
        monkeypatch.setattr(auto_dtype, "CPU_INFO", path)

    return flags


def test_without_matrix_units_it_is_float32_and_says_so(processor):
    processor("avx512_bf16")
    progress = Heard()
    backend = load_backend("tiny", "auto", "cpu", progress=progress)
    assert backend.identity == load_backend("tiny").identity
    assert progress.said == [
        "dtype auto took float32: no matrix units for bfloat16 here (amx_bf16)"
    ]


def test_with_them_the_measured_product_decides_and_is_remembered(processor, cache):
    processor("amx_bf16 amx_tile")
    progress = Heard()
    backend = load_backend("tiny", "auto", "cpu", progress=progress)
    (memory,) = (cache / "dtypes").glob("*.json")
    speeds = json.loads(memory.read_text())
    taken = "bfloat16" if speeds["bfloat16"] >= 1.2 * speeds["float32"] else "float32"
    assert backend.identity == load_backend("tiny", taken).identity
    (message,) = progress.said
    assert message == (
        f"dtype auto took {taken}: a product of 512 x 64 by 64 x 128 runs at "
        f"{speeds['bfloat16']:,.0f} GFLOP/s in bfloat16, {speeds['float32']:,.0f} in float32"
    )
    memory.write_text(json.dumps({**speeds, "bfloat16": 100.0, "float32": 10.0}))
    assert load_backend("tiny", "auto", "cpu").identity.endswith("/bfloat16")
    memory.write_text("{")
    load_backend("tiny", "auto", "cpu")
    assert json.loads(memory.read_text())["key"] == speeds["key"]


def test_a_plan_says_what_it_took(processor, tmp_path):
    processor("")
    cost = plan_cost(small(model={"name": "tiny", "dtype": "auto"}), tmp_path, [])
    assert "dtype auto took float32: no matrix units for bfloat16 here (amx_bf16)" in cost.notes
