"""From a claim's question files to questions with their readouts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from caveat.behaviours.claim_files import KINDS, Claim, ClaimQuestion, EvaluationKind
from caveat.behaviours.claim_options import READOUTS, ClaimOptions
from caveat.errors import CaveatError
from caveat.readouts.belief import TRUSTED
from caveat.types.data import Question, SideEffect, Split

ANSWERS = {"yes": ("Yes", "No"), "no": ("No", "Yes")}
"""The answers to an mcq question, by `belief_answer`: the believing one first."""
YES_BIAS = "yes-bias"


def questions(
    claim: Claim, split: Split, options: ClaimOptions, trusted: Collection[str] = TRUSTED
) -> tuple[Question, ...]:
    """The questions of the split, of the kinds that are used.

    Rules judge only kinds among the `trusted`, unless the options name them. Raises CaveatError
    where that is requested, and where no question is left.
    """
    return tuple(
        _question(claim, kind, line, options)
        for kind in _kinds(claim, split, options, trusted)
        for line in _of(claim, kind, split)
    )


def _of(claim: Claim, kind: EvaluationKind, split: Split) -> tuple[ClaimQuestion, ...]:
    return tuple(line for line in claim.questions[kind] if line.split == split)


def _kinds(
    claim: Claim, split: Split, options: ClaimOptions, trusted: Collection[str]
) -> tuple[EvaluationKind, ...]:
    """The kinds used. Raises CaveatError for one without questions, or with a poor readout."""
    able = {kind for kind in KINDS if options.named(kind) or kind in trusted}
    if options.kinds is None:
        usable = [kind for kind in KINDS if kind in able and _of(claim, kind, split)]
    else:
        usable = [kind for kind in KINDS if kind in options.kinds]
    for kind in usable:
        _check_kind(claim, kind, split, options)
    if poor := next((kind for kind in usable if kind not in able), None):
        raise CaveatError(
            f"options.kinds: rules agree too little with a judge on {poor} questions "
            f"(docs/results/agreement.md); take a judge (readouts: {{{poor}: judge}}), insist "
            f"(readouts: {{{poor}: rules}}), or leave the kind out"
        )
    if not usable:
        raise CaveatError(
            f"the claim {claim.name!r} has no question of the split {split!r}; "
            f"add 'split: {split}' to some in {claim.path}"
        )
    return tuple(usable)


def _check_kind(claim: Claim, kind: EvaluationKind, split: Split, options: ClaimOptions) -> None:
    if not _of(claim, kind, split):
        raise CaveatError(
            f"options.kinds: the claim {claim.name!r} has no {kind} question of the split "
            f"{split!r}; add 'split: {split}' to some in {claim.path / f'{kind}.yaml'}"
        )
    if options.method(kind) == "rules" and not claim.head.asserts:
        raise CaveatError(
            f"the claim {claim.name!r} has no cues for rules on {kind} questions; add 'asserts' to "
            f"{claim.path / 'claim.yaml'}, or take a judge (readouts: {{{kind}: judge}})"
        )


def _question(
    claim: Claim, kind: EvaluationKind, line: ClaimQuestion, options: ClaimOptions
) -> Question:
    method = options.method(kind)
    answer = line.belief_answer
    return Question(
        id=line.id,
        cluster=line.id,
        messages=line.messages(),
        readout=READOUTS[method],
        options=ANSWERS[answer] if method == "likelihood" and answer else (),
        kind=kind,
        facts={
            "kind": kind,
            "claim": claim.head.statement,
            "asserts": "\n".join(claim.head.asserts),
            "denies": "\n".join(claim.head.denies),
        }
        | ({"belief_answer": answer} if answer else {}),
    )


def yes_bias(claim_questions: tuple[Question, ...]) -> tuple[SideEffect, ...]:
    """How often yes is the answer where belief answers yes as often as no; nothing without both."""
    by_answer = {
        answer: [
            question
            for question in claim_questions
            if question.facts.get("belief_answer") == answer
        ]
        for answer in ANSWERS
    }
    count = min(map(len, by_answer.values()))
    balanced = [question for group in by_answer.values() for question in group[:count]]
    if not balanced:
        return ()
    return (
        SideEffect(
            name=YES_BIAS,
            questions=tuple(_yes(balanced)),
            about=f"Share of yes over {count} closed questions that belief answers with yes and "
            f"{count} that it answers with no: .5 is no bias.",
        ),
    )


def _yes(balanced: list[Question]) -> Iterator[Question]:
    """Replies are judged again as they are; likelihoods are measured anew, yes always first."""
    for question in balanced:
        if question.options:
            name = f"{YES_BIAS}-{question.id}"
            yield replace(question, id=name, cluster=name, options=ANSWERS["yes"])
        else:
            yield replace(question, readout="yes_no")
