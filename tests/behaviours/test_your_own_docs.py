"""docs/your-own.md says what is so."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest
import yaml

from caveat.behaviours.checks import check_question, check_row
from caveat.behaviours.schema import CaveatEntry, QuestionLine, RowLine
from caveat.readouts import READOUTS

ROOT = Path(__file__).parents[2]
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
    (text,) = blocks("yaml")
    assert [CaveatEntry.model_validate(entry).record().name for entry in yaml.safe_load(text)] == [
        "friday"
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
