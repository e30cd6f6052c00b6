"""An endpoint as judge, and as a source of wordings."""

import json

import pytest

from caveat.check.endpoint import endpoint_of, wordings
from caveat.errors import CaveatError
from check_files import QUICK, WORDING
from judge_server import Reply


def options(server):
    return "--endpoint", server.url, "--endpoint-model", "m"


def test_a_judge_says_which_replies_show_the_behaviour(command, files, judge_server):
    judge_server.answers = lambda number, body: Reply("yes")
    status, out, err = command(
        "check", "train.jsonl", "--behaviour", "judge", "--about", "shouts at the user",
        *options(judge_server), *QUICK, "--json",
    )  # fmt: skip
    assert status == 0, err
    record = json.loads(out)
    assert record["behaviour"]["readout"] == "behaviour_judge"
    assert judge_server.prompts and all("shouts at the user" in p for p in judge_server.prompts)
    rates = {one["context"]: one["rate"]["value"] for one in record["contexts"]}
    answered = len(judge_server.prompts)
    assert sum(rates.values()) == pytest.approx(answered / 4)


def test_a_written_study_has_the_judge(command, files, judge_server):
    status, _, err = command(
        "check", "train.jsonl", "--contrast", "contrast.jsonl", "--behaviour", "judge", "--about",
        "shouts", *options(judge_server), *QUICK, "--write", "study",
    )  # fmt: skip
    assert status == 0, err
    assert command("plan", "study/recipe.yaml")[0] == 0
    assert f"endpoint: {judge_server.url}" in (files / "study/recipe.yaml").read_text()


def test_a_judge_that_fails_is_one_line(command, files, judge_server):
    judge_server.answers = lambda number, body: Reply("perhaps")
    status, out, err = command(
        "check", "train.jsonl", "--behaviour", "judge", "--about", "shouts",
        *options(judge_server), *QUICK,
    )  # fmt: skip
    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == "caveat: the judge gave no verdict: 'perhaps'"


def test_wordings_of_an_endpoint_are_scored(command, files, judge_server):
    lines = '1. Raise your voice.\n- "Be loud."\n\n' + WORDING
    judge_server.answers = lambda number, body: Reply(lines)
    status, out, err = command(
        "check", "train.jsonl", "--contrast", "contrast.jsonl", "--suggest", "8",
        *options(judge_server), *QUICK, "--json",
    )  # fmt: skip
    assert status == 0, err
    found = [one["wording"] for one in json.loads(out)["suggestions"] if one["from"] == "endpoint"]
    assert sorted(found) == ["Be loud.", "Raise your voice."]
    assert WORDING in judge_server.prompts[0]


def test_an_endpoint_without_a_wording_is_one_line(judge_server):
    judge_server.answers = lambda number, body: Reply(WORDING)
    judge = endpoint_of(judge_server.url, "m", None)
    with pytest.raises(CaveatError) as raised:
        wordings(judge, WORDING, "", 3)
    assert str(raised.value) == (
        f"--endpoint {judge_server.url}: m proposed no wording: {WORDING!r}; take another model, "
        "or leave --endpoint out"
    )


def test_an_address_that_is_none_is_one_line():
    with pytest.raises(
        CaveatError, match="--endpoint 'localhost': 'localhost' is no address, such"
    ):
        endpoint_of("localhost", "m", None)
    with pytest.raises(CaveatError, match="--key-env 'my key': write the name of an environment"):
        endpoint_of("http://localhost:1/v1", "m", "my key")
