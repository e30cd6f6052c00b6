"""Curves over steps: panels side by side, a line an arm."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caveat.report.figures.svg import Element, Plot, add, fitting, root, ticks, wide, words
from caveat.report.figures.theme import CONTROL, INTERVENTION, LINE, MARKED, MUTED
from caveat.report.panels import arm_order

Point = Mapping[str, Any]
"""`arm`, `seed` and `run` of its line, its `position` on the axis of steps, and its value `y`."""
WIDTH, HEIGHT, GAP = 230, 150, 66
"""Pixels of a panel, and from one to the next."""
DASHES = ("", "6 3", "2 3", "9 3 2 3")
"""Of the interventions that have a line of their own; all others are grey."""
SPARSE = 12
"""Points of a line up to which each is marked."""


@dataclass(frozen=True)
class CurvePanel:
    """One metric of some arms."""

    title: str
    points: tuple[Point, ...]
    axis: str = "step"
    """What is counted along the axis."""
    logarithmic: bool = False
    """Whether the axis of steps is, from 0 on: log(1 + step)."""

    def scaled(self, position: float) -> float:
        """A step as it stands on the axis."""
        return math.log1p(position) if self.logarithmic else position


@dataclass(frozen=True)
class CurveRow:
    """Panels of the same arms, side by side."""

    title: str
    panels: tuple[CurvePanel, ...]


@dataclass(frozen=True)
class Style:
    """How an arm's line looks."""

    colour: str
    dash: str = ""
    named: bool = True
    """Whether the legend names it; all others are grey and counted."""


def curves_plot(rows: Sequence[CurveRow], label: str) -> Plot:
    """Rows of panels below a legend; seeds are thin lines, their means strong ones."""
    arms = sorted(
        {str(point["arm"]) for row in rows for panel in row.panels for point in panel.points},
        key=arm_order,
    )
    styles = arm_styles(arms)
    columns = max((len(row.panels) for row in rows), default=0)
    width = max(columns * (WIDTH + GAP) + 10, 420)
    legend = _legend_lines(styles, width)
    top = 20 * len(legend) + 6
    heights = [HEIGHT + 62 + (20 if row.title else 0) for row in rows]
    plot = root(width, top + sum(heights), label)
    for index, line in enumerate(legend):
        _legend(plot, line, 20 * index + 14)
    for row, height in zip(rows, heights, strict=True):
        if row.title:
            words(plot, 0, top + 14, row.title, font_weight=600)
        for index, panel in enumerate(row.panels):
            _panel(plot, panel, styles, 50 + index * (WIDTH + GAP), top + height - HEIGHT - 36)
        top += height
    return Plot(plot, [
        {"row": row.title, "metric": panel.title, **point}
        for row in rows for panel in row.panels for point in panel.points
    ])  # fmt: skip


def arm_styles(arms: Sequence[str]) -> dict[str, Style]:
    """Bare, marked and up to four arms `marked+X` by colour and dashes; the others are grey."""
    styles = {arm: Style(LINE, named=False) for arm in arms}
    plain = {"marked": MARKED, "bare": CONTROL, "base": MUTED}
    styles |= {arm: Style(colour) for arm, colour in plain.items() if arm in styles}
    tried = [arm for arm in arms if arm.startswith("marked+")][: len(DASHES)]
    return styles | {
        arm: Style(INTERVENTION, dash) for arm, dash in zip(tried, DASHES, strict=False)
    }


def _legend_lines(styles: Mapping[str, Style], width: float) -> list[list[tuple[str, Style]]]:
    """The entries of the legend, line by line."""
    entries = [(arm, style) for arm, style in styles.items() if style.named]
    if others := len(styles) - len(entries):
        entries.append((f"{others} other arm{'' if others == 1 else 's'}", Style(LINE)))
    lines: list[list[tuple[str, Style]]] = [[]]
    used = 0.0
    for name, style in entries:
        size = wide(name, 12) + 44
        if lines[-1] and used + size > width:
            lines.append([])
            used = 0.0
        lines[-1].append((name, style))
        used += size
    return lines


def _legend(plot: Element, entries: Iterable[tuple[str, Style]], y: float) -> None:
    x = 0.0
    for name, style in entries:
        add(plot, "line", x1=x, x2=x + 22, y1=y - 4, y2=y - 4, stroke=style.colour,
            stroke_width=2.5, stroke_dasharray=style.dash or None)  # fmt: skip
        words(plot, x + 28, y, name, font_size=12)
        x += wide(name, 12) + 44


def _panel(
    plot: Element, panel: CurvePanel, styles: Mapping[str, Style], left: float, top: float
) -> None:
    positions = {float(point["position"]) for point in panel.points}
    values = [float(point["y"]) for point in panel.points]
    first, last = min(positions), max(positions)
    low, high = min([0.0, *values]), max([0.0, *values])
    span = (high - low) or 1.0

    def x(position: float) -> float:
        start, end = panel.scaled(first), panel.scaled(last)
        share = (panel.scaled(position) - start) / ((end - start) or 1.0)
        return round(left + WIDTH * share, 1)

    def y(value: float) -> float:
        return round(top + HEIGHT * (1 - (value - low) / span), 1)

    group = add(plot, "g", role="img", aria_label=_in_words(panel))
    words(group, left, top - 8, fitting(panel.title, WIDTH + GAP), font_size=12, font_weight=600)
    for value in ticks(low, low + span):
        add(group, "line", x1=left, x2=left + WIDTH, y1=y(value), y2=y(value), stroke=LINE,
            stroke_width=0.6)  # fmt: skip
        words(group, left - 6, y(value) + 4, f"{value:g}", font_size=11, fill=MUTED,
              text_anchor="end")  # fmt: skip
    for value in _steps(panel, positions):
        words(group, x(value), top + HEIGHT + 16, f"{value:g}", font_size=11, fill=MUTED,
              text_anchor="middle")  # fmt: skip
    words(group, left + WIDTH, top + HEIGHT + 32, panel.axis, font_size=11, fill=MUTED,
          text_anchor="end")  # fmt: skip
    _lines(group, panel, styles, x, y)


def _steps(panel: CurvePanel, positions: Collection[float]) -> list[int]:
    """The whole steps that are written at the axis."""
    first, last = min(positions), max(positions)
    if not panel.logarithmic:
        within = range(int(first), int(last) + 1)
        return sorted({round(value) for value in ticks(first, last)} & set(within))
    steps: list[int] = []
    for position in sorted(map(int, positions)):
        if not steps or panel.scaled(position) - panel.scaled(steps[-1]) > panel.scaled(last) / 8:
            steps.append(position)
    return steps


def _in_words(panel: CurvePanel) -> str:
    """The last value of every arm, for screen readers."""
    ends: dict[str, list[tuple[float, float]]] = {}
    for point in panel.points:
        ends.setdefault(str(point["arm"]), []).append((point["position"], point["y"]))
    parts = []
    for arm in sorted(ends, key=arm_order):
        last = max(position for position, _ in ends[arm])
        values = [value for position, value in ends[arm] if position == last]
        parts.append(f"{arm} {sum(values) / len(values):.3g}")
    return f"{panel.title}, at the last step: {', '.join(parts)}"


def _lines(plot: Element, panel: CurvePanel, styles: Mapping[str, Style], x: Any, y: Any) -> None:
    seeds: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    means: dict[tuple[str, int], dict[float, list[float]]] = {}
    for point in panel.points:
        arm, seed, run = str(point["arm"]), str(point["seed"]), int(point["run"])
        position, value = float(point["position"]), float(point["y"])
        seeds.setdefault((arm, seed, run), []).append((position, value))
        means.setdefault((arm, run), {}).setdefault(position, []).append(value)
    quiet_first = sorted(means, key=lambda key: (styles[key[0]].named, arm_order(key[0])))
    several = {arm for arm, *_ in seeds if len({key[1] for key in seeds if key[0] == arm}) > 1}
    for (arm, _, _), line in seeds.items():
        if arm in several and styles[arm].named:
            _line(plot, line, styles[arm], x, y, stroke_width=1, stroke_opacity=0.35)
    for arm, run in quiet_first:
        mean = [
            (position, sum(values) / len(values))
            for position, values in sorted(means[arm, run].items())
        ]
        _line(plot, mean, styles[arm], x, y, stroke_width=2 if styles[arm].named else 1.2)
        if len(mean) <= SPARSE:
            for position, value in mean:
                dot = add(plot, "circle", cx=x(position), cy=y(value), r=2.2,
                          fill=styles[arm].colour)  # fmt: skip
                hover = f"{panel.axis} {position:g}: {panel.title.lower()} {value:.2f}"
                add(dot, "title", f"{arm}, {hover}")


def _line(
    plot: Element, line: Sequence[tuple[float, float]], style: Style, x: Any, y: Any, **width: float
) -> None:
    points = " ".join(f"{x(position):g},{y(value):g}" for position, value in line)
    add(plot, "polyline", points=points, fill="none", stroke=style.colour,
        stroke_dasharray=style.dash or None, stroke_linejoin="round", **width)  # fmt: skip
