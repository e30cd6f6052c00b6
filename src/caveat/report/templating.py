"""The templates of pages, with their style sheets and scripts."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from caveat.report.panels import dose_text

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> Environment:
    """The templates of the report, compiled once; what they insert is escaped, and no name may be
    missing."""
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


def script_hash(script: str) -> str:
    """The script's hash for the content security policy: nothing else may run in the page."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
