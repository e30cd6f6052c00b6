"""Tables of several studies, scored as one: from studies, and from a folder that was kept."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from caveat.analysis.primary import primary_rows
from caveat.diagnostics.run import diagnose
from caveat.study.study import Study


@pytest.fixture(scope="module")
def diagnosed(study, backend, tmp_path_factory):
    """A copy of the study with its updates diagnosed, and a forecast."""
    folder = shutil.copytree(study.folder, tmp_path_factory.mktemp("one") / "study")
    shutil.rmtree(folder / "diagnostics", ignore_errors=True)
    diagnose(Study.open(folder), views=["updates"], backend=backend)
    leakage = Study.open(folder).leakage()
    dose = json.loads(leakage["dose"].iloc[1])
    record = {"setting": "toy x password", "model": "tiny", "dose": dose, "arm": "marked",
              "elicitation": 0.25, "first_order": None}  # fmt: skip
    content = {"schema_version": 1, "forecasts": [record]}
    (folder / "forecast.json").write_text(json.dumps(content))
    return folder


def test_a_kept_folder_says_the_same_as_the_studies(diagnosed, command, tmp_path):
    arguments = ("diagnose", str(diagnosed), "--score", "--markdown")
    status, output, errors = command(*arguments, "--keep", str(tmp_path / "kept"))
    assert status == 0, errors
    assert "forecast: elicitation" in output and "cosine with bare, same seed" in output
    assert "too few settings to say" in output and "Below 8 settings no verdict is given." in output
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == ["cells.parquet", "forecasts.parquet", "update_summary.parquet"]
    status, again, _ = command("diagnose", str(tmp_path / "kept"), "--score", "--markdown")
    assert (status, again) == (0, output)
    cells = pd.read_parquet(tmp_path / "kept" / "cells.parquet")
    (row,) = cells[cells["diagnostic"] == "forecast: elicitation"].to_dict("records")
    assert (row["arm"], row["value"]) == ("marked", 0.25)
    measured = cells[cells["diagnostic"] == "elicitation, measured"].set_index("arm")["value"]
    rates = Study.open(diagnosed).leakage().query("arm == 'base' and scope == 'trained'")
    rate = primary_rows(rates).set_index("context")["rate"]
    assert set(measured) == {rate["exact"] - rate["none"]} and "marked+seal" in measured
    folders = (str(tmp_path / "kept"), str(diagnosed))
    options = ("--score", "--later", "--markdown", "--version", Study.open(diagnosed).version)
    status, again, errors = command("diagnose", *folders, *options)
    assert (status, again) == (0, output), errors


def test_mistakes_are_one_line(diagnosed, study, command, tmp_path):
    copy = shutil.copytree(diagnosed, tmp_path / "copy")
    empty = shutil.copytree(diagnosed, tmp_path / "empty")
    shutil.rmtree(empty / "diagnostics")
    for arguments, message in (
        ((diagnosed, copy, "--score"),
         f"{copy}: toy x password on tiny at the same dose is in {diagnosed}, too; name one of "
         "them, since it would count twice, or add --later and the last one counts"),
        ((diagnosed, "--later"), "--later: of settings that are scored; add --score"),
        ((empty, "--score"),
         f"{empty}: nothing was diagnosed there yet; run caveat diagnose {empty}"),
        ((diagnosed, copy),
         f"{diagnosed} {copy}: one study at a time is looked into; --score takes several that "
         "were"),
        ((diagnosed, "--keep", "x"), "--keep x: tables are kept with --score; add it"),
    ):  # fmt: skip
        status, _, errors = command("diagnose", *map(str, arguments))
        assert (status, errors.splitlines()[-1]) == (1, f"caveat: {message}")
