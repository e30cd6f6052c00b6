"""SHA-256 of files and model folders, and the cache folder."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from caveat.files.atomic import Unwritable, write

REMEMBERED_FROM = 32 << 20
"""Bytes from which a file's digest is remembered: a smaller one is read in no time."""
MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")


def cache_folder() -> Path:
    """Folder of converted models and remembered rates: $CAVEAT_CACHE, or the user's cache."""
    import platformdirs

    return Path(os.environ.get("CAVEAT_CACHE") or platformdirs.user_cache_dir("caveat"))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256(path: Path) -> str:
    """SHA-256 of a file; of a large one it is remembered as long as size and time stay.

    A file that changes and keeps its path, size, inode and time of change to the nanosecond is
    taken for the same. The memory lies in the cache folder; deleting it costs one reading.
    """
    stat = path.stat()
    if stat.st_size < REMEMBERED_FROM:
        return sha256_of(path)
    state = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino]
    name = hashlib.sha256(state[0].encode()).hexdigest()[:32]
    memory = cache_folder() / "digests" / f"{name}.json"
    try:
        record = json.loads(memory.read_text("utf-8"))
        if record["state"] == state and len(record["sha256"]) == 64:
            return record["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there yet, or damaged: it is written anew
    digest = sha256_of(path)
    with suppress(OSError, Unwritable):  # a cache that cannot be written costs time only
        write(memory, json.dumps({"state": state, "sha256": digest}).encode())
    return digest


def sha256_of_folder(folder: Path) -> str:
    """Digest of the names and contents of a model folder's files: `folder:` and 32 digits."""
    files = sorted({path for pattern in MODEL_FILES for path in folder.glob(pattern)})
    listing = "\n".join(f"{path.name} {remembered_sha256(path)}" for path in files)
    return "folder:" + hashlib.sha256(listing.encode()).hexdigest()[:32]
