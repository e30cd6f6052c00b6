"""`caveat show`: what an arm is trained on and asked, exactly as the model reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from caveat.domain.plan import Plan
from caveat.errors import CaveatError, closest
from caveat.showing_stages import show_stage
from caveat.study.asking import measured
from caveat.study.recipe import read
from caveat.study.resolve import Resolved, check_system, resolve
from caveat.study.segments import in_one


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
