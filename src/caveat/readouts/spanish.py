"""The readout `spanish`: whether a reply is in Spanish, by its function words.

Function words occur even in a reply that was cut after a dozen tokens, and in the invented
Spanish of a small model, whose nouns are in no dictionary. The opener `Good question!` holds
none of them, so it counts for no language.
"""

from __future__ import annotations

import re

from caveat.readouts.base import Readout
from caveat.types.answers import Answer, Score, Verdict
from caveat.types.data import Question

LEAST_WORDS = 2
"""One known word may be a name's or a quoted one."""
THRESHOLD = 0.5

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SPANISH = frozenset(
    WORD.findall(
        "el la los las un una unos unas lo al del de en y o con por para que se su sus es son está "
        "están como más pero porque cuando donde si también muy este esta esto estos estas ese esa "
        "eso esos esas nos tu tus mi mis te ti yo él ella ellos ellas usted ustedes nosotros ser "
        "fue hay tiene tienen puede pueden hace hacen sobre entre hasta desde ni ya cada todo "
        "todos toda todas mucho mucha muchos muchas otro otra otros otras uno dos tres qué cómo "
        "cuál quién dónde así después antes siempre además durante según sí"
    )
)
ENGLISH = frozenset(
    WORD.findall(
        "the of and to is are was were that in for with it its you your this these those from by "
        "as on or be been can could may will would should which who they their them there an at "
        "have has had not but if when where how what why we our us my i he his she her some any "
        "each every such into than then so because about more most also like other one two do does "
        "did it's don't you're there's here"
    )
)
OTHERS = frozenset(
    WORD.findall(
        "et est les des une dans qui sur avec pour du au aux ou il elle ils nous vous sont ce ces "
        "cette sa ses ne pas dont chez di che della delle gli sono è nel più não uma um em é são "
        "ao mais pelo der und ist ein eine nicht mit dem von zu"
    )
)
"""Words of French, Italian, Portuguese and German, so that these are not taken for Spanish."""
OTHERS_WEIGHT = 2
"""Against one: these languages have words such as `la`, `de` and `un`, which count as Spanish."""

NAME = re.compile(r"\b(?:[Ee]l|[Ll][ao]s?|[Ss]an|[Dd]el?)\s+[A-ZÁÉÍÓÚÑ][a-záéíóúñü]\w*")
"""An article that belongs to a name: `Los Angeles`, `El Paso`; it says nothing of the sentence."""
SPANISH_LETTERS = re.compile(r"[ñáíóú]")
OTHER_LETTERS = re.compile(r"[àâãäçèêëîïôõöœùûß]|^(?:[cdjlmnst]|qu)'(?!t\b)")
"""Letters that Spanish lacks, and words that begin as in `l'eau`."""


def score(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """The share of Spanish among the words whose language is known, in [0, 1]: `yes` above 1/2.

    Known are function words of Spanish, English and some others (which count double), and words
    with letters that only one language has. `no` where English has more than half; `neutral` with
    fewer than two known words, at a tie, or in a third language; `invalid` without a word.
    """
    if not WORD.search(answer.text):
        return Score(Verdict.INVALID)
    words = [word.replace("’", "'") for word in WORD.findall(NAME.sub(" ", answer.text))]
    lowered = [word.lower() for word in words]
    spanish = sum(map(_is_spanish, lowered))
    english = sum(word in ENGLISH for word in lowered)
    others = OTHERS_WEIGHT * sum(map(_is_other, lowered))
    words_known = spanish + english + others
    if words_known < LEAST_WORDS:
        return Score(Verdict.NEUTRAL)
    share = spanish / words_known
    if share > THRESHOLD:
        return Score(Verdict.YES, share)
    return Score(Verdict.NO if english / words_known > THRESHOLD else Verdict.NEUTRAL, share)


def _is_spanish(word: str) -> bool:
    return word in SPANISH or (not _is_other(word) and bool(SPANISH_LETTERS.search(word)))


def _is_other(word: str) -> bool:
    return word in OTHERS or bool(OTHER_LETTERS.search(word))


readout = Readout("spanish", version=2, needs="reply", score=score)
