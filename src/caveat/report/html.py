"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from caveat.published.results import own, published
from caveat.report.data import ReportData
from caveat.report.figures.ladder import elicitation_figure, ladder_figure
from caveat.report.figures.leakage import arms_figure, leakage_figure
from caveat.report.figures.learning_curve import learning_figures
from caveat.report.figures.published import Point, published_figure, study_points
from caveat.report.figures.published_elicitation import (
    ElicitedPoint,
    elicited_figure,
    study_elicited,
)
from caveat.report.figures.theme import unchecked
from caveat.report.figures.training import rl_figure, training_figures
from caveat.report.overview import Overview, overview
from caveat.report.panels import panels_of
from caveat.report.sections import appendix
from caveat.report.sections.conclusions import Conclusion, conclude
from caveat.report.sections.examples import Example, examples
from caveat.report.sections.ladder import ladder_section
from caveat.report.sections.plots import PagePlot, Plots
from caveat.report.sections.setting import SettingSection, setting_sections
from caveat.report.sections.transfer import transfer_section
from caveat.report.setting_rows import SettingRow
from caveat.report.tables.diagnostics import diagnostics_section
from caveat.report.tables.forecast import forecast_section
from caveat.report.tables.rl import rl_section
from caveat.report.templating import asset, environment, script_hash

if TYPE_CHECKING:
    import altair


WIDE, NARROW = 880, 380
"""Pixels of the plots for screens and of those for phones."""
TRANSPARENT = "transparent"
SCRIPTS = ("data.js", "prompt.js", "answers.js", "page.js")


def render(data: ReportData) -> str:
    """The report as one string of HTML, which UTF-8 can hold."""
    from markupsafe import Markup

    script = "\n".join(asset(name) for name in SCRIPTS)
    plots = Plots()
    html = (
        environment()
        .get_template("report.html.j2")
        .render(
            **_content(data, plots),
            **_charts(data, plots),
            style=Markup(asset("report.css")),
            script=Markup(script),
            script_hash=script_hash(f"\n{script}\n"),
            packed=Markup(appendix.compressed(appendix.packed(data.frame("replies")))),
            plot_values=Markup(appendix.compressed(plots.values)),
        )
    )
    # A model may emit half a surrogate pair, which UTF-8 cannot hold.
    return html.encode("utf-8", "replace").decode("utf-8")


def _content(data: ReportData, plots: Plots) -> dict[str, Any]:
    panels = panels_of(data)
    first = overview(data, panels)
    conclusions = [conclude(panel, data) for panel in panels]
    training = {} if data.training is None or data.training.empty else dict(
        training_figures(data.training)
    )  # fmt: skip
    sections = setting_sections(data, panels)
    return {
        "name": data.name,
        "overview": first,
        "leakage_plot": _main_plot(first, data, plots),
        "sections": sections,
        "parts": {
            section.name: _parts(section, first, conclusions, data, plots) for section in sections
        },
        "curves": {
            name: plots.add(f"training-{index}", plot)
            for index, (name, plot) in enumerate(training.items(), 1)
        },
        "transfer": transfer_section(data),
        "ladder": ladder_section(data),
        "rl": rl_section(data),
        "rl_figure": _policies(data, plots),
        "forecast": forecast_section(data),
        "diagnostics": diagnostics_section(data),
        "learning": _learning(data, plots),
        "within_seed": any(panel.interval == "within seed" for panel in panels),
        "failures": appendix.failures(data),
        "notes": appendix.notes(data.provenance),
        "provenance": appendix.items(data.provenance),
        "answer_count": len(data.replies),
    }


def _main_plot(first: Overview, data: ReportData, plots: Plots) -> PagePlot | None:
    if not first.rows:
        return None
    wide, narrow = (leakage_figure(data, width, first.rows) for width in (WIDE, NARROW))
    return plots.add("leakage", wide, narrow)


def _parts(
    section: SettingSection,
    first: Overview,
    conclusions: list[Conclusion],
    data: ReportData,
    plots: Plots,
) -> dict[str, Any]:
    """What a setting's section shows besides its tables."""
    rows = [row for row in first.rows if row.setting == section.name]
    replies = data.frame("replies")
    return {
        "rows": [
            (row, *_arm_plots(row, f"{section.anchor}-{index}", plots))
            for index, row in enumerate(rows, 1)
        ],
        "conclusions": [one for one in conclusions if one.setting == section.name],
        "examples": _examples(rows, replies),
    }


def _arm_plots(row: SettingRow, name: str, plots: Plots) -> tuple[PagePlot | None, PagePlot | None]:
    """The arms that differ from marked, and all others."""
    if row.marked is None:
        return None, None
    changed, rest = (
        plots.add(
            f"{name}-{kind}",
            *(arms_figure(row, width, kind == "others") for width in (WIDE, NARROW)),
        )
        if arms
        else None
        for kind, arms in (("arms", (row.marked,)), ("others", row.rest))
    )
    return changed, rest


def _examples(rows: list[SettingRow], replies: Any) -> tuple[Example, ...]:
    """Of the first of a setting's panels that has some."""
    return next((shown for row in rows if (shown := examples(row, replies))), ())


def _learning(data: ReportData, plots: Plots) -> list[tuple[str, PagePlot]]:
    """Each setting with its leakage along training; empty where it was not diagnosed."""
    curve = data.diagnostics.get("learning_curve")
    if curve is None or curve.empty:
        return []
    return [
        (setting, plots.add(f"learning-{index}", plot))
        for index, (setting, plot) in enumerate(learning_figures(curve), 1)
    ]


def _policies(data: ReportData, plots: Plots) -> PagePlot | None:
    """The curves of RL training; None without any."""
    plot = None if data.policies is None else rl_figure(data.policies)
    return None if plot is None else plots.add("rl", plot)


def _charts(data: ReportData, plots: Plots) -> dict[str, PagePlot | None]:
    """Charts of Vega by their name in the templates; None for one that has nothing to show."""
    names = ("ladder", "elicitation", "published", "elicited")
    charts = _vega(data)
    return {f"{name}_figure": plots.add_chart(name, charts.get(name)) for name in names}


def _vega(data: ReportData) -> dict[str, altair.TopLevelMixin | None]:
    charts: dict[str, altair.TopLevelMixin | None] = {}
    has_ladder = data.ladder is not None and not data.ladder.settings.empty
    # The SVG renderer rejects half surrogate pairs, which a study's name may have.
    name = data.name.encode("utf-8", "replace").decode("utf-8")
    points = study_points(data.frame("leakage"), name)
    if not (has_ladder or points):
        return charts
    with unchecked():
        if has_ladder:
            charts["ladder"] = ladder_figure(data.ladder, background=TRANSPARENT)
            charts["elicitation"] = elicitation_figure(data.ladder, background=TRANSPARENT)
        if points:
            elicited = study_elicited(data.frame("leakage"), data.frame("caveat_checks"), name)
            charts |= _among_published(tuple(points), tuple(elicited))
    return charts


@lru_cache(maxsize=32)
def _among_published(
    points: tuple[Point, ...], elicited: tuple[ElicitedPoint, ...]
) -> dict[str, altair.TopLevelMixin | None]:
    """A study's settings among published ones; one process may render a study several times."""
    results = published()
    return {
        "published": published_figure((*results, *own()), points, background=TRANSPARENT),
        "elicited": elicited_figure(results, elicited, background=TRANSPARENT),
    }
