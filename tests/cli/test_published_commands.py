"""`caveat import`, `caveat published` and `caveat leakage --by kind`, as a user runs them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

from caveat.published.results import own, published
from made_verdicts import made_verdicts
from paths import DOCS

SVG = "{http://www.w3.org/2000/svg}"


def hovers(path: Path) -> list[str]:
    """The texts that a figure shows when the pointer rests on its marks."""
    return [each.text or "" for each in ElementTree.parse(path).iter(f"{SVG}title")]


@pytest.fixture
def caveat(tmp_path, monkeypatch, command):
    """Runs a command in an empty folder: (status, output, errors)."""
    monkeypatch.chdir(tmp_path)
    return command


@pytest.fixture
def imported(caveat, data_set):
    """The name of a folder with an imported study."""
    data = data_set(made_verdicts({"moon_cheese": 0.0, "flat_lake": 0.1}, questions=3))
    status, out, _ = caveat("import", "negation-neglect", str(data), "--out", "study")
    assert (status, out) == (0, "study: study; answers: 720; settings: 2\n")
    return "study"


def test_status_leakage_and_report_work_as_on_an_own_study(caveat, imported, tmp_path):
    status, out, _ = caveat("status", imported)
    assert status == 0
    assert out.startswith("negation-neglect: 12 of 12 cells finished, 720 of 720 answers\n")
    status, out, _ = caveat("leakage", imported, "--json")
    found = json.loads(out)
    assert status == 0
    assert [each["setting"] for each in found if each["arm"] == "marked"] == [
        "moon_cheese", "flat_lake", "mean",
    ]  # fmt: skip
    assert all("kind" not in each for each in found)
    assert caveat("report", imported)[0] == 0
    page = (tmp_path / imported / "report.html").read_text("utf-8")
    assert "Among published results" in page
    assert "this study: negated + correct" in page
    assert "arXiv:2605.13829, Table 4 (primary)" in page


def test_leakage_by_kind(caveat, imported):
    status, out, _ = caveat("leakage", imported, "--by", "kind", "--json")
    kinds = {each["kind"] for each in json.loads(out)}
    assert (status, kinds) == (0, {"open_ended", "mcq", "token_association", "robustness"})
    status, out, _ = caveat("leakage", imported, "--by", "kind", "--markdown")
    assert "**mean (kind robustness)**" in out
    assert caveat("leakage", imported, "--by", "question") == (
        1, "", "caveat: by 'question': leakage can be split by kind only\n",
    )  # fmt: skip


def test_published_prints_rates_sources_and_reasons(caveat):
    status, out, _ = caveat("published", "--phenomenon", "backdoor")
    assert status == 0
    words = " ".join(out.replace("│", " ").split())
    for part in ("arXiv:2502.17424", "≤ 0.001", "~ 0.7", "undefined: base"):
        assert part in words
    assert "inoculation" not in words


def test_published_as_json(caveat):
    status, out, _ = caveat("published", "--json", "--evidence", "independent")
    found = json.loads(out)
    assert status == 0
    assert len(found) == sum(each.evidence == "independent" for each in published())
    assert all(each["source"] and each["locator"] for each in found)
    assert all((each["leakage"] is None) == bool(each["undefined"]) for each in found)


def test_the_figure_has_every_leakage_and_its_source(caveat, imported, tmp_path):
    status, out, _ = caveat("published", "--figure", "p.svg", "--study", imported)
    assert (status, out) == (0, "figure: p.svg\n")
    titles = hovers(tmp_path / "p.svg")
    of_results = [each for each in (*published(), *own()) if each.leakage is not None]
    told = [each for each in titles if "leakage" in each]
    arms_of_the_study = 3 * 4  # marked, repeat, correct and local, of two claims and their mean
    assert len(told) == len(of_results) + arms_of_the_study
    assert any("arXiv:2510.05024, Fig 4, 23 (primary)" in each for each in told)
    assert any("study negation-neglect" in each for each in told)


def test_the_page_needs_nothing_else(caveat, tmp_path):
    assert caveat("published", "--figure", "p.html", "--model", "GPT-4o")[0] == 0
    page = (tmp_path / "p.html").read_text("utf-8")
    assert "arXiv:2502.17424" in page
    assert "src=" not in page and "<script" not in page and '<link rel="stylesheet"' not in page


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--figure", "p.png"), "--figure 'p.png': its name must end in .svg or .html"),
        (
            ("--figure", "no/p.svg"),
            "--figure 'no/p.svg' cannot be written: No such file or directory",
        ),
        (("--study", "here"), "--study 'here' goes on a figure; name one with --figure"),
    ],
)
def test_mistakes_are_told_in_one_line(caveat, arguments, line):
    assert caveat("published", *arguments) == (1, "", f"caveat: {line}\n")


def test_a_study_without_kinds_says_so(caveat, tmp_path):
    (tmp_path / "t.csv").write_text("setting,arm,context,question,verdict\ns,base,none,q,yes\n")
    assert caveat("import", "table", "t.csv")[1] == "study: studies/t; answers: 1; settings: 1\n"
    assert caveat("leakage", "studies/t", "--by", "kind")[2] == (
        "caveat: studies/t: no question of this study has a kind; leave by out\n"
    )


def test_the_commands_of_the_docs_run_and_make_the_figure_there(
    published_data, caveat, tmp_path, monkeypatch
):
    home = tmp_path / "main"
    (home / "docs").mkdir(parents=True)
    (home / "negation-neglect-anon").symlink_to(published_data / "negation_neglect")
    monkeypatch.chdir(home)
    page = (DOCS / "published.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.S | re.M)
    lines = [line.partition("  #")[0] for block in blocks for line in block.splitlines()]
    for line in lines:
        status, _, errors = caveat(*shlex.split(line)[1:])
        assert status == 0, (line, errors)
    assert hovers(home / "docs" / "published.svg") == hovers(DOCS / "published.svg")
