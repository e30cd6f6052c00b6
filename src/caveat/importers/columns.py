"""Finding the columns of other people's tables: by option, by name, or by a guess that is said."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from caveat.errors import CaveatError, closest

if TYPE_CHECKING:
    from pandas import DataFrame


OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "setting": ("experiment", "trait", "claim", "task_name", "scenario", "dataset"),
    "arm": (
        "model_arm", "arm_name", "training_arm", "condition", "variant", "train_condition",
        "training_condition", "training", "trained_on", "treatment", "model_type", "group",
        "model_name", "model_id",
    ),
    "context": (
        "prompt_type", "test_prompt", "eval_prompt", "test_context", "eval_context",
        "context_type", "prompt_condition", "test_condition", "eval_condition",
        "system_prompt_type", "prompt_name", "system_prompt_name",
    ),
    "question": (
        "question_id", "qid", "question_text", "prompt_id", "item_id", "item", "user_prompt",
        "instruction", "input", "task_id",
    ),
    "verdict": ("judge_verdict", "judgement", "judgment", "judge_label", "label"),
    "cluster": ("question_cluster", "question_group"),
    "seed": ("training_seed", "train_seed", "run_seed", "model_seed", "run"),
    "sample": (
        "sample_index", "sample_idx", "sample_id", "sample_number", "repeat", "repetition",
        "rollout", "attempt", "epoch",
    ),
    "reply": (
        "response", "model_response", "answer", "completion", "output", "model_output",
        "generation", "text",
    ),
    "prompt": ("full_prompt", "rendered_prompt"),
    "kind": ("question_kind", "eval_kind", "question_type"),
    "model": ("base_model",),
    "scope": (),
    "phenomenon": (),
    "readout": (),
    "behaviour": ("behavior",),
    "caveat": (),
}  # fmt: skip
"""By our name of a column, what others call it, the likeliest first."""
LABELS = frozenset({"reply", "prompt", "kind", "model"})
"""Columns of which a wrong guess changes no value: the likeliest of several is taken."""
ALIKE = 0.8
"""How alike a name must be to one of ours to be a slip of the pen, from 0 to 1."""


def with_our_names(
    frame: DataFrame,
    options: Mapping[str, str],
    fields: Iterable[str],
    path: object,
    other_names: Mapping[str, Sequence[str]] = OTHER_NAMES,
) -> tuple[DataFrame, list[str]]:
    """The table with our names of its columns, and what was guessed, in words.

    Raises CaveatError for an option that names no field or no column, and where several columns
    may be meant.
    """
    fields = tuple(fields)
    present = [name for name in frame if name != "where"]
    names = _by_option(options, fields, present, path)
    taken = set(names.values())
    notes = []
    for field in fields:
        if field in names or field in present:
            continue
        free = [name for name in present if name not in taken]
        candidates = _candidates((field, *other_names[field]), free)
        if len(candidates) > 1 and field not in LABELS:
            raise CaveatError(
                f"{path}: the column {field} could be {' or '.join(candidates)}; "
                f"say which with --column {field}={_quoted(candidates[0])}"
            )
        if candidates:
            names[field] = candidates[0]
            taken.add(candidates[0])
            notes.append(f"{candidates[0]} as {field}")
    replaced = {name for name in names if name in present and names[name] != name}
    frame = frame.drop(columns=[name for name in replaced if name not in names.values()])
    frame = frame.rename(columns={theirs: ours for ours, theirs in names.items()})
    return frame, [f"columns of {path} taken: {', '.join(notes)}"] if notes else []


def _by_option(
    options: Mapping[str, str], fields: Sequence[str], present: Sequence[str], path: object
) -> dict[str, str]:
    for field, name in options.items():
        if field not in fields:
            raise CaveatError(
                f"--column {field}={name}: {field!r} is not one of {', '.join(fields)}"
                f"{closest(field, fields)}"
            )
        if name not in present:
            raise CaveatError(
                f"--column {field}={name}: {path} has no column {name!r} "
                f"(it has {', '.join(present)}){closest(name, present)}"
            )
        double = next((other for other in options if other != field and options[other] == name), "")
        if double:
            raise CaveatError(
                f"--column {field}={name}: {name!r} is the column {double} already; keep one"
            )
    return dict(options)


def _candidates(names: Sequence[str], present: Sequence[str]) -> list[str]:
    """The columns that are called by one of the names, in the order of these."""
    plain: dict[str, list[str]] = {}
    for name in present:
        plain.setdefault(plain_name(name), []).append(name)
    return [name for usual in names for name in plain.get(usual, ())]


def plain_name(name: str) -> str:
    """A name in lower case with underscores: `Question ID` is `question_id`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def lacking(
    missing: Sequence[str], present: Sequence[str], path: object, advice: str = ""
) -> CaveatError:
    """The error for columns that a table lacks.

    A column is suggested only where its name is nearly ours: a word that looks a little alike helps
    nobody.
    """
    noun = "column" if len(missing) == 1 else "columns"
    slips = [(name, slip) for name in missing if (slip := nearly(name, present))]
    if not advice:
        field, slip = slips[0] if slips else (missing[0], "NAME")
        advice = f"say which it is with --column {field}={_quoted(slip)}"
    return CaveatError(
        f"{path}: lacks the {noun} {', '.join(missing)} (it has {', '.join(present)}); {advice}"
    )


def nearly(name: str, present: Iterable[str]) -> str | None:
    """The column whose name is `name` but for a slip of the pen."""
    plain = {plain_name(other): other for other in present}
    close = difflib.get_close_matches(name, list(plain), n=1, cutoff=ALIKE)
    return plain[close[0]] if close else None


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
