"""What tests of several folders share."""

from __future__ import annotations

from pathlib import Path

import pytest

from caveat.cli import app
from judge_server import JudgeServer
from paths import SHARED_DATA


@pytest.fixture
def command(capsys):
    """Runs a command in this process, where it stands: (status, output, errors)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            app(list(arguments))
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return call


@pytest.fixture(autouse=True)
def rates_file(tmp_path_factory, monkeypatch):
    """Where runs of a test remember their rates: a file of its own, not there yet."""
    path = tmp_path_factory.mktemp("rates") / "rates.json"
    monkeypatch.setattr("caveat.study.estimate.rates.rates_path", lambda: path)
    return path


@pytest.fixture
def judge_server(monkeypatch):
    """An endpoint on this machine, which no proxy stands in front of."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = JudgeServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def published_data() -> Path:
    """The folder of outside data, which not every machine has."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is not here")
    return SHARED_DATA
