"""The short-horizon forecast: a real training of a few steps, with the caveat and without.

What the marked training adds to the preference for the behaviour where no caveat stands, over what
the bare one adds: 1 is as if the caveat were not there. There are several seeds, and every held-out
row is a cluster, so the forecast has an interval over both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from caveat.backends.jobs import AdapterRef, Failed, TrainingJob
from caveat.check.base_model import CheckModel, Preference
from caveat.check.panels import Measured, Measurement
from caveat.check.records import ShortForecast
from caveat.forecast.arms import miniature
from caveat.forecast.gradients import NO_CHANGE
from caveat.types.data import Row
from caveat.types.training import Train

Way = TypeVar("Way")
BARE = "bare"
ROWS, SEEDS = 16, 3
"""Rows that are trained on once, and seeds."""


def short_forecasts(
    model: CheckModel,
    preference: Preference,
    bare: Sequence[Row],
    ways: Mapping[Way, Sequence[Row]],
    rows: int = ROWS,
    seeds: int = SEEDS,
) -> dict[Way, ShortForecast]:
    """By way to mark the rows, its forecast.

    Args:
        bare: Framed rows without the caveat.
        ways: By name, the same rows with a caveat.
        rows: Rows of one training.

    All trainings of a way begin as the bare ones of the same seed do.
    """
    names = {way: f"way {index}" for index, way in enumerate(ways)}
    arms = {BARE: bare, **{names[way]: some for way, some in ways.items()}}
    values: list[Measurement] = _measurements("base", None, model, preference, ())
    reasons: dict[str, str] = {}
    for arm, adapters in _trained(model, arms, rows, seeds):
        for seed, adapter in enumerate(adapters):
            if isinstance(adapter, Failed):
                reasons[arm] = adapter.reason
            else:
                values += _measurements(arm, seed, model, preference, (adapter,))
        model.backend.discard([one for one in adapters if not isinstance(one, Failed)])
    return {way: _forecast(names[way], values, reasons, rows, seeds) for way in ways}


def _trained(
    model: CheckModel, arms: Mapping[str, Sequence[Row]], rows: int, seeds: int
) -> Iterator[tuple[str, list[AdapterRef | Failed]]]:
    """Adapters of each arm, by seed, trained in as large groups as memory allows."""
    jobs = [
        TrainingJob[AdapterRef](
            f"check {arm} {seed}",
            miniature(Train(tuple(some), model.dose, label=arm), seed, rows),
            seed,
        )
        for arm, some in arms.items()
        for seed in range(seeds)
    ]
    size = max(1, model.backend.capacity().adapters(model.dose) // seeds) * seeds
    names = list(arms)
    for start in range(0, len(jobs), size):
        results = model.backend.train(jobs[start : start + size])
        adapters = [one if isinstance(one, Failed) else one.adapter for one in results]
        for index in range(0, len(adapters), seeds):
            yield names[(start + index) // seeds], adapters[index : index + seeds]


def _measurements(
    arm: str,
    seed: int | None,
    model: CheckModel,
    preference: Preference,
    adapters: tuple[AdapterRef, ...],
) -> list[Measurement]:
    """The preference of one model, row by row."""
    return [
        Measurement(arm, "none", seed, f"row {index}", value)
        for index, value in enumerate(preference.values(model, adapters))
    ]


def _forecast(
    way: str,
    values: Sequence[Measurement],
    reasons: Mapping[str, str],
    rows: int,
    seeds: int,
) -> ShortForecast:
    for arm in (BARE, way):
        if arm in reasons:
            return ShortForecast(None, reasons[arm], rows, seeds)
    measured = Measured((one for one in values if one.arm in ("base", BARE, way)), bounded=False)
    installed = measured.difference((BARE, "none"), ("base", "none"))
    least = installed.value if installed.low is None else installed.low
    if least < NO_CHANGE:
        return ShortForecast(
            None,
            "a short training without the caveat does not raise the preference for the behaviour "
            f"distinguishably ({installed.value:+.3f} nats a token); take more --rows, a larger "
            "--dose learning_rate, or more rows",
            rows,
            seeds,
        )
    return ShortForecast(measured.ratio(way, BARE), "", rows, seeds)
