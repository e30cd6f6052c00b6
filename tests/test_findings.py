"""The figures of docs/findings.md are those of the replies and verdicts in docs/data."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from caveat.report.matrix import matrix
from caveat.study.exported import Exported

DOCS = Path(__file__).parents[1] / "docs"
TABLES = {
    "transfer.md": ("transfer", "transfer"),
    "transfer-leakage.md": ("leakage", "transfer"),
    "transfer-further.md": ("transfer", "transfer-further"),
    "transfer-further-leakage.md": ("leakage", "transfer-further"),
}
COMPULSORY = (
    "contrast", "near_miss_negatives", "local", "repeat", "correct", "diversify", "place", "anchor",
    "kl_to_base", "seal", "frozen_adapter",
)  # fmt: skip


@pytest.fixture(scope="module")
def study() -> Exported:
    return Exported(DOCS / "data" / "transfer.parquet")


@pytest.mark.parametrize("table", TABLES)
def test_the_tables_are_what_the_commands_say(table, command):
    name, source = TABLES[table]
    status, out, _ = command(name, str(DOCS / "data" / f"{source}.parquet"), "--markdown")
    assert status == 0
    assert out == (DOCS / "data" / table).read_text("utf-8")


def test_the_matrix_has_every_compulsory_intervention(study):
    tried = {name.partition("(")[0] for name in study.transfer()["intervention"]}
    assert set(COMPULSORY) <= tried


def test_the_picture_shows_the_matrix(study):
    drawn = html.unescape((DOCS / "transfer.svg").read_text("utf-8"))
    told = set(re.findall(r'aria-label="([^"]*; [^"]*)"', drawn))
    made = matrix(study.transfer())
    wanted = {
        f"{cell.arm}, {column.title}: {cell.change}; {cell.verdict}"
        for line in made.lines
        for column, cell in zip(made.columns, line.cells, strict=True)
        if cell is not None
    }
    assert wanted <= told
