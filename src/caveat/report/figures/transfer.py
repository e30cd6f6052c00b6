"""The transfer matrix as a figure: what each intervention does to leakage, and at the caveat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caveat.report.figures.theme import FONT, INK, MUTED, inline_data
from caveat.report.formatting import estimate, text
from caveat.report.transfer_matrix import Column, Line, Matrix, Row, mark, transfer_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair
    from pandas import DataFrame


LEAKAGE = "Change of leakage from marked, at none"
CAVEAT = "Change of the expected verdict at the caveat"
SIDE, STEP = 84, 24
LOWER = ("#0068a8", "#ffffff", "#c24e00")
"""Blue, white and vermilion, where lower is better."""
UNKNOWN = "#e4e2dd"


def transfer_figure(frame: DataFrame) -> altair.HConcatChart:
    """The frame of `Study.transfer()` as two matrices beside each other, by the main panels.

    Blue is better in both: less leakage, or more of what is expected at the caveat. The signs of
    verdicts stand beside the numbers; the limits are shown on hover.
    """
    import altair

    matrix = transfer_matrix(frame)
    first = [_point(*cell, "leakage_change", mark(cell[2])) for cell in matrix.rows()]
    second = [_point(*cell, "at_caveat_change", "") for cell in matrix.rows()]
    names = altair.Axis(labelLimit=240, labelPadding=8)
    charts = [
        _chart(matrix, first, altair.TitleParams(LEAKAGE, subtitle=_marks(matrix)), LOWER, names),
        _chart(matrix, second, altair.TitleParams(CAVEAT, subtitle=""), LOWER[::-1], None),
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


def _point(line: Line, column: Column, row: Row, name: str, sign: str) -> dict[str, Any]:
    change = estimate(row, name)
    value = change.value
    written = "–" if value is None else f"{value:+.2f}".replace("-", "−").replace("0.", ".", 1)
    return {
        "intervention": line.intervention,
        "setting": column.title,
        "value": value,
        "written": f"{written} {sign}".strip(),
        "hover": f"{text(row['arm'])}, {column.title}: {change}; {text(row['verdict'])}",
    }


def _chart(
    matrix: Matrix, points: list[dict[str, Any]], title: Any, colours: Sequence[str], names: Any
) -> Any:
    """One matrix; `colours` are those of -1, 0 and 1, `names` the axis that names its lines."""
    import altair

    settings = [column.title for column in matrix.columns]
    lines = [line.intervention for line in matrix.lines]
    x = altair.X("setting:N", sort=settings).title(None)
    y = altair.Y("intervention:N", sort=lines, title=None, axis=names)
    scale = altair.Scale(domain=[-1, 0, 1], range=list(colours), clamp=True, interpolate="rgb")
    base = altair.Chart(inline_data(points)).encode(
        x=x.axis(orient="top", labelAngle=-30, labelAlign="left", labelLimit=200, labelPadding=6),
        y=y,
    )
    box = base.mark_rect(stroke="white", strokeWidth=2, invalid="show").encode(
        color=altair.Color("value:Q", scale=scale, legend=None),
        tooltip=altair.Tooltip("hover:N"),
        description=altair.Description("hover:N"),
    )
    strong = "isValid(datum.value) && abs(datum.value) > 0.6"
    words = base.mark_text(fontSize=11, aria=False).encode(
        text="written:N",
        color=altair.condition(strong, altair.value("white"), altair.value(INK)),
    )
    return altair.layer(box, words).properties(
        title=title, width=SIDE * len(settings), height=STEP * len(lines)
    )


def _marks(matrix: Matrix) -> str:
    return "   ".join(f"{sign} {word}" for sign, (word, _) in matrix.marks.items())
