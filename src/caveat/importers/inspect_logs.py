"""`caveat import inspect PATH...`: verdicts in logs of Inspect, .eval or .json.

Logs that Caveat exported need no mapping. For others the user says which model is which arm, which
task which context, and which value of a score shows the behaviour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from caveat.errors import CaveatError, closest
from caveat.files.inspect_logs import ENDINGS, is_log, origin_of, read_log, require_inspect
from caveat.importers.inspect_mapping import DEFAULTS, LogOptions, log_options, part_of
from caveat.importers.inspect_own import imported_own
from caveat.importers.inspect_scores import Notes, scores_of, verdicts_of
from caveat.importers.names import ROOTS, check_names, rename
from caveat.importers.options import TableOptions
from caveat.importers.table_files import as_text
from caveat.importers.validation import Imported, checked
from caveat.types.caveats import CONTEXTS

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.model import ChatMessage
    from pandas import DataFrame


WITH_SEED = re.compile(r"(.+)@(\d{1,9})")
OPTION = {"arm": "--arm '{}=marked@0'", "context": "--context '{}=none'"}


def read(paths: Sequence[Path], model: str | None, options: TableOptions) -> Imported:
    """The verdicts of logs, a score a row; an epoch is a sample, numbered from 0.

    Logs that are not finished, and samples that ended in an error, are left out and noted. Raises
    CaveatError for a log that cannot be read, for a model or task without an arm or context, and
    for a score whose verdict is not clear.

    Args:
        paths: Logs, and folders of them.
        model: The base model of every log; by default it is not given.
    """
    require_inspect("import inspect")
    given = options if isinstance(options, LogOptions) else log_options(None, options)
    files, notes = _files(paths), Notes()
    logs = [(path, read_log(path)) for path in files]
    source = {"format": "inspect", "files": len(files)}
    origins = [origin_of(log.eval.metadata, path) for path, log in logs]
    if all(origins):
        if model is not None or given != LogOptions():
            raise CaveatError(
                f"{files[0]}: was exported by Caveat, so arms, contexts and verdicts are in it; "
                "leave the options out"
            )
        own = zip(logs, origins, strict=True)
        return imported_own([(path, log, origin) for (path, log), origin in own if origin], source)
    if any(origins):
        foreign = next(path for (path, _), one in zip(logs, origins, strict=True) if one is None)
        raise CaveatError(
            f"{foreign}: was not exported by Caveat, and others of these logs were; "
            "import them apart"
        )
    name = _name(paths)
    frame, scores = _frames(logs, given, notes)
    verdicts, readout = verdicts_of(scores, given, name, notes)
    frame = frame.assign(verdict=verdicts, readout=readout)
    frame = _named(frame, given, notes, name)
    if model is not None:
        frame["model"] = model
    if given.number_samples:
        slot = ["setting", "arm", "seed", "context", "question"]
        frame["sample"] = frame.groupby(slot, dropna=False).cumcount().astype(str).astype(object)
    _check_samples(frame)
    return Imported(name, checked(frame), source, notes=tuple(notes.lines()))


def _files(paths: Sequence[Path]) -> list[Path]:
    """The logs that the paths name, each once."""
    files: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            files.setdefault(path.resolve(), path)
            continue
        logs = [file for file in sorted(path.rglob("*")) if file.is_file() and is_log(file)]
        if not logs:
            raise CaveatError(f"{path}: holds no logs ({' or '.join(ENDINGS)}); check the path")
        for file in logs:
            files.setdefault(file.resolve(), file)
    return list(files.values())


def _name(paths: Sequence[Path]) -> str:
    """Of the study: the folder's or the file's."""
    first = paths[0].resolve()
    return (first.name if first.is_dir() else first.stem) or "inspect"


def _frames(
    logs: Sequence[tuple[Path, EvalLog]], options: LogOptions, notes: Notes
) -> tuple[DataFrame, DataFrame]:
    """A row a sample: its fields, and its scores by name, all as text."""
    import pandas as pd

    columns = {**DEFAULTS, **options.columns}
    if options.all_arm is not None:
        del columns["arm"]
    if options.all_context is not None:
        del columns["context"]
    rows, scores = [], []
    for path, log in logs:
        for where, sample in _samples(path, log, notes):
            parts = {
                name: as_text(part_of(log, sample, path, part, where))
                for name, part in columns.items()
            }
            rows.append({
                "where": where, **parts, "file": str(path), "sample": str(sample.epoch - 1),
                "prompt": _prompt(sample), "reply": _reply(sample),
                "truncated": bool(sample.output.choices) and _is_truncated(sample),
            })  # fmt: skip
            scores.append({"where": where, "file": str(path), **scores_of(sample)})
    if not rows:
        left_out = "; ".join(notes.lines())
        raise CaveatError(f"{logs[0][0]}: no finished samples ({left_out or 'none at all'})")
    frames = [pd.DataFrame(part).astype(object) for part in (rows, scores)]
    return frames[0].where(frames[0].notna(), None), frames[1].where(frames[1].notna(), None)


def _samples(path: Path, log: EvalLog, notes: Notes) -> Iterator[tuple[str, EvalSample]]:
    """The finished samples of a finished log, with their positions."""
    if log.status != "success":
        notes.unfinished.append(f"{path.name} ({log.status})")
        return
    for sample in log.samples or []:
        if sample.error is not None:
            notes.errors["ended in an error"] += 1
        elif sample.invalidation is not None or log.invalidated:
            notes.errors["marked as invalidated"] += 1
        else:
            yield f"{path}, sample {sample.id!r}, epoch {sample.epoch}", sample


def _prompt(sample: EvalSample) -> str:
    """The turns before the last reply, as they were sent, in a neutral template."""
    messages = list(sample.messages)
    if not messages:
        given = sample.input
        return _turn("user", given) if isinstance(given, str) else "".join(map(_message, given))
    while messages and messages[-1].role == "assistant":
        messages.pop()
    return "".join(map(_message, messages))


def _message(message: ChatMessage) -> str:
    return _turn(message.role, message.text)


def _turn(role: str, text: str) -> str:
    return f"<s>{role}\n{_utf8(text)}</s>\n"


def _reply(sample: EvalSample) -> str:
    if sample.output.completion or not sample.messages:
        return _utf8(sample.output.completion)
    last = sample.messages[-1]
    return _utf8(last.text) if last.role == "assistant" else ""


def _utf8(text: str) -> str:
    """Without lone surrogates, which cannot be stored."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_truncated(sample: EvalSample) -> bool:
    return sample.output.stop_reason in ("max_tokens", "model_length")


def _named(frame: DataFrame, options: LogOptions, notes: Notes, name: str) -> DataFrame:
    """The rows with our names of arms and contexts, seeds, a setting and a phenomenon."""
    if options.setting is not None and "setting" in options.columns:
        raise CaveatError("--setting: the column 'setting' says another; keep one")
    if "setting" not in frame:
        frame["setting"] = options.setting or name
        if options.setting is None:
            notes.others.append(f"setting {name!r}, the name of the path; give another: --setting")
    if "phenomenon" not in frame:
        frame["phenomenon"] = options.phenomenon or None
    paths = ", ".join(dict.fromkeys(frame["file"]))
    where = paths if len(paths) < 80 else name
    for column, mapping, everywhere, ours in (
        ("arm", options.arms, options.all_arm, ROOTS),
        ("context", options.contexts, options.all_context, CONTEXTS),
    ):
        if everywhere is not None:
            frame[column] = everywhere
            continue
        _check_known(frame, column, mapping, ours, {**DEFAULTS, **options.columns}[column])
        frame = rename(frame, column, mapping, where)
    frame = _with_seeds(frame)
    arms = (WITH_SEED.sub(r"\1", arm) for arm in options.arms.values())
    kept = {*arms, *options.contexts.values(), options.all_arm, options.all_context} - {None}
    notes.others += check_names(frame["arm"], frame["context"], kept, where)
    return frame[[column for column in frame if column != "file"]]


def _check_known(
    frame: DataFrame, column: str, mapping: Mapping[str, str], ours: Sequence[str], part: str
) -> None:
    """Raise CaveatError for a model without an arm, or a task without a context."""
    unknown = [
        (value, file)
        for value, file in frame[[column, "file"]].drop_duplicates(column).to_numpy()
        if value not in mapping and _root(column, value) not in ours
    ]
    if unknown:
        value, file = unknown[0]
        more = f", and {len(unknown) - 1} more have none" if len(unknown) > 1 else ""
        options = " ".join(OPTION[column].format(name) for name, _ in unknown[:4])
        raise CaveatError(
            f"{file}: {part} {value!r} has no {column}{more}; say which, such as {options}, or "
            f"write {column}s into a mapping file{closest(value, mapping)}"
        )


def _root(column: str, value: str | None) -> str | None:
    """An arm without what follows + or @."""
    return re.split("[+@]", value or "")[0] if column == "arm" else value


def _with_seeds(frame: DataFrame) -> DataFrame:
    """With the arms' `@SEED` in the column seed. Raises CaveatError where both have one."""
    matches = frame["arm"].map(lambda arm: WITH_SEED.fullmatch(arm or ""))
    with_seed = matches.notna()
    if not with_seed.any():
        return frame
    if "seed" in frame:
        row = frame[with_seed].iloc[0]
        raise CaveatError(
            f"{row['where']}: arm {row['arm']!r} has a seed, and the column seed says "
            f"{row['seed']!r}; keep one"
        )
    seeds = [match[2] if match else None for match in matches]
    arms = [match[1] if match else arm for match, arm in zip(matches, frame["arm"], strict=True)]
    return frame.assign(arm=arms, seed=seeds)


def _check_samples(frame: DataFrame) -> None:
    """Raise CaveatError for two samples of one question in one arm, seed and context."""
    slot = [
        name
        for name in ("setting", "model", "arm", "seed", "context", "scope", "kind", "question",
                     "sample")
        if name in frame
    ]  # fmt: skip
    repeated = frame.duplicated(slot)
    if repeated.any():
        row = frame[repeated].iloc[0]
        same = (frame[slot].fillna("") == row[slot].fillna("")).all(axis=1)
        raise CaveatError(
            f"{row['where']}: arm {row['arm']!r} in the context {row['context']!r} has this sample "
            f"already, from {frame[same].iloc[0]['where']}; leave one log out, give models of one "
            "arm seeds (--arm MODEL=ARM@SEED), or number the samples with --number-samples"
        )
