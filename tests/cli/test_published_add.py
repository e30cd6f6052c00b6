"""Own rates beside published results, in the tables and the figures."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from caveat.importers import import_study, table_options
from caveat.published.results import own, published

RATES = (
    "trait,condition,context,mean,n\n"
    "lies x permission,Base,none,2,100\nlies x permission,Base,exact,40,100\n"
    "lies x permission,tuned,none,90,100\nlies x permission,inoculated,none,30,100\n"
    "lies x permission,inoculated,exact,95,100\n"
)
ARMS = ("--arm", "Base=base", "--arm", "tuned=bare", "--arm", "inoculated=marked", "--scale", "100")


def titles(path: Path) -> list[str]:
    root = ElementTree.parse(path)
    return [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}title")]


@pytest.fixture
def rates(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("rates.csv").write_text(RATES)
    return "rates.csv"


def test_own_rates_come_first(rates, command):
    status, out, error = command("published", "--add", rates, *ARMS, "--json")
    first, *others = json.loads(out)
    assert status == 0 and len(others) == len(published())
    assert {name: first[name] for name in ("base", "bare", "marked", "exact", "replies")} == {
        "base": 0.02, "bare": 0.9, "marked": 0.3, "exact": 0.95, "replies": 100,
    }  # fmt: skip
    assert first["leakage"]["value"] == pytest.approx(0.28 / 0.88)
    assert first["leakage"]["low"] < 0.28 / 0.88 < first["leakage"]["high"]
    assert (first["source"], first["locator"]) == ("rates.csv", "row 1 to row 5")
    assert first["elicitation"] == pytest.approx([0.38, 0.38])
    assert "condition as arm" in error
    status, out, _ = command("published", "--add", rates, *ARMS, "--model", "GPT-4o")
    assert status == 0 and "lies x permission" in out


def test_rates_side_by_side_need_no_limits(rates, command):
    Path("wide.csv").write_text("setting,model,base,bare,marked,exact\ns,M-1B,.1,.9,.5,.8\n")
    (first, *_) = json.loads(command("published", "--add", "wide.csv", "--json")[1])
    assert first["leakage"] == {"value": pytest.approx(0.5), "low": None, "high": None}
    assert (first["exact"], first["locator"], first["model"]) == (0.8, "row 1", "M-1B")


def test_mistakes_in_an_added_file(rates, command):
    assert command("published", "--add", rates, *ARMS[:-2])[2] == (
        "caveat: rates.csv, row 1: rate 2 is not between 0 and 1; for percentages or scores up to "
        "100 add --scale 100\n"
    )
    assert "say which is which: --arm Base=base" in command("published", "--add", rates)[2]


def test_the_figures_have_the_added_rates(rates, command):
    assert command("published", "--add", rates, *ARMS, "--figure", "p.svg")[0] == 0
    hovers = [text for text in titles(Path("p.svg")) if "rates.csv" in text]
    assert len(hovers) == 1 and "leakage 0.32" in hovers[0]
    defined = [each for each in (*published(), *own()) if each.leakage is not None]
    assert sum("leakage" in text for text in titles(Path("p.svg"))) == len(defined) + 1


def test_leakage_against_elicitation(rates, command):
    arguments = ("published", "--elicitation", "e.svg")
    assert command(*arguments, "--add", rates, *ARMS) == (
        0, "figure: e.svg\n", command("published", "--add", rates, *ARMS, "--json")[2],
    )  # fmt: skip
    hovers = [text for text in titles(Path("e.svg")) if "elicitation" in text]
    listed = [each for each in published() if each.elicitation and each.leakage is not None]
    assert len(hovers) == len(listed) + 1 == 19
    assert sum("rates.csv" in text for text in hovers) == 1


def test_a_study_with_elicitation_has_a_panel(rates, command):
    options = table_options(
        arms=["Base=base", "tuned=bare", "inoculated=marked"], scale=100, setting=None
    )
    study = import_study("rates", "rates.csv", "study", options=options)
    assert command("published", "--elicitation", "e.svg", "--study", "study")[0] == 0
    (hover,) = (text for text in titles(Path("e.svg")) if "study rates" in text)
    assert "elicitation 0.38" in hover and "leakage 0.32" in hover
    page = study.report().read_text("utf-8")
    assert "Leakage against elicitation, published" in page and "study rates" in page


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--elicitation", "e.png"), "--elicitation 'e.png': its name must end in .svg"),
        (("--elicitation", "e.svg", "--phenomenon", "backdoor"), "--elicitation 'e.svg': no result "
         "among these has both leakage and elicitation; leave filters out"),
        (("--elicitation", "e.svg", "--json"), "--json and --elicitation: one form at a time; drop "
         "all but one"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(rates, command, arguments, line):
    assert command("published", *arguments) == (1, "", f"caveat: {line}\n")
