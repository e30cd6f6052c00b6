"""`caveat serve` and `caveat adapters` from the command line, and what they refuse."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request

import pytest
from typer.testing import CliRunner

from caveat.cli.app import app
from toy_study import small


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_serves_until_it_is_stopped(study):
    command = [sys.executable, "-m", "caveat", "serve", str(study.folder), "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("serving 7 models at http://127.0.0.1:")
            address = line.split()[4]
            with urllib.request.urlopen(f"{address}/models", timeout=20) as response:
                assert len(json.load(response)["data"]) == 7
        finally:
            process.terminate()
            process.wait(20)


def test_a_port_in_use_is_said_before_the_model_is_loaded(study):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = invoke("serve", study.folder, "--port", port)
    assert result.exit_code == 1
    assert result.stderr == (
        f"caveat: port {port} of 127.0.0.1 cannot be used (Address already in use); name another "
        "with --port, or 0 for any free one\n"
    )


def test_vllm_command_and_other_names(study):
    assert "vllm serve" in invoke("serve", study.folder, "--print", "vllm").stdout
    result = invoke("serve", study.folder, "--print", "tgi")
    assert (result.exit_code, result.stderr) == (1, "caveat: --print tgi: only 'vllm' is known\n")


def test_a_model_alone_is_served_under_its_name_and_as_base():
    from fastapi.testclient import TestClient

    from caveat.serve.start import model_application

    application, models = model_application("tiny", "float32", "cpu", "*")
    assert list(models) == ["base", "tiny"]
    body = {"messages": [{"role": "user", "content": "Red?"}], "max_tokens": 3, "temperature": 0}
    with TestClient(application, base_url="http://localhost") as client:
        replies = [
            client.post("/v1/chat/completions", json={"model": name, **body}).json()["choices"]
            for name in models
        ]
    assert replies[0] == replies[1] and replies[0][0]["message"]["content"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "caveat serve: name either a study's folder or --model NAME"),
        (("--model", "tiny", "--print", "vllm"), "--print: a model alone is no study; drop it"),
        (("x", "--dtype", "float32"), "--dtype: a study has its own; drop it"),
    ],
)
def test_a_study_or_a_model(arguments, line):
    result = invoke("serve", *arguments)
    assert (result.exit_code, result.stderr) == (1, f"caveat: {line}\n")


def test_adapters_are_listed_as_they_are_written(study, tmp_path):
    result = invoke("adapters", study.folder, "--out", tmp_path / "out", "--base", "org/model")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 6
    assert "rank 2  toy x password/marked/seed1" in result.stdout


def test_a_study_without_trained_arms(study, tmp_path):
    (study.folder / "nothing").mkdir(exist_ok=True)
    result = invoke("adapters", study.folder / "nothing", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_other_weights_than_those_of_the_study_are_refused(tmp_path):
    from caveat.errors import CaveatError
    from caveat.serve.start import application
    from caveat.study.study import Study
    from quick_run import run

    run(small(), tmp_path / "study")
    path = tmp_path / "study" / "study.json"
    about = json.loads(path.read_text())
    about["versions"][about["current"]]["model"] = "tiny-v0/float32"
    path.write_text(json.dumps(about))
    with pytest.raises(CaveatError, match="its adapters belong to those weights"):
        application(Study(tmp_path / "study"), "cpu")
