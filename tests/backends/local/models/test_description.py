"""A plan needs no weights: it gets from a description what the loaded model would give."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from caveat.backends import BackendSource, facts_of, load_backend, save_model
from caveat.backends.local.models import description
from caveat.backends.local.models.description import DescribedModel
from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.rendering import render_prompt
from caveat.types.messages import Message

HEAVY = ("torch", "pandas", "scipy", "statsmodels", "altair", "peft", "sympy", "ray", "openai")
"""What a plan does not need; each takes from a tenth of a second to some."""
CHAT = (Message.of("system", "Be kind."), Message.of("user", "Why is the sky blue, ünder way?"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAVEAT_CACHE", str(tmp_path / "cache"))
    # as in a process of its own: another test here may have taken a part of the machine
    monkeypatch.setattr("caveat.backends.local.models.device_memory._shares", False)
    return tmp_path / "cache" / "described"


class Said(Progress):
    def __init__(self):
        self.messages = []

    def say(self, message):
        self.messages.append(message)


@pytest.mark.parametrize("source", ["tiny", "folder"])
@pytest.mark.parametrize("dtype", ["float32", "auto"])
def test_a_description_is_as_the_loaded_model(source, dtype, tmp_path, cache, monkeypatch):
    name = source
    if source == "folder":
        name = str(tmp_path / "model")
        save_model(load_backend("tiny"), tmp_path / "model")
    wanted = BackendSource("local", name, dtype, "cpu", token_budget=300)
    monkeypatch.setattr("caveat.backends.local.models.device_memory.free", lambda device: 1 << 30)
    first, second = Said(), Said()
    loaded, described = facts_of(wanted, first), facts_of(wanted, second)
    assert isinstance(described, DescribedModel) and not isinstance(loaded, DescribedModel)
    for fact in ("name", "identity", "inserted_system", "hardware", "weights", "supports"):
        assert getattr(described, fact) == getattr(loaded, fact)
    assert described.tokenizer.get_vocab() == loaded.tokenizer.get_vocab()
    assert type(described.tokenizer) is type(loaded.tokenizer)
    prompts = [render_prompt(facts.tokenizer, CHAT) for facts in (loaded, described)]
    assert prompts[0] == prompts[1] and len(prompts[0].ids) > 20
    beside = loaded.capacity().model_bytes / (1 << 30)
    assert described.capacity().adapter_bytes == loaded.capacity().adapter_bytes * (1 - beside)
    assert described.capacity().pass_bytes == loaded.capacity().pass_bytes
    assert described.capacity().layer_weights == loaded.capacity().layer_weights
    assert first.messages == second.messages and len(first.messages) == (dtype == "auto")


def test_what_is_damaged_of_other_settings_or_on_a_gpu_is_loaded(cache, monkeypatch):
    facts_of(BackendSource("local", "tiny"), Progress())
    (file,) = cache.iterdir()
    assert isinstance(facts_of(BackendSource("local", "tiny"), Progress()), DescribedModel)
    file.write_text(json.dumps({**json.loads(file.read_text()), "weights": "many"}))
    for name, value in (("OMP_NUM_THREADS", "3"), ("CUDA_VISIBLE_DEVICES", "")):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            assert description.described("tiny", "float32", "auto", None, Progress()) is None
    assert description.described("tiny", "float32", "cuda", None, Progress()) is None
    assert description.described("organisation/model", "float32", "cpu", None, Progress()) is None
    assert not isinstance(facts_of(BackendSource("local", "tiny"), Progress()), DescribedModel)
    assert isinstance(facts_of(BackendSource("local", "tiny"), Progress()), DescribedModel)
    with pytest.raises(CaveatError, match="unknown model 'tinny'"):
        facts_of(BackendSource("local", "tinny"), Progress())


def test_a_process_with_a_part_of_the_machine_remembers_nothing(cache, monkeypatch):
    monkeypatch.setattr("caveat.backends.local.models.device_memory._shares", True)
    load_backend("tiny")
    assert not cache.exists()


def test_a_plan_imports_nothing_that_it_does_not_need(tmp_path):
    load_backend("tiny")
    code = (
        "import sys\n"
        "from caveat.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'caveat.study.estimate.plan_cost' in sys.modules\n"
        f"loaded = set(sys.modules) & set({HEAVY!r})\n"
        "assert not loaded, loaded\n"
    )
    plan = ["plan", "smoke", "--set", "model=tiny", "--out", str(tmp_path / "study")]
    command = [sys.executable, "-c", code, *plan]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "capitals x trigger" in ended.stdout
