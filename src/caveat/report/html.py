"""Writes the report: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from caveat.report import provenance, replies, tables
from caveat.report.conclusions import conclude
from caveat.report.data import ReportData
from caveat.report.grid import Grid, grid
from caveat.report.panels import Panel, dose_text, panels_of
from caveat.report.picture import picture
from caveat.report.svg import inline_svg

WIDE, NARROW = 560, 100
"""Pixels from base to bare in the picture for screens and in the one for phones."""
SCRIPTS = ("prompt.js", "replies.js", "page.js")


@dataclass(frozen=True)
class Section:
    """What is shown of one setting."""

    name: str
    anchor: str
    phenomenon: str
    grids: tuple[tuple[Panel, Grid], ...]
    contexts: dict[str, str]
    differences: tables.Table
    caveat_checks: tables.Table
    side_effects: tables.Table


def write_report(data: ReportData, path: str | Path) -> None:
    """Write the report to `path`, all at once: a reader never sees half of it."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    # A model may emit half a surrogate pair, which UTF-8 cannot hold.
    html = render(data).encode("utf-8", "replace")
    try:
        temporary.write_bytes(html)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def render(data: ReportData) -> str:
    """The report as one string of HTML."""
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
    return environment.get_template("report.html.j2").render(
        **_shown(data),
        style=Markup(_asset("report.css")),
        script=Markup(script),
        script_hash=_hash(f"\n{script}\n"),
        picture=Markup(inline_svg(picture(data, WIDE, "transparent"))),
        small_picture=Markup(inline_svg(picture(data, NARROW, "transparent"))),
        packed=Markup(replies.script_json(replies.packed(data.frame("replies")))),
    )


def _shown(data: ReportData) -> dict[str, Any]:
    shown = panels_of(data)
    return {
        "name": data.name,
        "conclusions": [conclude(panel, data) for panel in shown],
        "sections": [
            _section(data, name, place, shown) for place, name in enumerate(data.settings)
        ],
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
        grids=tuple((panel, grid(panel, rates)) for panel in shown if panel.setting == name),
        contexts=dict(data.contexts.get(name, {})),
        differences=tables.differences(data, name),
        caveat_checks=tables.caveat_checks(data, name),
        side_effects=tables.side_effects(data, name),
    )


def _phenomenon(data: ReportData, setting: str) -> str:
    frame = data.frame("leakage")
    found = frame[frame["setting"] == setting]["phenomenon"].dropna()
    return "" if found.empty else str(found.iloc[0])


def _asset(name: str) -> str:
    return (files("caveat.report") / "templates" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """The script's hash for the content security policy: nothing else may run in the page."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
