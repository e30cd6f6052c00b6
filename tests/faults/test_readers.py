"""Whatever stands in a file that people write, a reader reads it or says in one line why not."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import claim_files
import mutations
from caveat.behaviours.claims import claims
from caveat.behaviours.from_folder import load_behaviour
from caveat.caveats.loading import load_caveats
from caveat.errors import CaveatError
from caveat.forecast.records import saved
from caveat.importers import import_study
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.export import opened
from paths import EXAMPLES
from toy_study import TOY, rl_recipe, small

OWN = EXAMPLES / "own_behaviour"
ARMS = ["base", "bare", "marked", "marked+contrast(share=0.5)"]


@dataclass(frozen=True)
class Reader:
    """Something that reads what people wrote."""

    files: dict[str, bytes]
    """By path, valid content."""
    use: Callable[[Path], Any]
    """Reads the folder with the files, and does with it what a command would."""
    command: tuple[str, ...] = field(default=())
    """What does the same on the command line; `{at}` is the folder."""


def recipe_files() -> dict[str, bytes]:
    taught = {"behaviour": "capitals", "caveat": "instruction"}
    first = {
        **small()["settings"][0], "caveat": f"{TOY}#password", "place": "user",
        "warm_up": {"scale": 0.5, "rows": 2, "pairs": [taught]}, "factors": {"form": "chat"},
        "options": {}, "contexts": ["none", "exact"],
    }  # fmt: skip
    judge = {"endpoint": "http://localhost:8000/v1", "model": "m", "key_env": "A_KEY"}
    made = {
        **small(arms=ARMS), "settings": [first, *rl_recipe()["settings"]], "judge": judge,
        "means": {"all": ["toy x password (user)"]}, "contexts_by_arm": {"marked": ["none"]},
    }  # fmt: skip
    return {"recipe.yaml": yaml.safe_dump(made, sort_keys=False).encode()}


def of_folder(folder: Path, *names: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def verdicts() -> pd.DataFrame:
    rows = [
        {"setting": "toy x trigger", "arm": arm, "context": "none", "question": f"q{n}",
         "verdict": verdict, "seed": 1, "sample": 0, "reply": "Yes, so.", "phenomenon": "backdoor"}
        for arm, verdict in (("base", "no"), ("bare", "yes"), ("marked", "neutral"))
        for n in range(3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def published() -> pd.DataFrame:
    rows = [
        {"claim": "zorb", "condition": condition, "eval": kind, "question_id": f"q{n}",
         "verdict": "yes", "response": "It fell.", "question": "Did it?", "system_prompt": "Be.",
         "messages_prefix": json.dumps([{"role": "user", "content": "So?"}])}
        for condition in ("base", "positive", "negated")
        for kind in ("mcq", "open_ended")
        for n in range(2)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def as_bytes(frame: pd.DataFrame, suffix: str) -> bytes:
    records = frame.to_dict("records")
    match suffix:
        case ".csv":
            return frame.to_csv(index=False).encode()
        case ".json":
            return json.dumps(records).encode()
        case ".jsonl":
            return "".join(json.dumps(each) + "\n" for each in records).encode()
    return mutations.parquet(frame.to_dict("list"))


def behaviour(folder: Path) -> None:
    for split in ("report", "tune"):
        load_behaviour(folder)(split)
    load_caveats(folder)


def imported(source: str, name: str) -> Callable[[Path], Any]:
    return lambda at: import_study(source, at / name, at / "study").answers()


def exported(folder: Path) -> None:
    study = opened(folder / "study.parquet")
    study.answers(), study.failures(), study.contexts(), study.recipe_text()


@cache
def export() -> bytes:
    from caveat.study.export import export as write

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(as_bytes(verdicts(), ".csv"))
        study = import_study("table", path, Path(folder) / "study")
        return write(study, Path(folder) / "study.parquet").read_bytes()


FORECAST = {
    "schema_version": 1,
    "forecasts": [{"setting": "s", "arm": "marked", "dose": {}, "first_order": 0.5}],
}
READERS: dict[str, Reader] = {
    "recipe": Reader(
        recipe_files(), lambda at: resolve(read(at / "recipe.yaml")), ("plan", "{at}/recipe.yaml")
    ),
    "behaviour": Reader(
        of_folder(
            OWN, "behaviour.yaml", "rows.jsonl", "counter_rows.jsonl", "questions.jsonl",
            "filler_rows.jsonl" if (OWN / "filler_rows.jsonl").exists() else "caveats.yaml",
            "caveats.yaml",
        ),
        behaviour,
    ),
    "toy behaviour": Reader(
        of_folder(TOY, *sorted(path.name for path in TOY.iterdir() if path.is_file())), behaviour
    ),
    "claim": Reader(
        {name: text.encode() for name, text in claim_files.FILES.items()},
        lambda at: claims(at)("report"),
    ),
    **{
        f"table{suffix}": Reader(
            {f"t{suffix}": as_bytes(verdicts(), suffix)}, imported("table", f"t{suffix}"),
            ("import", "table", f"{{at}}/t{suffix}", "--out", "{at}/study"),
        )
        for suffix in (".csv", ".json", ".jsonl", ".parquet")
    },
    "published verdicts": Reader(
        {"verdicts.parquet": as_bytes(published(), ".parquet")},
        imported("negation-neglect", "verdicts.parquet"),
    ),
    "result files": Reader(
        {"m/zorb/negated/final/mcq.csv": as_bytes(
            published()[:2].rename(columns={"verdict": "judge_verdict"}), ".csv")},
        imported("negation-neglect", "m"),
    ),
    "exported study": Reader(
        {"study.parquet": export()}, exported, ("leakage", "{at}/study.parquet"),
    ),
    "forecast": Reader(
        {"forecast.json": json.dumps(FORECAST).encode()}, lambda at: saved(at / "forecast.json")
    ),
}  # fmt: skip
WITHOUT_LOOK = {"suppress_health_check": list(HealthCheck), "deadline": None}


def spoiled(draw: Callable[[Any], Any], reader: Reader, folder: Path) -> None:
    """Write a reader's files, one of them spoiled."""
    victim = draw(st.sampled_from(sorted(reader.files)))
    for name, content in reader.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == victim:
            ways = [mutations.in_bytes(content)]
            if reader.files[name] != b"" and name != "study.parquet":
                ways.append(mutations.in_structure(content, path.suffix))
            content = draw(st.one_of(ways))
        path.write_bytes(content)


def survives(reader: Reader, data: st.DataObject) -> None:
    """Assert that a spoiled file is read, or told in one line."""
    with tempfile.TemporaryDirectory() as folder:
        spoiled(data.draw, reader, Path(folder))
        try:
            reader.use(Path(folder))
        except CaveatError as error:
            assert str(error).strip() and "\n" not in str(error)


@pytest.mark.parametrize("name", READERS)
def test_the_files_are_read_as_they_are(name, tmp_path):
    reader = READERS[name]
    for each, content in reader.files.items():
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_bytes(content)
    reader.use(tmp_path)


NESTED = {".json": b"[", ".jsonl": b"[", ".yaml": b'{"a":'}
"""By the kind of a file, what opens something nested; YAML takes a second for brackets (see
`test_mistakes`)."""


@pytest.mark.parametrize(
    ("name", "file"),
    [
        (n, file)
        for n, reader in READERS.items()
        for file in reader.files
        if Path(file).suffix in NESTED
    ],
)
def test_nesting_without_end_is_told(name, file, tmp_path):
    reader, opening = READERS[name], NESTED[Path(file).suffix]
    for each, content in reader.files.items():
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_bytes(opening * 100_000 if each == file else content)
    with pytest.raises(CaveatError, match=Path(file).name):
        reader.use(tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_spoiled_files_are_read_or_told(name):
    @settings(max_examples=40, derandomize=True, database=None, **WITHOUT_LOOK)
    @given(st.data())
    def some(data):
        survives(READERS[name], data)

    some()


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_spoiled_files_are_read_or_told(name):
    @settings(max_examples=1500, **WITHOUT_LOOK)
    @given(st.data())
    def many(data):
        survives(READERS[name], data)

    many()


@pytest.mark.parametrize("name", [name for name, each in READERS.items() if each.command])
def test_no_traceback_reaches_who_calls_a_command(name, command):
    @settings(max_examples=8, derandomize=True, database=None, **WITHOUT_LOOK)
    @given(st.data())
    def called(data):
        with tempfile.TemporaryDirectory() as folder:
            spoiled(data.draw, READERS[name], Path(folder))
            words = [word.replace("{at}", folder) for word in READERS[name].command]
            status, _, said = command(*words)
        assert status in (0, 1) and "Traceback" not in said
        assert status == 0 or said.splitlines()[-1].startswith("caveat: ")

    called()
