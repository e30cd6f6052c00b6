"""Docs are executed: the README's commands run, and the page of the CLI is what the CLI says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from paths import ROOT

LONG = (
    "caveat demo", "caveat run three-phenomena", "caveat run negation-neglect",
    "caveat run transfer", "caveat run crossing", "caveat run ladder", "caveat run phrasing",
    "caveat run dose", "caveat run dial",
)  # fmt: skip
"""Commands that take minutes or an hour; `make demo` runs the first."""


def commands(page: Path) -> list[str]:
    """The lines of a page's sh blocks that call caveat, without their comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)
    lines = (line.partition("  #")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line.startswith("caveat ")]


README = [line for line in commands(ROOT / "README.md") if not line.startswith(LONG)]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder of a reader of the README, where one command finds what the one before made."""
    folder = tmp_path_factory.mktemp("reader")
    for name in ("examples", "docs"):
        (folder / name).symlink_to(ROOT / name)
    lines = [
        f"mine,{arm},none,q{n},{'yes' if n < rate else 'no'}"
        for arm, rate in (("base", 0), ("bare", 18), ("marked", 9))
        for n in range(20)
    ]
    table = "\n".join(["setting,arm,context,question,verdict", *lines])
    (folder / "verdicts.csv").write_text(table + "\n")
    return folder


@pytest.mark.parametrize("line", README)
def test_readme_commands_run(line, elsewhere, command, monkeypatch):
    monkeypatch.chdir(elsewhere)
    words = shlex.split(line)[1:]
    if words[0] == "serve":  # it serves until it is stopped: see tests/serve
        words += ["--print", "vllm"]
    status, output, errors = command(*words)
    assert status == 0, errors
    assert output.strip()


def test_the_readme_shows_a_study_from_run_to_report():
    called = {command.split()[1] for command in README}
    assert {"run", "leakage", "report", "status", "plan", "show", "models"} <= called


def test_the_page_of_the_cli_is_what_the_cli_says():
    words = [sys.executable, "-m", "typer", "caveat.cli", "utils", "docs", "--name", "caveat"]
    words += ["--title", "The command line"]
    plain = os.environ | {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=plain)
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert done.stdout.split() == page.split(), "run: make docs"


def test_the_page_of_recipes_is_what_the_schema_says():
    from caveat.study.config.reference import markdown

    page = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    assert markdown().strip() == page.strip(), "run: make docs"


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []
