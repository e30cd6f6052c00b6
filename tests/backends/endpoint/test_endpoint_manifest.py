"""From the training files of `caveat rows` to a study of the models that they made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from caveat.cli.app import app
from caveat.errors import CaveatError
from caveat.study.config.remote_models import with_remote_models
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.study import Study
from remote_study import COLD, NAME, prompts, remote
from toy_study import small


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(small(sampling=COLD, comprehension=True)))
    return path


def fill(manifest, **ids):
    """Write ids into a manifest by arm."""
    about = json.loads(manifest.read_text())
    for entry in about["arms"]:
        entry["model"] = ids.get(entry["arm"])
    manifest.write_text(json.dumps(about))


def test_a_manifest_that_is_filled_in_is_a_study(recipe_file, server, gate, tmp_path):
    result = invoke("rows", recipe_file, "--out", tmp_path / "rows")
    assert result.exit_code == 0, result.stderr
    manifest = tmp_path / "rows" / "MANIFEST.json"
    sets = [
        "--set", "backend=endpoint", "--set", f"endpoint.url={server[0]}/v1",
        "--set", "endpoint.models=rows/MANIFEST.json", "--set", "endpoint.tokenizer=tiny",
    ]  # fmt: skip
    run = ["run", recipe_file, "--out", tmp_path / "study", *sets]
    result = invoke(*run)
    assert (result.exit_code, result.stderr) == (
        1,
        "caveat: endpoint.models: no model for base, whose answers leakage is measured against; "
        f'fill in its "model" in {manifest}\n',
    )
    ids = {arm: f"{NAME}/{arm}/seed0" for arm in ("bare", "marked")}
    fill(manifest, base="base", **ids)
    result = invoke("plan", recipe_file, "--out", tmp_path / "study", *sets)
    assert result.exit_code == 0, result.stderr
    plain = " ".join(result.stdout.split())
    assert f"requests to {server[0]}/v1, at most about " in plain
    assert "endpoint.token_cap is 10,000,000" in plain
    gate.bodies.clear()
    result = invoke(*run)
    assert result.exit_code == 0, result.stderr
    assert {body["model"] for body in gate.bodies} == {"base", *ids.values()}
    study = Study(tmp_path / "study")
    assert study.failures().empty and not study.leakage().empty
    result = invoke("serve", tmp_path / "study")
    assert (result.exit_code, result.stderr) == (
        1,
        f"caveat: {tmp_path / 'study'}: its arms are at the backend endpoint, not on this "
        "machine; only studies of the backend local are served\n",
    )
    result = invoke(*run, "--set", "settings.0.dose.rows=4")
    assert (result.exit_code, result.stderr) == (
        1,
        f"caveat: endpoint.models: {manifest}: the rows of toy x password / bare, seed 0, are not "
        "those that 'toy x password/bare/seed0' was trained on: this recipe makes others; undo "
        "the change, or write the rows anew with caveat rows and train on them\n",
    )
    manifest.write_text("{}")
    result = invoke(*run)
    assert result.stderr == (
        f"caveat: endpoint.models: {manifest}: is no manifest that caveat rows wrote; name its "
        "MANIFEST.json\n"
    )


URL = "http://127.0.0.1:1/v1"
TWO = {**small()["settings"][0], "caveat": small()["settings"][0]["caveat"], "loss": "everything"}


@pytest.mark.parametrize(
    ("models", "changes", "line"),
    [
        ({"bare": ["x"], "marked": ["y"]}, {},
         "no model for base, whose answers leakage is measured against; add base: ID"),
        ({"base": "b", "bare": ["x", "z"], "marked": ["y"]}, {},
         "toy x password / bare: ['x', 'z'] has 2 ids; give it one id a seed (0)"),
        ({"base": "b", "bare": ["x", "x2"]}, {"seeds": [0, 1]},
         "no model for toy x password / marked, seed 0, 1; add marked: [ID, ID], one a seed, or "
         "drop the arm or the seed"),
        ({"base": "b", "bare": ["x"], "marke": ["y"]}, {},
         "'marke' is no arm or setting here; closest: 'marked'"),
        ({"base": "b", "bare": ["x"], "marked": [3]}, {},
         "toy x password / marked: 3 is no model's id"),
        ({"base": "b", "bare": ["x"], "marked": ["x"]}, {},
         "'x' is there for toy x password / bare, seed 0 and for toy x password / marked, seed 0: "
         "one model was not trained twice; give each its own id"),
        ({"base": "b", "bare": ["x", "x"], "marked": ["y", "z"]}, {"seeds": [0, 1]},
         "'x' is there for toy x password / bare, seed 0 and for toy x password / bare, seed 1: "
         "one model was not trained twice; give each its own id"),
        ({"base": "b", "bare": ["x"], "marked": ["y"]}, {"settings": [small()["settings"][0], TWO]},
         "'bare': with 2 settings, arms stand under their setting, as in {'toy x password': "
         "{bare: [ID]}}"),
        ({"base": "b", NAME: {"bare": ["x"], "marked": ["y"]},
          f"{NAME} #2": {"base": "c", "bare": ["v"], "marked": ["w"]}},
         {"settings": [small()["settings"][0], TWO]},
         "the settings have several base models, b, c; a study has one: run a study for each"),
    ],
)  # fmt: skip
def test_ids_that_cannot_be_used(models, changes, line):
    section = {"url": URL, "models": models}
    recipe = read(small(backend="endpoint", endpoint=section, **changes))
    with pytest.raises(CaveatError) as error:
        with_remote_models(recipe, resolve(recipe))
    assert str(error.value) == f"endpoint.models: {line}"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"backend": "endpoint"}, "endpoint: this section is missing; add endpoint: {url: "
         "http://localhost:8000/v1, models: {base: ID, bare: [ID], marked: [ID]}}"),
        ({"endpoint": {"url": URL, "models": {}}}, "endpoint: the backend local does not read this "
         "section; set backend: endpoint, or drop it"),
        ({"backend": "endpoint", "endpoint": {"url": URL, "models": {}}, "device": "cpu"},
         "device: the backend endpoint computes nothing here; drop it"),
        ({"backend": "endpoin"},
         "backend: 'endpoin' is not one of 'local', 'endpoint' or 'tinker'; closest: "
         "'endpoint'"),
    ],
)  # fmt: skip
def test_recipes_that_mean_nothing(changes, line):
    with pytest.raises(CaveatError) as error:
        read(small(**changes))
    assert str(error.value) == f"recipe: {line}"


def test_no_key_is_said_before_anything_is_sent(server, gate, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(yaml.safe_dump(remote(server, endpoint={"key_env": "NO_SUCH_KEY"})))
    result = invoke("run", recipe, "--out", tmp_path / "study")
    assert (result.exit_code, result.stderr) == (
        1,
        "caveat: endpoint.key_env: the environment variable 'NO_SUCH_KEY' is not set; export it, "
        "or leave endpoint.key_env out for an endpoint that needs no key\n",
    )
    assert gate.bodies == [] and not (tmp_path / "study" / "study.json").exists()


@pytest.mark.slow
def test_killed_with_signal_9_it_goes_on_and_sends_nothing_twice(local, server, gate, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(yaml.safe_dump(remote(server, decision_tokens=True)))
    command = [sys.executable, "-m", "caveat", "run", recipe, "--out", tmp_path / "study"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    kills = 0
    for count in (15, 60, 110):
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and len(gate.bodies) < count:
                time.sleep(0.01)
            kills += process.poll() is None
            process.send_signal(signal.SIGKILL)
    assert kills == 3
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    study = Study(tmp_path / "study")
    pd.testing.assert_frame_equal(study.leakage(), local.leakage())
    repeated = len(prompts(gate)) - len(set(prompts(gate)))
    assert repeated <= kills * 8, "at most what was under way when it was killed"
