"""What made a thing, when, and on which machine."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def stamp() -> dict[str, Any]:
    """The provenance that every stored record carries."""
    return {"made": now(), "by": f"caveat {version('caveat')}, torch {version('torch')}"}


def surroundings() -> dict[str, Any]:
    """Versions and machine, for study.json."""
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
    """The installed version, "not installed" for a source tree that is only on the path."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
