"""Write files so that they are complete or absent, whatever happens to the process."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from caveat.errors import CaveatError


class Unwritable(CaveatError):
    """A folder takes no more files: no later result could be stored, so the study stops."""


class DiskFull(Unwritable):
    """No space is left on the disk."""


@contextmanager
def write_errors(folder: Path) -> Iterator[None]:
    """Raise Unwritable, in one line, for what the system reports while a folder is written to."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _unwritable(folder, error.filename, error.errno, reason) from error
    except Exception as error:  # safetensors, in Rust, wraps the system's error in its own
        system_error = re.search(r"\(os error (\d+)\)", str(error))
        if system_error is None:
            raise
        number = int(system_error[1])
        raise _unwritable(folder, None, number, os.strerror(number)) from error


def _unwritable(folder: Path, path: object, number: int | None, reason: str) -> Unwritable:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"{folder}: the disk is full; what was finished is kept: "
            "free some space and run the same command again"
        )
    return Unwritable(
        f"{path or folder}: cannot be written ({reason}); fix that, "
        "or name another folder with --out"
    )


def write(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk, then rename it.

    Raises Unwritable.
    """
    write_parts(path, (content,), lambda: path)


def write_parts(beside: Path, parts: Iterable[bytes], final: Callable[[], Path]) -> None:
    """`write` a file part by part.

    Args:
        beside: Gives the temporary file its folder and its name.
        final: The file's path on the same disk, which may be known after the last part alone.
    """
    folder, temporary = beside.parent, beside.with_name(f".{beside.name}.{os.getpid()}.part")
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            path = final()
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        flush(path.parent)


def flush(path: Path) -> None:
    """Flush a file's content, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
