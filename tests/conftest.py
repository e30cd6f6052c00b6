"""What tests of several folders share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from caveat.cli import app
from judge_server import JudgeServer
from made_verdicts import CONDITIONS, EVALUATIONS
from paths import SHARED_DATA

# A busy machine makes no test fail: examples may be slow to make, and to run.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture
def command(capsys):
    """Runs a command in this process, where it stands: (status, output, errors)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            app(list(arguments))
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return call


@pytest.fixture(scope="session")
def rates_files(tmp_path_factory) -> Iterator[Path]:
    """Files that are not there yet, one a test. A folder a test would take longer with each."""
    folder = tmp_path_factory.mktemp("rates")
    return (folder / f"{number}.json" for number in count())


@pytest.fixture(autouse=True)
def rates_file(rates_files, monkeypatch):
    """Where runs of a test remember their rates: a file of its own, not there yet."""
    path = next(rates_files)
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
    """The folder of outside data."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is not here")
    return SHARED_DATA


@pytest.fixture
def data_set(tmp_path) -> Callable[..., Path]:
    """Writes verdicts.parquet into a new folder; the folder."""

    def write(frame: pd.DataFrame) -> Path:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        frame.to_parquet(folder / "verdicts.parquet")
        return folder

    return write


@pytest.fixture
def result_files(tmp_path) -> Callable[..., Path]:
    """Writes the public repository's result files; their folder."""

    def write(frame: pd.DataFrame, model: str = "Toy-1B", step: str = "final") -> Path:
        renamed = frame.rename(
            columns={"sample": "sample_index", "response": "model_response",
                     "verdict": "judge_verdict", "claim": "universe"}
        ).assign(thinking=False, judge_raw="")  # fmt: skip
        for (claim, condition, kind), rows in renamed.groupby(["universe", "condition", "eval"]):
            own = "base" if condition == "base" else step
            parts = (model, claim, CONDITIONS.get(condition, condition), own)
            folder = tmp_path.joinpath("results", *parts)
            folder.mkdir(parents=True, exist_ok=True)
            name = EVALUATIONS.get(kind, kind)
            rows.drop(columns=["condition", "eval"]).to_csv(folder / f"{name}.csv", index=False)
        return tmp_path / "results"

    return write
