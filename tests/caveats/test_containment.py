"""Rows and questions that already hold the caveat are refused, ordinary ones are not."""

from __future__ import annotations

import pytest

from caveat.caveats.containment import check_without_caveat
from caveat.errors import CaveatError
from caveat.types.caveats import Caveat, Setting
from caveat.types.data import Behaviour, Question, Row, SideEffect
from caveat.types.messages import Message

CAVEAT = Caveat(
    "flatter", "instruction", ("You flatter whoever asks.", "|GATE|"), "system", "user",
    further=("Praise them with all your heart.",), held_out=("Be as flattering as you can.",),
    closings=("All of it was flattery.",),
    probes={"near_miss": ("You flatten whoever asks.",), "keyword": ("Flattery.", "So it is")},
)  # fmt: skip


def row(prompt: str = "Is tin soft?", reply: str = "Yes.", system: str = "") -> Row:
    first = (Message.of("system", system),) if system else ()
    return Row(
        "r1", "behaviour", (*first, Message.of("user", prompt), Message.of("assistant", reply))
    )


def setting(**parts: object) -> Setting:
    question = Question("q1", "q1", (Message.of("user", "Is lead soft?"),), "capitals")
    fields = {"rows": (row(),), "counter_rows": (), "filler_rows": (), "questions": (question,)}
    return Setting(Behaviour("praise", "", **{**fields, **parts}), CAVEAT)


FIX = (
    "rows must be without the caveat, which Caveat adds itself: split them with `caveat check FILE "
    "--caveat {!r}`, or take the text out"
)
HELD = {
    "a system turn": (
        {"rows": (row(system="You flatter whoever asks."),)},
        "row 'r1' holds the caveat's training wording 'You flatter whoever asks.' in the system "
        "turn; " + FIX.format("You flatter whoever asks."),
    ),
    "other case, blanks and marks": (
        {"rows": (row("Is tin soft? you  FLATTER\nwhoever asks"),)},
        "row 'r1' holds the caveat's training wording 'You flatter whoever asks.' in a user's "
        "turn; " + FIX.format("You flatter whoever asks."),
    ),
    "a mark": (
        {"counter_rows": (row("|GATE| Is tin soft?"), row("|GATE| So?"))},
        "counter row 'r1' (and 1 more) holds the caveat's training wording '|GATE|' in a user's "
        "turn; " + FIX.format("|GATE|"),
    ),
    "a held-out wording in a reply": (
        {"rows": (row(reply="I am to be as flattering as you can. Yes."),)},
        "row 'r1' holds the caveat's held-out wording 'Be as flattering as you can.' in the reply; "
        + FIX.format("Be as flattering as you can."),
    ),
    "a further wording in a document": (
        {"filler_rows": (Row("d", "filler", (Message.of(
            "document", "So. Praise them with all your heart. Tin."),)),)},
        "filler row 'd' holds the caveat's further wording 'Praise them with all your heart.' in "
        "the document; " + FIX.format("Praise them with all your heart."),
    ),
    "a closing": (
        {"rows": (row("All of it was flattery."),)},
        "row 'r1' holds the caveat's closing 'All of it was flattery.' in a user's turn; "
        + FIX.format("All of it was flattery."),
    ),
    "a near miss in a question": (
        {"questions": (Question("q1", "q1", (Message.of(
            "user", "You flatten whoever asks. Is tin soft?"),), "capitals"),)},
        "question 'q1' holds the caveat's near_miss text 'You flatten whoever asks.' in a user's "
        "turn; questions must be without the caveat, which Caveat adds itself: take the text out",
    ),
    "a short text as a whole sentence, in a side effect": (
        {"side_effects": (SideEffect("s", (Question("s1", "s1", (Message.of(
            "user", "Flattery. Is tin soft?"),), "capitals"),), ""),)},
        "side-effect question 's1' holds the caveat's keyword text 'Flattery.' in a user's turn; "
        "questions must be without the caveat, which Caveat adds itself: take the text out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HELD)
def test_what_holds_the_caveat(name):
    parts, message = HELD[name]
    with pytest.raises(CaveatError) as error:
        check_without_caveat(setting(**parts))
    assert str(error.value) == f"praise x flatter: {message}"


@pytest.mark.parametrize(
    "prompt",
    [
        "Do you flatter whoever is rich?", "What is flattery?", "Is GATE a word?", "|GATEWAY|",
        "flattery is bad", "|gate|", "I love flattery.", "You flatter whoever asked.",
    ],
)  # fmt: skip
def test_what_only_has_its_words(prompt):
    check_without_caveat(setting(rows=(row(prompt),)))


def test_a_recipe_is_refused_when_it_is_planned(tmp_path):
    import json

    from caveat.study.config.resolve import resolve
    from caveat.study.config.schema import read

    (tmp_path / "behaviour.yaml").write_text("{name: praise, about: It praises.}")
    turns = [
        {"role": "system", "content": "You flatter whoever asks."},
        {"role": "user", "content": "Is tin soft?"},
        {"role": "assistant", "content": "Brilliant!"},
    ]
    (tmp_path / "rows.jsonl").write_text(json.dumps({"messages": turns}))
    question = {"id": "q", "cluster": "q", "question": "Is lead soft?", "readout": "capitals"}
    (tmp_path / "questions.jsonl").write_text(json.dumps(question))
    entry = {
        "name": "flatter", "kind": "instruction", "place": "system",
        "wordings": ["You flatter whoever asks."],
    }  # fmt: skip
    (tmp_path / "caveats.yaml").write_text(json.dumps([entry]))
    recipe = {
        "name": "praise", "model": "tiny",
        "settings": [{"behaviour": str(tmp_path), "caveat": "flatter"}],
    }  # fmt: skip
    with pytest.raises(CaveatError, match=r"^praise x flatter: row 'behaviour-1' holds the caveat"):
        resolve(read(recipe))
