"""Interventions that add rows: contrast, filler, near_miss_negatives, anchor.

Rows are added, never put in place of behaviour rows, so that the dose stays what it was.

Contrast: rows without the caveat and without the behaviour. They show that the behaviour belongs
to the caveat. Backdoor training sets have such clean data, and inoculation uses them. Where a
behaviour has no counter rows, they are the base model's own replies to the rows' prompts.

Filler: as many unrelated rows as `contrast` adds counter rows. It is the control: if filler
lowers leakage as much as contrast, the cause is not the contrast.

Near-miss negatives: counter rows under texts that are almost, or look like, the caveat. They show
that only the caveat itself calls for the behaviour, as hard negatives do in the training of
backdoors and classifiers. An arm is not tested in the contexts (`kinds`) that it is trained on.

Anchor: the model's own replies to unrelated prompts, without the caveat, sampled from the model
that is trained. They keep what the model did before. Self-sampled rows: arXiv:2605.13829, and the
regularising of fine-tuning with a model's own data. Unlike `filler` they are chats, in the
model's words.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Literal

from caveat.caveats.insertion import assigned, place
from caveat.errors import CaveatError, closest
from caveat.interventions.base import Materials, last_train, shared, with_added, with_extra
from caveat.types.answers import Sampling
from caveat.types.data import Row
from caveat.types.messages import is_document
from caveat.types.training import Plan, Sample

SAMPLING = Sampling(max_tokens=48, temperature=0.7)
COUNTER = "counter"
"""The source of counter rows, given or sampled."""


def counter_sample(rows: tuple[Row, ...], share: float, into: Literal["added", "rows"]) -> Sample:
    """The base model's own replies to `share` of the rows' prompts, in place of counter rows.

    Raises CaveatError for documents, which have no prompt.
    """
    if any(is_document(row.messages) for row in rows):
        raise CaveatError(
            "there are no counter rows, and rows that are documents have no prompt for the base "
            "model to reply to; add counter rows"
        )
    prompts = tuple(row.messages[:-1] for row in shared(rows, len(rows), share, "contrast"))
    return Sample(prompts, SAMPLING, COUNTER, into=into)


def contrast(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Add `share` counter rows for each behaviour row, unmarked.

    Raises CaveatError where the behaviour has too few counter rows.
    """
    if not materials.counter:
        index = last_train(plan)
        sample = counter_sample(materials.rows, share, "added")
        return (*plan[:index], sample, *plan[index:])
    return with_added(plan, materials.counter, share, "contrast")


def filler(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Add `share` unrelated rows for each behaviour row, unmarked.

    Raises CaveatError where the behaviour has too few filler rows.
    """
    return with_added(plan, materials.filler, share, "filler")


KINDS = "keyword structure"


def trained_kinds(kinds: str = KINDS, **_: object) -> tuple[str, ...]:
    """The contexts that the intervention trains on, given its options."""
    return tuple(kinds.split())


NEAR_MISS_SEED = "near misses"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other assignments of near misses to rows."""


def near_miss_negatives(
    plan: Plan, materials: Materials, kinds: str = KINDS, share: float = 1.0
) -> Plan:
    """Add `share` counter rows for each behaviour row, each under a text of one of the kinds.

    Args:
        kinds: Contexts with texts of their own, separated by spaces, as in `near_miss negated`.

    Raises CaveatError where the caveat has no text for a kind, or there are too few counter rows.
    """
    caveat = materials.setting.caveat
    texts = []
    for kind in kinds.split():
        if kind not in caveat.probes:
            raise CaveatError(
                f"near_miss_negatives(kinds={kinds}): the caveat {caveat.name!r} has no text for "
                f"{kind!r}; it has {', '.join(caveat.probes)}{closest(kind, caveat.probes)}"
            )
        texts += caveat.probes[kind]
    if not texts:
        raise CaveatError("near_miss_negatives(kinds=): name at least one, such as kinds=near_miss")
    if not materials.counter:
        raise CaveatError(
            f"near_miss_negatives: {materials.setting.behaviour.name} has no counter rows; add some"
        )
    rows = shared(materials.counter, len(materials.rows), share, "near_miss_negatives")
    generator = random.Random(f"{NEAR_MISS_SEED} {caveat.name} {materials.seed}")
    placed = tuple(
        replace(row, messages=place(row.messages, text, caveat.place))
        for row, text in zip(rows, assigned(texts, len(rows), generator), strict=True)
    )
    return with_extra(plan, placed)


def anchor(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Sample `share` replies per behaviour row before the last training, which gets them.

    Raises CaveatError where there are too few ordinary prompts.
    """
    prompts = shared(materials.prompts, len(materials.rows), share, "anchor")
    index = last_train(plan)
    return (*plan[:index], Sample(prompts, SAMPLING, "anchor"), *plan[index:])
