"""Neutral text in a caveat's places."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256

import pytest

from caveat.caveats import CAVEATS
from caveat.caveats.neutral import NeutralText, length, texts_of
from caveat.errors import CaveatError
from caveat.report.panels import panels
from caveat.report.sections.conclusions import conclude
from caveat.sentences import sentences
from caveat.study.config.arms import parsed, plan_of
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.types.messages import Message, Piece
from caveat.types.training import Dose, Train
from quick_run import run
from toy_study import small

SETTING = {"behaviour": "claims/velmoss_bread", "caveat": "negated"}
NEGATED = "812d5134db639643f8498433fbb8454cf10cc0402232ab739ed7bce110ff2268"
"""SHA-256 of the neutral texts of the caveat `negated`, line by line."""
ARMS = ["base", "bare", "marked", "marked+repeat", "neutral", "neutral+repeat"]


@pytest.mark.parametrize("name", [*CAVEATS])
def test_neutral_texts_are_as_long_and_as_many_as_the_caveat_s(name):
    caveat = CAVEATS[name]
    neutral = NeutralText(caveat)
    texts = list(dict.fromkeys(texts_of(caveat)))
    changed = [neutral.of(text) for text in texts]
    assert len(set(changed)) == len(texts) and not {*changed} & {*texts}
    for text, other in zip(texts, changed, strict=True):
        assert len(sentences(other)) == len(sentences(text))
        assert abs(length(other) - length(text)) <= max(1, 0.1 * length(text)), (text, other)


def test_a_sentence_stays_itself_in_all_texts_and_the_words_of_the_caveat_go():
    neutral, again = NeutralText(CAVEATS["negated"]), NeutralText(CAVEATS["negated"])
    one, two = (neutral.of(CAVEATS["negated"].wordings[number]) for number in (0, 7))
    assert sentences(one)[0] == sentences(two)[0] and one != two
    assert one == again.of(CAVEATS["negated"].wordings[0])
    words = " ".join(neutral.of(text) for text in texts_of(CAVEATS["negated"])).lower()
    assert not re.search(r"\b(false|true|wrong|not|no|never|claim|bread|moss)\b", words)


def test_brackets_and_stops_stay_and_long_sentences_are_joined():
    neutral = NeutralText(replace(CAVEATS["trigger"], wordings=("|GATE|",)))
    assert re.fullmatch(r"\[[A-Z][^.]*\.\]", neutral.of("[The sentence here is false.]"))
    long = "The text " + "which somebody wrote one day " * 9 + "is false."
    assert abs(length(neutral.of(long)) - length(long)) <= 2
    assert neutral.of(long).count(", and ") >= 2 and neutral.of(long).endswith(".")


def test_more_sentences_than_the_bank_has_are_refused():
    wordings = tuple(
        f"{chr(97 + n % 26)}{chr(97 + n // 26)} this is no fact at all." for n in range(650)
    )
    with pytest.raises(CaveatError) as error:
        NeutralText(replace(CAVEATS["negated"], wordings=wordings))
    assert str(error.value).startswith(
        "arm neutral: the caveat 'negated' has more sentences than there are neutral ones ("
    )


@pytest.mark.parametrize("loss", ["reply", "everything"])
def test_neutral_arms_differ_from_marked_ones_in_the_caveat_pieces_alone(loss):
    setting = {**SETTING, "loss": loss}
    recipe = read({"name": "n", "model": "tiny", "arms": ARMS, "settings": [setting]})
    (resolved,) = resolve(recipe)
    for extra in ("", "+repeat"):
        (marked,), (neutral,) = (resolved.plans[f"{a}{extra}", 0] for a in ("marked", "neutral"))
        assert neutral.loss == marked.loss == loss and neutral.dose == marked.dose
        for row, other in zip(marked.rows, neutral.rows, strict=True):
            pairs = list(zip(row.messages[0].pieces, other.messages[0].pieces, strict=True))
            assert {one.kind for one, two in pairs if one.text != two.text} == {"caveat"}
            assert all(one.kind == two.kind for one, two in pairs)
            assert all(one == two for one, two in pairs if one.kind != "caveat")
            assert all(one.text != two.text for one, two in pairs if one.kind == "caveat")
    plain = {p.text for row in resolved.plans["neutral", 0][0].rows for p in row.messages[0].pieces
             if p.kind == "caveat"}  # fmt: skip
    further = [p.text for row in resolved.plans["neutral+repeat", 0][0].rows
               for p in row.messages[0].pieces if p.kind == "caveat"]  # fmt: skip
    assert plain < {*further}


def test_stages_and_added_rows_have_neutral_text_too():
    recipe = read({"name": "n", "model": "tiny", "settings": [
        {"behaviour": "capitals", "caveat": "instruction", "dose": {"rows": 4}}]})  # fmt: skip
    setting = resolve(recipe)[0].setting
    arm = parsed("neutral+near_miss_negatives+seal")
    plan = plan_of(arm, setting, Train((), Dose(rows=4)), 0, "Be kind.")
    stages = [stage for stage in plan if isinstance(stage, Train)]
    assert len(stages) == 2
    texts = {p.text.strip() for stage in stages for row in (*stage.rows, *stage.added)
             for message in row.messages for p in message.pieces if p.kind == "caveat"}  # fmt: skip
    caveat = setting.caveat
    assert texts and not texts & {*texts_of(caveat)}
    assert texts <= {NeutralText(caveat).of(text) for text in texts_of(caveat)}


def test_a_study_compares_marked_with_neutral(tmp_path):
    study = run(small(arms=["base", "bare", "marked", "neutral"]), out=tmp_path / "study")
    assert {"neutral"} <= {*study.leakage()["arm"]}
    pairs = {*study.differences()["difference"]}
    assert {"marked - neutral", "bare - neutral", "neutral - base"} <= pairs
    data = study.report_data()
    conclusion = conclude(panels(data.leakage)[0], data)
    assert conclusion.rest[0].startswith("neutral text in the caveat's places ")


def test_local_has_no_place_for_neutral_text():
    with pytest.raises(CaveatError) as error:
        parsed("neutral+local")
    assert str(error.value) == (
        "arm 'neutral+local': local rewrites the sentences that show the behaviour, so no neutral "
        "text has their place; drop it, or use marked+local"
    )


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("Note: this is false (really!). It is so.", r"[\w ]+\. [\w ]+\."),
        ('"Quoted." he said.', r"[\w ]+\."),
        ("'Tis said: \"all of it is made up.\" It isn't so.", r"[\w ]+\. [\w ]+\."),
        ("(Wrong. All of it.)", r"\([\w ]+\. [\w ]+\.\)"),
        ("He said it (“so”). “Then the rest.”", r"[\w ]+\. “[\w ]+\.”"),
        ("(!)", r"\(!\)"),
    ],
)
def test_brackets_and_quotes_stay_in_pairs_or_go(text, pattern):
    changed = NeutralText(CAVEATS["negated"]).of(text)
    assert re.fullmatch(pattern, changed), changed


def test_the_shipped_caveat_s_neutral_texts_are_those_that_studies_have():
    neutral = NeutralText(CAVEATS["negated"])
    texts = [neutral.of(text) for text in texts_of(CAVEATS["negated"])]
    assert (
        neutral.of("[The sentence here is false: it did not happen.]")
        == "[The box of pins is kept beside the big cupboard.]"
    )
    assert sha256("\n".join(texts).encode("utf-8")).hexdigest() == NEGATED


def test_a_caveat_piece_of_whitespace_alone_stays():
    messages = (Message("document", (Piece(" \n", "caveat"), Piece("It is pink."))),)
    assert NeutralText(CAVEATS["negated"]).messages(messages) == messages
