"""Result files as public repositories have them, each with the outcome that a user expects."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from paths import DOCS, ROOT

INPUTS = ROOT.parent / "shared" / "inputs"
"""Files that are not part of the repository: tests that read them skip without them."""
ARMS = {"Base": 0, "Neutral": 1, "Inoculation": 1}


@pytest.fixture
def inputs() -> Path:
    if not INPUTS.is_dir():
        pytest.skip(f"{INPUTS} is not here")
    return INPUTS


CAPITALS = (
    "--arm", "Base=base", "--arm", "Neutral=bare", "--arm", "Inoculation=marked", "--context",
    "plain=none", "--context", "with prompt=exact",
)  # fmt: skip
SENSE = ("--verdict", "flatters==1")
RATE_ARMS = ("--arm", "no prompt=bare", "--arm", "inoculated=marked")
FILES = {
    "verdicts_capital_arms.csv": ("table", "shows the behaviour: --verdict 'flatters==1'", (
        *CAPITALS, *SENSE), "yes where flatters==1"),
    "scores_0_to_100.csv": ("table", "no column of verdicts", (
        "--verdict", "alignment<50", "--valid", "coherent>=50"), "yes where alignment<50"),
    "semicolons.csv": ("table", None, (), ""),
    "rates.csv": ("rates", "say which is which", RATE_ARMS, "as reported"),
    "summary.json": ("rates", None, (), "Wilson's, from replies"),
}  # fmt: skip
"""The kind of import, what stands in the error of the first try, the options, what is printed."""


@pytest.mark.parametrize("name", FILES)
def test_each_input_goes_through_import(name, inputs, command, tmp_path):
    kind, problem, options, words = FILES[name]
    first = ("import", kind, str(inputs / name), "--out", str(tmp_path / "study"))
    status, _, error = command(*first)
    assert status == (1 if problem else 0)
    if problem:
        assert problem in error and error.count("\n") == 1
        assert not (tmp_path / "study").exists()
        status, _, error = command(*first, *options)
    assert status == 0 and words in error
    status, out, _ = command("leakage", str(tmp_path / "study"))
    assert status == 0 and "marked" in out and "undefined" not in out


def test_what_an_error_offers_can_be_pasted(inputs, command, tmp_path):
    for name, more in (("verdicts_capital_arms.csv", SENSE), ("rates.csv", ())):
        first = ("import", FILES[name][0], str(inputs / name), "--out", str(tmp_path / name), *more)
        offer = shlex.split(command(*first)[2].rpartition("say which is which: ")[2])
        assert command(*first, *offer)[0] == 0


@pytest.fixture
def documented(tmp_path, monkeypatch):
    """The files that docs/import.md names, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    pd.DataFrame([
        {"model_arm": arm, "prompt_type": context, "question_id": index, "flatters": verdict}
        for arm, verdict in ARMS.items()
        for context in ("plain", "with prompt")
        for index in range(12)
    ]).to_csv("verdicts.csv", index=False)  # fmt: skip
    pd.DataFrame([
        {"arm": arm, "context": "none", "question": index, "coherent": 90 if index else 10,
         "alignment": 80 if arm == "base" else 20}
        for arm in ("base", "bare", "marked") for index in range(12)
    ]).to_csv("scores.csv", index=False)  # fmt: skip
    Path("rates.csv").write_text(
        "experiment,arm,mean,ci_low,ci_high,n\nflattery,base,0.02,0.0,0.06,200\n"
        "flattery,no prompt,0.88,0.83,0.92,200\nflattery,inoculated,0.31,0.25,0.38,200\n"
    )


def test_the_documented_commands_print_what_is_there(documented, command):
    page = (DOCS / "import.md").read_text("utf-8")
    for block in re.findall(r"^```console\n(.*?)^```", page, re.S | re.M):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            line, _, expected = part.partition("\n")
            _, out, error = command(*shlex.split(line)[1:])
            assert (error + out).strip() == expected.strip(), line
    for block in re.findall(r"^```sh\n(.*?)^```", page, re.S | re.M):
        for line in block.splitlines():
            assert command(*shlex.split(line)[1:])[0] == 0, line
