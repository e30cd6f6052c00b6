"""The command that shows what isolates model-written code here, and runs some."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caveat.cli.app import AsJson
from caveat.errors import CaveatError

if TYPE_CHECKING:
    from caveat.environments.sandbox.records import Call, CallOutcome, Isolation


def sandbox(
    file: Annotated[
        Path | None, typer.Argument(help="A Python file to run code of.", show_default=False)
    ] = None,
    call: Annotated[
        str | None, typer.Argument(help="Such as 'add(2, [3])'.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what isolates model-written code on this system, or run a call of a file in it."""
    import json

    from caveat.environments.sandbox.run import check_source, isolation, run_calls
    from caveat.files.reading import read_text

    if file is None:
        layers = isolation()
        typer.echo(json.dumps(_fields(layers)) if as_json else "\n".join(_lines(layers)))
        return
    source = read_text(file)
    if call is None:
        reason = check_source(source)
        line = f"refused: {reason}" if reason else "not refused"
        typer.echo(json.dumps({"refused": reason}) if as_json else line)
        return
    (outcome,) = run_calls(source, [_call(call)])
    typer.echo(json.dumps(_outcome_fields(outcome)) if as_json else _outcome_line(outcome))


def _lines(layers: Isolation) -> list[str]:
    """What holds and what does not, a layer a line."""
    lines = [
        f"{'yes' if layer.holds else 'NO ':3}  {layer.name}: {layer.purpose}"
        for layer in layers.layers
    ]
    lost = [layer.name for layer in layers.layers if not layer.holds]
    summary = f"lost on this system: {', '.join(lost)}" if lost else "all layers hold"
    return [*lines, f"{summary} (docs/sandbox.md)"]


def _fields(layers: Isolation) -> dict[str, bool]:
    return {layer.name: layer.holds for layer in layers.layers}


def _call(text: str) -> Call:
    """The call that a text writes out. Raises CaveatError where it is none."""
    from caveat.environments.sandbox.records import Call

    try:
        node = ast.parse(text, mode="eval").body
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            arguments = tuple(ast.literal_eval(argument) for argument in node.args)
            return Call(node.func.id, arguments)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    raise CaveatError(f"the call {text[:60]!r}: write a name and plain values, as in 'add(2, [3])'")


def _outcome_line(outcome: CallOutcome) -> str:
    if outcome.status == "returned":
        return f"returned: {outcome.value!r}"
    return f"{outcome.status}: {outcome.message}"


def _outcome_fields(outcome: CallOutcome) -> dict[str, Any]:
    """The value as Python writes it: JSON has neither tuples nor sets."""
    value = repr(outcome.value) if outcome.status == "returned" else None
    return {"status": outcome.status, "value": value, "message": outcome.message}
