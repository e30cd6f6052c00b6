"""The transfer matrix as a picture: what each intervention does to leakage, and at the caveat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caveat.report.figures.theme import FONT, INK, MUTED
from caveat.report.formatting import Figure
from caveat.report.sections.matrix import Cell, Column, Matrix, matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair
    from pandas import DataFrame


LEAKAGE = "Change of leakage from marked, at none"
CAVEAT = "Change of the wanted verdict at the caveat"
SIDE, STEP = 84, 24
LOWER = ("#0068a8", "#ffffff", "#c24e00")
"""Blue, white and vermilion, where lower is better."""
UNKNOWN = "#e4e2dd"


def matrix_picture(frame: DataFrame) -> altair.HConcatChart:
    """The frame of `Study.transfer` as two matrices beside each other, by the main panels.

    Blue is better in both: less leakage, or more of what is wanted at the caveat. The marks of
    verdicts stand beside the numbers; the limits are told on hover.
    """
    import altair

    made = matrix(frame)
    cells = [
        (line.intervention, column, cell)
        for line in made.lines
        for column, cell in zip(made.columns, line.cells, strict=True)
        if cell is not None
    ]
    first = [_point(*each, each[2].change, each[2].mark) for each in cells]
    second = [_point(*each, each[2].at_caveat, "") for each in cells]
    names = altair.Axis(labelLimit=240, labelPadding=8)
    charts = [
        _chart(made, first, altair.TitleParams(LEAKAGE, subtitle=_marks(made)), LOWER, names),
        _chart(made, second, altair.TitleParams(CAVEAT, subtitle=""), LOWER[::-1], None),
    ]
    return (
        altair.hconcat(*charts, spacing=24)
        .resolve_scale(color="independent")
        .configure(font=FONT, background="white", padding=8)
        .configure_view(stroke=None)
        .configure_scale(invalid={"color": {"value": UNKNOWN}})
        .configure_title(
            anchor="start",
            color=INK,
            fontSize=13,
            offset=10,
            subtitleColor=MUTED,
            subtitleFontSize=11,
        )
        .configure_axis(labelColor=INK, labelFontSize=11, domain=False, ticks=False)
    )


def _point(
    intervention: str, column: Column, cell: Cell, figure: Figure, mark: str
) -> dict[str, Any]:
    value = figure.value
    written = "–" if value is None else f"{value:+.2f}".replace("-", "−").replace("0.", ".", 1)
    return {
        "intervention": intervention,
        "setting": column.title,
        "value": value,
        "written": f"{written} {mark}".strip(),
        "said": f"{cell.arm}, {column.title}: {figure}; {cell.verdict}",
    }


def _chart(
    made: Matrix, points: list[dict[str, Any]], title: Any, colours: Sequence[str], names: Any
) -> Any:
    """One matrix; `colours` are those of -1, 0 and 1, `names` the axis that names its lines."""
    import altair

    settings = [column.title for column in made.columns]
    lines = [line.intervention for line in made.lines]
    x = altair.X("setting:N", sort=settings).title(None)
    y = altair.Y("intervention:N", sort=lines, title=None, axis=names)
    scale = altair.Scale(domain=[-1, 0, 1], range=list(colours), clamp=True, interpolate="rgb")
    base = altair.Chart(altair.Data(values=points)).encode(
        x=x.axis(orient="top", labelAngle=-30, labelAlign="left", labelLimit=200, labelPadding=6),
        y=y,
    )
    box = base.mark_rect(stroke="white", strokeWidth=2, invalid="show").encode(
        color=altair.Color("value:Q", scale=scale, legend=None),
        tooltip=altair.Tooltip("said:N"),
        description=altair.Description("said:N"),
    )
    strong = "isValid(datum.value) && abs(datum.value) > 0.6"
    words = base.mark_text(fontSize=11, aria=False).encode(
        text="written:N",
        color=altair.condition(strong, altair.value("white"), altair.value(INK)),
    )
    return altair.layer(box, words).properties(
        title=title, width=SIDE * len(settings), height=STEP * len(lines)
    )


def _marks(made: Matrix) -> str:
    return "   ".join(f"{mark} {word}" for mark, (word, _) in made.marks.items())
