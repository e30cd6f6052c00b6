"""Paths that people name."""

from __future__ import annotations

from pathlib import Path

from caveat.errors import CaveatError


def located(name: str | Path, folder: Path = Path()) -> Path:
    """Where a name leads, `~` being a home, from a folder on. It may hold nothing.

    Raises CaveatError where no path can be called that, or the system does not let one look.
    """
    try:
        path = folder / Path(name).expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, RuntimeError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise CaveatError(f"{str(name)[:60]!r} cannot be looked for ({said}); mend it") from None
    return path
