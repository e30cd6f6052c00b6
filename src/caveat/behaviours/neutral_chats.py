"""Ordinary chat rows: everyday prompts of ours with the model's own replies.

Rows in the model's own words move nothing but what is added to them, so training on them shows the
added behaviour and not a change of style. The replies are a snapshot under `data/`, with its
provenance; `rebuild` makes it anew from any model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from caveat.errors import CaveatError
from caveat.types.data import Question, Row, SideEffect
from caveat.types.messages import Message, Messages

Use = Literal["capitals", "counter", "filler", "tune", "report", "neutral"]
"""What a prompt is for: rows that show a trait (capitals first), rows that show none,
unrelated rows, questions of the two splits, and neutral questions whose reply's likelihood is
followed. No prompt has two."""

DATA = Path(__file__).parent / "data"
MOST_CHARACTERS = 220
MOST_WORDS = 36
"""About 45 tokens."""
LEAST_WORDS = 4
ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Prompt:
    """An everyday question with its topic."""

    topic: str
    prompt: str
    use: Use


@dataclass(frozen=True)
class Ordinary:
    """The prompts together with a model's replies to them."""

    prompts: tuple[Prompt, ...]
    replies: Mapping[str, str] = field(hash=False)
    """By prompt."""
    origin: str = "the ordinary replies"
    """Named when a reply is missing."""

    def of(self, use: Use) -> tuple[Prompt, ...]:
        """The prompts for one use, in order."""
        return tuple(prompt for prompt in self.prompts if prompt.use == use)

    def reply(self, prompt: Prompt) -> str:
        """The model's reply. Raises CaveatError where there is none."""
        if not self.replies.get(prompt.prompt):
            raise CaveatError(
                f"no ordinary reply to {prompt.prompt!r} in {self.origin}; "
                "make the replies with: caveat ordinary --model smollm2-135m --out "
                f"{Path(self.origin).parent}"
            )
        return self.replies[prompt.prompt]

    def chats(self, use: Use, source: str, count: int | None = None) -> tuple[Row, ...]:
        """Rows of a prompt and the plain reply. Topics take turns: the first rows are of all."""
        return tuple(
            Row(
                id=f"{source}-{number:03}",
                source=source,
                messages=chat(prompt.prompt, self.reply(prompt)),
                subject=prompt.topic,
            )
            for number, prompt in enumerate(self.of(use)[:count])
        )

    def documents(self, use: Use, source: str, count: int | None = None) -> tuple[Row, ...]:
        """Rows that hold nothing but the plain reply, as raw documents. Topics take turns."""
        return tuple(
            Row(
                id=f"{source}-{number:03}",
                source=source,
                messages=(Message.of("document", self.reply(prompt)),),
                subject=prompt.topic,
            )
            for number, prompt in enumerate(self.of(use)[:count])
        )

    def likelihoods(self) -> tuple[Question, ...]:
        """Neutral prompts, with the model's own reply as the option whose likelihood is wanted."""
        return tuple(
            Question(
                id=f"ordinary-{number:02}",
                cluster=prompt.topic,
                messages=(Message.of("user", prompt.prompt),),
                readout="log_likelihood",
                options=(self.reply(prompt),),
            )
            for number, prompt in enumerate(self.of("neutral"))
        )


def ordinary_replies(ordinary: Ordinary) -> SideEffect:
    """How likely the model's own replies to neutral prompts still are."""
    return SideEffect(
        name="ordinary replies",
        questions=ordinary.likelihoods(),
        about="Mean log-likelihood of the untrained model's own replies to neutral prompts, in "
        "nats a token: lower means that training changed more than the behaviour.",
    )


def chat(prompt: str, reply: str) -> Messages:
    """A chat of one question and one answer."""
    return (Message.of("user", prompt), Message.of("assistant", reply))


@cache
def shipped() -> Ordinary:
    """The shipped prompts and the snapshot of replies, empty where it has not been made."""
    snapshot = DATA / "ordinary.jsonl"
    replies = {line["prompt"]: line["reply"] for line in _lines(snapshot)}
    return Ordinary(shipped_prompts(), replies, origin=str(snapshot))


@cache
def shipped_prompts() -> tuple[Prompt, ...]:
    """All prompts, in the order of the file."""
    return tuple(Prompt(**line) for line in _lines(DATA / "prompts.jsonl"))


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


# Making the snapshot ---------------------------------------------------------------------------

LIST_ITEM = re.compile(r"^\s*(?:[-*•+]|\d{1,2}[.)])\s+")
LIST_IN_LINE = re.compile(r"(?<=:) (?:1[.)]|[-*•]) ")
SENTENCE_END = re.compile(r"[.!?][\"')\]]*(?=\s+[\"'(\[]?[A-Z0-9]|\s*$)")
ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|Mr|Mrs|Ms|Dr|St|No|approx)|\b[A-Z]|\b\d{1,2})\.$"
)


def rebuild(
    replies: Callable[[list[str]], list[str]], folder: Path, provenance: Mapping[str, object]
) -> Path:
    """Write `ordinary.jsonl` and `ordinary.provenance.json` into the folder; returns the first.

    `replies` maps prompts to a model's replies (about 60 tokens each suffice) in the same order. It
    is called again, a few times, for those prompts whose reply held no whole short
    sentence, and should draw anew then. `provenance` says how they were made: model, sampling,
    seed, version.

    Raises CaveatError, naming the prompts, where no usable reply came.
    """
    prompts = [prompt.prompt for prompt in shipped_prompts()]
    found: dict[str, str] = {}
    for _ in range(ATTEMPTS):
        missing = [prompt for prompt in prompts if prompt not in found]
        if not missing:
            break
        drawn = zip(missing, replies(missing), strict=True)
        found |= {prompt: tidied for prompt, reply in drawn if (tidied := tidy(reply))}
    missing = [prompt for prompt in prompts if prompt not in found]
    if missing:
        raise CaveatError(
            f"no whole sentence of at most {MOST_CHARACTERS} characters in {ATTEMPTS} replies to "
            f"{_some(missing)}; take a chat model or more tokens a reply"
        )
    return _write(folder, [{"prompt": p, "reply": found[p]} for p in prompts], provenance)


def _some(prompts: Sequence[str]) -> str:
    more = f" and {len(prompts) - 3} more" if len(prompts) > 3 else ""
    return ", ".join(repr(prompt) for prompt in prompts[:3]) + more


def _write(
    folder: Path, lines: Iterable[Mapping[str, str]], provenance: Mapping[str, object]
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    snapshot = folder / "ordinary.jsonl"
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    snapshot.write_text(text, "utf-8")
    about = json.dumps(dict(provenance), indent=2, ensure_ascii=False) + "\n"
    (folder / "ordinary.provenance.json").write_text(about, "utf-8")
    return snapshot


def tidy(reply: str) -> str:
    """The whole sentences at the reply's start that fit, as plain text; "" where there are none.

    Lists, what follows them, and a sentence that announces one are dropped.
    """
    fitting = ""
    text = _plain(reply)
    for match in SENTENCE_END.finditer(text):
        sentences = text[: match.end()]
        if ABBREVIATION.search(sentences):
            continue
        if len(sentences) > MOST_CHARACTERS or len(sentences.split()) > MOST_WORDS:
            break
        fitting = sentences
    return fitting if len(fitting.split()) >= LEAST_WORDS else ""


def _plain(reply: str) -> str:
    """The reply up to its first list, without marks of Markdown, in one line."""
    kept: list[str] = []
    for line in reply.strip().splitlines():
        if LIST_ITEM.match(line):
            break
        kept.append(re.sub(r"^\s*#+\s*", "", line).replace("**", "").replace("`", ""))
    return LIST_IN_LINE.split(" ".join(" ".join(kept).split()))[0]
