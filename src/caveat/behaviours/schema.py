"""What may stand in the files of a folder of your own: one model a kind of line."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from caveat.domain.behaviour import Split
from caveat.domain.caveat import Caveat, Kind, Place
from caveat.domain.question import Question, Scope
from caveat.domain.row import Row
from caveat.domain.text import Message, Messages


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


class RowLine(Line):
    """A training row: `prompt` and `reply`, or `messages`, or `document`."""

    prompt: str | None = None
    reply: str | None = None
    messages: tuple[Turn, ...] | None = Field(default=None, strict=False)
    document: str | None = None
    id: str | None = None
    """By default the source and the line's number."""
    subject: str = ""
    correction: str = ""

    def record(self, source: str, number: int) -> Row:
        """As a record. Raises ValueError unless the row has exactly one form."""
        name = self.id or f"{source}-{number}"
        return Row(name, source, self._messages(), self.subject, self.correction)

    def _messages(self) -> Messages:
        forms = [
            self.prompt is not None or self.reply is not None,
            self.messages is not None,
            self.document is not None,
        ]
        if sum(forms) != 1:
            raise ValueError(
                "a row is 'prompt' and 'reply', or 'messages', or 'document'; give one"
            )
        if self.document is not None:
            return (Message.of("document", self.document),)
        if self.messages is not None:
            return tuple(turn.message() for turn in self.messages)
        if self.prompt is None:
            raise ValueError("a row with a 'reply' needs a 'prompt'; add it")
        if self.reply is None:
            raise ValueError("a chat row has no assistant turn; add a 'reply'")
        return (Message.of("user", self.prompt), Message.of("assistant", self.reply))


class QuestionLine(Line):
    """A test question: `question` (a chat of one turn), `messages`, or an unfinished `document`."""

    id: str
    cluster: str
    readout: str
    question: str | None = None
    messages: tuple[Turn, ...] | None = Field(default=None, strict=False)
    document: str | None = None
    options: tuple[str, ...] = Field(default=(), strict=False)
    facts: dict[str, str] = {}
    split: Split = "report"
    scope: Scope = "trained"
    side_effect: str | None = None
    """Name of the side effect that it asks for, where it does not ask for the behaviour."""

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
    """By name, what a high figure means."""


Probe = Literal["near_miss", "negated", "keyword", "structure", "irrelevant", "format"]
"""The contexts whose texts are given as probes; those of the others follow from the rest."""


class CaveatEntry(Line):
    """One entry of caveats.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    name: str = Field(min_length=1)
    kind: Kind
    wordings: tuple[str, ...] = Field(min_length=1)
    place: Place
    moved_to: Place | None = None
    """By default the place itself, so that there is no context `moved`."""
    held_out: tuple[str, ...] = ()
    closings: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    denies: bool = False
    local: tuple[str, ...] = ()
    probes: dict[Probe, tuple[str, ...]] = {}

    def record(self) -> Caveat:
        """As a record. Raises ValueError where a test text is a training wording."""
        tests = {"held_out": self.held_out} | {f"probes.{key}": v for key, v in self.probes.items()}
        for key, texts in tests.items():
            if same := next((text for text in texts if text in self.wordings), None):
                raise ValueError(f"{key}: {same!r} is also a training wording; reword it")
        return Caveat(
            name=self.name,
            kind=self.kind,
            wordings=self.wordings,
            place=self.place,
            moved_to=self.moved_to or self.place,
            held_out=self.held_out,
            closings=self.closings,
            repeats=self.repeats,
            further=self.further,
            denies=self.denies,
            local=self.local,
            probes={context: texts for context, texts in self.probes.items()},
        )
