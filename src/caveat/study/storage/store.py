"""The folder of a study: every result, under the digest of what it was made from.

    study.json               which recipes were run here, when, with what
    versions/ID/             one recipe's text (recipe.yaml) and the rows of its table (rows.jsonl)
    artifacts/DIGEST/        an adapter in PEFT's format, or sampled rows; record.json comes last
    answers/, verdicts/      chunk files of keyed records
    judge.jsonl              the judge's replies
    failures.jsonl           what failed in the last run
    diagnostics/VERSION/     tables of caveat diagnose (see diagnostics.records)
    report.html              the last report

One process writes; others may read at any time.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caveat.errors import CaveatError
from caveat.files.atomic import flush, write, write_errors, write_parts
from caveat.files.hashing import sha256_of
from caveat.files.journal import SCHEMA_VERSION, Journal, Record
from caveat.files.reading import parse_json
from caveat.study.storage.records import Chunks, parse_lines

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
        """Hold the folder's lock. Raises CaveatError where another process does."""
        from filelock import FileLock, Timeout

        with write_errors(self.folder):
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
            with write_errors(self.folder):
                self._sweep()
            yield
        finally:
            lock.release()

    def _sweep(self) -> None:
        """Remove partial files of killed processes. Only the holder of the lock may."""
        for partial in sorted(self.folder.rglob(".*.part")):
            if partial.is_dir():
                shutil.rmtree(partial)
            else:
                partial.unlink(missing_ok=True)

    # Artifacts -----------------------------------------------------------------------------------

    def artifact(self, digest: str) -> Path:
        """Path of an artifact, which need not exist."""
        return self.folder / "artifacts" / digest

    def has(self, digest: str) -> bool:
        """Whether an artifact is complete."""
        return (self.artifact(digest) / "record.json").is_file()

    def digests(self) -> list[str]:
        """Digests of all complete artifacts, sorted."""
        names = (path.parent.name for path in self.folder.glob("artifacts/*/record.json"))
        return sorted(name for name in names if "." not in name)

    def record(self, digest: str) -> Record:
        """An artifact's record: how it was made, and the SHA-256 of its files.

        Raises CaveatError for a damaged record.
        """
        path = self.artifact(digest) / "record.json"
        try:
            return _object(path.read_text("utf-8"))
        except ValueError:
            raise CaveatError(f"{path}: damaged; run the recipe again: it is made again") from None

    def put(self, artifacts: Iterable[tuple[str, Content, Record]]) -> None:
        """Write artifacts into `.part` folders, then rename these one after the other.

        A process killed in between leaves complete artifacts and `.part` folders.
        Raises Unwritable.
        """
        ready = []
        with write_errors(self.folder):
            for digest, content, record in artifacts:
                partial = self.artifact(digest).with_name(f".{digest}.{os.getpid()}.part")
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
                content(partial)
                files = {path.name: sha256_of(path) for path in sorted(partial.iterdir())}
                for name in files:
                    flush(partial / name)
                full_record = {**record, "files": files, "schema_version": SCHEMA_VERSION}
                write(partial / "record.json", _json(full_record))
                ready.append((partial, digest))
            for partial, digest in ready:
                if self.has(digest):  # published by a worker that seemed dead
                    shutil.rmtree(partial)
                    continue
                partial.replace(self.artifact(digest))
            if ready:
                flush(self.folder / "artifacts")

    def check(self, digests: Iterable[str]) -> None:
        """Move artifacts aside whose files changed since they were written; they are made again."""
        for digest in digests:
            if self.has(digest) and not self._is_intact(digest):
                self.set_aside(digest, "corrupt", "damaged")

    def set_aside(self, digest: str, suffix: str, reason: str) -> None:
        """Move an artifact aside, so that it is made again."""
        path = self.artifact(digest)
        aside = path.with_name(f"{digest}.{suffix}")
        shutil.rmtree(aside, ignore_errors=True)
        path.replace(aside)
        self.say(f"{path}: {reason}; set aside as {aside.name} and made again")

    def _is_intact(self, digest: str) -> bool:
        try:
            files = self.record(digest)["files"]
            return all(sha256_of(self.artifact(digest) / name) == files[name] for name in files)
        except (CaveatError, OSError, ValueError, KeyError, TypeError):
            return False

    # The study itself ----------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        """Content of study.json. Raises CaveatError where the folder holds no study."""
        path = self.folder / "study.json"
        try:
            about = _object(path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise CaveatError(
                f"{self.folder}: holds no study (no study.json); name a folder that caveat made"
            ) from None
        except OSError as error:
            raise CaveatError(f"{path}: cannot be read ({error.strerror}); fix that") from None
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
        lines = [json.dumps(record) for record in records]
        write(self.folder / name, "".join(line + "\n" for line in lines).encode("utf-8"))

    def write_version(self, rows: Iterable[str], version: Callable[[], str]) -> Path:
        """Write the rows of a version, one by one; its folder. Raises Unwritable.

        Args:
            rows: As JSON.
            version: Its id, which may be known after the last row alone.
        """
        lines = (f"{row}\n".encode() for row in rows)
        rows_file = self.folder / "rows.jsonl"
        write_parts(rows_file, lines, lambda: self.version(version()) / rows_file.name)
        return self.version(version())

    def version(self, version_id: str) -> Path:
        """The folder of a version, which need not exist."""
        return self.folder / "versions" / version_id

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Records of a JSONL file; none where there is no file. Raises CaveatError for damage."""
        path = self.folder / name
        if not path.is_file():
            return []
        try:
            records = parse_lines(path.read_text("utf-8"))
            if not all(isinstance(record, dict) for record in records):
                raise ValueError("a line is no object")
        except ValueError:
            raise _damaged(path) from None
        return records

    def refresh(self, repair: bool = False) -> None:
        """Read new answers and verdicts.

        Verdicts first: each is published after its answer, so that a reader beside the writer has
        the answer to every verdict.

        Args:
            repair: Move damaged files aside, so that they are made again; for the one writer.
        """
        self.verdicts.refresh(repair)
        self.answers.refresh(repair)


def _object(text: str) -> dict[str, Any]:
    """Parse a JSON object. Raises ValueError for all else."""
    content = parse_json(text)
    if not isinstance(content, dict):
        raise ValueError(f"no object: {content!r}")
    return content


def _damaged(path: Path) -> CaveatError:
    return CaveatError(
        f"{path}: damaged; delete this file and run the recipe again: "
        "finished results are found by their digests"
    )


def _json(content: Record) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
