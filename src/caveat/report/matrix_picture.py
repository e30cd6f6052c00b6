"""The transfer matrix as a picture: what each intervention does to leakage, and at the caveat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caveat.report.matrix import KEY, Cell, Column, Matrix, matrix
from caveat.report.numbers import Figure, text
from caveat.report.picture import FONT, INK, MUTED

if TYPE_CHECKING:
    import altair
    from pandas import DataFrame

LEAKAGE = "Change of leakage from marked, at none"
CAVEAT = "Change of the wanted verdict at the caveat"
SIDE, STEP = 84, 24
BLUE, WHITE, VERMILION = "#0068a8", "#ffffff", "#c24e00"


def matrix_picture(frame: DataFrame) -> altair.HConcatChart:
    """The frame of `Study.transfer` as two matrices beside each other, by the main panels.

    Blue is better in both: less leakage, or more of what is wanted at the caveat. The marks of
    verdicts stand beside the numbers; the limits are told on hover.
    """
    import altair

    made = matrix(frame)
    at_caveat = {
        (text(row["arm"]), *(text(row.get(name)) for name in KEY)): Figure.of(
            row["at_caveat_change"], row["at_caveat_change_low"], row["at_caveat_change_high"]
        )
        for row in frame[frame["main"].astype(bool)].to_dict("records")
    }
    cells = [
        (line.intervention, column, cell)
        for line in made.lines
        for column, cell in zip(made.columns, line.cells, strict=True)
        if cell is not None
    ]
    first = [_point(*each, each[2].change, each[2].mark) for each in cells]
    second = [
        _point(*each, at_caveat[each[2].arm, each[1].setting, *each[1].variant.values()], "")
        for each in cells
    ]
    charts = [_chart(made, first, LEAKAGE, 1), _chart(made, second, CAVEAT, -1)]
    return (
        altair.hconcat(*charts, spacing=24)
        .resolve_scale(color="independent")
        .configure(font=FONT, background="white", padding=8)
        .configure_view(stroke=None)
        .configure_title(anchor="start", color=INK, fontSize=13, offset=10)
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


def _chart(made: Matrix, points: list[dict[str, Any]], title: str, better: int) -> Any:
    """One matrix; `better` is 1 where lower is better."""
    import altair

    settings = [column.title for column in made.columns]
    lines = [line.intervention for line in made.lines]
    x = altair.X("setting:N", sort=settings).title(None)
    y = altair.Y("intervention:N", sort=lines).title(None).axis(labelLimit=240, labelPadding=8)
    if title != LEAKAGE:
        y = y.axis(None)
    colours = [BLUE, WHITE, VERMILION][::better]
    scale = altair.Scale(domain=[-1, 0, 1], range=colours, clamp=True, interpolate="rgb")
    base = altair.Chart(altair.Data(values=points)).encode(
        x=x.axis(orient="top", labelAngle=-30, labelAlign="left", labelLimit=200, labelPadding=6),
        y=y,
    )
    known = "isValid(datum.value)"
    box = base.mark_rect(stroke="white", strokeWidth=2).encode(
        color=altair.condition(
            known, altair.Color("value:Q", scale=scale, legend=None), altair.value("#e4e2dd")
        ),
        tooltip=altair.Tooltip("said:N"),
        description=altair.Description("said:N"),
    )
    strong = "isValid(datum.value) && abs(datum.value) > 0.6"
    words = base.mark_text(fontSize=11, aria=False).encode(
        text="written:N",
        color=altair.condition(strong, altair.value("white"), altair.value(INK)),
    )
    return altair.layer(box, words).properties(
        title=altair.TitleParams(title, subtitle=_marks(made) if title == LEAKAGE else "",
                                 subtitleColor=MUTED, subtitleFontSize=11),
        width=SIDE * len(settings), height=STEP * len(lines),
    )  # fmt: skip


def _marks(made: Matrix) -> str:
    return "   ".join(f"{mark} {word}" for mark, (word, _) in made.marks.items())
