"""A study in one file says what its folder says."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from caveat.errors import CaveatError
from caveat.study.export import KEY, UPDATES, Exported, export, opened
from quick_run import run
from toy_study import small


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return run(small(seeds=[0, 1]), tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def path(study, tmp_path_factory):
    return export(study, tmp_path_factory.mktemp("file") / "inner" / "toy.parquet")


@pytest.mark.parametrize("figures", ["leakage", "differences", "caveat_checks", "side_effects"])
def test_figures_are_those_of_the_folder(study, path, figures):
    again = getattr(opened(path), figures)()
    pd.testing.assert_frame_equal(again, getattr(study, figures)())


def test_replies_stay_and_prompts_do_not(study, path):
    ours, theirs = study.answers(), Exported(path).answers()
    kept = [name for name in ours if name not in ("prompt", "artifact")]
    pd.testing.assert_frame_equal(theirs[kept], ours[kept])
    assert set(theirs["prompt"]) == set(theirs["artifact"]) == {""}
    assert ours["prompt"].str.len().min() > 0


@pytest.mark.parametrize("about", [b"[" * 100_000, b"[]", b'"x"', b"{}", b'{"about": []}', b"\xff"])
def test_what_lies_beside_the_table_may_be_spoiled(path, tmp_path, about):
    table = pq.read_table(path)
    whole = json.loads(table.schema.metadata[KEY])
    if about == b'{"about": []}':
        about = json.dumps({**whole, "about": []}).encode()
    spoiled = tmp_path / "spoiled.parquet"
    pq.write_table(table.replace_schema_metadata({KEY: about}), spoiled)
    with pytest.raises(CaveatError, match=r"spoiled\.parquet: damaged; export the study again"):
        Exported(spoiled)


@pytest.mark.parametrize("updates", [b"x", b"eA==", b"\xff"])
def test_updates_beside_the_table_may_be_spoiled(path, tmp_path, updates):
    table = pq.read_table(path)
    spoiled = tmp_path / "spoiled.parquet"
    said = {**table.schema.metadata, UPDATES: updates}
    pq.write_table(table.replace_schema_metadata(said), spoiled)
    with pytest.raises(CaveatError, match=r"spoiled\.parquet: damaged; export the study again"):
        Exported(spoiled).policies()


def test_the_report_is_written_beside_the_file(study, path):
    exported = Exported(path)
    report = exported.report()
    assert report == path.with_suffix(".html")
    assert "marked" in report.read_text("utf-8")
    assert exported.provenance() == study.provenance()
    assert exported.contexts() == study.contexts()


def test_a_folder_is_opened_as_one(study):
    assert opened(study.folder).version == study.version


def test_a_file_is_there_whole_or_not_at_all(study, path, tmp_path):
    before, place = path.read_bytes(), path.stat().st_ino
    assert export(study, path).read_bytes() == before
    assert path.stat().st_ino != place  # another file took its name: it was not written over
    assert [each.name for each in path.parent.glob("*.p*")] == [path.name]
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CaveatError) as error:
        export(study, tmp_path / "file" / "toy.parquet")
    assert str(error.value) == (
        f"{tmp_path / 'file'}: cannot be written (File exists); fix that, or name another folder "
        "with --out"
    )


def test_mistakes(study, path, tmp_path):
    with pytest.raises(CaveatError, match=r"^'a.csv': its name must end in .parquet$"):
        export(study, type(path)("a.csv"))
    with pytest.raises(CaveatError, match=r"none.parquet: no such file$"):
        opened(tmp_path / "none.parquet")
    with pytest.raises(CaveatError, match=r"no version 'other'; the file holds [0-9a-f]{16}$"):
        opened(path, "other")
    alien = tmp_path / "alien.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(alien)
    with pytest.raises(CaveatError, match=r"was not written by caveat export; verdicts of others"):
        opened(alien)
    alien.write_text("no parquet")
    with pytest.raises(CaveatError, match=r"alien.parquet: cannot be read as parquet \("):
        opened(alien)
