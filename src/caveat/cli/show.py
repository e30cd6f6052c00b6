"""Show, models: rendered rows and prompts.

The stages of a plan in words, each with its first rows or prompts as the model reads them.

`caveat show`: what an arm is trained on and asked, exactly as the model reads it.

Commands that show what studies are made of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from caveat.cli.app import RecipeFile, Sets
from caveat.errors import CaveatError, closest
from caveat.study.config.checkpoints import in_one
from caveat.study.config.resolve import Resolved, check_system, resolve
from caveat.study.config.schema import read
from caveat.study.planning.prompts import measured
from caveat.types.data import Row
from caveat.types.rewards import RewardTask
from caveat.types.training import (
    Attach,
    Detach,
    Dose,
    GRPOSettings,
    Plan,
    Randomise,
    Sample,
    Scale,
    Stage,
    Train,
)

if TYPE_CHECKING:
    from caveat.rendering import RenderedRow


LEARNED, READ, CUT = "green", "dim", "red"
LEGEND = Text.assemble(("learned", LEARNED), ", ", ("read only", READ), ", ", ("cut off", CUT))
PAID = {"reward": "paid the reward", "true_score": "paid the true score"}


def show_stage(
    number: int, stage: Stage, task: RewardTask | None, tokenizer: Any
) -> Iterator[Text]:
    """The parts to print of one stage, in order; `task` is what its practice is on."""
    match stage:
        case Train(rl=None):
            yield from _training(number, stage, tokenizer)
        case Train():
            assert stage.rl is not None and task is not None
            yield from _rl_tokens(number, stage, stage.rl, task.name, tokenizer)
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
    from caveat.rendering import render_row

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


def _rl_tokens(
    number: int, stage: Train, rl: GRPOSettings, task: str, tokenizer: Any
) -> Iterator[Text]:
    """The first prompt of every source, and the first row of those that are learned beside."""
    from caveat.rendering import render_row

    held = f", divergence times {rl.beta:g}" if rl.beta else ""
    yield Text(
        f"\nStage {number}: practise on {task}, {PAID[rl.reward]}: {rl.max_steps} "
        f"updates x {stage.dose.batch_size} of {len(stage.rows)} prompts x {rl.num_generations} "
        f"replies of at most {rl.max_completion_length} tokens, temperature {rl.temperature:g}, "
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
    from caveat.rendering import render_prompt

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


def show_arm(recipe: str, setting: str, arm: str, sets: list[str]) -> Iterator[Text]:
    """The parts to print, in order. Raises CaveatError for an unknown setting or arm."""
    from caveat.backends.local.models.loading import load

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
    for number, stage in enumerate(in_one(plan), 1):
        yield from show_stage(number, stage, resolved.setting.behaviour.task, model.tokenizer)
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


def _prompts(resolved: Resolved, system: str | None, tokenizer: Any) -> Iterator[Text]:
    """The first question in every context, and the first of every side effect."""
    from caveat.rendering import render_prompt

    told = set()
    for asked in measured(resolved, system):
        if (asked.purpose, asked.context) not in told:
            told.add((asked.purpose, asked.context))
            about = "" if asked.purpose == "measure" else f"{asked.purpose}, "
            yield Text(f"\nTest prompt, {about}context {asked.context}:", style="bold")
            yield Text(render_prompt(tokenizer, asked.messages).text)
            for option in asked.question.options:
                yield Text(f"  scored: {option!r}")


def show(
    recipe: RecipeFile,
    setting: Annotated[str, typer.Argument(help="Such as 'people x disclaimer'.")],
    arm: Annotated[str, typer.Argument(help="Such as marked+contrast.")],
    sets: Sets = None,
) -> None:
    """Show a row with its loss mask, or a prompt practised on, and the prompts of every context."""
    pass
    from caveat.cli.console import console

    for part in show_arm(recipe, setting, arm, sets or []):
        console().print(part, soft_wrap=True)


def models() -> None:
    """List the models that need no more than a name."""
    from rich.table import Table

    from caveat.backends.local.models.loading import known_models
    from caveat.cli.console import console

    table = Table("name", "what it is", "where it lies")
    for row in known_models():
        table.add_row(*row)
    console().print(table)
