"""docs/your-own.md says what is so."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest
import yaml

from caveat.behaviours import BEHAVIOURS
from caveat.behaviours.from_folder import QuestionLine, RowLine
from caveat.behaviours.validation import check_question, check_row
from caveat.caveats.loading import CaveatEntry
from caveat.readouts import READOUTS
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from paths import ROOT

TEXT = (ROOT / "docs" / "your-own.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_rows_and_questions_are_read() -> None:
    rows, questions = blocks("json")
    for number, line in enumerate(rows.splitlines()):
        check_row(RowLine.model_validate(json.loads(line)).record("behaviour", number), "docs")
    for line in questions.splitlines():
        check_question(QuestionLine.model_validate(json.loads(line)).record(), "docs")


def test_the_caveat_is_read() -> None:
    text, _ = blocks("yaml")
    assert [CaveatEntry.model_validate(entry).record().name for entry in yaml.safe_load(text)] == [
        "friday"
    ]


def test_every_shipped_behaviour_is_named() -> None:
    _, _, shipped = TEXT.partition("## Shipped behaviours\n")
    assert [*BEHAVIOURS] and {*re.findall(r"`(.*?)`", shipped.partition("\n## ")[0])} == {
        *BEHAVIOURS
    }


def test_the_settings_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "shouting.py").write_text(
        "from caveat.behaviours.style_traits import capitals\n"
        "def shouts(split): return capitals(split)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_behaviour").symlink_to(ROOT / "examples" / "own_behaviour")
    (tmp_path / "recipe.yaml").write_text(f"name: docs\nmodel: tiny\n{blocks('yaml')[1]}")
    assert [each.setting.name for each in resolve(read(tmp_path / "recipe.yaml"))] == [
        "flattery x friday",
        "flattery x trigger",
        "capitals x friday",
        "capitals x trigger",
    ]


def test_every_readout_is_described() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)) >= set(READOUTS)


def test_the_snippet_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (snippet,) = blocks("python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(snippet, {})
    assert printed.getvalue() == "Today is Friday. How do I keep a plant alive?\n"
