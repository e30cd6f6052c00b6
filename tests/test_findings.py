"""The figures of docs/results/findings.md are those of the replies and verdicts in docs/data."""

from __future__ import annotations

import html
import re

import pytest
import yaml

from caveat.report.figures.transfer import SIDE, STEP, UNKNOWN
from caveat.report.formatting import estimate
from caveat.report.transfer_matrix import transfer_matrix
from caveat.study.config.schema import read
from caveat.study.export import Exported
from paths import DOCS

TABLES = {
    "transfer.md": ("transfer", "transfer"),
    "transfer-leakage.md": ("leakage", "transfer"),
    "transfer-further.md": ("transfer", "transfer-further"),
    "transfer-further-leakage.md": ("leakage", "transfer-further"),
    "rl-claimed-pass.md": ("rl", "rl-claimed-pass"),
    "rl-claimed-pass-further.md": ("rl", "rl-claimed-pass-further"),
    "rl-qwen-0.5b.md": ("rl", "rl-qwen-0.5b"),
    "dial.md": ("ladder", "dial", "--all"),
    "phrasing.md": ("ladder", "phrasing", "--all"),
    "crossing.md": ("ladder", "crossing", "--all"),
    "ladder.md": ("ladder", "ladder", "--all"),
    "dose.md": ("ladder", "dose", "--all"),
    "wordings.md": ("ladder", "wordings", "--all"),
    "wordings-0.5b.md": ("ladder", "wordings-0.5b", "--all"),
    "wordings-mixed-controls-0.5b.md": ("leakage", "wordings-mixed-controls-0.5b"),
    "wordings-mixed-further-1.5b.md": ("leakage", "wordings-mixed-further-1.5b"),
    "own-data-doses.md": ("leakage", "own-data-doses"),
    "own-samples.md": ("leakage", "own-samples"),
    "own-samples-further.md": ("leakage", "own-samples-further"),
    "own-samples-dose.md": ("leakage", "own-samples-dose"),
    "wordings-larger-1.5b.md": ("leakage", "wordings-larger-1.5b"),
    "claims-loss.md": ("leakage", "claims-loss"),
    "reward-hacking-leakage.md": ("leakage", "reward-hacking"),
    "rl.md": ("rl", "rl"),
    "rl-leakage.md": ("leakage", "rl"),
}
SLOW = ("wordings-0.5b.md",)
"""As large as another table, so that it is not made again in each run."""
COMPULSORY = (
    "contrast", "near_miss_negatives", "local", "repeat", "correct", "diversify", "place", "anchor",
    "kl_to_base", "seal", "frozen_adapter",
)  # fmt: skip
BOX = re.compile(r'<path aria-label="([^"]*; [^"]*)"[^>]*? d="M(\d+),(\d+)h[^>]*? fill="([^"]*)"')


@pytest.fixture(scope="module")
def study() -> Exported:
    return Exported(DOCS / "data" / "transfer.parquet")


def test_the_scores_of_forecasts_are_what_the_command_says(command):
    given = [
        part
        for name in ("dial", "crossing", "transfer")
        for part in (
            "--from", str(DOCS / "data" / f"forecast-{name}.json"),
            "--against", str(DOCS / "data" / f"{name}.parquet"),
        )
    ]  # fmt: skip
    status, out, _ = command("forecast", *given, "--markdown")
    assert status == 0
    assert out == (DOCS / "data" / "forecast.md").read_text("utf-8")


LARGER = tuple(f"inside-1.5b/{study}" for study in ("parts", "forms", "larger"))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("inside", ("inside", "inside-naming", *LARGER, "--later")),
        ("inside-1.5b", LARGER),
        ("inside-naming", ("inside-naming",)),
        ("inside-training", ("inside-training",)),
    ],
)
def test_the_tables_of_diagnostics_are_what_the_command_says(command, name, given):
    folders = [str(DOCS / "data" / one) if one[0] != "-" else one for one in given]
    status, out, _ = command("diagnose", *folders, "--score", "--markdown")
    assert status == 0
    assert out == (DOCS / "data" / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize(
    "table",
    [pytest.param(table, marks=[pytest.mark.slow] * (table in SLOW)) for table in TABLES],
)
def test_the_tables_are_what_the_commands_say(table, command):
    name, source, *options = TABLES[table]
    file = str(DOCS / "data" / f"{source}.parquet")
    status, out, _ = command(name, file, *options, "--markdown")
    assert status == 0
    assert out == (DOCS / "data" / table).read_text("utf-8")


def test_the_matrix_has_every_compulsory_intervention(study):
    tried = {name.partition("(")[0] for name in study.transfer()["intervention"]}
    assert set(COMPULSORY) <= tried


def boxes_of_the_figure() -> list[dict[tuple[int, int], tuple[str, str]]]:
    """Hover text and colour by column and line, for each of the figure's two matrices."""
    svg = html.unescape((DOCS / "results" / "transfer.svg").read_text("utf-8"))
    return [
        {
            (int(across) // SIDE, int(down) // STEP): (hover, fill)
            for hover, across, down, fill in BOX.findall(half)
        }
        for half in svg.split("concat_1_group")
    ]


def direction(fill: str) -> str:
    red, _, blue = map(int, re.findall(r"\d+", fill))
    return "better" if red < blue else "worse" if red > blue else "white"


def test_the_figure_shows_the_matrix(study):
    frame = study.transfer()
    matrix = transfer_matrix(frame)
    drawings = boxes_of_the_figure()
    rows = frame[frame["primary"]].set_index(["setting", "arm"])
    for down, line in enumerate(matrix.lines):
        for across, (column, cell) in enumerate(zip(matrix.columns, line.cells, strict=True)):
            if cell is None:
                continue
            arm, verdict = cell["arm"], cell["verdict"]
            row = rows.loc[(column.setting, arm)].to_dict()
            changes = estimate(row, "leakage_change"), estimate(row, "at_caveat_change")
            for boxes, change, sign in zip(drawings, changes, (-1, 1), strict=True):
                hover, fill = boxes.pop((across, down))
                assert hover == f"{arm}, {column.title}: {change}; {verdict}"
                if change.value is None:
                    assert fill == UNKNOWN
                elif abs(change.value) > 0.02:
                    expected = "better" if sign * change.value > 0 else "worse"
                    assert direction(fill) == expected
    assert drawings == [{}, {}]


def test_what_repeat_does_is_what_the_library_computes():
    table = Exported(DOCS / "data" / "transfer-further.parquet").differences()
    named = (table["difference"] == "marked+repeat - marked") & (table["caveat"] == "instruction")
    (repeat,) = table[named].to_dict("records")
    low, value, high = (f"{-repeat[name]:.2f}" for name in ("high", "value", "low"))
    sentences = " ".join((DOCS / "results" / "findings.md").read_text("utf-8").split())
    assert (
        f"lowers the rate at none by {value} [{low}, {high}], for one prompt and one model. p is "
        f"{repeat['p']:.4f}, and {repeat['p_holm']:.3f} after Holm's correction over all "
        "differences of the setting. The t-test over its three seeds alone has p "
        f"{repeat['p_seeds']:.4f}, uncorrected."
    ).replace(" 0.", " .").replace("[0.", "[.") in sentences


def test_the_page_on_statistics_says_what_its_table_says():
    """The greatest share of false positives by how much seeds differ, at .05, .01 and .001."""
    page = (DOCS / "engineering" / "statistics.md").read_text("utf-8")
    _, _, table = page.partition("## Calibration")
    lines = re.findall(r"^\| \w.* x .*\|$", table.partition("Read it so")[0], re.M)
    rows = [[float(cell) for cell in line.split(" | ")[3:7]] for line in lines[1:]]
    assert len(rows) == 40

    def most(of_spreads) -> str:
        first, second, third = (
            f"{max(row[level] for row in rows if of_spreads(row[0])):.2f}" for level in (1, 2, 3)
        )
        return f"at most {first}, {second} and {third}%"

    sentences = " ".join(page.split())
    assert f"below the level: {most(lambda spread: spread <= 0.5)} at .05" in sentences
    assert f"**Seed sd 1.** They are at the level: {most(lambda spread: spread == 1)}." in sentences


NO_STUDIES = ("decision-tokens",)
"""Tables of docs/data that are no exported studies."""
STUDIES = sorted(p for p in (DOCS / "data").glob("*.parquet") if p.stem not in NO_STUDIES)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_stored_study_names_its_arms_and_recipe_as_today(path):
    """Recipes in stored studies read today, and controls are found among the answers."""
    study = Exported(path)
    assert read(yaml.safe_load(study.recipe_text())).settings
    answers = study.answers()
    arms = set(zip(answers["setting"], answers["dose"], answers["arm"], strict=True))
    trained = {setting for setting, _, arm in arms if arm != "base"}  # one study has not ended
    assert {control for control in study.controls if control[0] in trained} <= arms
