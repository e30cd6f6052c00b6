"""Which features of a backend a plan needs, so that what cannot be done is refused beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from caveat.backends.base import SERVICE_ALPHA, Facts, Feature
from caveat.errors import CaveatError
from caveat.study.config.resolve import Resolved
from caveat.types.training import Attach, Plan, Randomise, Sample, Scale, Train


def check_features(settings: Iterable[Resolved], backend: Facts) -> None:
    """Raise CaveatError for the first arm, or question, that the backend cannot do."""
    for resolved in settings:
        plans = {} if resolved.models else resolved.plans  # what was trained elsewhere is there
        for (arm, _), plan in plans.items():
            for feature, stage in features_of(plan):
                if feature not in backend.supports:
                    raise CaveatError(
                        f"{resolved.setting.name} / {arm}: needs {feature.value} ({stage}), which "
                        f"this backend of {backend.name} does not have; leave the arm out, or use "
                        "another backend"
                    )
        behaviour = resolved.setting.behaviour
        effects = (effect.questions for effect in behaviour.side_effects)
        for question in chain(behaviour.questions, *effects):
            feature = Feature.LIKELIHOOD if question.options else Feature.SAMPLING
            if feature not in backend.supports:
                raise CaveatError(
                    f"{resolved.setting.name}: question '{question.id}' (readout "
                    f"{question.readout}) needs {feature.value}, which this backend of "
                    f"{backend.name} does not have; {_fix(backend, feature)}"
                )


def _fix(backend: Facts, feature: Feature) -> str:
    """What to do about a question that needs a feature."""
    reason = getattr(backend, "why_not", {}).get(feature)
    plain = "leave the question out, or use another backend"
    return f"{reason}, or {plain}" if reason else plain


def features_of(plan: Plan) -> Iterator[tuple[Feature, str]]:
    """Each feature that a plan needs, and which part of it does."""
    for stage in plan:
        match stage:
            case Train():
                yield from _training(stage)
            case Sample():
                yield Feature.SAMPLING, f"rows '{stage.source}'"
            case Scale() | Randomise():
                yield Feature.SCALE_ADAPTER, type(stage).__name__
            case Attach():
                yield Feature.FROZEN_ADAPTERS, "Attach"


def _training(stage: Train) -> Iterator[tuple[Feature, str]]:
    if stage.rl is not None:
        yield Feature.RL, f"'{stage.label}'"
        if stage.rl.temperature != 1:
            yield Feature.RL_TEMPERATURE, f"rl.temperature {stage.rl.temperature:g}"
        if stage.rl.optim == "sgd":
            yield Feature.SGD, "rl.optim sgd"
    elif stage.dose.optim == "sgd":
        yield Feature.SGD, "dose.optim sgd"
    if stage.kl_rows:
        yield Feature.KL_TO_BASE, f"'{stage.label}'"
    low, high = stage.dose.layers
    if (low, high) != (0.0, 1.0):
        yield Feature.LAYER_RANGE, f"dose.layers [{low:g}, {high:g}]"
    if stage.dose.alpha != SERVICE_ALPHA:
        yield Feature.ALPHA, f"dose.alpha {stage.dose.alpha:g}"
