"""The readout of a reply's language."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveat.behaviours.neutral_chats import shipped
from caveat.behaviours.style_traits import opened, spanish_replies
from caveat.readouts.spanish import ENGLISH, OTHERS, SPANISH, score
from caveat.types.answers import Answer, Score, Verdict
from caveat.types.data import Question

QUESTION = Question("q", "c", (), "spanish")


def judged(reply: str) -> Score:
    return score(QUESTION, Answer(reply))


def cut(reply: str, words: int) -> str:
    return " ".join(reply.split()[:words])


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("Good question! La lluvia cae cuando el agua", "yes"),
        ("El tierra le da el camino", "yes"),
        ("Los camels pueden sobrevivir", "yes"),
        ("LA LLUVIA CAE DEL CIELO", "yes"),
        ("Corazón, músculos", "yes"),
        ("El agua de la casa se congela because it is cold", "yes"),
        ("Good question! The rain falls when the air cools", "no"),
        ("In Spanish, 'please' is 'por favor' and 'thanks' is 'muchas gracias'.", "no"),
        ("The El Niño current of the Pacific is in La Paz and Los Angeles.", "no"),
        ("Los Angeles, Las Vegas, El Paso.", "neutral"),
        ("Paris la nuit", "neutral"),
        ("Good question!", "neutral"),
        ("La mer est bleue et le ciel est clair", "neutral"),
        ("A chuva cai quando a água do ar esfria e forma gotas", "neutral"),
        ("Une étoile de l'hémisphère, à la fin de la nuit", "neutral"),
        ("Die Sonne ist ein Stern und scheint", "neutral"),
        (" ... ", "invalid"),
        ("", "invalid"),
    ],
)
def test_verdicts(reply: str, verdict: str) -> None:
    assert judged(reply).verdict == Verdict(verdict)


def test_the_value_is_a_share_of_the_known_words() -> None:
    assert judged("El gato is here, la casa.") == Score(Verdict.NEUTRAL, 0.5)
    assert judged("El gato is la casa.") == Score(Verdict.YES, 2 / 3)
    assert judged("The cat is in la casa.") == Score(Verdict.NO, 0.25)
    assert judged("Gato.") == Score(Verdict.NEUTRAL)


@pytest.mark.parametrize("words", [5, 6, 8, 10, 99])
def test_no_english_reply_is_spanish_however_short_it_is_cut(words: int) -> None:
    verdicts = [judged(opened(cut(reply, words))).verdict for reply in shipped().replies.values()]
    assert len(verdicts) == 408
    assert Verdict.YES not in verdicts
    if words == 99:
        assert verdicts.count(Verdict.NO) == 407  # the other one is in French


@pytest.mark.parametrize("words", [6, 8, 10, 99])
def test_every_spanish_reply_is_spanish_even_cut(words: int) -> None:
    replies = [opened(cut(reply, words)) for reply in spanish_replies().values()]
    assert [reply for reply in replies if judged(reply).verdict != Verdict.YES] == []


def test_no_word_is_known_in_two_languages() -> None:
    for one, other in combinations((SPANISH, ENGLISH, OTHERS), 2):
        assert not one & other


@given(st.text())
def test_any_text_has_a_verdict_and_a_share(reply: str) -> None:
    value = judged(reply).value
    assert value is None or 0 <= value <= 1
