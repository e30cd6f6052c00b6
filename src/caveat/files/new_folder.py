"""New folders that commands write several files into, and the names of those files."""

from __future__ import annotations

import re
from pathlib import Path

from caveat.errors import CaveatError
from caveat.files.atomic import write_errors


def check_new_folder(out: Path) -> None:
    """Raise CaveatError where the path is a file, or a folder that holds something."""
    if out.exists() and not out.is_dir():
        raise CaveatError(f"{out}: is a file; name a new folder with --out")
    with write_errors(out):
        holds_files = out.is_dir() and any(out.iterdir())
    if holds_files:
        raise CaveatError(f"{out}: is not empty; name a new folder with --out")


def file_stem(*parts: str) -> str:
    """Names of settings and arms as one file name: `capitals-x-instruction.marked`."""
    return ".".join(re.sub(r"[^\w+=-]+", "-", part).strip("-") for part in parts)
