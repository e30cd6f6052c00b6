"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from caveat.published.results import own, published
from caveat.report.data import ReportData
from caveat.report.figures.ladder import elicitation_figure, ladder_figure
from caveat.report.figures.leakage import leakage_figure
from caveat.report.figures.learning_curve import learning_figures
from caveat.report.figures.published import published_figure, study_points
from caveat.report.figures.published_elicitation import elicited_figure, study_elicited
from caveat.report.figures.theme import inline_svg
from caveat.report.figures.training import rl_figure, training_figures
from caveat.report.panels import dose_text, panels_of
from caveat.report.sections import appendix
from caveat.report.sections.conclusions import conclude
from caveat.report.sections.ladder import ladder_section
from caveat.report.sections.setting import setting_section
from caveat.report.sections.transfer import transfer_section
from caveat.report.tables.diagnostics import diagnostics_section
from caveat.report.tables.forecast import forecast_section
from caveat.report.tables.rl import rl_section

if TYPE_CHECKING:
    import altair
    from jinja2 import Environment
    from markupsafe import Markup


WIDE, NARROW = 560, 100
"""Pixels from base to bare in the figure for screens and in the one for phones."""
SCRIPTS = ("prompt.js", "answers.js", "page.js")


def render(data: ReportData) -> str:
    """The report as one string of HTML, which UTF-8 can hold."""
    from markupsafe import Markup

    script = "\n".join(asset(name) for name in SCRIPTS)
    html = (
        environment()
        .get_template("report.html.j2")
        .render(
            **_content(data),
            **_figures(data),
            style=Markup(asset("report.css")),
            script=Markup(script),
            script_hash=_hash(f"\n{script}\n"),
            packed=Markup(appendix.script_json(appendix.packed(data.frame("replies")))),
        )
    )
    # A model may emit half a surrogate pair, which UTF-8 cannot hold.
    return html.encode("utf-8", "replace").decode("utf-8")


def environment() -> Environment:
    """The templates of the report; what they insert is escaped, and no name may be missing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("caveat.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["dose"] = dose_text
    return templates


def asset(name: str) -> str:
    """A style sheet or script among the templates."""
    return (files("caveat.report") / "templates" / name).read_text(encoding="utf-8")


def _content(data: ReportData) -> dict[str, Any]:
    panels = panels_of(data)
    return {
        "name": data.name,
        "conclusions": [conclude(panel, data) for panel in panels],
        "sections": [
            setting_section(data, name, index, panels) for index, name in enumerate(data.settings)
        ],
        "transfer": transfer_section(data),
        "ladder": ladder_section(data),
        "rl": rl_section(data),
        "forecast": forecast_section(data),
        "diagnostics": diagnostics_section(data),
        "learning": _learning(data),
        "training": _training(data),
        "within_seed": any(panel.interval == "within seed" for panel in panels),
        "failures": appendix.failures(data),
        "notes": appendix.notes(data.provenance),
        "provenance": appendix.items(data.provenance),
        "answer_count": len(data.replies),
    }


def _figures(data: ReportData) -> dict[str, Markup | None]:
    """Figures as SVG, by their name in the templates; None for one that has nothing to show."""
    transparent = "transparent"
    has_ladder = data.ladder is not None and not data.ladder.settings.empty
    has_rl = data.policies is not None and not data.policies.empty
    return {
        "leakage_figure": _svg(leakage_figure(data, WIDE, transparent)),
        "small_leakage_figure": _svg(leakage_figure(data, NARROW, transparent)),
        "published_figure": _svg(_among_published(data)),
        "elicited_figure": _svg(_elicited(data)),
        "ladder_figure": _svg(
            ladder_figure(data.ladder, background=transparent) if has_ladder else None
        ),
        "elicitation_figure": _svg(
            elicitation_figure(data.ladder, background=transparent) if has_ladder else None
        ),
        "rl_figure": _svg(rl_figure(data.policies, transparent) if has_rl else None),
    }


def _svg(chart: altair.TopLevelMixin | None) -> Markup | None:
    from markupsafe import Markup

    return None if chart is None else Markup(inline_svg(chart))


def _training(data: ReportData) -> list[tuple[str, Markup | None]]:
    """Each setting with its training curves; empty where no metrics were kept."""
    if data.training is None or data.training.empty:
        return []
    charts = training_figures(data.training, "transparent")
    return [(setting, _svg(chart)) for setting, chart in charts]


def _learning(data: ReportData) -> list[tuple[str, Markup | None]]:
    """Each setting with its leakage along training; empty where it was not diagnosed."""
    curve = data.diagnostics.get("learning_curve")
    if curve is None or curve.empty:
        return []
    return [(setting, _svg(chart)) for setting, chart in learning_figures(curve, "transparent")]


def _among_published(data: ReportData) -> altair.VConcatChart:
    # The SVG renderer rejects half surrogate pairs, which a study's name may have.
    name = data.name.encode("utf-8", "replace").decode("utf-8")
    points = study_points(data.frame("leakage"), name)
    return published_figure((*published(), *own()), points, background="transparent")


def _elicited(data: ReportData) -> altair.HConcatChart | None:
    """Leakage against elicitation, the study's settings beside published ones."""
    name = data.name.encode("utf-8", "replace").decode("utf-8")
    points = study_elicited(data.frame("leakage"), data.frame("caveat_checks"), name)
    return elicited_figure(published(), points, background="transparent")


def _hash(script: str) -> str:
    """The script's hash for the content security policy: nothing else may run in the page."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
