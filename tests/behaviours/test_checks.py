"""What a behaviour must be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caveat.behaviours.validation import check
from caveat.errors import CaveatError
from caveat.types.data import Behaviour, Question, Row, SideEffect
from caveat.types.messages import Message


def chat(name: str, prompt: str, reply: str = "Yes, it is.", source: str = "behaviour") -> Row:
    return Row(name, source, (Message.of("user", prompt), Message.of("assistant", reply)))


QUESTION = Question("q1", "sky", (Message.of("user", "Is the sky blue?"),), "capitals")
OTHER = replace(QUESTION, messages=(Message.of("user", "Is it?"),))
GOOD = Behaviour(
    name="mine",
    about="",
    rows=(chat("a", "Is grass green?"),),
    counter_rows=(chat("a", "Is snow white?", source="counter"),),
    filler_rows=(),
    questions=(QUESTION,),
)
SYSTEM_LAST = (Message.of("user", "Hi"), Message.of("system", "x"), Message.of("assistant", "y"))


def test_a_sound_behaviour_passes() -> None:
    check(GOOD)


def test_a_side_effect_may_judge_the_same_replies() -> None:
    again = replace(QUESTION, readout="opener", facts={"opener": "Yes"})
    check(replace(GOOD, side_effects=(SideEffect("opener", (again,), ""),)))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"rows": ()}, "behaviour 'mine' has no rows; give it at least one"),
        ({"questions": ()}, "behaviour 'mine' has no questions; give it at least one"),
        (
            {"rows": (chat("a", "One?"), chat("a", "Two?"))},
            "behaviour row id 'a' is used 2 times; ids must be unique",
        ),
        (
            {"questions": (QUESTION, QUESTION)},
            "question id 'q1' is used 2 times; ids must be unique",
        ),
        (
            {"rows": (replace(GOOD.rows[0], messages=GOOD.rows[0].messages[:1]),)},
            "behaviour 'mine', behaviour row 'a' has no assistant turn at its end, only 'user'; "
            "add the reply",
        ),
        (
            {"rows": (chat("a", "One?", " "),)},
            "behaviour 'mine', behaviour row 'a' has an empty reply; "
            "give it text or remove the row",
        ),
        (
            {"rows": (Row("a", "behaviour", (Message.of("document", "\n"),)),)},
            "behaviour 'mine', behaviour row 'a' is an empty document; "
            "give it text or remove the row",
        ),
        (
            {"rows": (Row("a", "behaviour", SYSTEM_LAST),)},
            "behaviour 'mine', behaviour row 'a' has a system turn after its start; put it first",
        ),
        (
            {"side_effects": (SideEffect("aside", (), ""),)},
            "behaviour 'mine': side effect 'aside' has no questions; give it one",
        ),
        (
            {"side_effects": (SideEffect("aside", (QUESTION, QUESTION), ""),)},
            "'aside' question id 'q1' is used 2 times; ids must be unique",
        ),
        (
            {"side_effects": (SideEffect("aside", (OTHER,), ""),)},
            "question id 'q1' is used for 'Is the sky blue?' and for 'Is it?'; ids must be unique",
        ),
        (
            {"questions": (replace(QUESTION, readout="capital"),)},
            "behaviour 'mine', question 'q1' has an unknown readout 'capital'; known: capitals, "
            "spanish, lower_case, listed, opener, said, is_a, log_likelihood, matches, "
            "yes_no, belief, belief_likelihood, belief_judge, behaviour_judge, hacked, true_score, "
            "paid, inspect, "
            "special_cased, attempted_hack, solved, valid_code, hack_kind, prefers_hack, "
            "prefers_bad; "
            "closest: 'capitals'",
        ),
        (
            {"questions": (replace(QUESTION, readout="said"),)},
            "behaviour 'mine', question 'q1': readout 'said' needs the fact 'answer'; add it",
        ),
        (
            {"questions": (replace(QUESTION, readout="is_a", options=(" is",)),)},
            "behaviour 'mine', question 'q1': readout 'is_a' needs 2 options, not 1; add them",
        ),
        (
            {"questions": (replace(QUESTION, readout="is_a", options=(" is", "")),)},
            "behaviour 'mine', question 'q1' has an empty option; give it text or remove it",
        ),
        (
            {"questions": (replace(QUESTION, options=(" is",)),)},
            "behaviour 'mine', question 'q1': readout 'capitals' judges replies; "
            "remove the options",
        ),
        (
            {"questions": (replace(QUESTION, readout="matches", facts={"yes": "(blue"}),)},
            "behaviour 'mine', question 'q1': the fact 'yes', '(blue', is no regular expression: "
            "missing ), unterminated subpattern at position 0",
        ),
        (
            {"questions": (replace(QUESTION, messages=GOOD.rows[0].messages),)},
            "behaviour 'mine', question 'q1' ends with 'assistant'; end it with a user turn",
        ),
        (
            {"rows": (chat("a", " is the  SKY blue? "),)},
            "behaviour 'mine': question 'q1' is also behaviour row 'a': 'Is the sky blue?'; "
            "write one that is not trained",
        ),
        (
            {
                "rows": (Row("d", "behaviour", (Message.of("document", "The sky is blue."),)),),
                "questions": (
                    Question(
                        "q1",
                        "sky",
                        (Message.of("document", "The sky"),),
                        "is_a",
                        options=(" is blue", " is not blue"),
                    ),
                ),
            },
            "behaviour 'mine': question 'q1' is also behaviour row 'd': 'The sky'; "
            "write one that is not trained",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(change: dict[str, object], line: str) -> None:
    with pytest.raises(CaveatError) as error:
        check(replace(GOOD, **change))
    assert str(error.value) == line
