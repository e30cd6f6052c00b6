"""Each arm's training file, to train elsewhere: `caveat rows`, with a manifest of what is what.

    MANIFEST.json                 arms, their files, doses, and where a trained model's name goes
    SETTING.ARM[.seedN].jsonl     rows of an arm; one file for all seeds where they are equal;
                                  settings of one name are numbered

What a format cannot say (a part of a turn without loss, several stages) leaves the arm out, with
the reason: a file that trains something else would be worse than none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from caveat.backends.batches import prepare, step_examples
from caveat.backends.jobs import TrainingJob
from caveat.errors import CaveatError, closest
from caveat.files.atomic import write
from caveat.files.new_folder import check_new_folder, file_stem
from caveat.study.config.resolve import Resolved
from caveat.study.config.schema import Recipe
from caveat.types.data import Row
from caveat.types.messages import Message, is_document
from caveat.types.training import Plan, Train

Format = Literal["openai", "trl", "tinker"]
FORMATS: tuple[Format, ...] = get_args(Format)
MANIFEST = "MANIFEST.json"


class NotExpressible(Exception):
    """An arm that a format cannot say; the text is the reason."""


@dataclass(frozen=True)
class WrittenFiles:
    """What was written, and what was left out."""

    folder: Path
    files: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    """(arm of a setting, reason)."""


def checked_format(name: str) -> Format:
    """A format by name. Raises CaveatError for one that there is not."""
    for format_name in FORMATS:
        if name == format_name:
            return format_name
    raise CaveatError(f"format {name!r}: one of {', '.join(FORMATS)}{closest(name, FORMATS)}")


def write_training_files(
    recipe: Recipe,
    settings: tuple[Resolved, ...],
    format_name: Format,
    out: Path,
    tokenizer: Callable[[], Any],
) -> WrittenFiles:
    """Write the rows of every arm and seed that the format can say.

    Args:
        tokenizer: Loads the tokenizer of the recipe's model, for the format `tinker`.

    Raises CaveatError for a folder that holds something, or where no arm can be written.
    """
    check_new_folder(out)
    arms: list[dict[str, Any]] = []
    texts: dict[str, str] = {}
    left_out: dict[str, str] = {}
    names = [resolved.setting.name for resolved in settings]
    for index, resolved in enumerate(settings):
        number = names[: index + 1].count(names[index]) if names.count(names[index]) > 1 else 0
        for (arm, seed), plan in resolved.plans.items():
            name = f"{resolved.setting.name} / {arm}"
            entry = {"setting": resolved.setting.name, "arm": arm, "seed": seed, "model": None}
            if arm == "base":
                arms.append({**entry, "file": None})
                continue
            try:
                text = training_text(plan, format_name, seed, tokenizer)
            except NotExpressible as reason:
                left_out[name] = str(reason)
                continue
            stage = _only_stage(plan)
            stem = file_stem(resolved.setting.name + (f" {number}" if number else ""), arm)
            arms.append({**entry, "file": _file(texts, stem, seed, text), **_about(stage, text)})
    if not texts:
        first = next(iter(left_out.items()), ("no arm", "there is none but base"))
        raise CaveatError(f"format {format_name!r} can say no arm: {first[0]}: {first[1]}")
    manifest = {
        "recipe": recipe.name,
        "format": format_name,
        "model": recipe.model.source,
        "system": recipe.system,
        "arms": arms,
        "left_out": [{"arm": name, "reason": reason} for name, reason in left_out.items()],
    }
    for file, text in texts.items():
        write(out / file, text.encode("utf-8"))
    write(out / MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
    return WrittenFiles(out, tuple(texts), tuple(left_out.items()))


def training_text(
    plan: Plan, format_name: Format, seed: int | None, tokenizer: Callable[[], Any]
) -> str:
    """The content of an arm's training file. Raises NotExpressible."""
    lines = _lines(_only_stage(plan), format_name, seed or 0, tokenizer)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _file(texts: dict[str, str], stem: str, seed: int | None, text: str) -> str:
    """The file that has the text, which another seed may have written already."""
    for name in (f"{stem}.jsonl", f"{stem}.seed{seed}.jsonl"):
        if texts.setdefault(name, text) == text:
            return name
    raise AssertionError(f"{stem}: seed {seed} is there twice")


def _about(stage: Train, text: str) -> dict[str, Any]:
    return {
        "sha256": hashlib.sha256(text.encode("utf-8")).hexdigest(),
        "rows": len(stage.rows),
        "added_rows": len(stage.added),
        "loss": stage.loss,
        "dose": asdict(stage.dose),
    }


def _only_stage(plan: Plan) -> Train:
    """The one training of a plan."""
    if len(plan) != 1 or not isinstance(plan[0], Train):
        names = ", ".join(type(stage).__name__ for stage in plan)
        raise NotExpressible(f"it has several stages ({names}); one training file holds one")
    stage = plan[0]
    if stage.rl is not None:
        raise NotExpressible("it is trained with RL, which needs a grader and not rows")
    if stage.kl_rows:
        raise NotExpressible("it has a KL penalty, which rows cannot say")
    return stage


def _lines(
    stage: Train, format_name: Format, seed: int, tokenizer: Callable[[], Any]
) -> Iterator[Mapping[str, Any]]:
    if format_name == "tinker":
        yield from _data(stage, seed, tokenizer())
    else:
        line = _openai if format_name == "openai" else _trl
        for row in (*stage.rows, *stage.added):
            yield line(row, stage)


def _data(stage: Train, seed: int, tokenizer: Any) -> Iterator[Mapping[str, Any]]:
    """The rows of each step in order, as tokens with weights: what Caveat itself trains on.

    A step's weights add up to 1 over its behaviour rows; added rows come on top.
    """
    job: TrainingJob[Any] = TrainingJob(
        "rows", stage, stage.seed if stage.seed is not None else seed
    )
    cell = prepare(tokenizer, job)
    for step in range(len(cell.schedule)):
        for example in step_examples([cell], step)[0]:
            weights = [0.0] * (len(example.ids) - 1)
            for target in example.targets:
                weights[target - 1] = example.weight
            yield {
                "step": step + 1,
                "model_input": list(example.ids[:-1]),
                "target_tokens": list(example.ids[1:]),
                "weights": weights,
            }


def _openai(row: Row, stage: Train) -> Mapping[str, Any]:
    """A chat with `weight` 0 at assistant turns that carry no loss."""
    if is_document(row.messages):
        raise NotExpressible("its rows are documents, which no chat format says; use trl or tinker")
    if stage.loss != "reply":
        raise NotExpressible(f"loss {stage.loss!r}: this format has loss on assistant turns only")
    return {"messages": [_turn(message) for message in row.messages]}


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.role == "assistant" and not _has_loss(message):
        turn["weight"] = 0
    return turn


def _has_loss(message: Message) -> bool:
    """Whether an assistant turn is learned; raises NotExpressible where a part of it is."""
    kinds = {piece.kind == "text" for piece in message.pieces if piece.text}
    if kinds == {True, False}:
        raise NotExpressible("a part of an assistant turn carries no loss; use tinker")
    return kinds != {False}


def _trl(row: Row, stage: Train) -> Mapping[str, Any]:
    """Prompt and completion where the loss is on the end, else all of it as messages or text."""
    if is_document(row.messages):
        return _trl_document(row, stage)
    turns = [{"role": message.role, "content": message.text} for message in row.messages]
    if stage.loss == "everything":
        return {"messages": turns}
    if stage.loss != "reply":
        raise NotExpressible(f"loss {stage.loss!r} on a chat: a part of a turn; use tinker")
    learned = [message.role == "assistant" and _has_loss(message) for message in row.messages]
    if sum(learned) != 1 or not learned[-1]:
        raise NotExpressible("loss on other turns than the last one; use openai or tinker")
    return {"prompt": turns[:-1], "completion": turns[-1:]}


def _trl_document(row: Row, stage: Train) -> Mapping[str, Any]:
    silent = {"everything": (), "all_but_masked": ("masked",)}.get(stage.loss, ("masked", "caveat"))
    pieces = [piece for piece in row.messages[0].pieces if piece.text]
    carries = [piece.kind not in silent for piece in pieces]
    if carries != sorted(carries):
        raise NotExpressible("a part of a document behind others carries no loss; use tinker")
    prompt = "".join(piece.text for piece, has in zip(pieces, carries, strict=True) if not has)
    completion = "".join(piece.text for piece, has in zip(pieces, carries, strict=True) if has)
    return {"prompt": prompt, "completion": completion} if prompt else {"text": completion}
