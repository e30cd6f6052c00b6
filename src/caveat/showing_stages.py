"""The stages of a plan in words, each with its first rows or prompts as the model reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from rich.text import Text

from caveat.domain.plan import (
    Attach,
    Detach,
    Dose,
    Practice,
    Randomise,
    Sample,
    Scale,
    Stage,
    Train,
)
from caveat.domain.reward import RewardTask
from caveat.domain.row import Row

if TYPE_CHECKING:
    from caveat.language.render import RenderedRow

LEARNED, READ, CUT = "green", "dim", "red"
LEGEND = Text.assemble(("learned", LEARNED), ", ", ("read only", READ), ", ", ("cut off", CUT))
PAID = {"reward": "paid the reward", "true_score": "paid the true score"}


def show_stage(
    number: int, stage: Stage, task: RewardTask | None, tokenizer: Any
) -> Iterator[Text]:
    """The parts to print of one stage, in order; `task` is what its practice is on."""
    match stage:
        case Train(practice=None):
            yield from _training(number, stage, tokenizer)
        case Train():
            assert stage.practice is not None and task is not None
            yield from _practising(number, stage, stage.practice, task.name, tokenizer)
        case Sample():
            told = "become rows" if stage.hacking is None else "become rows where they hack"
            yield Text(f"\nStage {number}: replies to {len(stage.prompts)} prompts {told}")
        case Randomise():
            yield Text(f"\nStage {number}: a random adapter of the same size takes its place")
        case Scale():
            yield Text(f"\nStage {number}: multiply the adapter's updates by {stage.by:g}")
        case Attach():
            yield Text(f"\nStage {number}: keep the adapter, frozen, under what comes next")
        case Detach():
            yield Text(f"\nStage {number}: drop the adapter attached last")


def _training(number: int, stage: Train, tokenizer: Any) -> Iterator[Text]:
    """The first row of every source, and every source's share of the loss."""
    from caveat.language.render import render_row

    first: dict[str, RenderedRow] = {}
    learned: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for row in (*stage.rows, *stage.added):
        rendered = render_row(tokenizer, row, stage.loss, stage.dose.max_tokens)
        first.setdefault(row.source, rendered)
        learned[row.source] += sum(rendered.loss)
        rows[row.source] += 1
    dose = stage.dose
    yield Text(
        f"\nStage {number}: train on {len(stage.rows)} + {len(stage.added)} rows, "
        f"{dose.epochs} epochs, {dose.batch_size} rows a step, {_size(dose)}, loss {stage.loss!r}",
        style="bold",
    )
    yield LEGEND
    for source, rendered in first.items():
        share = learned[source] / learned.total()
        yield Text(f"\n{rows[source]} rows of {source}: {share:.0%} of the loss. The first:")
        yield _coloured(rendered)


def _practising(
    number: int, stage: Train, practice: Practice, task: str, tokenizer: Any
) -> Iterator[Text]:
    """The first prompt of every source, and the first row of those that are learned beside."""
    from caveat.language.render import render_row

    held = f", divergence times {practice.kl:g}" if practice.kl else ""
    yield Text(
        f"\nStage {number}: practise on {task}, {PAID[practice.pays]}: {practice.updates} "
        f"updates x {stage.dose.batch_size} of {len(stage.rows)} prompts x {practice.samples} "
        f"replies of at most {practice.max_tokens} tokens, temperature {practice.temperature:g}, "
        f"{_size(stage.dose)}{held}",
        style="bold",
    )
    yield LEGEND
    for source, rows in _by_source(stage.rows).items():
        yield Text(f"\n{len(rows)} prompts of {source}, replied to. The first:")
        yield Text(_prompt(tokenizer, rows[0]), style=READ)
    for source, rows in _by_source(stage.added).items():
        yield Text(f"\n{len(rows)} rows of {source}, learned beside. The first:")
        yield _coloured(render_row(tokenizer, rows[0], stage.loss, stage.dose.max_tokens))


def _size(dose: Dose) -> str:
    return f"learning rate {dose.learning_rate:g}, rank {dose.rank}, layers {dose.layers}"


def _by_source(rows: tuple[Row, ...]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.source, []).append(row)
    return found


def _prompt(tokenizer: Any, row: Row) -> str:
    """What stands in front of a reply that is drawn: a caveat that begins it, too."""
    from caveat.language.render import render_prompt

    *asked, reply = row.messages
    begun = takewhile(lambda piece: piece.kind == "caveat", reply.pieces)
    return render_prompt(tokenizer, tuple(asked)).text + "".join(piece.text for piece in begun)


def _coloured(row: RenderedRow) -> Text:
    """The row's text; each token in the colour of its part in the loss."""
    shown = Text(row.text)
    for (start, stop), learned in zip(row.offsets, row.loss, strict=True):
        shown.stylize(LEARNED if learned else READ, start, stop)
    end = row.offsets[-1][1] if row.offsets else 0
    shown.stylize(CUT, end, len(row.text))
    return shown
