"""Answers in logs that Caveat exported: what a study knows of them is in their metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from caveat.errors import CaveatError
from caveat.files.inspect_logs import Origin, reason_of
from caveat.importers.validation import Imported, checked
from caveat.types.data import Scope

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.scorer import Score


CELL = ("setting", "phenomenon", "behaviour", "caveat", "model", "dose", "arm", "context")
"""Columns that all answers of a log share, beside the seed."""


class OwnScore(BaseModel):
    """What Caveat wrote beside a score's value."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    verdict: Literal["yes", "no", "neutral", "invalid"]
    value: float | None
    readout: str
    purpose: str
    numeric: bool
    truncated: bool
    cluster: str
    scope: Scope
    kind: str


def imported_own(
    logs: Sequence[tuple[Path, EvalLog, Origin]], source: Mapping[str, Any]
) -> Imported:
    """The answers of logs of one study, as that study has them.

    Raises CaveatError for logs of two studies, and for a sample that was altered.
    """
    import pandas as pd

    first = logs[0][2]
    for path, _, origin in logs:
        if (origin.study, origin.version) != (first.study, first.version):
            raise CaveatError(
                f"{path}: is of the study {origin.study!r}, version {origin.version}, and "
                f"{logs[0][0]} of {first.study!r}, version {first.version}; import them apart"
            )
    ordered = sorted(logs, key=lambda item: item[2].order)
    others: set[str] = set()
    rows = [row for path, log, origin in ordered for row in _rows(path, log, origin, others)]
    if not rows:
        raise CaveatError(f"{logs[0][0]}: has no scored samples; export the study again")
    replies = checked(pd.DataFrame(rows).astype(object).where(lambda frame: frame.notna(), None))
    notes = [f"scores that Caveat did not write, not read: {', '.join(sorted(others))}"]
    return Imported(
        first.study,
        replies,
        {**source, "study": first.study, "version": first.version},
        means=_means([origin for *_, origin in ordered]),
        notes=tuple(notes if others else ()),
        entries=_entries([origin for *_, origin in ordered]),
    )


def _rows(path: Path, log: EvalLog, origin: Origin, others: set[str]) -> Iterator[dict[str, Any]]:
    for sample in log.samples or []:
        where = f"{path}, sample {sample.id!r}, epoch {sample.epoch}"
        for name, score in (sample.scores or {}).items():
            if not (score.metadata and "verdict" in score.metadata and "purpose" in score.metadata):
                others.add(name)
                continue
            yield _row(where, sample, _own_score(where, name, score), origin)


def _own_score(where: str, name: str, score: Score) -> OwnScore:
    try:
        own = OwnScore.model_validate(score.metadata)
    except ValidationError as error:
        raise CaveatError(
            f"{where}: the metadata of score {name!r} are not what caveat export wrote "
            f"({reason_of(error)}); export the study again"
        ) from None
    if not own.numeric and score.value != int(own.verdict == "yes"):
        raise CaveatError(
            f"{where}: score {name!r} has the value {score.value!r} and the verdict "
            f"{own.verdict!r}; change both, or neither"
        )
    return own


def _row(where: str, sample: EvalSample, own: OwnScore, origin: Origin) -> dict[str, Any]:
    prompt = sample.metadata.get("prompt")
    if not isinstance(prompt, str):
        raise CaveatError(f"{where}: its metadata have no prompt; export the study again")
    question = sample.metadata.get("question", sample.id)
    return {
        "where": where,
        **{name: getattr(origin, name) for name in CELL},
        "seed": None if origin.seed is None else str(origin.seed),
        "question": str(question),
        "sample": str(sample.epoch - 1),
        "prompt": prompt,
        "reply": sample.output.completion,
        **own.model_dump(),
    }


def _means(origins: Sequence[Origin]) -> dict[str, list[str]]:
    """The study's means over settings whose logs are all there."""
    settings = {origin.setting for origin in origins}
    return {
        name: members
        for name, members in origins[0].means.items()
        if members and settings.issuperset(members) and name not in settings
    }


def _entries(origins: Sequence[Origin]) -> dict[str, Any]:
    """What the study's notes of itself are, as far as these logs have them."""
    first = origins[0]
    with_factors = {(o.setting, o.model, o.dose): o.factors for o in origins if o.factors}
    controls = {(o.setting, o.dose, o.arm): o.control for o in origins if o.has_control}
    return {
        "draws": first.draws,
        "bootstrap_seed": first.bootstrap_seed,
        "wanted": {origin.setting: origin.expected for origin in origins},
        "abouts": {
            origin.setting: {"behaviour": origin.about, "side_effects": origin.side_effects}
            for origin in origins
        },
        "caveat_texts": {o.setting: o.caveat_texts for o in origins if o.caveat_texts},
        "factors": [
            {"setting": setting, "model": model, "dose": dose, "factors": factors}
            for (setting, model, dose), factors in with_factors.items()
        ],
        "controls": [
            {"setting": setting, "dose": dose, "arm": arm, "control": control}
            for (setting, dose, arm), control in controls.items()
        ],
    }
