"""The command: what it writes and leaves alone, and what it refuses in one line."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from caveat.backends.base import Feature
from caveat.backends.local.backend import LocalBackend
from caveat.diagnostics.run import diagnose
from caveat.diagnostics.subjects import Limits
from caveat.errors import CaveatError
from caveat.report.tables.diagnostics import diagnostics_section
from caveat.report.templating import environment
from caveat.study.export import export, opened
from caveat.study.study import Study
from toy_study import marks

REST = (
    "without weights there are rates and graded leakage (caveat leakage), effects (caveat mixed), "
    "and forecasts on an open model (caveat forecast)"
)


def everything(folder) -> dict[str, bytes]:
    """Every file of a study but the tables of diagnostics."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "diagnostics" not in path.relative_to(folder).parts
    }


def test_it_writes_tables_beside_the_study_and_changes_nothing_else(study, command):
    before, artifacts = everything(study.folder), marks(study.folder)
    status, output, errors = command("diagnose", str(study.folder), "--view", "updates", "--json")
    assert status == 0, errors
    records = json.loads(output)
    tables = Study.open(study.folder).diagnostics()
    assert len(tables["updates"]) == len(records["updates"]) > 100
    row = records["update_summary"][0]
    assert row["setting"] == "toy x password" and row["dose"]["rank"] == 2
    assert everything(study.folder) == before and marks(study.folder) == artifacts
    status, output, _ = command("diagnose", str(study.folder), "--view", "updates", "--seeds", "2")
    assert status == 0 and "weight updates" in output and "corrected" in output
    again = Study.open(study.folder).diagnostics()
    assert 0 < len(again["updates"]) < len(tables["updates"]), "the setting's rows are replaced"
    pd.testing.assert_frame_equal(again["updates"].head(0), tables["updates"].head(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--view", "update"], "--view 'update': there are {views}; closest: 'updates'"),
        (["--layers", "1,x"], "--layers '1,x': write numbers between commas, such as 4,12,20"),
        (["--setting", "toy"], "--setting 'toy': {folder} has toy x password"),
        (["--arm", "barer"], "--arm 'barer': the study has base, bare, marked, clean, marked+seal; "
         "closest: 'bare'"),
        (["--seeds", "4"], "--seeds 4: the study has 3; take at most so many"),
        (["--json", "--markdown"], "--json and --markdown: one form at a time; drop all but one"),
    ],
)  # fmt: skip
def test_mistakes_of_options_are_one_line(study, command, arguments, message):
    from caveat.diagnostics.run import VIEWS

    expected = message.format(folder=study.folder, views=", ".join(VIEWS))
    status, _, errors = command("diagnose", str(study.folder), *arguments)
    assert (status, errors.splitlines()[-1]) == (1, f"caveat: {expected}")


def refused(study, **options) -> str:
    with pytest.raises(CaveatError) as error:
        diagnose(study, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_has_no_weights_is_refused_and_what_is_left_is_named(study, backend, tmp_path):
    file = export(study, tmp_path / "study.parquet")
    assert refused(opened(file)) == (
        f"{file}: an exported file has no adapters; name the study's folder; {REST}"
    )
    folder = shutil.copytree(study.folder, tmp_path / "remote")
    path = folder / "versions" / study.version / "recipe.yaml"
    recipe = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**recipe, "backend": "tinker"}))
    assert refused(Study(folder)) == (
        f"{folder}: its backend is 'tinker', which gives no weights to read; {REST}"
    )
    blind = LocalBackend(backend.language_model)
    blind.supports = frozenset(Feature) - {Feature.WEIGHTS}
    assert refused(study, backend=blind) == (
        "diagnose: needs weights and hidden states that can be read here, which this backend of "
        f"tiny does not have; {REST}"
    )


def test_adapters_that_are_gone_are_named(study, backend, tmp_path):
    folder = shutil.copytree(study.folder, tmp_path / "study")
    other = Study(folder)
    cells = other.store.lines(f"versions/{other.version}/cells.jsonl")
    (chain,) = (cell["chain"] for cell in cells if (cell["arm"], cell["seed"]) == ("marked", 1))
    shutil.rmtree(other.store.artifact(chain[0]))
    assert refused(other, backend=backend) == (
        "toy x password / marked / seed 1: its adapter is not in the store any more "
        f"({other.store.artifact(chain[0])}); run the recipe again: it is trained anew"
    )
    limits = Limits(arms=("clean",))
    frames = diagnose(other, views=["updates"], limits=limits, backend=backend)
    assert set(frames["updates"]["arm"]) == {"bare", "clean"}


def test_a_study_without_bare_is_refused(study, backend, tmp_path):
    folder = shutil.copytree(study.folder, tmp_path / "study")
    shutil.rmtree(folder / "answers")
    other = Study(folder)
    for cell in other.store.lines(f"versions/{other.version}/cells.jsonl"):
        if cell["arm"] == "bare":
            shutil.rmtree(other.store.artifact(cell["chain"][0]))
    assert refused(other, backend=backend) == (
        "toy x password: the arm bare is not trained, and everything is compared with it; run the "
        "recipe to its end"
    )


def test_other_rows_or_weights_than_the_study_was_run_with_are_refused(study, backend, tmp_path):
    folder = shutil.copytree(study.folder, tmp_path / "study")
    path = folder / "versions" / study.version / "recipe.yaml"
    recipe = yaml.safe_load(path.read_text())
    recipe["settings"][0]["dose"]["epochs"] = 7
    path.write_text(yaml.safe_dump(recipe))
    message = refused(Study(folder), backend=backend)
    assert message.startswith(f"{folder}: toy x password / ") and message.endswith(
        "would be trained on other rows now: its files or this version of caveat changed since it "
        "was run; run its recipe again"
    )
    document = LocalBackend.load("tiny-document")
    assert refused(study, backend=document) == (
        f"model 'tiny-document' is {document.identity} now, and was {backend.identity} when "
        f"{study.folder} was run; its adapters belong to those weights"
    )


def test_all_views_come_with_cells_and_scores_and_are_printed(study, command):
    status, output, errors = command("diagnose", str(study.folder), "--markdown", "--seeds", "2")
    assert status == 0, errors
    for title in ("weight updates", "decision tokens", "how alike contexts are", "hidden states",
                  "a probe for bare's states", "is the caveat represented",
                  "Diagnostics against leakage at none"):  # fmt: skip
        assert title in output
    tables = Study.open(study.folder).diagnostics()
    assert {"updates", "update_summary", "decision_tokens", "divergences", "movements",
            "held_probe", "caveat_probe", "cells", "scores"} <= {*tables}  # fmt: skip
    assert " settings with a value and a leakage; 3 are needed" in output
    section = diagnostics_section(SimpleNamespace(diagnostics=tables))
    page = (
        environment().get_template("diagnostics.html.j2").render(diagnostics=section, learning=[])
    )
    assert "<h2>Diagnostics</h2>" in page and "toy x password (tiny): weight updates" in page
    assert page.index("Diagnostics against leakage") < page.index("<details>")
    assert diagnostics_section(SimpleNamespace(diagnostics={})) is None
    status, _, errors = command("diagnose", str(study.folder), "--layers", "0,2")
    assert (status, errors.splitlines()[-1]) == (
        1, "caveat: --layers 2: the model has 2 layers, 0 to 1; name some of these"
    )  # fmt: skip
