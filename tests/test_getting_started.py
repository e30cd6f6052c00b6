"""Every command of docs/getting-started.md runs, in its order, on the tiny model."""

import re
import shlex

import pytest

from check_files import QUICK
from paths import ROOT

PAGE = (ROOT / "docs" / "getting-started.md").read_text("utf-8")
FIELDS = ("settings.0.dose.epochs=1", "settings.0.dose.rows=8", "contexts=[none, exact]",
          "sampling.max_tokens=2", "seeds=[0]")  # fmt: skip
SMALL = [word for field in FIELDS for word in ("--set", field)]


def commands():
    """The commands of the page's sh blocks, without comments, lines joined."""
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.S | re.M)).replace("\\\n", " ")
    lines = [line.partition("  #")[0].strip() for line in blocks.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line]


def small(words):
    """The command on the tiny model, with less to do."""
    if words[0] == "check":
        return [*words, *QUICK]
    if words[0] == "run":
        return [*words, *SMALL]
    return words


@pytest.fixture
def reader(tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)


def test_every_command_runs(reader, command):
    for words in commands():
        status, out, err = command(*small(words))
        assert status == 0, f"caveat {shlex.join(words)}: {err}"
        assert out.strip()
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M):
        exec(compile(block, "getting-started.md", "exec"), {})


def test_the_page_goes_from_a_training_file_to_a_report():
    names = [words[0] for words in commands()]
    steps = ["check", "plan", "run", "leakage", "report"]
    assert [names.index(name) for name in steps] == sorted(names.index(name) for name in steps)
