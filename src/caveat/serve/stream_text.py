"""Texts of replies as they grow and as they end."""

from __future__ import annotations

from collections.abc import Sequence

from caveat.types.answers import Answer

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer writes for bytes of a character that is not whole yet."""


def stopped(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text up to the first stop text in it, and whether there was one."""
    ends = [position for stop in stops if (position := text.find(stop)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


def showable(text: str, stops: Sequence[str]) -> str:
    """The part of a growing text that later tokens cannot take back.

    Held back are a character that is not whole, whitespace at the end (a chat's reply has none),
    and what may be the beginning of a stop text.
    """
    cut, ended = stopped(text.rstrip(UNFINISHED), stops)
    if ended:
        return cut
    held = max((_overlap(cut, stop) for stop in stops), default=0)
    return cut[: len(cut) - held].rstrip()


def _overlap(text: str, stop: str) -> int:
    """Length of the longest beginning of `stop` that the text ends with."""
    return next((size for size in range(len(stop) - 1, 0, -1) if text.endswith(stop[:size])), 0)


def finish_reason(answer: Answer, was_stopped: bool) -> str:
    """`length` where the reply was cut at its limit, else `stop`."""
    return "length" if answer.truncated and not was_stopped else "stop"


def usage(prompt_tokens: int, answers: Sequence[Answer]) -> dict[str, int]:
    """Tokens of the prompts, each read once, and of the replies."""
    completion = sum(answer.tokens for answer in answers)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": prompt_tokens + completion,
    }
