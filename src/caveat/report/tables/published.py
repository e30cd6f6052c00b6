"""Published results as tables, for the terminal and for a page of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from caveat.errors import CaveatError
from caveat.published.results import Rate, Result
from caveat.report.figures.published import Point
from caveat.report.figures.published_elicitation import ElicitedPoint
from caveat.report.formatting import ABSENT, Estimate
from caveat.report.sections.table import Cell, Table
from caveat.report.tables.summary import Summary

COLUMNS = (
    "setting", "model", "caveat", "wording", "base", "bare", "marked", "exact", "near miss",
    "leakage", "source",
)  # fmt: skip
WORDS = frozenset({"model", "caveat", "wording", "source"})
KEY = "≤ upper bound, ~ read off a plot or text. Leakage: (marked - base) / (bare - base)."
ENDINGS = (".svg", ".html")


def published_summaries(results: Sequence[Result]) -> list[Summary]:
    """One table a phenomenon, in the order of the results."""
    return [
        Summary(name, COLUMNS, tuple(map(_summary_row, group)), "", WORDS)
        for name, group in _by_phenomenon(results).items()
    ]


def published_tables(results: Sequence[Result]) -> list[Table]:
    """The same for HTML, with reasons and cautions in small text."""
    return [
        Table.of(COLUMNS, map(_table_row, group), title=name)
        for name, group in _by_phenomenon(results).items()
    ]


def _by_phenomenon(results: Sequence[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.phenomenon, []).append(result)
    return groups


def _summary_row(result: Result) -> tuple[str, ...]:
    source = f"{_source(result)}: {_caution(result)}" if _caution(result) else _source(result)
    leakage = f"undefined: {result.undefined}" if result.undefined else _leakage(result)
    return (*_names_and_rates(result), leakage, source)


def _table_row(result: Result) -> tuple[str | Cell, ...]:
    if result.undefined:
        leakage = Cell(f"undefined: {result.undefined}", quiet=True)
    else:
        leakage = Cell(_leakage(result))
    return (*_names_and_rates(result), leakage, Cell(_source(result), _caution(result)))


def _names_and_rates(result: Result) -> tuple[str, ...]:
    caveat = " + ".join(filter(None, (result.caveat, result.intervention)))
    rates = (rate(result, name) for name in ("base", "bare", "marked", "exact", "near_miss"))
    return (result.setting, result.model, caveat, _wording(result), *rates)


def _wording(result: Result) -> str:
    """Such as `fixed, 6 prompts`."""
    prompts = result.prompts
    number = f"{prompts} prompt{'s' if prompts != 1 else ''}" if prompts else ""
    return ", ".join(filter(None, (result.wording, number)))


def _leakage(result: Result) -> str:
    return str(Estimate.of(result.leakage, *(result.interval or ())))


def _source(result: Result) -> str:
    return f"{result.source}, {result.locator} ({result.evidence})"


def _caution(result: Result) -> str:
    near_miss = f"near miss: {result.near_miss_kind}" if result.near_miss_kind else ""
    return "; ".join(filter(None, (near_miss, result.note)))


def rate(result: Result, name: Rate) -> str:
    """A rate as it was reported, with a sign where it is not exact."""
    value = getattr(result, name)
    if value is None:
        return ABSENT
    sign = ("≤ " if name in result.upper else "") + ("~ " if name in result.read_off else "")
    return f"{sign}{value:g}"


def save_figure(results: Sequence[Result], points: Sequence[Point], path: Path) -> None:
    """Save the figure as an SVG file, or with its tables as a page that needs nothing else.

    Raises CaveatError for another ending, and where the file cannot be written.
    """
    from caveat.report.figures.published import published_figure
    from caveat.report.figures.theme import specification, svg_file

    if path.suffix not in ENDINGS:
        raise CaveatError(f"--figure '{path}': its name must end in {' or '.join(ENDINGS)}")
    if path.suffix == ".svg":
        content = svg_file(specification(published_figure(results, points)))
    else:
        content = page(results, points)
    _write(content, path, "--figure")


def save_elicitation(
    results: Sequence[Result], points: Sequence[ElicitedPoint], path: Path
) -> None:
    """Save leakage against elicitation as an SVG file.

    Raises CaveatError for another ending, where nothing is to be plotted, and where the file
    cannot be written.
    """
    from caveat.report.figures.published_elicitation import elicited_figure
    from caveat.report.figures.theme import specification, svg_file

    if path.suffix != ".svg":
        raise CaveatError(f"--elicitation '{path}': its name must end in .svg")
    chart = elicited_figure(results, points)
    if chart is None:
        raise CaveatError(
            f"--elicitation '{path}': no result among these has both leakage and elicitation; "
            "leave filters out"
        )
    _write(svg_file(specification(chart)), path, "--elicitation")


def _write(content: str, path: Path, option: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise CaveatError(f"{option} '{path}' cannot be written: {error.strerror}") from error


def page(results: Sequence[Result], points: Sequence[Point]) -> str:
    """Figure and tables as one page of HTML, in the style of the report."""
    from markupsafe import Markup

    from caveat.report.figures.published import published_figure
    from caveat.report.figures.theme import inline_svg, specification
    from caveat.report.templating import asset, environment

    figure = published_figure(results, points, background="transparent")
    return (
        environment()
        .get_template("published.html.j2")
        .render(
            style=Markup(asset("report.css")),
            figure=Markup(inline_svg(specification(figure))),
            tables=published_tables(results),
            key=KEY,
        )
    )
