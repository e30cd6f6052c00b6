"""Warm-ups: the base model of a setting is first trained to do as a caveat says.

How well the base model obeys a caveat before any arm is trained (elicitation) is then varied, all
else being equal. The warm-up adapter stays attached, frozen, in every arm and in `base` itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from caveat.caveats.insertion import framed_rows, marked
from caveat.errors import CaveatError
from caveat.study.config.schema import WarmUpRecipe
from caveat.types.caveats import Setting
from caveat.types.data import Behaviour, Row
from caveat.types.training import Attach, Dose, LossScope, Plan, Scale, Train

OWN, NONE = "own", "none"
"""Values of `WarmUpRecipe.counter_rows` that are no behaviour's name."""


@dataclass(frozen=True)
class WarmUpPair:
    """A pair that a warm-up trains on, and how many of its behaviour's first rows the arms use."""

    setting: Setting
    arm_rows: int


def warm_up(
    recipe: WarmUpRecipe,
    pairs: tuple[WarmUpPair, ...],
    dose: Dose,
    loss: LossScope,
    system: str | None,
    foreign: Behaviour | None = None,
) -> Plan:
    """The stages of a warm-up: behaviour rows under their caveat, and as many counter rows without.

    The behaviour rows are none that an arm is trained on; counter rows are the last ones, as
    interventions take the first. `dose.rows` is not used.

    Args:
        foreign: The behaviour whose counter rows take the place of the pairs' own.

    Raises CaveatError where a behaviour has too few rows beside those of the arms.
    """
    shown, plain = [], []
    for pair in pairs:
        rows = framed_rows(_unused_rows(pair, recipe.rows), system)
        shown += marked(rows, pair.setting.caveat, recipe.seed)
        if recipe.counter_rows == OWN:
            plain += framed_rows(_counter_rows(pair.setting.behaviour, len(rows)), system)
    if foreign is not None:
        plain += framed_rows(_counter_rows(foreign, len(shown)), system)
    training = Train(
        tuple(shown),
        replace(dose, rows=None),
        added=tuple(plain),
        loss=loss,
        label="warm-up",
        seed=recipe.seed,
    )
    scale = 1.0 if recipe.scale is None else recipe.scale
    return (training, *((Scale(scale),) if scale != 1 else ()), Attach())


def label(recipe: WarmUpRecipe, behaviour: str, pairs: tuple[WarmUpPair, ...]) -> str:
    """What the name of a warm-up trained model ends with, such as `instruction 0.5`.

    The pairs (their caveats, and the behaviour where it is not the setting's own), the
    strength aimed at, or the scale, and the rows, counter rows and seed where these are given.
    """
    names = ", ".join(
        pair.setting.caveat.name if pair.setting.behaviour.name == behaviour else pair.setting.name
        for pair in pairs
    )
    amounts = (recipe.strength, recipe.scale, 1.0)
    amount = next(value for value in amounts if value is not None)
    rows = "" if recipe.rows is None else f", {recipe.rows} rows"
    counter = {OWN: "", NONE: ", no counter rows"}
    rows += counter.get(recipe.counter_rows, f", counter rows of {recipe.counter_rows}")
    return f"{names} {amount:g}{rows}" + (f", seed {recipe.seed}" if recipe.seed else "")


def _unused_rows(pair: WarmUpPair, count: int | None) -> tuple[Row, ...]:
    behaviour = pair.setting.behaviour
    unused = behaviour.rows[pair.arm_rows :]
    requested = len(unused) if count is None else count
    if not unused or requested > len(unused):
        raise CaveatError(
            f"warm_up: {behaviour.name} has {len(unused)} rows that no arm is trained on, "
            f"{max(requested, 1)} are requested; lower "
            f"{'dose.rows' if not unused else 'warm_up.rows'}"
        )
    return unused[:requested]


def _counter_rows(behaviour: Behaviour, count: int) -> tuple[Row, ...]:
    rows = behaviour.counter_rows
    if not rows:
        raise CaveatError(
            f"warm_up: {behaviour.name} has no counter rows, which a warm-up trains on too; add "
            "some, or set warm_up.counter_rows to none"
        )
    if count > len(rows):
        raise CaveatError(
            f"warm_up: {count} counter rows of {behaviour.name} are requested, there "
            f"are {len(rows)}; lower warm_up.rows"
        )
    return rows[len(rows) - count :]
