"""`caveat show`: what an arm is trained on and asked, exactly as the model reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from caveat.domain.plan import Attach, Detach, Plan, Randomise, Sample, Scale, Train
from caveat.errors import CaveatError, closest
from caveat.study.asking import measured
from caveat.study.recipe import read
from caveat.study.resolve import Resolved, check_system, resolve

if TYPE_CHECKING:
    from caveat.language.render import RenderedRow

LEARNED, READ, CUT = "green", "dim", "red"


def show_arm(recipe: str, setting: str, arm: str, sets: list[str]) -> Iterator[Text]:
    """The parts to print, in order. Raises CaveatError for an unknown setting or arm."""
    from caveat.language.source import load

    read_recipe = read(recipe, tuple(sets))
    resolved = _setting(resolve(read_recipe), setting)
    plan = _plan(resolved, arm)
    model = load(read_recipe.model.name, read_recipe.model.dtype, "cpu")
    check_system(read_recipe, (resolved,), model.inserted_system)
    yield Text(f"{setting} / {arm} on {model.name}", style="bold")
    if model.inserted_system:
        yield Text(
            f"The chat template inserts the system prompt {model.inserted_system!r} where there "
            f"is none; this recipe's own is {read_recipe.system!r}."
        )
    for number, stage in enumerate(plan, 1):
        yield from _stage(number, stage, model.tokenizer)
    if not plan:
        yield Text("\nNo training: this arm is the base model.")
    yield from _prompts(resolved, read_recipe.system, model.tokenizer)


def _setting(settings: tuple[Resolved, ...], name: str) -> Resolved:
    known = {each.setting.name: each for each in reversed(settings)}
    if name not in known:
        raise CaveatError(
            f"setting {name!r}: not one of {', '.join(map(repr, known))}{closest(name, known)}"
        )
    return known[name]


def _plan(resolved: Resolved, arm: str) -> Plan:
    """The arm's plan under its first seed."""
    known = {name: plan for (name, _), plan in reversed(resolved.plans.items())}
    if arm not in known:
        raise CaveatError(
            f"arm {arm!r}: {resolved.setting.name} has {', '.join(reversed(known))}"
            f"{closest(arm, known)}"
        )
    return known[arm]


def _stage(number: int, stage: Any, tokenizer: Any) -> Iterator[Text]:
    match stage:
        case Train():
            yield from _training(number, stage, tokenizer)
        case Sample():
            yield Text(f"\nStage {number}: replies to {len(stage.prompts)} prompts become rows")
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
        f"{dose.epochs} epochs, {dose.batch_size} rows a step, learning rate "
        f"{dose.learning_rate:g}, rank {dose.rank}, layers {dose.layers}, loss {stage.loss!r}",
        style="bold",
    )
    yield Text.assemble(("learned", LEARNED), ", ", ("read only", READ), ", ", ("cut off", CUT))
    for source, rendered in first.items():
        share = learned[source] / learned.total()
        yield Text(f"\n{rows[source]} rows of {source}: {share:.0%} of the loss. The first:")
        yield _coloured(rendered)


def _coloured(row: RenderedRow) -> Text:
    """The row's text; each token in the colour of its part in the loss."""
    shown = Text(row.text)
    for (start, stop), learned in zip(row.offsets, row.loss, strict=True):
        shown.stylize(LEARNED if learned else READ, start, stop)
    end = row.offsets[-1][1] if row.offsets else 0
    shown.stylize(CUT, end, len(row.text))
    return shown


def _prompts(resolved: Resolved, system: str | None, tokenizer: Any) -> Iterator[Text]:
    """The first question in every context, and the first of every side effect."""
    from caveat.language.render import render_prompt

    told = set()
    for asked in measured(resolved, system):
        if (asked.purpose, asked.context) not in told:
            told.add((asked.purpose, asked.context))
            about = "" if asked.purpose == "measure" else f"{asked.purpose}, "
            yield Text(f"\nTest prompt, {about}context {asked.context}:", style="bold")
            yield Text(render_prompt(tokenizer, asked.messages).text)
            for option in asked.question.options:
                yield Text(f"  scored: {option!r}")
