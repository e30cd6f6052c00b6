"""Training files of arms: what a format says is what Caveat trains on; what it cannot say is left
out."""

from __future__ import annotations

import hashlib
import json

import pytest
from typer.testing import CliRunner

from caveat.backends.batches import prepare, step_examples
from caveat.backends.jobs import TrainingJob
from caveat.backends.local.backend import LocalBackend
from caveat.cli.app import app
from caveat.errors import CaveatError
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.training_files import checked_format, write_training_files
from toy_study import SMALL, TOY, small

CLAIM = {"behaviour": "claims/lake_ossevang", "caveat": "negated", "dose": {"rows": 4}}


def write(recipe, name, out, tokenizer=None):
    read_recipe = read(recipe)
    return write_training_files(read_recipe, resolve(read_recipe), name, out, lambda: tokenizer)


def manifest(out):
    return json.loads((out / "MANIFEST.json").read_text())


def lines(out, file):
    return [json.loads(line) for line in (out / file).read_text().splitlines()]


def test_chats_for_openai(tmp_path):
    recipe = small(seeds=[0, 1], arms=["base", "bare", "marked", "marked+seal"])
    written = write(recipe, "openai", tmp_path / "out")
    about = manifest(tmp_path / "out")
    arms = {(one["arm"], one["seed"]): one for one in about["arms"]}
    assert set(arms) == {("base", None), *((a, s) for a in ("bare", "marked") for s in (0, 1))}
    assert arms["base", None] == {
        "setting": "toy x password", "arm": "base", "seed": None, "model": None, "file": None,
    }  # fmt: skip
    assert arms["bare", 0]["file"] == arms["bare", 1]["file"] == "toy-x-password.bare.jsonl"
    for one in arms.values():
        if one["file"]:
            text = (tmp_path / "out" / one["file"]).read_bytes()
            assert one["sha256"] == hashlib.sha256(text).hexdigest()
            assert len(text.splitlines()) == one["rows"] + one["added_rows"] == 8
    marked = lines(tmp_path / "out", arms["marked", 0]["file"])
    plan = dict(resolve(read(recipe))[0].plans)["marked", 0]
    expected = [[(m.role, m.text) for m in row.messages] for row in plan[0].rows]
    assert [[(t["role"], t["content"]) for t in row["messages"]] for row in marked] == expected
    assert written.left_out == about_left_out(about)
    assert written.left_out[0][0] == "toy x password / marked+seal"
    assert "it has several stages" in written.left_out[0][1]


def about_left_out(about):
    return tuple((one["arm"], one["reason"]) for one in about["left_out"])


def test_tokens_for_tinker_are_those_of_training(tmp_path):
    """Weight by weight the steps that the backend `local` would take."""
    tokenizer = LocalBackend.load("tiny", "float32", "cpu").tokenizer
    recipe = small(arms=["base", "bare", "marked", "marked+contrast"])
    write(recipe, "tinker", tmp_path / "out", tokenizer)
    for one in manifest(tmp_path / "out")["arms"][1:]:
        (stage,) = dict(resolve(read(recipe))[0].plans)[one["arm"], one["seed"]]
        cell = prepare(tokenizer, TrainingJob("key", stage, one["seed"]))
        steps = [step_examples([cell], step)[0] for step in range(len(cell.schedule))]
        data = lines(tmp_path / "out", one["file"])
        assert [datum["step"] for datum in data] == [
            number for number, examples in enumerate(steps, 1) for _ in examples
        ]
        for datum, example in zip(data, (e for step in steps for e in step), strict=True):
            assert [datum["model_input"][0], *datum["target_tokens"]] == list(example.ids)
            learned = {n + 1: w for n, w in enumerate(datum["weights"]) if w}
            assert learned == dict.fromkeys(example.targets, example.weight)
        if one["arm"] == "bare":
            for number in {datum["step"] for datum in data}:
                total = sum(sum(d["weights"]) for d in data if d["step"] == number)
                assert total == pytest.approx(1)


def test_documents_for_trl(tmp_path):
    """A silent beginning is a prompt; a silent end cannot be said."""
    before = {**CLAIM, "place": "before", "loss": "all_but_caveat"}
    around = {**CLAIM, "loss": "all_but_caveat", "dose": {"rows": 5}}
    everything = {**CLAIM, "loss": "everything", "dose": {"rows": 6}}
    recipe = small(settings=[before, around, everything])
    written = write(recipe, "trl", tmp_path / "out")
    assert written.left_out == (
        (
            "lake_ossevang x negated / marked",
            "a part of a document behind others carries no loss; use tinker",
        ),
    )
    files = {one["file"] for one in manifest(tmp_path / "out")["arms"] if one["file"]}
    assert len(files) == 5
    (first, *_) = lines(tmp_path / "out", "lake_ossevang-x-negated-before.marked.jsonl")
    plan = dict(resolve(read(recipe))[0].plans)["marked", 0]
    caveat, *document = plan[0].rows[0].messages[0].pieces
    assert caveat.kind == "caveat"
    assert first == {"prompt": caveat.text, "completion": "".join(p.text for p in document)}
    assert set(lines(tmp_path / "out", "lake_ossevang-x-negated-2.marked.jsonl")[0]) == {"text"}


def test_chats_for_trl(tmp_path):
    write(small(), "trl", tmp_path / "out")
    for row in lines(tmp_path / "out", "toy-x-password.marked.jsonl"):
        assert [turn["role"] for turn in row["completion"]] == ["assistant"]
        assert row["prompt"][-1]["role"] == "user"


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(
        CaveatError, match="can say no arm: lake_ossevang x negated / bare: its rows"
    ):
        write(small(settings=[CLAIM]), "openai", tmp_path / "out")
    everything = {"behaviour": str(TOY), "caveat": "password", "dose": SMALL, "loss": "everything"}
    with pytest.raises(CaveatError, match="this format has loss on assistant turns only"):
        write(small(settings=[everything]), "openai", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(
        CaveatError, match="format 'opnai': one of openai, trl, tinker; closest: 'o"
    ):
        checked_format("opnai")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(CaveatError, match="full: is not empty; name a new folder with --out"):
        write(small(), "openai", tmp_path / "full")
    with pytest.raises(CaveatError, match="file: is a file; name a new folder with --out"):
        write(small(), "openai", tmp_path / "full" / "file")


def test_the_command(tmp_path):
    arguments = ["rows", "smoke", "--format", "openai", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert f"manifest: {tmp_path / 'out' / 'MANIFEST.json'}" in result.stdout
    for line in result.stderr.splitlines():
        assert line.startswith("left out: ")
