"""What a user says about logs of Inspect: which model is which arm, which task is which context.

The same options as for tables, on the command line or in a YAML file (`--mapping`); the columns of
a log are its parts, such as `model`, `task`, `task_args.NAME` or a score's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from caveat.errors import CaveatError, closest
from caveat.files.reading import parse, read_yaml
from caveat.importers.options import TableOptions
from caveat.types.answers import Verdict

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample


FIELDS = (
    "arm", "seed", "context", "question", "setting", "phenomenon", "behaviour", "caveat", "cluster",
    "scope", "kind", "model",
)  # fmt: skip
"""What a column can be named for."""
PLACES = ("arm", "context", "question")
DEFAULTS: Mapping[str, str] = dict(zip(PLACES, ("model", "task", "id"), strict=True))
"""By field, the part of a log that it is taken from where nothing else is said."""
PARTS = (
    "model", "task", "id", "epoch", "file", "task_args", "model_args", "metadata", "sample",
)  # fmt: skip
"""Parts of a log; the last four hold values by name: metadata of the log, and of its sample."""


@dataclass(frozen=True)
class LogOptions(TableOptions):
    """The options of `caveat import inspect`; an empty one says nothing."""

    phenomenon: str = ""
    """The phenomenon of every setting."""
    values: Mapping[str, str] = field(default_factory=dict)
    """By a score's value as it is written, its verdict."""


class MappingFile(BaseModel):
    """The keys of a mapping file, all optional; every value is text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    setting: str | None = None
    """Of every answer, such as `medical advice x inoculation`."""
    phenomenon: str = ""
    """Such as `inoculation`."""
    columns: dict[str, str] = Field(default={})
    """By field (arm, seed, context, question, cluster, ...), the part of the log it is in."""
    arms: dict[str, str] | str = Field(default={})
    """By model, its arm, as `ARM` or `ARM@SEED`; or one arm for all."""
    contexts: dict[str, str] | str = Field(default={})
    """By task, its context; or one context for all."""
    verdict: str | None = None
    """A score's name, or a condition on one, such as `judge.alignment<30`."""
    values: dict[str, str] = Field(default={})
    """By value of the score, its verdict: yes, no, neutral or invalid."""
    valid: str | None = None
    """A condition that an answer must meet, or be invalid."""
    invalid: list[str] = Field(default=[])
    """Values that count as invalid."""


def log_options(file: Path | None, given: TableOptions) -> LogOptions:
    """The options of a mapping file and of the command line, which wins.

    Raises CaveatError for a file that cannot be read, and for a field or verdict that is none.
    """
    content = {} if file is None else read_yaml(file, as_text=True)
    where = str(file)
    mapping = parse(MappingFile, content, where)
    _check_verdicts(mapping.values, where)
    own = {item.name: getattr(given, item.name) for item in fields(TableOptions)}
    merged = LogOptions(
        **{
            **own,
            **_everywhere_or_by_name("arm", mapping.arms, given),
            **_everywhere_or_by_name("context", mapping.contexts, given),
            "columns": {**mapping.columns, **given.columns},
            "setting": given.setting or mapping.setting,
            "verdict": given.verdict or mapping.verdict,
            "valid": given.valid or mapping.valid,
            "invalid": (*mapping.invalid, *given.invalid),
        },
        phenomenon=mapping.phenomenon,
        values=mapping.values,
    )
    _check_columns(merged.columns)
    return merged


def _everywhere_or_by_name(
    name: str, mapping: dict[str, str] | str, given: TableOptions
) -> dict[str, Any]:
    """The options `all_arm` and `arms`, or those of contexts, after the file and the command."""
    by_name, everywhere = getattr(given, f"{name}s"), getattr(given, f"all_{name}")
    if everywhere is None and not by_name and isinstance(mapping, str):
        everywhere = mapping
    if isinstance(mapping, dict) and everywhere is None:
        by_name = {**mapping, **by_name}
    return {f"{name}s": by_name, f"all_{name}": everywhere}


def _check_verdicts(values: Mapping[str, str], where: str) -> None:
    words = [str(verdict) for verdict in Verdict]
    for value, verdict in values.items():
        if verdict not in words:
            raise CaveatError(
                f"{where}: values.{value} is {verdict!r}; known: {', '.join(words)}"
                f"{closest(verdict, words)}"
            )


def _check_columns(columns: Mapping[str, str]) -> None:
    for name, part in columns.items():
        if name not in FIELDS:
            raise CaveatError(
                f"column {name}={part}: {name!r} is none of {', '.join(FIELDS)}"
                f"{closest(name, FIELDS)}"
            )
        root = part.partition(".")[0]
        if root not in PARTS:
            raise CaveatError(
                f"column {name}={part}: {root!r} is no part of a log: {', '.join(PARTS)}"
                f"{closest(root, PARTS)}"
            )


def part_of(log: EvalLog, sample: EvalSample, file: Path, part: str, where: str) -> Any:
    """The value of a part of a log, such as `task_args.prompt`.

    Raises CaveatError where the log has none of that name.
    """
    root, _, rest = part.partition(".")
    value: Any = {
        "model": log.eval.model,
        "task": log.eval.task,
        "id": sample.id,
        "epoch": sample.epoch,
        "file": file.stem,
        "task_args": log.eval.task_args,
        "model_args": log.eval.model_args,
        "metadata": log.metadata,
        "sample": sample.metadata,
    }[root]
    seen = root
    for name in rest.split(".") if rest else ():
        if not isinstance(value, dict) or name not in value:
            names = list(map(str, value)) if isinstance(value, dict) else []
            present = f"it has {', '.join(names[:12])}" if names else "it has nothing by name"
            raise CaveatError(
                f"{where}: {seen} has no {name!r} ({present}); fix the column {part!r}"
                f"{closest(name, names)}"
            )
        value, seen = value[name], f"{seen}.{name}"
    if isinstance(value, dict | list | tuple):
        names = ", ".join(map(str, value))[:80] if isinstance(value, dict) else "a list"
        raise CaveatError(f"{where}: {part} is not one value ({names}); name a value in it")
    return value
