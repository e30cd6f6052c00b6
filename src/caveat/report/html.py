"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from caveat.published.results import own, published
from caveat.report.data import ReportData
from caveat.report.figures.elicitation import dial_picture
from caveat.report.figures.ladder import ladder_picture
from caveat.report.figures.leakage import picture
from caveat.report.figures.learning_curves import rl_figure
from caveat.report.figures.published import axis, study_points
from caveat.report.figures.theme import inline_svg
from caveat.report.formatting import text
from caveat.report.panels import Panel, dose_text, panels_of
from caveat.report.sections import appendix as provenance
from caveat.report.sections import appendix as replies
from caveat.report.sections.conclusions import conclude
from caveat.report.sections.grid import Grid, grid, surroundings
from caveat.report.sections.ladder import ladder_section
from caveat.report.sections.transfer import transfer_section
from caveat.report.tables import setting as tables
from caveat.report.tables.forecast import forecast_section
from caveat.report.tables.rl import rl_section

WIDE, NARROW = 560, 100
"""Pixels from base to bare in the picture for screens and in the one for phones."""
VALID = "Share of replies to the behaviour's own questions that could be judged."
SCRIPTS = ("prompt.js", "replies.js", "page.js")


@dataclass(frozen=True)
class Section:
    """What is shown of one setting."""

    name: str
    anchor: str
    phenomenon: str
    about: str
    """The behaviour in one sentence; "" where nothing is said of it."""
    grids: tuple[tuple[Panel, Grid], ...]
    contexts: dict[str, str]
    differences: tables.Table
    caveat_checks: tables.Table
    side_effects: tables.Table
    effects: dict[str, str]
    """What a high figure of each side effect means, by name."""


def render(data: ReportData) -> str:
    """The report as one string of HTML, which UTF-8 can hold."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("caveat.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["dose"] = dose_text
    script = "\n".join(_asset(name) for name in SCRIPTS)
    html = environment.get_template("report.html.j2").render(
        **_shown(data),
        style=Markup(_asset("report.css")),
        script=Markup(script),
        script_hash=_hash(f"\n{script}\n"),
        picture=Markup(inline_svg(picture(data, WIDE, "transparent"))),
        small_picture=Markup(inline_svg(picture(data, NARROW, "transparent"))),
        axis=Markup(inline_svg(_among_published(data))),
        **{name: chart and Markup(inline_svg(chart)) for name, chart in _of_ladder(data).items()},
        rl_figure=_curves(data),
        packed=Markup(replies.script_json(replies.packed(data.frame("replies")))),
    )
    # A model may emit half a surrogate pair, which UTF-8 cannot hold.
    return html.encode("utf-8", "replace").decode("utf-8")


def _among_published(data: ReportData) -> Any:
    name = data.name.encode("utf-8", "replace").decode("utf-8")  # the drawing takes no half pairs
    points = study_points(data.frame("leakage"), name)
    return axis((*published(), *own()), points, background="transparent")


def _of_ladder(data: ReportData) -> dict[str, Any]:
    """The pictures of the ladder; None for one that there is nothing to draw for."""
    if data.ladder is None or data.ladder.rungs.empty:
        return {"ladder_picture": None, "dial_picture": None}
    return {
        "ladder_picture": ladder_picture(data.ladder, background="transparent"),
        "dial_picture": dial_picture(data.ladder, background="transparent"),
    }


def _curves(data: ReportData) -> Any:
    """The learning curves; None where nothing was practised."""
    from markupsafe import Markup

    if data.policies is None or data.policies.empty:
        return None
    return Markup(inline_svg(rl_figure(data.policies, background="transparent")))


def _shown(data: ReportData) -> dict[str, Any]:
    shown = panels_of(data)
    return {
        "name": data.name,
        "conclusions": [conclude(panel, data) for panel in shown],
        "sections": [
            _section(data, name, place, shown) for place, name in enumerate(data.settings)
        ],
        "transfer": transfer_section(data),
        "ladder": ladder_section(data),
        "rl": rl_section(data),
        "forecast": forecast_section(data),
        "within_seed": any(panel.interval == "within seed" for panel in shown),
        "failures": tables.failures(data),
        "notes": provenance.notes(data.provenance),
        "provenance": provenance.items(data.provenance),
        "reply_count": len(data.replies),
    }


def _section(data: ReportData, name: str, place: int, shown: tuple[Panel, ...]) -> Section:
    rates = data.frame("rates")
    return Section(
        name=name,
        anchor=f"setting-{place + 1}",
        phenomenon=_phenomenon(data, name),
        about=text(data.abouts.get(name, {}).get("behaviour")),
        grids=tuple((panel, grid(panel, rates)) for panel in shown if panel.setting == name),
        contexts=surroundings(data.contexts.get(name, {})),
        differences=tables.differences(data, name),
        caveat_checks=tables.caveat_checks(data, name),
        side_effects=tables.side_effects(data, name),
        effects=_effects(data, name),
    )


def _phenomenon(data: ReportData, setting: str) -> str:
    frame = data.frame("leakage")
    found = frame[frame["setting"] == setting]["phenomenon"].dropna()
    return "" if found.empty else str(found.iloc[0])


def _effects(data: ReportData, setting: str) -> dict[str, str]:
    told = {"valid replies": VALID, **data.abouts.get(setting, {}).get("side_effects", {})}
    frame = data.frame("side_effects")
    shown = dict.fromkeys(frame[frame["setting"] == setting]["effect"].map(text))
    return {name: text(told[name]) for name in shown if told.get(name)}


def _asset(name: str) -> str:
    return (files("caveat.report") / "templates" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """The script's hash for the content security policy: nothing else may run in the page."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
