"""Commands that show what studies are made of: `caveat show`, `caveat rows`, `caveat models`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caveat.cli.app import RecipeFile, Sets


def show(
    recipe: RecipeFile,
    setting: Annotated[str, typer.Argument(help="Such as 'people x disclaimer'.")],
    arm: Annotated[str, typer.Argument(help="Such as marked+contrast.")],
    sets: Sets = None,
) -> None:
    """Show training rows with their loss mask, RL prompts, and the test prompt of every context."""
    from caveat.cli.arm_text import show_arm
    from caveat.cli.console import console

    for line in show_arm(recipe, setting, arm, sets or []):
        console().print(line, soft_wrap=True)


def rows(
    recipe: RecipeFile,
    out: Annotated[Path, typer.Option(help="A new folder.", show_default=False)],
    format_name: Annotated[
        str, typer.Option("--format", help="openai, trl, or tinker (tokens with weights).")
    ] = "openai",
    sets: Sets = None,
) -> None:
    """Write each arm's training file, with a manifest, to train elsewhere. Nothing is trained."""
    from caveat.backends import tokenizer_of
    from caveat.study.config.resolve import resolve
    from caveat.study.config.schema import read
    from caveat.study.training_files import MANIFEST, checked_format, write_training_files

    checked = checked_format(format_name)
    read_recipe = read(recipe, tuple(sets or []))
    written = write_training_files(
        read_recipe,
        resolve(read_recipe),
        checked,
        out,
        lambda: tokenizer_of(read_recipe.backend_source)[0],
    )
    for file in written.files:
        typer.echo(str(out / file))
    for arm, reason in written.left_out:
        typer.echo(f"left out: {arm}: {reason}", err=True)
    typer.echo(f"manifest: {out / MANIFEST}")


def models() -> None:
    """List the models that can be used by a short name."""
    from rich.table import Table

    from caveat.backends import known_models
    from caveat.cli.console import console

    table = Table("name", "description", "path")
    for row in known_models():
        table.add_row(*row)
    console().print(table)
