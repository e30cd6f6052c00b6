"""Training curves in experiment trackers, without a network; `make test-slow` installs both."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import pytest

from caveat.errors import CaveatError
from caveat.study.metrics import metrics_path
from quick_run import run
from toy_study import SMALL, Heard, marks, small

NAMED = "no tracker of that name; use trackio or wandb"


def test_what_cannot_be_tracked_is_one_line(tmp_path, monkeypatch):
    def message(service: str) -> str:
        with pytest.raises(CaveatError) as error:
            run(small(), tmp_path / "study", track=service)
        return str(error.value)

    assert message("mlflow") == f"track 'mlflow': {NAMED}"
    assert message("wandbb") == f"track 'wandbb': {NAMED}; closest: 'wandb'"
    monkeypatch.setitem(sys.modules, "trackio", None)
    missing = "is not installed; install it with: pip install 'caveat[track]'"
    assert message("trackio") == f"track 'trackio': trackio {missing}"
    (tmp_path / "wandb").mkdir()  # as wandb leaves one where it runs
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:3])
    assert message("wandb") == f"track 'wandb': wandb {missing}"
    assert not (tmp_path / "study").exists()


def trackio_curves(project: str) -> dict[str, tuple[dict, list[dict]]]:
    from trackio.sqlite_storage import SQLiteStorage

    return {
        name: (
            SQLiteStorage.get_run_config(project, name),
            [
                {key: log[key] for key in log if key == "step" or key.startswith("train/")}
                for log in SQLiteStorage.get_logs(project, name)
            ],
        )
        for name in SQLiteStorage.get_runs(project)
    }


def wandb_records(path: Path) -> list:
    """The records of an offline run: chunks of at most 32 KB, each after its checksum."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, part, records = path.read_bytes(), 7, b"", []
    while at < len(content):
        if (room := 32768 - at % 32768) < 7:
            at += room
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        part += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            records.append(Record.FromString(part))
            part = b""
    return records


def wandb_curves(folder: Path) -> dict[str, tuple[dict, list[dict]]]:
    curves: dict[str, tuple[dict, list[dict]]] = {}
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        records = wandb_records(path)
        (run_record,) = (record.run for record in records if record.HasField("run"))
        config = {item.key: json.loads(item.value_json) for item in run_record.config.update}
        _, logs = curves.setdefault(
            run_record.display_name, ({**config, "group": run_record.run_group}, [])
        )
        for record in records:
            if record.HasField("history"):
                items = {
                    (item.key or "/".join(item.nested_key)): json.loads(item.value_json)
                    for item in record.history.item
                }
                values = {key: items[key] for key in items if key.startswith("train/")}
                logs.append({**values, "step": record.history.step.num})
    return curves


def expected(study) -> dict[str, list[dict]]:
    """Per arm, the points of its curve, from the study's own frame."""
    curves: dict[str, list[dict]] = {}
    for row in study.training().to_dict("records"):
        points = curves.setdefault(row["arm"], [])
        names = ("loss", "grad_norm", "learning_rate", "tokens", "stage")
        points.append({"step": len(points) + 1, **{f"train/{name}": row[name] for name in names}})
    return curves


@pytest.mark.slow
@pytest.mark.parametrize("service", ["trackio", "wandb"])
def test_every_step_is_sent_once_and_nothing_else_changes(service, tmp_path, monkeypatch):
    """A cell with two trainings; the study is ended after the first answers, and gone on with."""
    pytest.importorskip(service)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    if service == "trackio":
        monkeypatch.setattr("trackio.utils.TRACKIO_DIR", tmp_path)
        monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path)
    setting = {**small()["settings"][0], "dose": {**SMALL, "batch_size": 4}}
    recipe = small(
        name="toy tracked", arms=["base", "bare", "marked", "marked+seal"], settings=[setting]
    )

    class Stop(Heard):
        def stage(self, label):
            if label.endswith("answers"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "with", Stop(), track=service)
    heard = Heard()
    study = run(recipe, tmp_path / "with", heard, track=service)
    plain = run(recipe, tmp_path / "without")
    assert not [line for line in heard.said if line.startswith("track")]
    assert marks(study.folder).keys() == marks(plain.folder).keys()
    for digest in marks(plain.folder):
        one, other = (
            folder / "artifacts" / digest / "adapter_model.safetensors"
            for folder in (study.folder, plain.folder)
        )
        assert one.read_bytes() == other.read_bytes()
    curves = trackio_curves("toy-tracked") if service == "trackio" else wandb_curves(tmp_path)
    assert len(curves) == 3
    wanted = expected(study)
    assert [point["train/stage"] for point in wanted["marked+seal"]] == [1, 1, 2, 2]
    for name, (config, points) in curves.items():
        assert name.startswith(f"toy x password / {config['arm']} / seed 0 ")
        assert (config["setting"], config["model"], config["rows"]) == ("toy x password", "tiny", 8)
        assert points == wanted[config["arm"]]
        assert all(metrics_path(study.folder, digest).exists() for digest in config["trainings"])


@pytest.mark.slow
def test_a_tracker_that_fails_is_left_out_and_what_it_missed_comes_later(tmp_path, monkeypatch):
    trackio = pytest.importorskip("trackio")
    monkeypatch.setattr("trackio.utils.TRACKIO_DIR", tmp_path)
    monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path)

    def full(*values, **options):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(trackio.Run, "log", full)
        heard = Heard()
        study = run(small(), tmp_path / "study", heard, track="trackio")
    assert study.failures().empty
    assert [line for line in heard.said if line.startswith("track")] == [
        "track 'trackio': OSError: no space left; the study goes on without it, and the same "
        "command sends the rest later"
    ]
    run(small(), tmp_path / "study", track="trackio")
    curves = trackio_curves("toy")
    assert {config["arm"]: points for config, points in curves.values()} == expected(study)
    with monkeypatch.context() as patch:
        patch.setattr(trackio, "init", full)
        with pytest.raises(CaveatError) as error:
            run(small(), tmp_path / "other", track="trackio")
    assert str(error.value) == (
        "track 'trackio': no run could be started (OSError: no space left); unset TRACKIO_SPACE_ID "
        "and TRACKIO_SERVER_URL to write to a local folder"
    )
    assert marks(tmp_path / "other") == {}
