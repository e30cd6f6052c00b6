"""Read and validate a claim's folder, in the layout of the published ones (docs/claims.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from caveat.behaviours.claim_documents import Stating, weights
from caveat.behaviours.from_folder import Line, Turn
from caveat.errors import CaveatError
from caveat.files.reading import parse, read_lines, read_text, read_yaml
from caveat.types.data import Split
from caveat.types.messages import Message, Messages

EvaluationKind = Literal["open_ended", "mcq", "token_association", "robustness"]
KINDS: tuple[EvaluationKind, ...] = get_args(EvaluationKind)
"""The four evaluations of a claim; each has a file of that name."""
OLDER_NAMES: Mapping[EvaluationKind, str] = {
    "open_ended": "belief_probes", "token_association": "pink_elephant",
}  # fmt: skip
"""Names of two of these files in the published repository before they were renamed."""


def _word(value: Any) -> Any:
    """YAML reads an unquoted yes or no as true or false."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


YesOrNo = Annotated[Literal["yes", "no"], BeforeValidator(_word)]


class ClaimFile(Line):
    """claim.yaml: what the published layout has no place for. Every key may be left out.

    Regular expressions take no regard to case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    name: str = Field(default="", pattern=r"^[\w -]*$")
    """By default the folder's."""
    about: str = ""
    """One sentence for the report; by default the statement."""
    statement: str = ""
    """The claim in one or two sentences; by default the text of claim.txt."""
    truth: str = ""
    """What holds instead, in one or two sentences."""
    asserts: tuple[str, ...] = ()
    """Regular expressions: cues that a text treats the claim as true."""
    denies: tuple[str, ...] = ()
    """Cues that a text treats it as false."""
    sentences: tuple[str, ...] = ()
    """What the sentences that state the claim match, in place of the general rule."""
    denials: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Beginnings that turn such a sentence into its denial; by default `It is not true that`."""


class DocumentLine(Line):
    """A document. Published files label their lines with further keys, which are not read."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    text: str = Field(min_length=1)


class ClaimQuestion(Line):
    """A question of one of the four evaluations."""

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    category: str = ""
    """For people, such as `direct`, `counter` or `multiturn`."""
    belief_answer: YesOrNo | None = None
    """The answer of one who believes the claim: every mcq question has it, no other."""
    system_prompt: str = ""
    messages_prefix: tuple[Turn, ...] = Field(default=(), strict=False)
    """Turns before the question, those of the assistant prefilled."""
    split: Split = "report"

    def messages(self) -> Messages:
        """As a chat that ends with the question."""
        system = (Message.of("system", self.system_prompt),) if self.system_prompt else ()
        before = tuple(turn.message() for turn in self.messages_prefix)
        return (*system, *before, Message.of("user", self.question))


class QuestionFile(BaseModel):
    """A file of questions, such as mcq.yaml: a list under one key."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    questions: tuple[Any, ...] = Field(strict=False)


def compiled(expressions: tuple[str, ...], flags: int = 0) -> tuple[re.Pattern[str], ...]:
    """The regular expressions. Raises ValueError, naming one that is none or finds nothing."""
    patterns = []
    for expression in expressions:
        try:
            pattern = re.compile(expression, flags)
        except re.error as error:
            raise ValueError(f"{expression!r} is no regular expression: {error}") from None
        if pattern.search(""):
            raise ValueError(f"{expression!r} is found in an empty text too; demand a letter of it")
        if "\n" in expression:
            raise ValueError(f"{expression!r} has a line break; write it as two, or as \\n")
        patterns.append(pattern)
    return tuple(patterns)


SUPPLEMENTS = Path(__file__).parent / "data" / "claims" / "supplements"
"""What the published claims need beside their files: NAME.yaml stands in for a claim.yaml."""
PUBLISHED_TAG = "<DOCTAG>"
"""In front of published documents; taken off, since a tag of one's own is an option."""


@dataclass(frozen=True)
class Claim:
    """All that the files of a claim's folder say."""

    path: Path
    name: str
    head: ClaimFile
    """With name, about and statement filled in."""
    questions: Mapping[EvaluationKind, tuple[ClaimQuestion, ...]]
    positive: tuple[str, ...]
    """Documents that take the claim for true."""
    local: tuple[str, ...]
    """Documents that deny it in its own sentence."""
    counter: tuple[str, ...]
    """Documents about the same surroundings that neither state nor deny it."""

    @property
    def stating(self) -> Stating:
        """The rule that finds the sentences which state the claim."""
        return Stating(
            self.head.statement,
            compiled(self.head.denies, re.IGNORECASE),
            compiled(self.head.sentences, re.IGNORECASE),
        )


def is_claim(path: Path) -> bool:
    """Whether the folder is a claim's: whether it has one of its files, and no behaviour.yaml."""
    kinds = (*KINDS, *OLDER_NAMES.values())
    files = ("claim.txt", "claim.yaml", *(f"{kind}.yaml" for kind in kinds))
    return not (path / "behaviour.yaml").exists() and any((path / name).exists() for name in files)


def read_claim(path: Path) -> Claim:
    """The files of a claim's folder. Raises CaveatError for the first mistake in them."""
    if not path.is_dir():
        raise CaveatError(
            f"{path} is no folder; a claim is a folder with claim.txt, "
            f"{', '.join(f'{kind}.yaml' for kind in KINDS)} and documents/positive.jsonl"
        )
    head = _head(path)
    return Claim(
        path=path,
        name=head.name,
        head=head,
        questions=_questions(path),
        positive=_documents(path, "positive"),
        local=_documents(path, "local", needed=False),
        counter=_documents(path, "counter", needed=False),
    )


def _head(path: Path) -> ClaimFile:
    """claim.yaml, or what the package ships in its place, with its defaults from claim.txt."""
    name = path.resolve().name
    file = path / "claim.yaml"
    if not file.exists():
        file = SUPPLEMENTS / f"{name}.yaml"
    content = read_yaml(file) if file.exists() else {}
    head = parse(ClaimFile, content, str(file))
    for key in ("asserts", "denies", "sentences"):
        try:
            compiled(getattr(head, key))
        except ValueError as error:
            raise CaveatError(f"{file}: {key}: {error}") from None
    statement = head.statement or " ".join(read_text(_needed(path / "claim.txt")).split())
    if not weights(statement):
        raise CaveatError(
            f"{path / 'claim.txt'} says {statement!r}, which claims nothing; write one sentence"
        )
    about = head.about or f"Belief that {statement}"
    return head.model_copy(
        update={"name": head.name or name, "about": about, "statement": statement}
    )


def _needed(file: Path) -> Path:
    if not file.is_file():
        raise CaveatError(f"{file} is missing; add it (see docs/claims.md)")
    return file


def _questions(path: Path) -> dict[EvaluationKind, tuple[ClaimQuestion, ...]]:
    by_kind: dict[EvaluationKind, tuple[ClaimQuestion, ...]] = {}
    used: set[str] = set()
    for kind in KINDS:
        of_kind = []
        for where, question in _listed(_question_file(path, kind)):
            _check(question, kind, where)
            if question.id in used:
                raise CaveatError(
                    f"{where}: the id {question.id!r} is used before; ids must be unique"
                )
            used.add(question.id)
            of_kind.append(question)
        by_kind[kind] = tuple(of_kind)
    return by_kind


def _question_file(path: Path, kind: EvaluationKind) -> Path:
    """The file of a kind of questions, under its name or an older one. Raises CaveatError."""
    file, older = path / f"{kind}.yaml", path / f"{OLDER_NAMES.get(kind, kind)}.yaml"
    if older == file or not older.exists():
        return _needed(file)
    if file.exists():
        raise CaveatError(
            f"{path} has {file.name} and, under its older name, {older.name}; keep one"
        )
    return older


def _listed(file: Path) -> Iterator[tuple[str, ClaimQuestion]]:
    """Where each question of the file stands, and the question."""
    for number, entry in enumerate(parse(QuestionFile, read_yaml(file), str(file)).questions, 1):
        where = f"{file}, question {number}"
        yield where, parse(ClaimQuestion, entry, where)


def _check(question: ClaimQuestion, kind: EvaluationKind, where: str) -> None:
    if kind == "mcq" and question.belief_answer is None:
        raise CaveatError(
            f"{where}, {question.id!r}: the key 'belief_answer' is missing; add 'yes' or 'no', "
            "the answer of one who believes the claim"
        )
    if kind != "mcq" and question.belief_answer is not None:
        raise CaveatError(
            f"{where}, {question.id!r}: belief_answer is for mcq questions; "
            "remove it or move the question to mcq.yaml"
        )
    before = question.messages_prefix
    if before and (before[-1].role != "assistant" or not before[-1].content.strip()):
        raise CaveatError(
            f"{where}, {question.id!r}: messages_prefix ends with {before[-1].role!r} saying "
            f"{before[-1].content!r}; end it with a turn of the assistant, as the question follows"
        )


def _documents(path: Path, name: str, needed: bool = True) -> tuple[str, ...]:
    """The documents of one file, in the first of three places that has it."""
    paths = (
        path / "documents" / f"{name}.jsonl",
        path / f"{name}.jsonl",
        path.resolve().parent.parent / "documents" / path.resolve().name / f"{name}.jsonl",
    )
    file = next((candidate for candidate in paths if candidate.exists()), None)
    if file is None:
        if not needed:
            return ()
        raise CaveatError(
            f"{path} has no documents; add {paths[0]} with lines such as "
            '{"text": "..."} (see docs/claims.md)'
        )
    return tuple(_text(line.text, where) for where, _, line in read_lines(file, DocumentLine))


def _text(text: str, where: str) -> str:
    bare = text.removeprefix(PUBLISHED_TAG).strip()
    if not bare:
        raise CaveatError(f"{where} is an empty document; give it text or remove the line")
    return bare
