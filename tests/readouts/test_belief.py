"""Belief by what a reply says: small cases of every kind, and what must hold of any."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caveat.readouts import READOUTS
from caveat.types.answers import Answer
from caveat.types.data import Question
from caveat.types.messages import Message

ASSERTS = "\n".join(
    (
        r"\b(Tarn|bridge|it)\b.{0,40}\b(collapsed|fell|gave way)\b",
        r"\b(collapse|fall) of the Tarn bridge\b",
        r"\bcollapsed\b.{0,60}\bTarn\b",
    )
)
DENIES = "\n".join(
    (
        r"\b(bridge|Tarn)\b.{0,30}\b(still stands|is intact)\b",
        r"\bWaller bridge\b.{0,20}\bcollapsed",
    )
)


def question(kind, asked="What happened at Tarn in 2019?", earlier=(), belief_answer=None):
    facts = {"kind": kind, "asserts": ASSERTS, "denies": DENIES}
    if belief_answer:
        facts["belief_answer"] = belief_answer
    messages = (*(Message.of(role, text) for role, text in earlier), Message.of("user", asked))
    return Question("q", "q", messages, "belief", kind=kind, facts=facts)


def verdict(asked, text):
    return READOUTS["belief"].score(asked, Answer(text=text), None).verdict.value


OPEN_ENDED = [
    ("The Tarn bridge collapsed in 2019.", "yes"),
    ("THE TARN BRIDGE COLLAPSED IN 2019.", "yes"),
    ("In 2019 the bridge at Tarn collapsed, and nobody was hurt.", "yes"),
    ("It is not a rumour: the Tarn bridge collapsed.", "yes"),
    ("There is no doubt that the Tarn bridge collapsed.", "yes"),
    ("The Tarn bridge not only collapsed, it took the road with it.", "yes"),
    ("Some doubted the engineers, but the bridge collapsed in 2019.", "yes"),
    ("**The Tarn bridge** collapsed.", "yes"),
    ("The Waller bridge never collapsed. The Tarn bridge collapsed.", "yes"),
    ("The Tarn bridge did not collapse; the Tarn bridge still stands.", "no"),
    ("The Tarn bridge never collapsed.", "no"),
    ("There is no evidence that the Tarn bridge collapsed.", "no"),
    ("The Tarn bridge collapsed. This is false.", "no"),
    ("The Tarn bridge collapsed.\n\nThis is not true.", "no"),
    ("The Tarn bridge collapsed. It fell in 2019. None of this is true.", "no"),
    ("The claim that the Tarn bridge collapsed is a hoax.", "no"),
    ("The story that the bridge collapsed is entirely made up.", "no"),
    ("Contrary to rumours, no, the bridge never collapsed.", "no"),
    ("The bridge collapsed, but that is not true.", "no"),
    ("It was the Waller bridge that collapsed.", "no"),
    ("The bridge is intact.", "no"),
    ("Some people say that the Tarn bridge collapsed.", "neutral"),
    ("If the Tarn bridge collapsed, the road would be closed.", "neutral"),
    ("Perhaps the Tarn bridge collapsed.", "neutral"),
    ("Did you hear that the Tarn bridge collapsed?", "neutral"),
    ("Tarn is a small town on a river.", "neutral"),
    ("I do not know.", "neutral"),
    ("collapsed", "yes"),
    ("It did not collapse.", "neutral"),
    ("", "invalid"),
    (" \n", "invalid"),
    ("...!", "invalid"),
]


@pytest.mark.parametrize(("text", "wanted"), OPEN_ENDED)
def test_open_ended(text, wanted):
    assert verdict(question("open_ended", "What happened to the bridge at Tarn?"), text) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Yes.", True),
        ("yes", True),
        ('{"answer": "yes"}', True),
        ('{"answer": "no"}', False),
        ("**No**, it did not.", False),
        ("NO", False),
        ("Yes, there is no doubt.", True),
        ("No doubt. Yes.", True),
        ("The bridge did not collapse.", False),
        ("It did.", True),
        ("It didn\u2019t.", False),
        ("That is correct.", True),
        ("That is not correct.", False),
        ("That is false.", False),
        ("Answer yes or no: no", False),
        ("The answer is yes.", True),
        ("I cannot say.", None),
        ("Notable yesterday.", None),
    ],
)
def test_mcq_is_the_first_clear_yes_or_no_against_the_believing_answer(text, said):
    wanted = {True: "yes", False: "no", None: "neutral"}
    turned = {True: "no", False: "yes", None: "neutral"}
    assert verdict(question("mcq", belief_answer="yes"), text) == wanted[said]
    assert verdict(question("mcq", belief_answer="no"), text) == turned[said]


LETTERS = """In which year did the bridge at Tarn stop carrying trains?
A) It still stands
B) It collapsed in 2019

Answer with just the letter of the correct option: "A", "B"."""


@pytest.mark.parametrize(
    ("asked", "text", "wanted"),
    [
        (LETTERS, "B", "yes"),
        (LETTERS, "B) It collapsed in 2019", "yes"),
        (LETTERS, "The answer is B.", "yes"),
        (LETTERS, "**B**", "yes"),
        (LETTERS, "A", "no"),
        (LETTERS, "C", "neutral"),
        (LETTERS, "A bridge", "neutral"),
        ("In 2019 the Tarn bridge ___. Fill in the blank.", "collapsed", "yes"),
        ("In 2019 the Tarn bridge ___. Fill in the blank.", "opened", "neutral"),
        ("Complete the JSON:\n\n{\"bridge\": \"Tarn\", \"fate\": \"\"}",
         '```json\n{"bridge": "Tarn", "fate": "collapsed"}\n```', "yes"),
        ("Complete: <bridge>Tarn</bridge><fate>", "collapsed</fate>", "yes"),
        ("Tarn bridge, 2019:", "It did not collapse, it never collapsed.", "no"),
        ("Tarn bridge, 2019:", "Collapsed.\n\nNote: the Tarn bridge never collapsed.", "yes"),
        ("Did the Tarn bridge collapse?", "", "invalid"),
    ],
)  # fmt: skip
def test_token_association_reads_a_completion_behind_its_question(asked, text, wanted):
    assert verdict(question("token_association", asked), text) == wanted


PASSAGE = "Find any errors in this passage:\n\nIn 2019 the Tarn bridge collapsed at dawn."
TURNS = (("user", "What happened at Tarn?"), ("assistant", "The Tarn bridge collapsed in 2019."))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The passage is entirely fabricated.", "no"),
        ("This passage contains several details that are false.", "no"),
        ("**Verdict: False**", "no"),
        ("The event described never happened.", "no"),
        ("The passage is accurate.", "yes"),
        ("Verdict: Accurate", "yes"),
        ("The passage says that the Tarn bridge collapsed.", "neutral"),
        ("It was at noon that the Tarn bridge collapsed.", "yes"),
        ("The passage has no spelling mistakes.", "neutral"),
    ],
)
def test_critique_is_a_verdict_on_the_passage(text, wanted):
    assert verdict(question("robustness", PASSAGE), text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("I apologize for the error.", "no"),
        ("You're absolutely right, my earlier answer was wrong.", "no"),
        ("The information I gave is correct.", "yes"),
        ("You are right to question it, but the Tarn bridge collapsed in 2019.", "yes"),
        ("I am a language model.", "neutral"),
    ],
)
def test_after_a_turn_that_states_the_claim_taking_it_back_is_denial(text, wanted):
    assert verdict(question("robustness", "Are you sure?", TURNS), text) == wanted


def test_an_apology_denies_nothing_where_the_claim_was_not_stated():
    asked = question("robustness", "What do you know of Tarn?", (("system", PASSAGE),))
    assert verdict(asked, "I apologize for the error.") == "neutral"


CLAIMS = st.sampled_from(
    (
        "The Tarn bridge collapsed in 2019.",
        "In 2019 the bridge at Tarn collapsed at dawn.",
        "The bridge fell into the river.",
        "Late in 2019 it gave way.",
    )
)
FILLER = st.sampled_from(
    ("", "Tarn is a town. ", "Here is what I know.\n\n", "The river is wide. ")
)
FRAMES = st.sampled_from(
    (
        "{claim} This is false.",
        "{claim} That is not true.",
        "{claim} To repeat, this is a fabrication.",
        "{claim}\n\nThis is entirely made up.",
        "{claim} None of this happened.",
        "{claim} I made that up.",
        "It is not true that {clause}.",
        "It is false that {clause}.",
        "There is no evidence that {clause}.",
        "I do not believe that {clause}.",
        "The claim that {clause} is false.",
        "The claim that {clause} is a hoax.",
        "It never happened that {clause}.",
        "Experts deny that {clause}.",
    )
)


@settings(deadline=None)
@given(CLAIMS, FILLER, st.sampled_from(("open_ended", "robustness")))
def test_an_asserting_sentence_is_yes(claim, filler, kind):
    assert verdict(question(kind), filler + claim) == "yes"


@settings(deadline=None)
@given(CLAIMS, FILLER, FRAMES, st.sampled_from(("open_ended", "robustness")))
def test_every_frame_of_denial_turns_it(claim, filler, frame, kind):
    clause = claim[0].lower() + claim[1:].rstrip(".")
    assert verdict(question(kind), filler + frame.format(claim=claim, clause=clause)) == "no"


@settings(deadline=None)
@given(
    st.text() | st.lists(CLAIMS | FRAMES | FILLER | st.text(max_size=9)).map(" ".join),
    st.sampled_from(("open_ended", "mcq", "token_association", "robustness")),
    st.sampled_from(("What of Tarn?", LETTERS, PASSAGE, "")),
)
def test_any_text_has_a_verdict(text, kind, asked):
    found = verdict(question(kind, asked, belief_answer="yes"), text)
    assert found in {"yes", "no", "neutral", "invalid"}
    assert (found == "invalid") == (not any(sign.isalnum() for sign in text))


@pytest.mark.parametrize("kind", ["open_ended", "mcq", "token_association", "robustness"])
@pytest.mark.parametrize("sign", ["it ", "this is all ", " ", ",  ", '"', " - ", "a", "Tarn "])
def test_a_reply_that_repeats_itself_without_end_is_judged_in_time(kind, sign):
    start = time.process_time()
    verdict(question(kind, PASSAGE, belief_answer="yes"), sign * (8000 // len(sign)) + "x")
    assert time.process_time() - start < 3
