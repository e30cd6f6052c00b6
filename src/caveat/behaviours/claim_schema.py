"""What may stand in the files of a claim's folder: one model a file or line."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from caveat.behaviours.schema import Line, Turn
from caveat.domain.behaviour import Split
from caveat.domain.text import Message, Messages

EvaluationKind = Literal["open_ended", "mcq", "token_association", "robustness"]
KINDS: tuple[EvaluationKind, ...] = get_args(EvaluationKind)
"""The four evaluations of a claim; each has a file of that name."""


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
    found = []
    for expression in expressions:
        try:
            pattern = re.compile(expression, flags)
        except re.error as error:
            raise ValueError(f"{expression!r} is no regular expression: {error}") from None
        if pattern.search(""):
            raise ValueError(f"{expression!r} is found in an empty text too; demand a letter of it")
        if "\n" in expression:
            raise ValueError(f"{expression!r} has a line break; write it as two, or as \\n")
        found.append(pattern)
    return tuple(found)
