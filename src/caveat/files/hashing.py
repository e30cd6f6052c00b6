"""SHA-256 of files and model folders, and the cache folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")


def cache_folder() -> Path:
    """Folder of converted models and remembered rates: $CAVEAT_CACHE, or the user's cache."""
    import platformdirs

    return Path(os.environ.get("CAVEAT_CACHE") or platformdirs.user_cache_dir("caveat"))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_folder(folder: Path) -> str:
    """Digest of the names and contents of a model folder's files: `folder:` and 32 digits."""
    files = sorted({path for pattern in MODEL_FILES for path in folder.glob(pattern)})
    listing = "\n".join(f"{path.name} {sha256_of(path)}" for path in files)
    return "folder:" + hashlib.sha256(listing.encode()).hexdigest()[:32]
