"""Warm-ups: the base model of a setting is first taught to do as a caveat says.

How well the base model obeys a caveat before any arm is trained (elicitation) then is a dial, all
else being equal. What is taught stays attached, frozen, in every arm and in `base` itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from caveat.caveats.insertion import framed_rows, marked
from caveat.errors import CaveatError
from caveat.study.config.schema import WarmUpRecipe
from caveat.types.caveats import Setting
from caveat.types.data import Row
from caveat.types.training import Attach, Dose, LossScope, Plan, Scale, Train


@dataclass(frozen=True)
class Taught:
    """A pair that a warm-up teaches, and how many of its behaviour's first rows are not for it."""

    setting: Setting
    kept_back: int


def warm_up(
    recipe: WarmUpRecipe,
    taught: tuple[Taught, ...],
    dose: Dose,
    loss: LossScope,
    system: str | None,
) -> Plan:
    """The stages of a warm-up: behaviour rows under their caveat, and as many counter rows without.

    The behaviour rows are none that an arm is trained on; counter rows are the last ones, as
    interventions take the first. `dose.rows` is not used.

    Raises CaveatError where a behaviour has too few rows beside those of the arms.
    """
    shown, plain = [], []
    for each in taught:
        rows = framed_rows(_left(each, recipe.rows), system)
        shown += marked(rows, each.setting.caveat, recipe.seed)
        plain += framed_rows(_counter(each, len(rows)), system)
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


def label(recipe: WarmUpRecipe, behaviour: str, taught: tuple[Taught, ...]) -> str:
    """What a warmed model is called, such as `instruction 0.5`.

    The pairs taught (their caveats, and the behaviour where it is not the setting's own), the
    strength aimed at, or the scale, and the rows and seed where these are given.
    """
    pairs = ", ".join(
        each.setting.caveat.name if each.setting.behaviour.name == behaviour else each.setting.name
        for each in taught
    )
    amounts = (recipe.strength, recipe.scale, 1.0)
    amount = next(each for each in amounts if each is not None)
    rows = "" if recipe.rows is None else f", {recipe.rows} rows"
    return f"{pairs} {amount:g}{rows}" + (f", seed {recipe.seed}" if recipe.seed else "")


def _left(taught: Taught, count: int | None) -> tuple[Row, ...]:
    behaviour = taught.setting.behaviour
    left = behaviour.rows[taught.kept_back :]
    wanted = len(left) if count is None else count
    if not left or wanted > len(left):
        raise CaveatError(
            f"warm_up: {behaviour.name} has {len(left)} rows that no arm is trained on, "
            f"{max(wanted, 1)} are wanted; lower {'dose.rows' if not left else 'warm_up.rows'}"
        )
    return left[:wanted]


def _counter(taught: Taught, count: int) -> tuple[Row, ...]:
    rows = taught.setting.behaviour.counter_rows
    if count > len(rows):
        raise CaveatError(
            f"warm_up: {count} counter rows of {taught.setting.behaviour.name} are wanted, there "
            f"are {len(rows)}; lower warm_up.rows"
        )
    return rows[len(rows) - count :]
