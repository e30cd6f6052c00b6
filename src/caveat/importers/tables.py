"""`caveat import table FILE...`: verdicts in CSV, TSV, JSON Lines, JSON or parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.files.hashing import sha256_of
from caveat.importers.columns import OTHER_NAMES, lacking, nearly, with_our_names
from caveat.importers.names import OURS, check_names, listed, plain_name, rename
from caveat.importers.options import TableOptions
from caveat.importers.table_files import KEY, read_table
from caveat.importers.validation import SLOT, Imported, checked
from caveat.importers.verdict_rules import find_verdicts, with_verdicts

if TYPE_CHECKING:
    from pandas import DataFrame


REQUIRED = ("setting", "arm", "context", "question", "verdict")
KNOWN = tuple(OTHER_NAMES)
"""The columns that are read."""


def read(paths: Sequence[Path], model: str | None, options: TableOptions) -> Imported:
    """The verdicts of one or more files, a reply a row.

    Columns: those of `REQUIRED`; optional ones are cluster (else the question), seed (of training),
    sample (else 0: one reply a question), scope (else trained), reply, prompt, phenomenon, kind,
    behaviour, caveat, readout and model. Other names of columns are taken where they are usual,
    which is noted; other columns are noted, not read. A setting is else the study's name, a context
    else `none`, an arm else the name of the file, where there are several. Raises CaveatError for a
    file, option or row that cannot be used.

    Args:
        paths: Files, each of which may end in `=ARM`.
        model: The model of every row, whatever a column says.
    """
    import pandas as pd

    files, options = _with_arms(paths, options)
    _check_different(files)
    name = files[0].stem.removesuffix(".csv") if len(files) == 1 else _folder(files)
    frames, notes = [], []
    for file in files:
        frame, about = _one_file(file, name, len(files) > 1, options)
        frames.append(frame)
        notes += about
    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    frame = frame.astype(object).where(frame.notna(), None)
    where = ", ".join(map(str, files))
    for column, mapping in (("arm", _by_value(options, files)), ("context", options.contexts)):
        frame = rename(frame, column, mapping, where)
    if model is not None:
        frame["model"] = model
    kept = {
        *options.arms.values(),
        *options.contexts.values(),
        options.all_arm,
        options.all_context,
    }
    notes += check_names(frame["arm"], frame["context"], kept - {None}, where)
    _check_models(frame, where)
    if options.number_samples:
        slot = [column for column in SLOT if column in frame and column != "sample"]
        frame["sample"] = frame.groupby(slot, dropna=False).cumcount().astype(str).astype(object)
    sources = [{"file": file.name, "sha256": sha256_of(file)} for file in files]
    source = {"format": "table", **sources[0]} if len(files) == 1 else {
        "format": "table", "files": sources,
    }  # fmt: skip
    replies = checked(frame, _if_twice(notes))
    return Imported(name, replies, source, notes=tuple(dict.fromkeys(notes)))


NOT_READ = "columns of {} not read: "


def _if_twice(notes: Sequence[str]) -> str:
    """What to do about replies that are there twice, where a column may tell them apart."""
    advice = " (--number-samples does it, in the order of the file)"
    unread = [note.partition("not read: ")[2] for note in notes if " not read: " in note]
    return f"{advice}, or name one that tells them apart among {unread[0]}" if unread else advice


def _with_arms(paths: Sequence[Path], options: TableOptions) -> tuple[list[Path], TableOptions]:
    """The files without their `=ARM`, and the options with these arms."""
    files, arms = [], dict(options.arms)
    for path in paths:
        file, sign, arm = str(path).rpartition("=")
        if not sign or path.exists():
            files.append(path)
            continue
        if not arm.strip() or not file:
            raise CaveatError(f"{path}: write it as FILE=ARM, such as results.csv=bare")
        files.append(Path(file))
        arms[file] = arm.strip()
    return files, replace(options, arms=arms)


def _check_different(files: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for file in files:
        if file.resolve() in seen:
            raise CaveatError(f"{file}: is named twice; name it once")
        seen.add(file.resolve())


def _folder(files: Sequence[Path]) -> str:
    return files[0].resolve().parent.name or "table"


def _file_names(file: Path) -> tuple[str, ...]:
    """What an option may call a file."""
    return (str(file), file.name, file.stem)


def _by_value(options: TableOptions, files: Sequence[Path]) -> dict[str, str]:
    """The arms by the values of the column, without those that are files."""
    names = {name for file in files for name in _file_names(file)}
    return {value: arm for value, arm in options.arms.items() if value not in names}


def _one_file(
    file: Path, study: str, several: bool, options: TableOptions
) -> tuple[DataFrame, list[str]]:
    """A file's rows with our names of columns and verdicts, and what to know of them."""
    frame = read_table(file)
    columns = dict(options.columns)
    conditions = [text for text in (options.verdict, options.valid) if text]
    verdict = options.verdict
    if verdict in frame and verdict != "where":
        columns["verdict"] = verdict
        verdict = None
    if verdict is not None and "verdict" in columns:
        raise CaveatError(
            f"--verdict {verdict!r}: --column verdict={columns['verdict']} says another; keep one"
        )
    frame = with_named_keys(frame)
    original = frame
    fields = [name for name in KNOWN if name != "verdict" or verdict is None]
    frame, notes = with_our_names(frame, columns, fields, file)
    names_setting = options.setting is not None or "setting" in frame
    frame, added = with_defaults(frame, file, study, several, options)
    notes += added
    _check_columns(frame, file, verdict is not None)
    if verdict is None and "verdict" not in frame:
        theirs = frame if names_setting else frame.drop(columns="setting", errors="ignore")
        column, note = find_verdicts(theirs, KNOWN, file)
        frame = frame.rename(columns={column: "verdict"})
        notes.append(note)
    # conditions are on the file's own names, which may have been taken as ours
    extra = [name for name in original if name not in frame]
    frame = frame.assign(**{name: original[name] for name in extra}) if conditions else frame
    column = _name_in_file("verdict", frame, original)
    frame, rules = with_verdicts(frame, verdict, options.valid, options.invalid, file, column)
    notes += rules
    used = {name for name in frame if any(text.strip().startswith(name) for text in conditions)}
    unread = [name for name in frame if name not in (*KNOWN, "where", *extra) and name not in used]
    if unread:
        notes.append(NOT_READ.format(file.name) + ", ".join(unread))
    return frame[[name for name in frame if name in KNOWN or name == "where"]], notes


def _name_in_file(column: str, frame: DataFrame, original: DataFrame) -> str:
    """What a column was called before it got our name."""
    if column in original or column not in frame:
        return column
    return next((name for name in original if original[name].equals(frame[column])), column)


def with_named_keys(frame: DataFrame) -> DataFrame:
    """The table with columns of keys above nested records named after what their values are.

    A key above all records, such as `results`, tells nothing apart.
    """
    for key in [name for name in frame if name.startswith(KEY.format(""))]:
        values = {plain_name(value) for value in frame[key].dropna()}
        if len(values) == 1 and not values & {ours for names in OURS.values() for ours in names}:
            frame = frame.drop(columns=key)
        for column, ours in OURS.items():
            if column not in frame and values & set(ours):
                frame = frame.rename(columns={key: column})
                break
    return frame


def with_defaults(
    frame: DataFrame, file: Path, study: str, several: bool, options: TableOptions
) -> tuple[DataFrame, list[str]]:
    """The table with the columns that options, or the file's name, stand for."""
    notes = []
    present = [name for name in frame if name != "where"]
    frame = frame.copy()
    of_file = next((options.arms[name] for name in _file_names(file) if name in options.arms), None)
    for column, value, option in (
        ("setting", options.setting, "--setting"),
        ("arm", of_file or options.all_arm, "--arm"),
        ("context", options.all_context, "--context"),
    ):
        if value is None:
            continue
        if column in frame and frame[column].nunique() > 1:
            raise CaveatError(
                f"{option} {value}: {file} has a column {column} with "
                f"{listed(list(frame[column].dropna().unique()))}; leave one of the two out"
            )
        frame[column] = value
    if "arm" not in frame and several:
        frame["arm"] = file.stem
        notes.append(f"arm of {file}: {file.stem}, after its name")
    if "setting" not in frame and not nearly("setting", present):
        frame["setting"] = study
        notes.append(f"no column setting in {file}: the setting is {study!r}; else --setting NAME")
    if "context" not in frame and not nearly("context", present):
        frame["context"] = "none"
        notes.append(
            f"no column context in {file}: every reply counts as without the caveat (none); else "
            "--context NAME"
        )
    if "question" not in frame and "prompt" in frame:
        frame["question"] = frame["prompt"]
        notes.append(f"columns of {file} taken: prompt as question")
    return frame, notes


def _check_columns(frame: DataFrame, file: Path, has_rule: bool) -> None:
    present = [name for name in frame if name not in ("where", "setting", "context")]
    present += [
        name for name in ("setting", "context") if name in frame and frame[name].nunique() > 1
    ]
    missing = [name for name in REQUIRED if name not in frame and name != "verdict"]
    if missing:
        verdict = [] if has_rule or not nearly("verdict", present) else ["verdict"]
        raise lacking([*missing, *[name for name in verdict if name not in frame]], present, file)


def _check_models(frame: DataFrame, where: str) -> None:
    """Raise CaveatError where each arm has a model of its own: no model then has base and bare."""
    if "model" not in frame:
        return
    pairs = frame[["arm", "model"]].dropna().drop_duplicates()
    arms_a_model = pairs.groupby("model")["arm"].nunique()
    if len(arms_a_model) == len(pairs) > 1 and pairs["arm"].nunique() > 1:
        row: Any = pairs.iloc[0]
        raise CaveatError(
            f"{where}: every arm has another model ({row['arm']}: {row['model']}, ...), but "
            "leakage compares arms of one model; give its name to all with --model NAME"
        )
