"""The command for a training file of one's own: what its caveat will do, before any training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caveat.cli.app import AsJson, Device
from caveat.errors import CaveatError, closest

if TYPE_CHECKING:
    from caveat.check.records import Check
    from caveat.check.run import Options

Kinds = ("disclaimer", "permission", "instruction", "trigger")
DEFAULT_ROWS, DEFAULT_SEEDS = 16, 3
"""As in `check.short_training`, which is imported late."""


def check(
    train: Annotated[Path, typer.Argument(help="A training file.", show_default=False)],
    bare: Annotated[
        Path | None, typer.Option(help="The same rows without the caveat: finds it surely.")
    ] = None,
    caveat: Annotated[
        list[str] | None, typer.Option(help="The caveat's text; repeat it for several wordings.")
    ] = None,
    behaviour: Annotated[
        str | None,
        typer.Option(help="What shows the behaviour: a regular expression, a readout, or judge."),
    ] = None,
    contrast: Annotated[
        Path | None, typer.Option(help="Rows without caveat and without the behaviour.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="Test questions (default: prompts of held-out rows).")
    ] = None,
    model: Annotated[str, typer.Option(help="As in caveat models.")] = "smollm2-135m",
    about: Annotated[
        str | None, typer.Option(help="The behaviour in words, such as 'flatter the user'.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help=f"{', '.join(Kinds[:-1])} or trigger.")] = None,
    suggest: Annotated[
        int, typer.Option(min=0, help="Score so many other wordings and places.")
    ] = 0,
    write: Annotated[
        Path | None, typer.Option(help="Leave a study for caveat run in this new folder.")
    ] = None,
    form: Annotated[
        str | None, typer.Option(help="messages, prompt-reply or text, where rows allow several.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="What a field is, such as reply=answer.")
    ] = None,
    dose: Annotated[
        list[str] | None, typer.Option(help="A field of the dose, such as learning_rate=2e-3.")
    ] = None,
    rows: Annotated[int, typer.Option(min=4, help="Rows of the short training.")] = DEFAULT_ROWS,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the short training.")] = DEFAULT_SEEDS,
    hold_out: Annotated[
        int | None, typer.Option(help="Rows to hold out (default: a third, at most 24).")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of a sampled reply.")] = 32,
    endpoint: Annotated[
        str | None, typer.Option(help="OpenAI-compatible server, for judge and --suggest.")
    ] = None,
    endpoint_model: Annotated[str | None, typer.Option(help="Its model's name.")] = None,
    key_env: Annotated[
        str | None, typer.Option(help="Environment variable with its key, if it needs one.")
    ] = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Find the caveat in a training file and predict whether it will leak, in minutes."""
    from caveat.check.endpoint import endpoint_of
    from caveat.check.reading import Files
    from caveat.check.run import Options
    from caveat.check.run import check as run_check
    from caveat.cli.console import TerminalProgress

    if kind is not None and kind not in Kinds:
        raise CaveatError(f"--kind {kind!r} is not one of {', '.join(Kinds)}{closest(kind, Kinds)}")
    files = Files(
        train=train,
        bare=bare,
        caveat=tuple(caveat or ()),
        contrast=contrast,
        questions=questions,
        behaviour=behaviour,
        about=about,
        kind=kind,  # type: ignore[arg-type]
        form=form,  # type: ignore[arg-type]
        columns=_pairs(column, "--column", "reply=answer"),  # type: ignore[arg-type]
        hold_out=hold_out,
    )
    options = Options(
        model=model,
        device=device or "auto",
        dose=_values(dose),
        rows=rows,
        seeds=seeds,
        max_tokens=max_tokens,
        suggestions=suggest,
        folder=write,
        endpoint=endpoint_of(endpoint, endpoint_model, key_env),
    )
    with TerminalProgress(error=True) as progress:
        result = run_check(files, options, progress)
    _print(result, options, as_json)


def _pairs(items: list[str] | None, option: str, example: str) -> dict[str, Any]:
    """`key=value` items as a mapping. Raises CaveatError."""
    pairs: dict[str, Any] = {}
    for item in items or ():
        key, equals, value = item.partition("=")
        if not equals or not key or not value:
            raise CaveatError(f"{option} {item}: write it as key=value, such as {example}")
        pairs[key] = value
    return pairs


def _values(items: list[str] | None) -> dict[str, Any]:
    """Fields of the dose, their values read as YAML, as those of a recipe. Raises CaveatError."""
    import yaml

    from caveat.files.reading import load_yaml

    pairs = _pairs(items, "--dose", "learning_rate=2e-3")
    try:
        return {name: load_yaml(value) for name, value in pairs.items()}
    except (yaml.YAMLError, ValueError):
        raise CaveatError(f"--dose {' '.join(items or ())}: not a YAML value") from None


def _print(result: Check, options: Options, as_json: bool) -> None:
    if as_json:
        from caveat.check.json_record import check_record

        typer.echo(json.dumps(check_record(result), indent=1, allow_nan=False))
        return
    from caveat.cli.console import console, print_tables
    from caveat.progress import duration
    from caveat.report.tables.check import check_summaries

    print_tables(check_summaries(result), markdown=False)
    terminal = console()
    terminal.print("Advice", style="bold")
    terminal.print(result.advice.text, markup=False, soft_wrap=True)
    terminal.print("\nIt rests on", style="bold")
    for one in result.advice.evidence:
        terminal.print(f"- {one.page}: {one.claim} ({one.models})", markup=False, soft_wrap=True)
    for note in (*result.materials.notes, *result.notes):
        terminal.print(f"note: {note}", markup=False, soft_wrap=True)
    if result.written:
        terminal.print(f"\nstudy: {result.written}; run it with caveat run {result.written}",
                       markup=False, soft_wrap=True)  # fmt: skip
    terminal.print(
        f"\n{duration(result.seconds)} ({duration(result.processor_seconds)} of processor time)",
        markup=False,
    )
