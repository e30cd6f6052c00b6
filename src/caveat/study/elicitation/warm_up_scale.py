"""Calibration: the scale of a warm-up's adapter at which elicitation is the strength requested.

One adapter is trained in full. What it does at some sizes is measured, and the size between two of
them is read off a straight line.
"""

from __future__ import annotations

from collections.abc import Callable

from caveat.errors import CaveatError
from caveat.study.config.schema import Recipe, SettingRecipe, WarmUpRecipe
from caveat.study.elicitation.base_model import BaseModelProbe

SCALES = tuple(eighth / 8 for eighth in range(1, 9))
DIGITS = 3
"""Of a scale: more would make models that are not distinguishable."""


def to_calibrate(recipe: Recipe) -> bool:
    """Whether a strength of the recipe has no scale yet."""
    return any(_is_open(setting.warm_up) for setting in recipe.settings)


def guessed(recipe: Recipe) -> Recipe:
    """The recipe with each open strength taken for the scale: for counting, where nothing is made.

    What costs something is that each is a model of its own.
    """
    settings = tuple(
        _at(setting, setting.warm_up.strength)
        if setting.warm_up is not None
        and setting.warm_up.strength is not None
        and _is_open(setting.warm_up)
        else setting
        for setting in recipe.settings
    )
    return recipe.model_copy(update={"settings": settings})


def calibrated(
    recipe: Recipe, base_model_probe: BaseModelProbe, say: Callable[[str], None]
) -> Recipe:
    """The recipe with a scale in place of each strength that has none yet.

    Raises CaveatError for a strength that no scale reaches.
    """
    settings = tuple(
        _scaled(recipe, setting, base_model_probe, say) if _is_open(setting.warm_up) else setting
        for setting in recipe.settings
    )
    return recipe.model_copy(update={"settings": settings})


def _is_open(warm_up: WarmUpRecipe | None) -> bool:
    return warm_up is not None and warm_up.strength is not None and warm_up.scale is None


def _scaled(
    recipe: Recipe,
    setting: SettingRecipe,
    base_model_probe: BaseModelProbe,
    say: Callable[[str], None],
) -> SettingRecipe:
    assert setting.warm_up is not None and setting.warm_up.strength is not None
    strength = setting.warm_up.strength
    reached = [(0.0, base_model_probe.before_warm_up(recipe, setting))]
    if reached[0][1] >= strength:
        raise CaveatError(
            f"warm_up.strength: {strength:g}: {setting.behaviour} x {setting.caveat}: the model "
            f"reaches {reached[0][1]:.2f} without it, and a warm-up does not lower it; raise it"
        )
    for scale in SCALES:
        reached.append((scale, base_model_probe.after_warm_up(recipe, _at(setting, scale))))
        if reached[-1][1] >= strength:
            break
    (below, low), (above, high) = reached[-2:]
    if high < strength:
        best = max(value for _, value in reached)
        raise CaveatError(
            f"warm_up.strength: {strength:g}: {setting.behaviour} x {setting.caveat}: no size of "
            f"the warm-up reaches it, the most is {best:.2f}; lower it, or give warm_up more rows "
            "or a larger dose"
        )
    scale = round(below + (above - below) * (strength - low) / (high - low), DIGITS)
    say(
        f"{setting.behaviour} x {setting.caveat}: warm-up to {strength:g}: scale {scale:g} "
        f"(tuning questions: {low:.2f} at {below:g}, {high:.2f} at {above:g})"
    )
    return _at(setting, scale)


def _at(setting: SettingRecipe, scale: float) -> SettingRecipe:
    assert setting.warm_up is not None
    warm_up = setting.warm_up.model_copy(update={"scale": scale})
    return setting.model_copy(update={"warm_up": warm_up})
