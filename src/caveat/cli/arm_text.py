"""Training rows and prompts of an arm, rendered exactly as the model reads them.

Stages of a plan come first, each with its first rows or prompts, then the test prompts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from rich.text import Text

from caveat.errors import CaveatError, closest
from caveat.study.config.checkpoints import in_one
from caveat.study.config.resolve import Resolved, check_system, resolve
from caveat.study.config.schema import read
from caveat.study.planning.prompts import measured
from caveat.types.data import Row
from caveat.types.rewards import RewardSource, RewardTask
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
REWARDS: Mapping[RewardSource, str] = {
    "proxy": "rewarded by the grader",
    "true_score": "rewarded by the true score",
    "coin": "rewarded by a coin",
    "constant": "rewarded all the same",
}


def show_stage(
    number: int, stage: Stage, task: RewardTask | None, tokenizer: Any
) -> Iterator[Text]:
    """The lines of one stage, in order; `task` is what an RL stage is trained on."""
    match stage:
        case Train(rl=None):
            yield from _training(number, stage, tokenizer)
        case Train():
            assert stage.rl is not None and task is not None
            yield from _rl_training(number, stage, stage.rl, task.name, tokenizer)
        case Sample():
            use = "become rows" if stage.hacking is None else "become rows where they hack"
            yield Text(f"\nStage {number}: answers to {len(stage.prompts)} prompts {use}")
        case Randomise():
            yield Text(f"\nStage {number}: replace the adapter by a random one of the same size")
        case Scale():
            yield Text(f"\nStage {number}: multiply the adapter's updates by {stage.by:g}")
        case Attach():
            yield Text(f"\nStage {number}: keep the adapter, frozen, under what comes next")
        case Detach():
            yield Text(f"\nStage {number}: drop the adapter attached last")


def _mass(stage: Train, tokenizer: Any, seed: int) -> str:
    """Where the loss lies, in one line."""
    from caveat.study.estimate.loss_mass import loss_mass
    from caveat.study.execution.meter import row_sizes

    mass = loss_mass(stage, seed, row_sizes(tokenizer))
    return (
        f"Loss mass: {mass.tokens:,} supervised tokens in {mass.steps} steps; of the rows' loss "
        f"{mass.share:.0%} is on their text ({mass.text:.1f}) and {1 - mass.share:.0%} on the "
        f"caveat ({mass.caveat:.1f}); added rows have {mass.added:.1f} on top"
    )


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
    if stage.rows:  # sampled rows are there when the study runs
        yield Text(_mass(stage, tokenizer, stage.seed or 0))
    yield LEGEND
    for source, rendered in first.items():
        share = learned[source] / learned.total()
        yield Text(f"\n{rows[source]} rows of {source}: {share:.0%} of the loss. The first:")
        yield _coloured(rendered)


def _rl_training(
    number: int, stage: Train, rl: GRPOSettings, task: str, tokenizer: Any
) -> Iterator[Text]:
    """The first prompt of every source, and the first row of those that are trained on as well."""
    from caveat.rendering import render_row

    more = f", KL times {rl.beta:g}" if rl.beta else ""
    if rl.optim == "sgd":
        more += f", SGD with momentum {rl.momentum:g}"
    if rl.skip_zero_variance:
        more += ", prompts without variance of their rewards skipped"
    yield Text(
        f"\nStage {number}: RL training on {task}, {REWARDS[rl.reward]}: {rl.max_steps} "
        f"updates x {stage.dose.batch_size} of {len(stage.rows)} prompts x {rl.num_generations} "
        f"completions of at most {rl.max_completion_length} tokens, "
        f"temperature {rl.temperature:g}, {_size(stage.dose)}{more}",
        style="bold",
    )
    yield LEGEND
    for source, rows in _by_source(stage.rows).items():
        yield Text(f"\n{len(rows)} prompts of {source}. The first:")
        yield Text(_prompt(tokenizer, rows[0]), style=READ)
    for source, rows in _by_source(stage.added).items():
        yield Text(f"\n{len(rows)} rows of {source}, trained on as well. The first:")
        yield _coloured(render_row(tokenizer, rows[0], stage.loss, stage.dose.max_tokens))


def _size(dose: Dose) -> str:
    optimizer = "SGD, " if dose.optim == "sgd" else ""
    return (
        f"{optimizer}learning rate {dose.learning_rate:g}, rank {dose.rank}, layers {dose.layers}"
    )


def _by_source(rows: tuple[Row, ...]) -> dict[str, list[Row]]:
    sources: dict[str, list[Row]] = {}
    for row in rows:
        sources.setdefault(row.source, []).append(row)
    return sources


def _prompt(tokenizer: Any, row: Row) -> str:
    """The prompt of a sampled answer, with a caveat that begins the answer."""
    from caveat.rendering import render_prompt

    *prompt, answer = row.messages
    prefix = takewhile(lambda piece: piece.kind == "caveat", answer.pieces)
    return render_prompt(tokenizer, tuple(prompt)).text + "".join(piece.text for piece in prefix)


def _coloured(row: RenderedRow) -> Text:
    """The row's text; each token in the colour of its part in the loss."""
    coloured = Text(row.text)
    for (start, stop), learned in zip(row.offsets, row.loss, strict=True):
        coloured.stylize(LEARNED if learned else READ, start, stop)
    end = row.offsets[-1][1] if row.offsets else 0
    coloured.stylize(CUT, end, len(row.text))
    return coloured


def show_arm(recipe: str, setting: str, arm: str, sets: list[str]) -> Iterator[Text]:
    """The lines to print, in order. Raises CaveatError for an unknown setting or arm."""
    from caveat.backends import tokenizer_of

    read_recipe = read(recipe, tuple(sets))
    resolved = _setting(resolve(read_recipe), setting)
    plan = _plan(resolved, arm)
    tokenizer, inserted = tokenizer_of(read_recipe.backend_source)
    check_system(read_recipe, (resolved,), inserted)
    yield Text(f"{setting} / {arm} on {read_recipe.model.source}", style="bold")
    if inserted:
        yield Text(
            f"The chat template inserts the system prompt {inserted!r} where there "
            f"is none; this recipe's own is {read_recipe.system!r}."
        )
    for number, stage in enumerate(in_one(plan), 1):
        yield from show_stage(number, stage, resolved.setting.behaviour.task, tokenizer)
    if not plan:
        yield Text("\nNo training: this arm is the base model.")
    yield from _prompts(resolved, read_recipe.system, tokenizer)


def _setting(settings: tuple[Resolved, ...], name: str) -> Resolved:
    by_name = {resolved.setting.name: resolved for resolved in reversed(settings)}
    if name not in by_name:
        names = ", ".join(map(repr, by_name))
        raise CaveatError(f"setting {name!r}: not one of {names}{closest(name, by_name)}")
    return by_name[name]


def _plan(resolved: Resolved, arm: str) -> Plan:
    """The arm's plan under its first seed."""
    plans = {name: plan for (name, _), plan in reversed(resolved.plans.items())}
    if arm not in plans:
        raise CaveatError(
            f"arm {arm!r}: {resolved.setting.name} has {', '.join(reversed(plans))}"
            f"{closest(arm, plans)}"
        )
    return plans[arm]


def _prompts(resolved: Resolved, system: str | None, tokenizer: Any) -> Iterator[Text]:
    """The first question in every context, and the first of every side effect."""
    from caveat.rendering import render_prompt

    shown = set()
    for prompt in measured(resolved, system):
        if (prompt.purpose, prompt.context) not in shown:
            shown.add((prompt.purpose, prompt.context))
            purpose = "" if prompt.purpose == "measure" else f"{prompt.purpose}, "
            yield Text(f"\nTest prompt, {purpose}context {prompt.context}:", style="bold")
            yield Text(render_prompt(tokenizer, prompt.messages).text)
            for option in prompt.question.options:
                yield Text(f"  scored: {option!r}")
