"""Provenance: versions, time and machine, for stored records."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any


def now() -> str:
    """Current time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def stamp() -> dict[str, Any]:
    """Time and versions, as every stored record has them."""
    return {"made": now(), "by": f"caveat {version('caveat')}, torch {version('torch')}"}


def surroundings() -> dict[str, Any]:
    """Versions of libraries, and the machine, for study.json."""
    return {
        "caveat": version("caveat"),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count() or 0,
    }


@cache
def version(package: str) -> str:
    """Installed version; "not installed" for a source tree that is only on the path."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
