"""Studies over the Tinker API: a table, a kill, lost checkpoints, refusals, failing services."""

from __future__ import annotations

import json
import os
import shutil
import signal
from concurrent.futures import Future
from functools import partial
from importlib.metadata import version

import pytest
import yaml

from caveat.backends import BackendSource, open_backend
from caveat.backends.batches import Example
from caveat.errors import CaveatError
from caveat.study.study import Study
from harness import Errand, ended, started
from quick_run import run
from tinker_server import KEY
from toy_study import SMALL, TOY, Heard, marks, set_environment, small

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
SETTINGS = [
    {"behaviour": str(TOY), "caveat": name, "dose": SMALL} for name in ("password", "notice")
]
ADAPTERS = 3
"""The settings share their arm `bare`."""
RECIPE = small(backend="tinker", settings=SETTINGS, group_size=2)


@pytest.fixture(scope="module")
def whole(server, tmp_path_factory):
    """A study of two settings in its folder, and what the server was sent for it."""
    folder, before = tmp_path_factory.mktemp("whole"), server.calls.copy()
    study = run(RECIPE, folder, Heard())
    return study, server.calls - before


def test_two_settings_end_to_end(whole, server):
    study, calls = whole
    assert len(study.failures()) == 0 and study.progress()[0] == study.progress()[1]
    answers = study.answers()
    assert set(answers["arm"]) == {"base", "bare", "marked"} and len(set(answers["setting"])) == 2
    assert calls["create_model"] == ADAPTERS == len(marks(study.folder))
    training = study.training()
    assert (training.groupby("digest")["loss"].last() < 8).all()
    for artifact in (study.folder / "artifacts").iterdir():
        checkpoint = json.loads((artifact / "tinker.json").read_text())
        assert checkpoint["service"] == server.url and checkpoint["model"] == "tiny"
        assert checkpoint["sampler"] in server.checkpoints
    texts = [path.read_bytes() for path in study.folder.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in text for text in texts), "the key is stored nowhere"


def test_killed_and_continued_without_training_anything_twice(server, whole, tmp_path, monkeypatch):
    study, _ = whole
    monkeypatch.setattr("harness.SECONDS", 600)  # where other work slows the machine down
    environment = {name: os.environ[name] for name in os.environ if name.startswith("TINKER_")}
    errand = Errand(RECIPE, tmp_path / "study", before=partial(set_environment, environment))
    process, ours = started(errand)

    def kill(path: str) -> str:
        if path == "create_model" and server.calls[path] == ADAPTERS:
            os.kill(process.pid, signal.SIGKILL)
        return ""

    server.fail = kill  # while the second group is trained
    assert ended(process, ours).code == -signal.SIGKILL
    server.fail = lambda path: ""
    before = marks(tmp_path / "study")
    assert len(before) == ADAPTERS - 1
    server.calls.clear()
    end = ended(*started(errand))
    assert end.code == 0, end.said
    assert server.calls["create_model"] == ADAPTERS - len(before)
    assert before.items() <= marks(tmp_path / "study").items()
    again = Study(tmp_path / "study")
    assert again.leakage().equals(study.leakage()) and len(again.failures()) == 0


def test_a_lost_checkpoint_that_is_needed_is_trained_again(server, whole, tmp_path):
    study, _ = whole
    folder = tmp_path / "study"
    shutil.copytree(study.folder, folder)
    lost = sorted((folder / "artifacts").iterdir())[:2]
    handles = [json.loads((one / "tinker.json").read_text())["sampler"] for one in lost]
    kept = {handle: server.checkpoints.pop(handle) for handle in handles}
    try:
        heard = Heard()
        run(RECIPE, folder, heard)
        assert server.calls["create_model"] == 0, "every answer is there: nothing is needed"
        shutil.rmtree(folder / "answers")
        (folder / "tinker.jsonl").unlink()
        again = run(RECIPE, folder, heard)
    finally:
        server.checkpoints |= kept
    assert server.calls["create_model"] == 2 and len(again.failures()) == 0
    said = {line for line in heard.said if "checkpoint" in line}
    assert said == {
        f"{one}: its checkpoint is gone from the service; set aside as {one.name}.lost and made "
        "again"
        for one in lost
    }


def test_a_checkpoint_is_lost_only_where_the_service_says_so(server, whole):
    study, _ = whole
    folder = min((study.folder / "artifacts").iterdir())
    backend = open_backend(BackendSource("tinker", "tiny"))
    assert backend.lost([folder]) == []
    server.fault = "no lists"
    with pytest.raises(CaveatError, match="not now"):
        backend.lost([folder])
    backend.service.close()


def test_scores_that_are_not_finite_end_their_own_request_alone(server):
    backend = open_backend(BackendSource("tinker", "tiny"))
    future: Future = Future()
    future.set_result([None, -1.0, float("nan")])
    text = Example(0, (1, 2, 3), (1, 2))
    with pytest.raises(CaveatError, match="log-probabilities are not finite"):
        backend._answering.at(future, text)
    assert backend.service.closed == ""


@pytest.mark.parametrize(
    ("url", "biller"),
    [
        ("https://service.example/api", "tinker"), ("http://127.0.0.1:8000", None),
        ("http://localhost:8000", None), ("", "tinker"), ("localhost", None),
    ],
)  # fmt: skip
def test_only_a_server_on_this_machine_is_free(monkeypatch, url, biller):
    monkeypatch.setenv("TINKER_BASE_URL", url)
    assert open_backend(BackendSource("tinker", "tiny")).billed_by == biller


def test_local_and_remote_arms_are_apart(server, whole, tmp_path):
    study, _ = whole
    shutil.copytree(study.folder, tmp_path / "study")
    both = run(small(settings=SETTINGS), tmp_path / "study", Heard())
    assert len(both.versions) == 2 and len(marks(tmp_path / "study")) == 2 * ADAPTERS
    assert set(Study(tmp_path / "study", next(iter(both.versions))).answers()["artifact"]) & set(
        both.answers()["artifact"]
    ) == {""}
    assert server.calls == {}


@pytest.mark.parametrize(
    ("dose", "arms", "line"),
    [
        ({"alpha": 16.0}, ["base", "bare"],
         "toy x password / bare: needs a LoRA alpha other than 32 (dose.alpha 16)"),
        ({"layers": [0.5, 1.0]}, ["base", "bare"],
         "toy x password / bare: needs training a part of the layers (dose.layers [0.5, 1])"),
        ({}, ["base", "bare", "marked+seal"],
         "toy x password / marked+seal: needs frozen adapters under the one that is trained "
         "(Attach)"),
        ({}, ["base", "bare", "marked+kl_to_base"],
         "toy x password / marked+kl_to_base: needs a KL penalty towards the model before "
         "training ('marked+kl_to_base')"),
    ],
)  # fmt: skip
def test_what_the_api_cannot_express_is_refused_before_anything_is_sent(
    server, tmp_path, dose, arms, line
):
    setting = {**SETTINGS[0], "dose": {**SMALL, **dose}}
    with pytest.raises(CaveatError) as refused:
        run(small(backend="tinker", settings=[setting], arms=arms), tmp_path)
    assert str(refused.value) == (
        f"{line}, which this backend of tiny does not have; leave the arm out, or use another "
        "backend"
    )
    assert server.calls == {}


OTHER_KEY = "tml-another-key"


@pytest.mark.parametrize(
    ("environment", "fault", "line"),
    [
        ({"TINKER_API_KEY": ""}, "", "backend: 'tinker': the environment variable TINKER_API_KEY "
         "is not set; export the key of your account"),
        ({"TINKER_API_KEY": "sk-abc"}, "", "backend: 'tinker': TINKER_API_KEY holds no key of the "
         "Tinker API, which begins with 'tml-'; export it again"),
        ({"TINKER_API_KEY": OTHER_KEY}, "", "{url}: refuses the key in TINKER_API_KEY; export a "
         "valid one (status 401)"),
    ],
)  # fmt: skip
def test_a_key_that_is_none_is_one_line(server, tmp_path, monkeypatch, environment, fault, line):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CaveatError) as refused:
        run(RECIPE, tmp_path)
    assert str(refused.value) == line.format(url=server.url)
    assert OTHER_KEY not in str(refused.value)


def test_a_model_that_the_service_does_not_have_is_one_line(server, tmp_path):
    with pytest.raises(CaveatError) as refused:
        run({**RECIPE, "model": "tiny-document"}, tmp_path)
    assert str(refused.value) == (
        f"model 'tiny-document': {server.url} does not have it; it has tiny"
    )


def test_an_address_without_the_api_or_without_anything_is_one_line(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TINKER_BASE_URL", f"{server.url}/v2")
    with pytest.raises(CaveatError, match="speaks another version of the Tinker API"):
        run(RECIPE, tmp_path)
    for address, line in (
        (
            "http://127.0.0.1:9",
            "http://127.0.0.1:9: cannot be reached (Connection refused); check "
            "the address in TINKER_BASE_URL and the connection",
        ),
        ("localhost", "TINKER_BASE_URL: 'localhost' is no address, such as http://127.0.0.1:8000"),
    ):
        monkeypatch.setenv("TINKER_BASE_URL", address)
        with pytest.raises(CaveatError) as refused:
            run(RECIPE, tmp_path)
        assert str(refused.value) == line


def test_plan_and_run_say_what_it_costs(server, tmp_path, monkeypatch, command):
    monkeypatch.delenv("TINKER_API_KEY")
    recipe, prices = tmp_path / "recipe.yaml", tmp_path / "prices.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    prices.write_text("read: 2026-10-07\nmodels: {tiny: {prefill: 9, sample: 9, train: 90}}\n")
    status, out, _ = command("plan", str(recipe), "--prices", str(prices))
    words = " ".join(out.split())
    assert status == 0 and "tokens that a service bills: " in words
    assert "(prefill)" in words and "at prices read on 2026-10-07" in words
    assert "6 cells. What is finished already is not counted." in words
    status, out, _ = command("plan", str(recipe))
    assert "no price is known for this model here (--prices FILE gives one)" in " ".join(
        out.split()
    )
    assert server.calls == {}, "a plan needs neither key nor service"
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    out_folder = ("--out", str(tmp_path / "study"))
    status, _, errors = command("run", str(recipe), "--prices", str(prices), *out_folder)
    assert status == 1 and errors.startswith(
        "caveat: backend tinker: what is left of this study costs about $"
    )
    assert command("run", str(recipe), "--budget", "0") == (
        1, "", "caveat: --budget 0: must be more than 0 dollars\n"
    )  # fmt: skip
    assert server.calls["create_model"] == 0


@pytest.mark.parametrize(
    ("fault", "patience", "line"),
    [
        ("rate limit", 1.0, "{url}: no reply for 1 s (a rate limit, or no capacity); what is "
         "finished is kept: run the same command again later"),
        ("old wire", 60.0, "{url}: speaks another version of the Tinker API than the client tinker "
         "{version} (ValueError: Server returned a JSON payload for "),
    ],
)  # fmt: skip
def test_a_service_that_fails_ends_the_work_in_one_line(server, tmp_path, fault, patience, line):
    recipe = small(
        backend="tinker", settings=SETTINGS[:1], arms=["base", "bare"], contexts=["none"]
    )
    backend = open_backend(BackendSource("tinker", "tiny"))
    backend.connect()
    backend.service.patience, server.fault = patience, fault
    study = run(recipe, tmp_path, Heard(), backend=backend)
    reasons = set(study.failures()["reason"])
    expected = line.format(url=server.url, version=version("tinker"))
    assert len(reasons) == 1 and reasons.pop().startswith(expected)
    assert server.calls["create_model"] == 1, "nothing is sent after the first failure"
    server.fault = ""
    backend.service.close()
    if fault == "rate limit":
        assert len(run(recipe, tmp_path, Heard()).failures()) == 0
