"""Leakage on the line from base to bare: a lane a setting, or a lane an arm of one setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from caveat.report.data import ReportData
from caveat.report.figures.svg import Element, Plot, add, fitting, root, wide, words, wrapped
from caveat.report.figures.theme import CONTROL, INK, INTERVENTION, LINE, MARKED, MUTED
from caveat.report.setting_rows import Arm, SettingRow, setting_rows

COLOURS = {"marked": MARKED, "intervention": INTERVENTION, "control": CONTROL}
FARTHEST = (-1.0, 2.0)
"""Intervals are plotted as far as this, or as far as there are points; they are written in full."""
NARROW = 520
"""Pixels below which a lane's name stands above it, and only one value beside it."""
LINE_HEIGHT = 15
"""Pixels from line to line of a name."""
VALUES, BESIDE = 138, 190
"""Pixels of the columns on the right."""


@dataclass(frozen=True)
class Lane:
    """One line of the plot."""

    name: str
    """Wrapped where it is long, never cut."""
    arms: tuple[Arm, ...]
    """The points, the one that matters most last."""
    written: str
    """The value, in words."""
    beside: str = ""
    """A second column of words."""
    group: str = ""
    """Lanes of one group stand together under its name."""
    link: str = ""
    title: str = ""
    """The name in full, for the values; "" where that is the name."""
    hover: str = ""
    missing: str = ""
    """Why there is no point; takes the place of the lane."""


def leakage_figure(
    data: ReportData, width: int = 860, rows: Sequence[SettingRow] | None = None
) -> Plot:
    """All settings: marked with its interval, and the arms that differ from it.

    Args:
        width: Pixels of the whole plot.
        rows: `setting_rows` of the data, where they are at hand.
    """
    rows = setting_rows(data) if rows is None else rows
    phenomena = len({row.phenomenon for row in rows}) > 1
    lanes = [_of_setting(row, row.phenomenon if phenomena else "") for row in rows]
    beside = any(lane.beside for lane in lanes)
    label = f"Leakage at none in {len(rows)} settings, from 0 (base) to 1 (bare)"
    return lanes_plot(lanes, width, label, ("marked", "what lowers it most") if beside else ("",))


def arms_figure(row: SettingRow, width: int = 860, quiet: bool = False) -> Plot:
    """The arms of one setting from what lowers leakage most to what raises it.

    Args:
        quiet: Show the arms that cannot be distinguished from marked, and controls; else the
            others.
    """
    arms = row.rest if quiet else ([row.marked] if row.marked else []) + list(row.changed)
    arms = sorted(arms, key=lambda arm: arm.leakage.value)
    lanes = [
        Lane(arm.name, (replace(arm, is_alone=True),), str(arm.leakage), str(arm.rate))
        for arm in arms
    ]
    label = f"Leakage of the arms of {row.title} at none, from 0 (base) to 1 (bare)"
    return lanes_plot(lanes, width, label, ("leakage", "rate at none"))


def _of_setting(row: SettingRow, group: str) -> Lane:
    names = {
        "group": group,
        "link": f"#{row.anchor}" if row.anchor else "",
        "title": row.title,
        "hover": f"{row.title}: {row.sentence}",
    }
    if row.marked is None:
        missing = f"undefined: {row.reason}" if row.undefined else row.reason
        return Lane(row.label, (), "", missing=missing, **names)
    arms = (*row.changed, row.marked)
    return Lane(row.label, arms, str(row.marked.leakage), row.strongest_words, **names)


def domain_of(points: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Wide enough for every point, and for intervals unless they are very long.

    A point has `leakage` with its limits `low` and `high`.
    """
    low = min([point["leakage"] - 0.05 for point in points] + [FARTHEST[0]])
    high = max([point["leakage"] + 0.05 for point in points] + [FARTHEST[1]])
    return (
        max(low, min([point["low"] for point in points] + [-0.1])),
        min(high, max([point["high"] for point in points] + [1.1])),
    )


@dataclass(frozen=True)
class Frame:
    """Where things lie, in pixels."""

    width: float
    left: float
    right: float
    """Ends of the axis."""
    domain: tuple[float, float]
    step: float
    """From lane to lane, where names take one line."""

    @property
    def is_narrow(self) -> bool:
        """Whether names stand above their lanes."""
        return self.width < NARROW

    def lines(self, lane: Lane) -> list[str]:
        """The lines of a lane's name."""
        return wrapped(lane.name, self.width if self.is_narrow else self.left - 10)

    def height(self, lane: Lane) -> float:
        """Pixels of a lane."""
        return self.step + LINE_HEIGHT * (len(self.lines(lane)) - 1)

    def x(self, value: float) -> float:
        """The position of a leakage, within the axis."""
        low, high = self.domain
        share = (min(max(value, low), high) - low) / (high - low)
        return round(self.left + share * (self.right - self.left), 1)


def lanes_plot(
    lanes: Sequence[Lane], width: int, label: str, heads: tuple[str, ...] = ("",)
) -> Plot:
    """The lanes one below the other, in the order given.

    Args:
        width: Pixels of the whole plot.
        label: What it shows, for screen readers.
        heads: What the columns on the right are called.
    """
    frame = _frame(lanes, width, len(heads))
    groups = sum(_begins(lanes, index) for index in range(len(lanes)))
    top = 30.0
    height = top + sum(map(frame.height, lanes)) + 22 * groups + 8
    plot = root(width, height, label)
    _axis(plot, frame, top, height, heads)
    y = top
    for index, lane in enumerate(lanes):
        if _begins(lanes, index):
            words(plot, 0, y + 17, lane.group, fill=MUTED, font_size=12, font_weight=600)
            y += 22
        _lane(plot, lane, frame, y)
        y += frame.height(lane)
    return Plot(plot, [values for lane in lanes for values in _values(lane)])


def _begins(lanes: Sequence[Lane], index: int) -> bool:
    """Whether a group begins with this lane."""
    return bool(lanes[index].group) and (index == 0 or lanes[index - 1].group != lanes[index].group)


def _frame(lanes: Sequence[Lane], width: int, columns: int) -> Frame:
    points = [
        {"leakage": arm.leakage.value, "low": arm.low, "high": arm.high}
        for lane in lanes
        for arm in lane.arms
    ]
    if width < NARROW:
        return Frame(width, 8, width - 130, domain_of(points), 44)
    longest = max([wide(lane.name) for lane in lanes], default=0.0)
    left = min(longest + 14, (0.3 if columns > 1 else 0.36) * width)
    right = width - VALUES - (BESIDE if columns > 1 else 0) - 16
    return Frame(width, left, right, domain_of(points), 22 if len(lanes) > 16 else 27)


def _axis(plot: Element, frame: Frame, top: float, height: float, heads: tuple[str, ...]) -> None:
    for value in (-1, 0, 0.25, 0.5, 0.75, 1, 2):
        if not frame.domain[0] <= value <= frame.domain[1]:
            continue
        is_end, x = value in (0, 1), frame.x(value)
        if frame.is_narrow and not is_end:
            continue
        # On a phone names stand between lanes, which no line should cross.
        end = top + 2 if frame.is_narrow else height - 4
        add(plot, "line", x1=x, x2=x, y1=top - 4, y2=end, stroke=LINE,
            stroke_width=1.5 if is_end else 0.6, stroke_opacity=1 if is_end else 0.6)  # fmt: skip
        name = {0: "0 · base", 1: "1 · bare"}.get(value, f"{value:g}")
        words(plot, x, top - 10, name, fill=INK if is_end else MUTED, font_size=12,
              text_anchor="middle" if x > 26 else "start")  # fmt: skip
    for index, head in enumerate(heads[: 1 if frame.is_narrow else None]):
        words(plot, _column(frame, index), top - 10, head, fill=MUTED, font_size=12)


def _column(frame: Frame, index: int) -> float:
    return frame.right + 16 + index * VALUES


def _lane(plot: Element, lane: Lane, frame: Frame, top: float) -> None:
    lines = frame.lines(lane)
    names = LINE_HEIGHT * (len(lines) - 1)
    middle = top + (29 + names if frame.is_narrow else frame.height(lane) / 2)
    first = top + 13 if frame.is_narrow else middle + 4.5 - names / 2
    parent = add(plot, "a", href=lane.link) if lane.link else plot
    name = words(parent, 0.0, first, "", font_weight=500)
    if lane.hover:
        add(name, "title", lane.hover)
    for index, line in enumerate(lines):
        add(name, "tspan", line, x=0, y=first + LINE_HEIGHT * index)
    if lane.missing:
        space = frame.width - frame.x(0) - 10
        short = words(plot, frame.x(0) + 8, middle + 4.5, fitting(lane.missing, space, 12),
                      fill=MUTED, font_style="italic", font_size=12)  # fmt: skip
        add(short, "title", lane.missing)
        return
    add(plot, "line", x1=frame.x(0), x2=frame.x(1), y1=middle, y2=middle, stroke=LINE,
        stroke_width=2)  # fmt: skip
    for end in (0, 1) if frame.is_narrow else ():
        add(plot, "line", x1=frame.x(end), x2=frame.x(end), y1=middle - 5, y2=middle + 5,
            stroke=LINE, stroke_width=1.5)  # fmt: skip
    for arm in lane.arms:
        _arm(plot, arm, frame, middle)
    words(plot, _column(frame, 0), middle + 4.5, lane.written)
    if lane.beside and not frame.is_narrow:
        quiet = not any(arm.kind == "intervention" for arm in lane.arms)
        text = fitting(lane.beside, BESIDE + 20, 12)
        words(plot, _column(frame, 1), middle + 4.5, text, font_size=12,
              fill=MUTED if quiet else INK)  # fmt: skip


def _arm(plot: Element, arm: Arm, frame: Frame, y: float) -> None:
    colour = LINE if arm.quiet else COLOURS[arm.kind]
    if arm.kind == "marked" or arm.quiet or arm.is_alone:
        add(plot, "line", x1=frame.x(arm.low), x2=frame.x(arm.high), y1=y, y2=y, stroke=colour,
            stroke_width=4, stroke_opacity=0.45, stroke_linecap="round")  # fmt: skip
    x, size = frame.x(arm.leakage.value), 5.5 if arm.kind == "marked" or arm.is_alone else 4.5
    label = {"fill": MUTED if arm.quiet else colour, "role": "img", "aria_label": arm.hover}
    if arm.kind == "marked":
        mark = add(plot, "circle", cx=x, cy=y, r=size, **label)
    elif arm.kind == "control":
        mark = add(plot, "rect", x=x - size, y=y - size, width=2 * size, height=2 * size, **label)
    else:
        size += 1
        path = f"M{x:g} {y - size:g}l{size:g} {size:g}l{-size:g} {size:g}l{-size:g} {-size:g}z"
        mark = add(plot, "path", d=path, **label)
    add(mark, "title", arm.hover)


def _values(lane: Lane) -> list[dict[str, Any]]:
    """The rows of the data of a lane; one without values where it has no point."""
    arms = lane.arms or (None,)
    return [
        {
            "lane": lane.title or lane.name,
            "group": lane.group,
            "arm": arm.name if arm else "",
            "leakage": arm.leakage.value if arm else None,
            "leakage_low": arm.leakage.low if arm else None,
            "leakage_high": arm.leakage.high if arm else None,
            "rate": arm.rate.value if arm else None,
            "rate_low": arm.rate.low if arm else None,
            "rate_high": arm.rate.high if arm else None,
            "distinguishable_from_marked": arm.changes if arm else "",
            "undefined": lane.missing,
        }
        for arm in arms
    ]
