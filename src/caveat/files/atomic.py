"""Files that are there whole or not at all, whatever happens to the process."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caveat.errors import CaveatError


class Unwritable(CaveatError):
    """A folder takes no more: nothing that follows can be stored, so the study stops."""


class DiskFull(Unwritable):
    """No room is left."""


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Turn what the system says to writing there into one line. Raises Unwritable."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _unwritable(folder, error.filename, error.errno, reason) from error
    except Exception as error:  # safetensors, in Rust, wraps the system's error in its own
        found = re.search(r"\(os error (\d+)\)", str(error))
        if found is None:
            raise
        number = int(found[1])
        raise _unwritable(folder, None, number, os.strerror(number)) from error


def _unwritable(folder: Path, place: object, number: int | None, reason: str) -> Unwritable:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"{folder}: the disk is full; what was finished is kept: "
            "free some space and run the same command again"
        )
    return Unwritable(
        f"{place or folder}: cannot be written ({reason}); mend that, "
        "or name another folder with --out"
    )


def write(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one, which is flushed to the disk before it is renamed.

    Raises Unwritable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with room(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        flush(path.parent)


def flush(path: Path) -> None:
    """Flush a file's content, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
