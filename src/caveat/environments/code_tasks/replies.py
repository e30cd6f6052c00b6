"""The code of a reply: which of its text is the solution.

The rule, in this order:

1. Blocks between fences (``` or ~~~) that are Python and define the function. Of several, the last:
   a model that corrects itself writes the better one later.
2. Else blocks that are Python and define some function. Of several, the last.
3. Without any fence: the text from a line that begins with `def`, `import`, `from`, `class` or
   `@`, up to the end or to a line at the margin. The longest such piece that is Python and defines
   the function, from the first line that allows one.

A block whose fence was never closed ends where the reply ends, or before a line at the margin: a
function that is cut off within its body is none. All else is a reply without code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import dedent

from caveat.environments.code_tasks.problems import defines, parsed_code

FENCE = re.compile(
    r"^[ \t]*(?P<mark>```|~~~)[^\n]*\n(?P<code>.*?)(?P<end>^[ \t]*(?P=mark)|\Z)",
    re.MULTILINE | re.DOTALL,
)
STARTS = re.compile(r"(?:def|import|from|class|@)\b|@")
MOST_LINES = 400
"""Lines of a reply that are looked at: a parse for every margin takes its time."""


def code_of(reply: str, name: str) -> str | None:
    """The source of the solution in a reply; None where there is none.

    Args:
        name: The function that the reply should define.
    """
    blocks = [
        piece
        for match in FENCE.finditer(reply)
        for piece in _pieces(dedent(match["code"]), closed=bool(match["end"]))
    ]
    if "```" in reply or "~~~" in reply:
        return _last(blocks, name) or _last(blocks, "")
    return next(_in_prose(reply, name), None)


def _pieces(code: str, closed: bool) -> Iterator[str]:
    """A block's code: whole, or up to the last margin at which it is Python."""
    if closed:
        yield code
        return
    lines = code.split("\n")[:MOST_LINES]
    for end in _margins(lines, 0):
        piece = "\n".join(lines[:end])
        if defines(parsed_code(piece)):
            yield piece
            return


def _last(blocks: list[str], name: str) -> str | None:
    return next((code for code in reversed(blocks) if defines(parsed_code(code), name)), None)


def _in_prose(reply: str, name: str) -> Iterator[str]:
    lines = reply.split("\n")[:MOST_LINES]
    for start, line in enumerate(lines):
        if STARTS.match(line):
            for end in _margins(lines, start):
                piece = "\n".join(lines[start:end])
                if defines(parsed_code(piece), name):
                    yield piece
                    break


def _margins(lines: list[str], start: int) -> Iterator[int]:
    """Where a piece from `start` may end, the longest first: the end, and lines at the margin."""
    yield len(lines)
    for index in range(len(lines) - 1, start, -1):
        if lines[index][:1].strip():
            yield index
