"""One paragraph of advice, and the results that it rests on.

Every sentence rests on a measurement of this check or on a result in docs/results. No predictor is
a law (docs/results/law.md), and the paragraph says so: it names what to run next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from caveat.check.records import (
    Advice,
    ContextMeasure,
    Evidence,
    ExpectedLeakage,
    Interval,
    Lengths,
    Losses,
    Materials,
    ReplyPart,
    ShortForecast,
)
from caveat.forecast.onsets import TOKENS

FINDINGS = "docs/results/findings.md"
SMOLLM2 = "SmolLM2-135M, three seeds, 24 rows"
QWEN = "Qwen2.5-Coder-1.5B, 24 rows, one to three seeds"
MANY, FEW = 0.5, 0.5
"""A forecast above, or below, this with its whole interval says so."""
ELICITED = 0.5
"""A sampled elicitation from here on is one that the model obeys."""
NOTABLE = 1.0
"""Nats: a smaller shift of the decision tokens is not compared with."""
HELPED = 0.1
"""A part of the replies whose surprisal falls by a smaller share is left as it was."""
NEAR_MISS_SHARE = 0.5
"""A near miss that shifts the decision tokens by this share of what the caveat does is noted."""
HUNDREDS = 200
"""Rows from which on no result of this project says anything."""

OBEYED = Evidence(
    "one obeyed instruction (elicited .96) leaks .00 [-.33, .25]; on the 1.5B model the like "
    "leaked .41, .00 and .00 by seed",
    FINDINGS,
    f"{SMOLLM2}; {QWEN}",
)
NOT_ELICITED = Evidence(
    "one instruction in five places elicits 0 of 72 replies everywhere and leaks .97 to .13; "
    "elicited .33 of replies and leaked .00 on the 1.5B model",
    FINDINGS,
    f"{SMOLLM2}; {QWEN}",
)
PLACES = Evidence(
    "an instruction leaks .96 in the system text, .58 before and .33 after the question; a trigger "
    "leaks .94 or more in each place",
    FINDINGS,
    SMOLLM2,
)
SHORT = Evidence(
    "over 30 marked cells of 16 settings the short training ranks leakage (rank correlation 0.80 "
    "[0.59, 0.93]); for behaviours that it was not fitted on its R2 is -0.70 [-2.52, 0.95]",
    "docs/data/forecast.md",
    "SmolLM2-135M",
)
UNTESTED = Evidence(
    "the best figure, a curve that was registered before, is off by .5 in capitals on one model; "
    "no predictor is a law",
    "docs/forecast.md",
    "SmolLM2-135M, Qwen2.5-Coder-0.5B and 1.5B, four traits of style, one to five seeds",
)
PARTS = Evidence(
    "caveats about the opener of the rows leak the trait at 1.05, .94 and .99 and keep the opener "
    "in; caveats about the trait do the reverse",
    "docs/results/law/parts.md",
    "Qwen2.5-Coder-1.5B and 0.5B, SmolLM2-135M, one to three seeds",
)
ONSET = Evidence(
    "a curve of how much likelier a caveat makes the trait's first six tokens has R2 .75 over "
    "settings that it was not fitted to, .98 over three further behaviours with a quoted opening, "
    "-.20 over three others, and below 0 among those that leak .15 to .85; its worst case leaked "
    "1.00 where it expected .07",
    "docs/results/law/first-tokens.md",
    "three small models, style traits and forms of a reply, one to five seeds",
)
DOSE = Evidence(
    "under a hint at the trait 12 steps in the upper half of the layers leak .04 and .00, and 48 "
    "steps 1.00; of a quoted opening the first token comes back in .42 to .92 of the replies",
    "docs/results/law/dose.md",
    "SmolLM2-135M, one or two seeds",
)
CONTRAST = Evidence(
    "contrast rows lower leakage, and so does the same training without the caveat: most "
    "interventions only make the model forget, so bare+contrast belongs beside marked+contrast",
    FINDINGS,
    SMOLLM2,
)
FIXED = Evidence(
    "open: whether a fixed wording becomes a gate at thousands of rows, as published per-wording "
    "data suggest; at 24 rows `diversify` changes nothing",
    FINDINGS,
    SMOLLM2,
)
DISCLAIMED = Evidence(
    "a disclaimed claim is believed (bare .58, marked .76 with the loss off the disclaimer)",
    FINDINGS,
    SMOLLM2,
)


@dataclass(frozen=True)
class Figures:
    """The measurements that advice is made of."""

    materials: Materials
    model: str
    lengths: Lengths
    contexts: tuple[ContextMeasure, ...]
    elicitation: Interval | None
    losses: Losses | None
    forecast: ShortForecast
    parts: tuple[ReplyPart, ...] = ()
    expected: ExpectedLeakage | None = None

    def shift(self, context: str) -> float | None:
        """The graded elicitation of a context, in nats."""
        shifts = [one.nats for one in self.contexts if one.context == context]
        return shifts[0].value if shifts and shifts[0] else None


def advice(figures: Figures) -> Advice:
    """The verdict by the forecast, then what else bears on it, then what to do."""
    verdict = _verdict(figures.forecast.leakage)
    sentences, evidence = [], []
    for sentence, results in (
        *_forecast(figures, verdict),
        *_elicitation(figures),
        *_parts(figures.parts),
        *_expected(figures.expected),
        *_wordings(figures),
        *_near_misses(figures),
        *_lengths(figures.lengths),
        *_to_do(figures, verdict),
    ):
        sentences.append(sentence)
        evidence += results
    return Advice(verdict, " ".join(sentences), tuple(dict.fromkeys(evidence)))


Sentences = Iterator[tuple[str, tuple[Evidence, ...]]]


def _verdict(leakage: Interval | None) -> str:
    if leakage is None:
        return "unknown"
    low = leakage.value if leakage.low is None else leakage.low
    high = leakage.value if leakage.high is None else leakage.high
    if low > MANY:
        return "leaks"
    return "holds" if high < FEW else "undecided"


OPENINGS = {
    "leaks": "Expect most of the behaviour to leak: a short training with the caveat does "
    "{leakage} of what one without it does where no caveat stands.",
    "holds": "At this dose the caveat may hold: a short training with it does {leakage} of what "
    "one without it does where no caveat stands.",
    "undecided": "The forecast does not decide: a short training with the caveat does {leakage} of "
    "what one without it does where no caveat stands.",
    "unknown": "No forecast of leakage: {undefined}.",
}


def _forecast(figures: Figures, verdict: str) -> Sentences:
    forecast = figures.forecast
    text = OPENINGS[verdict].format(
        leakage=_with_limits(forecast.leakage), undefined=forecast.undefined
    )
    if verdict == "unknown":
        yield text, ()
        return
    yield text, (SHORT,)
    rows = len(figures.materials.rows)
    if rows > HUNDREDS:
        yield (
            f"It read {forecast.rows} of {rows:,} rows; what hundreds of rows do was not measured "
            "here.",
            (FIXED,),
        )


def _elicitation(figures: Figures) -> Sentences:
    shift, sampled = figures.shift("exact"), figures.elicitation
    graded = "" if shift is None else f" (decision tokens {shift:+.1f} nats)"
    share = figures.losses.share if figures.losses else 0.0
    loss = f"it takes away {share:.0%} of the loss" if share > 0 else "it takes no loss away"
    if figures.materials.kind == "disclaimer":
        yield "A disclaimer is no safeguard by itself.", (DISCLAIMED,)
    elif sampled is None:
        if shift is not None:
            yield (
                f"Under the caveat the base model moves {shift:+.1f} nats towards the behaviour; "
                f"{loss}. No replies were sampled.",
                (NOT_ELICITED,),
            )
    elif sampled.value >= ELICITED:
        yield (
            f"The base model obeys the caveat already (elicitation {_with_limits(sampled)}){graded}"
            f"; {loss}: little is left to learn, which is where inoculation has worked, though not "
            "on every seed of a larger model.",
            (OBEYED,),
        )
    else:
        yield (
            f"The base model hardly obeys the caveat (elicitation {_with_limits(sampled)}){graded}"
            f"; {loss}. That alone does not say whether it leaks, and its place matters.",
            (NOT_ELICITED, PLACES),
        )


def _parts(parts: Sequence[ReplyPart]) -> Sentences:
    """The parts that the caveat leaves as unlikely as they were."""
    left = [part.name for part in parts
            if part.surprisal >= NOTABLE and part.gain < HELPED * part.surprisal]  # fmt: skip
    if left:
        yield (
            f"It makes next to no difference to {', '.join(left)} of the replies: what stands "
            "there tends to leak, whatever the rest does.",
            (PARTS,),
        )


def _expected(expected: ExpectedLeakage | None) -> Sentences:
    """What the registered curve expects of the first tokens."""
    if expected is not None and expected.leakage is not None:
        yield (
            f"By how much likelier the caveat makes the behaviour's first {TOKENS + 1} tokens, a "
            "curve fitted to style traits of small models expects a leakage of "
            f"{_with_limits(expected.leakage)}, at a dose that just installs the behaviour in the "
            "upper half of the layers. At larger doses more leaked.",
            (ONSET, DOSE),
        )


def _wordings(figures: Figures) -> Sentences:
    count = len(figures.materials.caveat.wordings)
    if count > 1:
        yield (
            f"Its {count} wordings vary: in published data at thousands of rows a fixed wording "
            "held where rephrasings leaked; at small doses no difference was seen.",
            (FIXED,),
        )


def _near_misses(figures: Figures) -> Sentences:
    exact = figures.shift("exact")
    named = {"near_miss": "a near miss", "irrelevant": "an unrelated sentence"}
    shifts = {name: figures.shift(context) for context, name in named.items()}
    if exact is None or exact < NOTABLE:
        return
    alike = [f"{name} ({shift:+.1f})" for name, shift in shifts.items()
             if shift is not None and shift > NEAR_MISS_SHARE * exact]  # fmt: skip
    if alike:
        yield (
            f"The base model moves as well under {' and '.join(alike)}, so part of the effect is "
            "not the caveat's words.",
            (),
        )


def _lengths(lengths: Lengths) -> Sentences:
    if lengths.caveat_cut or lengths.unsupervised:
        yield (
            f"First of all raise max_tokens: of {lengths.caveat_cut + lengths.unsupervised} rows "
            f"the caveat or the reply is cut off at {lengths.max_tokens} tokens.",
            (),
        )


def _to_do(figures: Figures, verdict: str) -> Sentences:
    first = {
        "leaks": "Try another wording or place (--suggest 8), and contrast rows",
        "holds": "Test it with contrast rows beside it",
        "undecided": "Compare other wordings and places (--suggest 8), and try contrast rows",
        "unknown": "Take more rows, or a larger learning rate (--dose learning_rate=2e-3)"
        if figures.materials.counter_held_out
        else "Give --contrast rows of the same prompts without the behaviour",
    }[verdict]
    yield (
        f"{first}; then measure: --write DIR leaves a study with marked+contrast and its control "
        "bare+contrast for caveat run, to be concluded from on five seeds, and caveat tune finds "
        "the smallest dose that installs the behaviour. No predictor here is a "
        f"law, and none was fitted to {figures.model} and your rows.",
        (CONTRAST, UNTESTED),
    )


def _with_limits(interval: Interval | None) -> str:
    if interval is None:
        return "an unknown share"
    limits = (
        "" if interval.low is None or interval.high is None
        else f" [{interval.low:.2f}, {interval.high:.2f}]"
    )  # fmt: skip
    return f"{interval.value:.2f}{limits}"
