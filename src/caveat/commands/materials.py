"""Commands that show what studies are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caveat.commands.app import Device, RecipeFile, Sets


def show(
    recipe: RecipeFile,
    setting: Annotated[str, typer.Argument(help="Such as 'people x disclaimer'.")],
    arm: Annotated[str, typer.Argument(help="Such as marked+contrast.")],
    sets: Sets = None,
) -> None:
    """Show a row with its loss mask, or a prompt practised on, and the prompts of every context."""
    from caveat.showing import show_arm
    from caveat.terminal import console

    for part in show_arm(recipe, setting, arm, sets or []):
        console().print(part, soft_wrap=True)


def models() -> None:
    """List the models that need no more than a name."""
    from rich.table import Table

    from caveat.language.source import known_models
    from caveat.terminal import console

    table = Table("name", "what it is", "where it lies")
    for row in known_models():
        table.add_row(*row)
    console().print(table)


def ordinary(
    model: Annotated[str, typer.Option(help="Whose replies.")] = "smollm2-135m",
    out: Annotated[Path, typer.Option(help="Folder for the snapshot.")] = Path("ordinary"),
    seed: Annotated[int, typer.Option(help="Of the sampling.")] = 0,
    device: Device = None,
) -> None:
    """Sample a model's own replies to the shipped everyday prompts: rows without a behaviour."""
    from caveat.study.ordinary import make_ordinary_replies
    from caveat.terminal import TerminalProgress

    with TerminalProgress() as progress:
        path = make_ordinary_replies(model, out, seed, device or "auto", progress)
    typer.echo(f"replies: {path}")
