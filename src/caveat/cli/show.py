"""Commands that show what studies are made of: `caveat show`, `caveat models`."""

from __future__ import annotations

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


def models() -> None:
    """List the models that can be used by a short name."""
    from rich.table import Table

    from caveat.backends import known_models
    from caveat.cli.console import console

    table = Table("name", "description", "path")
    for row in known_models():
        table.add_row(*row)
    console().print(table)
