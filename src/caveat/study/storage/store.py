"""The folder of a study: everything that was made, each thing under the digest of what made it.

    study.json               which recipes were run here, when, with what
    versions/ID/             one recipe's text (recipe.yaml) and the rows of its table (rows.jsonl)
    artifacts/DIGEST/        an adapter in PEFT's format, or sampled rows; record.json comes last
    answers/, verdicts/      chunk files of keyed records
    judge.jsonl              what a judge said, answer by answer
    failures.jsonl           what failed in the last run
    report.html              the last report

Readers may read at any time. One process writes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.files.atomic import flush, room, write
from caveat.files.reading import parsed
from caveat.study.storage.records import SCHEMA_VERSION, Chunks, Journal, Record

if TYPE_CHECKING:
    from caveat.backends.local.lora.adapter import Adapter


Content = Callable[[Path], None]
"""Writes an artifact's files into the folder it is given."""


def silent(message: str) -> None:
    """Say nothing."""


class Store:
    """Reads and writes the parts of a study's folder."""

    def __init__(self, folder: Path, say: Callable[[str], None] = silent) -> None:
        self.folder = folder
        self.say = say
        self.answers = Chunks(folder / "answers", say)
        self.verdicts = Chunks(folder / "verdicts", say)
        self.judge_replies = Journal(folder / "judge.jsonl", say)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer. Raises CaveatError where another process is, or none may write."""
        from filelock import FileLock, Timeout

        with room(self.folder):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except FileExistsError:
                raise CaveatError(f"{self.folder}: is a file; name a folder with --out") from None
            lock = FileLock(self.folder / ".lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise CaveatError(
                    f"{self.folder}: another caveat process is writing here; "
                    "wait for it, or name another folder with --out"
                ) from None
        try:
            with room(self.folder):
                self._sweep()
            yield
        finally:
            lock.release()

    def _sweep(self) -> None:
        """Remove what killed processes left half written. Only the one writer may."""
        for part in sorted(self.folder.rglob(".*.part")):
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink(missing_ok=True)

    # Artifacts -----------------------------------------------------------------------------------

    def artifact(self, digest: str) -> Path:
        """Where an artifact lies, or would lie."""
        return self.folder / "artifacts" / digest

    def has(self, digest: str) -> bool:
        """Whether an artifact is finished."""
        return (self.artifact(digest) / "record.json").is_file()

    def digests(self) -> list[str]:
        """The artifacts that are there."""
        names = (path.parent.name for path in self.folder.glob("artifacts/*/record.json"))
        return sorted(name for name in names if "." not in name)

    def record(self, digest: str) -> Record:
        """What is noted about an artifact: how it was made, and its files' digests.

        Raises CaveatError for a damaged record.
        """
        path = self.artifact(digest) / "record.json"
        try:
            return _object(path.read_text("utf-8"))
        except ValueError:
            raise CaveatError(f"{path}: damaged; run the recipe again: it is made anew") from None

    def put(self, artifacts: Iterable[tuple[str, Content, Record]]) -> None:
        """Write artifacts to the side, then move them to their places one after the other.

        A process killed in between leaves whole artifacts and `.part` folders. Raises Unwritable.
        """
        ready = []
        with room(self.folder):
            for digest, content, record in artifacts:
                part = self.artifact(digest).with_name(f".{digest}.{os.getpid()}.part")
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir(parents=True)
                content(part)
                files = {path.name: _sha256(path) for path in sorted(part.iterdir())}
                for name in files:
                    flush(part / name)
                noted = {**record, "files": files, "schema_version": SCHEMA_VERSION}
                write(part / "record.json", _json(noted))
                ready.append((part, digest))
            for part, digest in ready:
                if self.has(digest):  # by a worker that was taken for dead
                    shutil.rmtree(part)
                    continue
                part.replace(self.artifact(digest))
            if ready:
                flush(self.folder / "artifacts")

    def check(self, digests: Iterable[str]) -> None:
        """Set aside artifacts whose files are not those that were written; they are made again."""
        for digest in digests:
            if self.has(digest) and not self._is_whole(digest):
                place = self.artifact(digest)
                aside = place.with_name(f"{digest}.corrupt")
                shutil.rmtree(aside, ignore_errors=True)
                place.replace(aside)
                self.say(f"{place}: damaged; set aside as {aside.name} and made again")

    def _is_whole(self, digest: str) -> bool:
        try:
            files = self.record(digest)["files"]
            return all(_sha256(self.artifact(digest) / name) == files[name] for name in files)
        except (CaveatError, OSError, ValueError, KeyError, TypeError):
            return False

    def adapter(self, digest: str) -> Adapter:
        """A finished adapter. Raises CaveatError where its files are missing or corrupt."""
        from caveat.backends.local.lora.adapter import Adapter

        return Adapter.load(self.artifact(digest))

    # The study itself ----------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        """The content of study.json. Raises CaveatError where this is no study's folder."""
        path = self.folder / "study.json"
        try:
            about = _object(path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise CaveatError(
                f"{self.folder}: holds no study (no study.json); name a folder that caveat made"
            ) from None
        except OSError as error:
            raise CaveatError(f"{path}: cannot be read ({error.strerror}); mend that") from None
        except ValueError:
            raise _damaged(path) from None
        if about.get("schema_version", 0) > SCHEMA_VERSION:
            raise CaveatError(
                f"{path}: schema version {about['schema_version']} is of a newer caveat than this "
                f"one ({SCHEMA_VERSION}); upgrade caveat"
            )
        if not {"name", "current", "versions"} <= about.keys():
            raise _damaged(path)
        return about

    def exists(self) -> bool:
        """Whether a study was started here."""
        return (self.folder / "study.json").is_file()

    def write_about(self, about: Record) -> None:
        """Replace study.json. Raises Unwritable."""
        write(self.folder / "study.json", _json({**about, "schema_version": SCHEMA_VERSION}))

    def write_lines(self, name: str, records: Iterable[Record]) -> None:
        """Replace a JSONL file of the folder. Raises Unwritable."""
        lines = [json.dumps(each) for each in records]
        write(self.folder / name, "".join(line + "\n" for line in lines).encode("utf-8"))

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The records of a JSONL file, none where there is no file. Raises CaveatError."""
        path = self.folder / name
        if not path.is_file():
            return []
        try:
            return [_object(line) for line in path.read_text("utf-8").split("\n") if line]
        except ValueError:
            raise _damaged(path) from None

    def refresh(self, mend: bool = False) -> None:
        """Read answers and verdicts that came since.

        Verdicts first: each is published behind its answer, so that a reader beside the writer
        finds the answer to every verdict it has.
        """
        self.verdicts.refresh(mend)
        self.answers.refresh(mend)


def _object(text: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError for all else."""
    found = parsed(text)
    if not isinstance(found, dict):
        raise ValueError(f"no object: {found!r}")
    return found


def _damaged(path: Path) -> CaveatError:
    return CaveatError(
        f"{path}: damaged; delete this file and run the recipe again: "
        "what is finished is found by its digests"
    )


def _json(content: Record) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
