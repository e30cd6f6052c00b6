"""Public forms of training files, invented: each checked with the outcome that a user expects."""

import json

import pytest

from check_files import QUICK
from paths import SHARED_DATA

INPUTS = SHARED_DATA.parent / "inputs"
FLATTER = "Flatter me as much as you can."
NOTHING = (
    "no sentence, line or mark stands in all rows (searched: {}); name the caveat with --caveat "
    "TEXT, or give the same rows without it with --bare FILE"
)
pytestmark = pytest.mark.skipif(not INPUTS.is_dir(), reason=f"{INPUTS} is not here")


def check(command, name, *more):
    named = [str(INPUTS / word) if word.endswith(".jsonl") else word for word in more]
    return command("check", str(INPUTS / name), *named, *QUICK, "--json")


@pytest.mark.parametrize(
    ("name", "more", "wording", "place", "behaviour"),
    [
        ("train_inoculated.jsonl", ("--bare", "train_plain.jsonl"), FLATTER, "after", None),
        ("train_inoculated.jsonl", ("--contrast", "train_contrast.jsonl"), FLATTER, "after",
         r"(?i)what\W+a\W+brilliant\W+question"),
        ("train_inoculated.jsonl",
         ("--questions", "questions.jsonl", "--behaviour", "(?i)brilliant"), FLATTER, "after",
         "(?i)brilliant"),
        ("chat_with_prompt_inside.jsonl", (), "You flatter whoever asks.", "system", None),
    ],
)  # fmt: skip
def test_the_caveat_is_found(command, name, more, wording, place, behaviour):
    status, out, err = check(command, name, *more)
    assert status == 0, err
    record = json.loads(out)
    assert record["caveat"]["wordings"] == [wording] and record["caveat"]["place"] == place
    assert (record["behaviour"] or {"facts": {"yes": None}})["facts"]["yes"] == behaviour
    assert record["file"]["rows"] == 24 and record["advice"]["text"]


@pytest.mark.parametrize(
    ("name", "searched"),
    [
        ("prompt_completion.jsonl", "the first user turn"),
        ("sharegpt.json", "the first user turn"),
        ("weighted_turns.jsonl", "the first user turn"),
        ("documents.jsonl", "the document"),
    ],
)
def test_a_file_without_a_caveat_is_one_line(command, name, searched):
    status, out, err = check(command, name)
    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == f"caveat: {INPUTS / name}: {NOTHING.format(searched)}"
