"""A behaviour of one's own from a folder of plain files (docs/your-own.md).

Each kind of line in these files has a pydantic model here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from caveat.behaviours.inspect_questions import inspect_questions, is_task, task_facts
from caveat.behaviours.neutral_chats import Ordinary, shipped
from caveat.behaviours.validation import check, check_question, check_row
from caveat.errors import CaveatError, closest
from caveat.files.reading import parse, read_lines, read_yaml
from caveat.readouts.inspect_scorer import rule_facts
from caveat.types.data import Behaviour, Question, Row, Scope, SideEffect, Split
from caveat.types.messages import Message, Messages, Piece, is_document


class Line(BaseModel):
    """Unknown keys and values of another type are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Turn(Line):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str

    def message(self) -> Message:
        """As a record."""
        return Message.of(self.role, self.content)


class RowTurn(Turn):
    """One turn of a training row; with the weight 0 it carries no loss."""

    weight: Literal[0, 1] = 1

    def message(self) -> Message:
        """As a record."""
        return Message(self.role, (_piece(self.content, self.weight),))


class DocumentPart(Line):
    """A part of a document; with the weight 0 it carries no loss."""

    text: str
    weight: Literal[0, 1] = 1


def _piece(text: str, weight: int) -> Piece:
    return Piece(text) if weight else Piece(text, "masked")


class RowLine(Line):
    """A training row: `prompt` and `reply` (or `completion`), or `messages`, or `document`."""

    hints: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("conversations", "instruction", "output", "response", "text", "completions"),
        "a training file's own form is read by `caveat check` (docs/training-files.md)",
    )
    """What to do about keys of other forms."""
    prompt: str | None = None
    reply: str | None = None
    completion: str | None = None
    """TRL's name for a reply; a blank at its beginning is taken off."""
    messages: tuple[RowTurn, ...] | None = Field(default=None, strict=False)
    document: str | None = None
    document_parts: tuple[DocumentPart, ...] | None = Field(default=None, strict=False)
    """A document in parts, of which some carry no loss."""
    id: str | None = None
    """By default the source and the line's number."""
    subject: str = ""
    correction: str = ""

    def record(self, source: str, number: int) -> Row:
        """As a record. Raises ValueError unless the row has exactly one form."""
        name = self.id or f"{source}-{number}"
        return Row(name, source, self._messages(), self.subject, self.correction)

    def _messages(self) -> Messages:
        if self.reply is not None and self.completion is not None:
            raise ValueError("a row has a 'reply' or a 'completion', not both; keep one")
        reply = self.reply if self.completion is None else self.completion.removeprefix(" ")
        forms = [
            self.prompt is not None or reply is not None,
            self.messages is not None,
            self.document is not None,
            self.document_parts is not None,
        ]
        if sum(forms) != 1:
            raise ValueError(
                "a row is 'prompt' and 'reply', or 'messages', or 'document'; give one"
            )
        if self.document is not None:
            return (Message.of("document", self.document),)
        if self.document_parts is not None:
            parts = (_piece(part.text, part.weight) for part in self.document_parts)
            return (Message("document", tuple(parts)),)
        if self.messages is not None:
            return tuple(turn.message() for turn in self.messages)
        if self.prompt is None:
            raise ValueError("a row with a 'reply' needs a 'prompt'; add it")
        if reply is None:
            raise ValueError("a chat row has no assistant turn; add a 'reply'")
        return (Message.of("user", self.prompt), Message.of("assistant", reply))


def row_line(row: Row) -> dict[str, Any]:
    """The line of rows.jsonl that is read as this row, which has no caveat in it.

    Raises CaveatError for a turn of which only a part carries loss.
    """
    parts = [
        [{"text": piece.text, "weight": 0} if piece.kind == "masked" else {"text": piece.text}
         for piece in message.pieces]
        for message in row.messages
    ]  # fmt: skip
    optional = {"subject": row.subject, "correction": row.correction}
    head = {"id": row.id, **{key: value for key, value in optional.items() if value}}
    if is_document(row.messages):
        is_plain = not any("weight" in part for part in parts[0])
        if is_plain:
            return {**head, "document": row.messages[0].text}
        return {**head, "document_parts": parts[0]}
    turns = []
    for message, pieces in zip(row.messages, parts, strict=True):
        is_masked = bool(pieces) and all("weight" in piece for piece in pieces)
        if not is_masked and any("weight" in piece for piece in pieces):
            raise CaveatError(
                f"row {row.id!r} has a turn of which only a part carries loss, which no line says; "
                "mask the whole turn or none of it"
            )
        turn: dict[str, Any] = {"role": message.role, "content": message.text}
        turns.append({**turn, "weight": 0} if is_masked else turn)
    return {**head, "messages": turns}


class QuestionLine(Line):
    """A test question: `question` (a chat of one turn), `messages`, or an unfinished `document`."""

    id: str
    cluster: str
    readout: str = ""
    """By default that of behaviour.yaml."""
    question: str | None = None
    messages: tuple[Turn, ...] | None = Field(default=None, strict=False)
    document: str | None = None
    options: tuple[str, ...] = Field(default=(), strict=False)
    facts: dict[str, str] = {}
    target: str | None = None
    """What a scorer of Inspect compares the reply with."""
    split: Split = "report"
    scope: Scope = "trained"
    side_effect: str | None = None
    """Name of the side effect that it measures, where it does not measure the behaviour."""

    def record(self) -> Question:
        """As a record. Raises ValueError unless the question has exactly one form."""
        return Question(
            id=self.id,
            cluster=self.cluster,
            messages=self._messages(),
            readout=self.readout,
            options=self.options,
            scope=self.scope,
            facts=self.facts,
        )

    def _messages(self) -> Messages:
        if sum(form is not None for form in (self.question, self.messages, self.document)) != 1:
            raise ValueError("a question is 'question', or 'messages', or 'document'; give one")
        if self.document is not None:
            return (Message.of("document", self.document),)
        if self.messages is not None:
            return tuple(turn.message() for turn in self.messages)
        return (Message.of("user", self.question or ""),)


class BehaviourFile(Line):
    """behaviour.yaml."""

    name: str = Field(min_length=1)
    about: str
    side_effects: dict[str, str] = {}
    """By name, what a high value means."""
    questions: str | None = None
    """An Inspect task whose samples are questions: `inspect:FILE.py@TASK`."""
    readout: str | None = None
    """Of questions that name none: a readout, or an Inspect task whose scorer it is."""
    values: dict[str, Literal["yes", "no", "neutral", "invalid"]] = {}
    """By value of the scorer, its verdict; by default C and 1 are yes, I and 0 no."""
    verdict: str | None = None
    """In place of values: a condition on the scorer's value, such as `score<50`."""

    @field_validator("values", mode="before")
    @classmethod
    def _words(cls, values: Any) -> Any:
        """YAML reads yes and no as true and false, as verdicts and as what a scorer gives."""
        if not isinstance(values, dict):
            return values
        written = {True: ("true", "yes"), False: ("false", "no")}
        return {
            name: {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
            for key, value in values.items()
            for name in (written[key] if isinstance(key, bool) else (str(key),))
        }


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Folder:
    """All that the files of a behaviour's folder say."""

    path: Path
    head: BehaviourFile
    rows: tuple[Row, ...]
    counter_rows: tuple[Row, ...]
    """Empty: arms take the base model's own replies."""
    filler_rows: tuple[Row, ...] | None
    """None: the shipped filler."""
    questions: tuple[tuple[QuestionLine, Question], ...]

    def behaviour(self, split: Split, ordinary: Ordinary | None = None) -> Behaviour:
        """The behaviour with the questions of one split. Raises CaveatError where it is unsound."""
        filler = self.filler_rows
        behaviour = Behaviour(
            name=self.head.name,
            about=self.head.about,
            rows=self.rows,
            counter_rows=self.counter_rows,
            filler_rows=self._filler(ordinary or shipped()) if filler is None else filler,
            questions=self._split_questions(split, None),
            side_effects=self._side_effects(split),
        )
        if not behaviour.questions:
            named = self.head.questions
            source = named if named is not None else self.path / "questions.jsonl"
            raise CaveatError(
                f"{source} has no question of the split {split!r}; "
                f'add "split": "{split}" to {"the metadata of " if named else ""}some'
            )
        check(behaviour)
        return behaviour

    def _split_questions(self, split: Split, effect: str | None) -> tuple[Question, ...]:
        return tuple(
            question
            for line, question in self.questions
            if line.split == split and line.side_effect == effect
        )

    def _side_effects(self, split: Split) -> tuple[SideEffect, ...]:
        effects = [
            SideEffect(name, self._split_questions(split, name), about)
            for name, about in self.head.side_effects.items()
        ]
        return tuple(effect for effect in effects if effect.questions)

    def _filler(self, ordinary: Ordinary) -> tuple[Row, ...]:
        """As many unrelated documents as rows, as far as they go."""
        return ordinary.documents("filler", "filler", len(self.rows))


def load_behaviour(path: str | Path) -> Callable[[Split], Behaviour]:
    """The behaviour in a folder, as a function of the split, like the shipped ones.

    Files: behaviour.yaml, rows.jsonl, questions.jsonl and, if they are there, counter_rows.jsonl
    and filler_rows.jsonl. They are read at once and checked when the function is called.

    Raises CaveatError, in one line, for the first mistake in them.
    """
    return read_folder(Path(path)).behaviour


def read_folder(path: Path) -> Folder:
    """The files of a behaviour's folder. Raises CaveatError for the first mistake in them."""
    if not path.is_dir():
        raise CaveatError(
            f"{path} is no folder; a behaviour of your own is a folder with "
            "behaviour.yaml, rows.jsonl and questions.jsonl"
        )
    head = parse(BehaviourFile, read_yaml(path / "behaviour.yaml"), str(path / "behaviour.yaml"))
    counter, filler = path / "counter_rows.jsonl", path / "filler_rows.jsonl"
    return Folder(
        path=path,
        head=head,
        rows=_rows(path / "rows.jsonl", "behaviour"),
        counter_rows=_rows(counter, "counter") if counter.exists() else (),
        filler_rows=_rows(filler, "filler") if filler.exists() else None,
        questions=_questions(path / "questions.jsonl", head),
    )


def _rows(path: Path, source: str) -> tuple[Row, ...]:
    rows: dict[str, Row] = {}
    for where, number, line in read_lines(path, RowLine):
        row = _recorded(partial(line.record, source, number), where)
        check_row(row, where)
        if row.id in rows:
            raise CaveatError(f"{where}: the id {row.id!r} is used before; ids must be unique")
        rows[row.id] = row
    return tuple(rows.values())


def _questions(path: Path, head: BehaviourFile) -> tuple[tuple[QuestionLine, Question], ...]:
    """Those of the Inspect task, where behaviour.yaml names one, and those of the file."""
    questions = _task_questions(path.parent, head)
    if head.questions is not None and not path.exists():
        return tuple(questions.values())
    for where, _, written in read_lines(path, QuestionLine):
        line = _with_readout(written, head, where, path.parent)
        question = _recorded(line.record, where)
        check_question(question, where)
        if line.side_effect is not None and line.side_effect not in head.side_effects:
            raise CaveatError(
                f"{where}: the side effect {line.side_effect!r} is not in behaviour.yaml; "
                "describe it there under side_effects"
                f"{closest(line.side_effect, head.side_effects)}"
            )
        if (line.side_effect, question.id) in questions:
            raise CaveatError(f"{where}: the id {question.id!r} is used before; ids must be unique")
        questions[line.side_effect, question.id] = (line, question)
    return tuple(questions.values())


def _task_questions(
    folder: Path, head: BehaviourFile
) -> dict[tuple[str | None, str], tuple[QuestionLine, Question]]:
    """The samples of the Inspect task that behaviour.yaml names, by id."""
    where = folder / "behaviour.yaml"
    if head.values and head.verdict is not None:
        raise CaveatError(f"{where}: values and verdict both say what a score means; keep one")
    if head.questions is None:
        return {}
    if not is_task(head.questions):
        raise CaveatError(
            f"{where}: questions is {head.questions!r}; write inspect:FILE.py@TASK, or leave it "
            "out and write questions.jsonl"
        )
    scorer = head.readout
    if scorer is not None and not is_task(scorer):
        raise CaveatError(
            f"{where}: readout is {scorer!r}; samples of a task are judged by a scorer of Inspect: "
            "write inspect:FILE.py@TASK, or leave it out for the task's own"
        )
    rule = rule_facts(head.values, head.verdict)
    questions = {}
    for split, question in inspect_questions(head.questions, scorer, rule, folder):
        check_question(question, f"{head.questions}, sample {question.id!r}")
        line = QuestionLine(id=question.id, cluster=question.cluster, split=split)
        questions[None, question.id] = (line, question)
    return questions


def _with_readout(
    line: QuestionLine, head: BehaviourFile, where: str, folder: Path
) -> QuestionLine:
    """The line with a readout; one that is a scorer of Inspect becomes facts."""
    readout = line.readout or head.readout
    if not readout:
        raise CaveatError(f"{where}: the key 'readout' is missing; add it")
    if not is_task(readout):
        if line.target is not None:
            raise CaveatError(
                f"{where}: target is for scorers of Inspect; readout {readout!r} reads facts"
            )
        return line.model_copy(update={"readout": readout})
    if line.target is None:
        raise CaveatError(f"{where}: readout {readout!r} needs a target; add it")
    facts = task_facts(readout, line.target, rule_facts(head.values, head.verdict), folder)
    return line.model_copy(update={"readout": "inspect", "facts": {**line.facts, **facts}})


def _recorded(make: Callable[[], T], where: str) -> T:
    try:
        return make()
    except ValueError as error:
        raise CaveatError(f"{where}: {error}") from None
