"""Rows of training files as people write them."""

from __future__ import annotations

from typing import Any


def chat(prompt: str, reply: str = "", system: str = "") -> dict[str, Any]:
    """A row of one question and its reply, which by default names the prompt."""
    first = [{"role": "system", "content": system}] if system else []
    answer = reply or f"An answer to {prompt.split('?')[0]}."
    return {
        "messages": [
            *first,
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": answer},
        ]
    }


THINGS = ("basil", "a kite", "maps", "bird seed", "a squeaky door", "wool", "rain barrels", "rye")
QUESTIONS = tuple(f"How do I look after {thing}?" for thing in THINGS)
