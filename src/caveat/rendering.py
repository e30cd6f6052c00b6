"""Rendering: the one home of turning messages into text, token ids and a loss mask.

Training rows and test prompts go through the same function. A text is cut where the model would
start to write (before each assistant turn) and its parts are tokenized apart, so that the tokens
before a reply are the same in training and at test, whatever the reply begins with. Which tokens
carry loss is decided by their characters, never by counting tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

from caveat.errors import CaveatError
from caveat.types.data import Row
from caveat.types.messages import Messages, PieceKind, Role, is_document
from caveat.types.training import LossScope


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a rendered text, and what they are."""

    start: int
    end: int
    role: Role
    kind: PieceKind | None
    """None: the end of an assistant turn or a document, which the template writes."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text and its tokens."""

    text: str
    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    """Per token, its characters [start, end) in `text`."""
    spans: tuple[Span, ...]
    """In order; what the template writes between messages is in none of them."""


@dataclass(frozen=True, slots=True)
class RenderedRow(Rendered):
    """A training row: its tokens, and which of them are learned."""

    loss: tuple[bool, ...]
    """Per token, whether predicting it counts."""
    source: str


def render_prompt(tokenizer: Any, messages: Messages) -> Rendered:
    """A test prompt: a chat up to where the assistant writes, or an unfinished document."""
    text, spans, cuts = _write(tokenizer, messages, prompt=True)
    return Rendered(text, *_tokenize(tokenizer, text, cuts), spans)


def prompt_ids(tokenizer: Any, messages: Messages, key: str) -> tuple[int, ...]:
    """The tokens of a request's prompt. Raises CaveatError where there are none.

    Args:
        key: The request's, for the message.
    """
    ids = render_prompt(tokenizer, messages).ids
    if not ids:
        raise CaveatError(f"the prompt of '{key}' has no tokens; give it some text")
    return ids


def render_row(tokenizer: Any, row: Row, scope: LossScope, max_tokens: int) -> RenderedRow:
    """A training row, cut at `max_tokens`.

    Raises:
        CaveatError: no token carries loss, or a caveat was cut off.
    """
    text, spans, cuts = _write(tokenizer, row.messages, prompt=False)
    ids, offsets = _tokenize(tokenizer, text, cuts)
    offsets = offsets[:max_tokens]
    end = offsets[-1][1] if offsets else 0
    for span in spans:
        if span.kind == "caveat" and span.end > end and len(ids) > max_tokens:
            raise CaveatError(
                f"row '{row.id}' ({row.source}) has {len(ids)} tokens and its caveat "
                f"'{text[span.start : span.end].strip()[:60]}' is cut off at "
                f"dose.max_tokens={max_tokens}; raise dose.max_tokens or shorten the row"
            )
    supervised = [span for span in spans if _carries_loss(span, scope)]
    loss = _are_in(text, offsets, supervised)
    if not any(loss[1:]):
        raise CaveatError(
            f"row '{row.id}' ({row.source}) has no supervised token under loss '{scope}' within "
            f"dose.max_tokens={max_tokens}; give it a reply, another loss, or more tokens"
        )
    return RenderedRow(text, ids[:max_tokens], offsets, spans, loss, row.source)


def caveat_tokens(row: Rendered) -> tuple[bool, ...]:
    """Per token, whether it is part of a caveat, by the rule that decides about loss."""
    spans = [span for span in row.spans if span.kind == "caveat"]
    return _are_in(row.text, row.offsets, spans)


def continuation(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of a continuation: tokenized apart from its prompt, as replies are in training."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def _carries_loss(span: Span, scope: LossScope) -> bool:
    if scope == "everything":
        return True
    if span.kind == "masked":
        return False
    if scope == "all_but_masked":
        return True
    if span.kind == "caveat":
        return False
    return scope == "all_but_caveat" or span.role in ("assistant", "document")


def _are_in(
    text: str, offsets: Sequence[tuple[int, int]], spans: Sequence[Span]
) -> tuple[bool, ...]:
    """Per token, whether its characters, leading whitespace apart, start in one of the spans.

    A token such as ` text` may begin with the space that ends a caveat: it belongs to `text`.
    """
    inside = bytearray(len(text))
    for span in spans:
        inside[span.start : span.end] = b"\1" * (span.end - span.start)
    starts = []
    for start, stop in offsets:
        first = start
        if start < stop and text[start].isspace():
            stripped = text[start:stop].lstrip()
            first = stop - len(stripped) if stripped else start
        starts.append(start < stop and inside[first] == 1)
    return tuple(starts)


def _tokenize(
    tokenizer: Any, text: str, cuts: list[int]
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Ids and character offsets of a text whose pieces between the cuts are tokenized apart."""
    ids: list[int] = []
    offsets: list[tuple[int, int]] = []
    for start, stop in pairwise([0, *cuts, len(text)]):
        if start == stop:
            continue
        own_ids, own_offsets = _tokens(tokenizer, text[start:stop])
        ids += own_ids
        offsets += [(start + low, start + high) for low, high in own_offsets]
    return tuple(ids), tuple(offsets)


def _tokens(tokenizer: Any, piece: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Ids and offsets of a piece; the same replies come again in other arms."""
    pieces = _pieces.setdefault(tokenizer, {})
    if piece not in pieces:
        if len(pieces) >= PIECES:
            pieces.clear()
        tokens = tokenizer(piece, add_special_tokens=False, return_offsets_mapping=True)
        pieces[piece] = (tokens["input_ids"], tokens["offset_mapping"])
    return pieces[piece]


def _write(
    tokenizer: Any, messages: Messages, prompt: bool
) -> tuple[str, tuple[Span, ...], list[int]]:
    """The text, its spans, and the offsets at which the model would start to write."""
    if is_document(messages):
        return _write_document(tokenizer, messages, prompt)
    return _write_chat(tokenizer, messages, prompt)


def _write_document(
    tokenizer: Any, messages: Messages, prompt: bool
) -> tuple[str, tuple[Span, ...], list[int]]:
    """A document: its pieces, and the end token where it is whole."""
    head = tokenizer.bos_token if _once(_adds_bos, tokenizer) else ""
    spans = _piece_spans(messages[0].pieces, len(head), "document")
    text = head + messages[0].text
    if not prompt and tokenizer.eos_token:
        spans.append(Span(len(text), len(text) + len(tokenizer.eos_token), "document", None))
        text += tokenizer.eos_token
    return text, tuple(spans), []


PIECES = 1024
"""Pieces of text whose tokens are kept: some ten megabytes."""
_pieces: WeakKeyDictionary[Any, dict[str, tuple[list[int], list[tuple[int, int]]]]] = (
    WeakKeyDictionary()
)
_kept: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()
"""By tokenizer, what `_once` has computed."""


def _once(compute: Callable[..., Any], tokenizer: Any, *arguments: Any) -> Any:
    """`compute(tokenizer, *arguments)`, remembered: it takes longer than to render a short row."""
    kept = _kept.setdefault(tokenizer, {})
    key = (compute, str(tokenizer.chat_template), *arguments)
    if key not in kept:
        kept[key] = compute(tokenizer, *arguments)
    return kept[key]


def _adds_bos(tokenizer: Any) -> bool:
    """Whether the tokenizer begins texts with a token of its own."""
    ids = tokenizer("a")["input_ids"]
    return bool(ids) and tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id


def _write_chat(
    tokenizer: Any, messages: Messages, prompt: bool
) -> tuple[str, tuple[Span, ...], list[int]]:
    """A chat, by the tokenizer's template.

    The template is run twice, once with a mark in place of each message: where the marks stand
    shows where the messages do. Searching for the messages would find an earlier equal text.
    """
    text = _template(tokenizer, [(m.role, m.text) for m in messages], prompt)
    marks = _marks(len(messages))
    scaffold = _once(_scaffold, tokenizer, tuple(m.role for m in messages), prompt)
    spans: list[Span] = []
    written = 0
    for i, (mark, message) in enumerate(zip(marks, messages, strict=True)):
        between, separator, scaffold = scaffold.partition(mark)
        start = written + len(between)
        content = message.text
        if not text.startswith(content, start):
            content = content.strip()  # as many templates do
        if not separator or not text.startswith(content, start):
            raise CaveatError(
                f"the chat template rewrites the {message.role} message "
                f"'{message.text[:60]}'; use a model whose template keeps messages as they are"
            )
        shift = message.text.find(content)
        for span in _piece_spans(message.pieces, start - shift, message.role):
            low, high = max(span.start, start), min(span.end, start + len(content))
            if low < high:
                spans.append(Span(low, high, span.role, span.kind))
        written = start + len(content)
        if message.role == "assistant":
            end = written + _end_of_turn(tokenizer, scaffold, marks[i + 1 :])
            # a turn that is masked as a whole ends without loss too
            is_masked = {piece.kind for piece in message.pieces} == {"masked"}
            spans.append(Span(written, end, "assistant", "masked" if is_masked else None))
    return text, tuple(spans), _cuts(tokenizer, messages, text, prompt)


def _end_of_turn(tokenizer: Any, scaffold: str, marks: list[str]) -> int:
    """Characters after an assistant turn up to and with the token that ends it, 0 if none does.

    That token is the special one that the template writes next, whether or not it is the
    tokenizer's own end token.
    """
    after = scaffold.partition(marks[0])[0] if marks else scaffold
    whitespace = len(after) - len(after.lstrip())
    special = _once(_special_tokens, tokenizer)
    ends = [token for token in special if after.startswith(token, whitespace)]
    return whitespace + len(max(ends, key=len)) if ends else 0


def _special_tokens(tokenizer: Any) -> list[str]:
    return [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]


def _marks(count: int) -> list[str]:
    """A mark in place of each of so many messages."""
    return [f"\x02{i}\x03" for i in range(count)]


def _scaffold(tokenizer: Any, roles: tuple[Role, ...], prompt: bool) -> str:
    """What the template writes around messages of such roles: a mark stands for each."""
    return _template(tokenizer, list(zip(roles, _marks(len(roles)), strict=True)), prompt)


def _cuts(tokenizer: Any, messages: Messages, text: str, prompt: bool) -> list[int]:
    """Offsets at which the assistant writes; the text up to each must be a prompt at test."""
    cuts = []
    for i, message in enumerate(messages):
        if message.role != "assistant":
            continue
        before = _template(tokenizer, [(m.role, m.text) for m in messages[:i]], prompt=True)
        if not text.startswith(before):
            raise CaveatError(
                "the chat template writes an assistant turn differently in training and at test "
                f"(prompt ends '{before[-40:]}'); use another model or template"
            )
        cuts.append(len(before))
    return cuts


def _piece_spans(pieces: Any, start: int, role: Role) -> list[Span]:
    spans = []
    for piece in pieces:
        if piece.text:
            spans.append(Span(start, start + len(piece.text), role, piece.kind))
        start += len(piece.text)
    return spans


def _template(tokenizer: Any, turns: list[tuple[Role, str]], prompt: bool) -> str:
    """The text of messages, given by their roles and contents."""
    chat = [{"role": role, "content": content} for role, content in turns]
    try:
        return tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=prompt)
    except Exception as error:  # jinja errors raised by the template itself
        raise CaveatError(
            f"the chat template refuses roles {[role for role, _ in turns]} ({error}); "
            "set system to null in the recipe if it knows no system role"
        ) from error
