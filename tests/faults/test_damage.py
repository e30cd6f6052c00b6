"""Files of a study cut short or spoiled: made again to the same table, or told in one line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from caveat.cli.app import app
from caveat.study.storage.records import Chunks
from caveat.study.study import Study
from harness import child
from studies import STUDIES

KINDS = {
    "answers": "answers/*.jsonl",
    "verdicts": "verdicts/*.jsonl",
    "adapter": "artifacts/*/adapter_model.safetensors",
    "adapter's configuration": "artifacts/*/adapter_config.json",
    "record": "artifacts/*/record.json",
    "sampled rows": "artifacts/*/rows.jsonl",
    "moments of a policy": "artifacts/*/optimiser.safetensors",
    "study": "study.json",
    "table": "versions/*/rows.jsonl",
    "recipe": "versions/*/recipe.yaml",
    "failures": "failures.jsonl",
}
"""The kinds of file that a study has."""
IN = {"sampled rows": "sampled", "moments of a policy": "practised"}
"""The study with a kind of file, where not every one has it."""


def cut(content: bytes, share: float) -> bytes:
    return content[: int(share * len(content))]


def spoiled(content: bytes, _: float) -> bytes:
    return content[: len(content) // 2] + b"\x00\xff[" + content[len(content) // 2 + 3 :]


DAMAGES = {
    "emptied": (cut, 0.0), "cut early": (cut, 0.05), "cut in the middle": (cut, 0.5),
    "cut late": (cut, 0.98), "spoiled": (spoiled, 0.0), "another's": (lambda *_: b"[]\n", 0.0),
    "nested": (lambda *_: b"[" * 100_000 + b"\n\n", 0.0),
}  # fmt: skip


def damaged(undisturbed, kind: str, damage: str, folder: Path) -> tuple[Path, str]:
    """A copy of a finished study with a file of one kind damaged: the file, and the study."""
    name = IN.get(kind, "trained")
    shutil.copytree(undisturbed(name).folder, folder)
    path = sorted(folder.glob(KINDS[kind]))[0]
    change, share = DAMAGES[damage]
    path.write_bytes(change(path.read_bytes(), share))
    return path, name


@pytest.mark.parametrize("damage", ["emptied", "cut in the middle", "spoiled"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_next_run_ends_with_the_same_table(undisturbed, tmp_path, kind, damage):
    runs_again(undisturbed, kind, damage, tmp_path / "study")


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_damage(undisturbed, tmp_path, kind, damage):
    runs_again(undisturbed, kind, damage, tmp_path / "study")


def runs_again(undisturbed, kind: str, damage: str, folder: Path) -> None:
    """Run a damaged study, after the mend that it asks for where it asks for one."""
    path, name = damaged(undisturbed, kind, damage, folder)
    ended = child(STUDIES[name], folder)
    if ended.code == 1:
        assert ended.said == (
            f"{path}: damaged; delete this file and run the recipe again: "
            "finished results are found by their digests"
        )
        path.unlink()
        ended = child(STUDIES[name], folder)
    assert ended.code == 0, ended.said
    undisturbed(name).assert_same(folder)


@pytest.mark.parametrize(
    "damage",
    [
        # A file that is cut elsewhere ends as one that is cut in the middle.
        pytest.param(
            damage, marks=[pytest.mark.slow] if damage in ("cut early", "cut late") else []
        )
        for damage in DAMAGES
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_readers_say_it_in_one_line_or_read_the_rest(undisturbed, tmp_path, capsys, kind, damage):
    damaged(undisturbed, kind, damage, tmp_path / "study")
    for words in (["status"], ["leakage", "--json"], ["rl", "--json"]):
        with pytest.raises(SystemExit) as ended:
            app([words[0], str(tmp_path / "study"), *words[1:]])
        said = capsys.readouterr()
        assert ended.value.code in (0, 1), (words, said.err)
        if ended.value.code == 1:
            assert re.fullmatch(r"(caveat: |.* left out).*\n", said.err.splitlines(True)[-1])
            assert "Traceback" not in said.err


def test_a_reader_beside_the_writer_finds_the_answer_to_every_verdict(
    undisturbed, tmp_path, monkeypatch
):
    folder, aside = tmp_path / "study", tmp_path / "aside"
    shutil.copytree(undisturbed("trained").folder, folder)
    aside.mkdir()
    for name in ("answers", "verdicts"):
        (folder / name).rename(aside / name)
    read = Chunks.refresh

    def refresh(chunks, repair=False):
        read(chunks, repair)
        for each in aside.iterdir():  # published while the reader has read half of the folder
            each.rename(folder / each.name)

    monkeypatch.setattr(Chunks, "refresh", refresh)
    assert len(Study(folder).answers()) == 0
    assert len(Study(folder).answers()) == len(undisturbed("trained").replies)
