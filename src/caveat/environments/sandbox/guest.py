"""Run one request inside a confined fork: the gate, the source, the call, its value as text."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NoReturn

from caveat.environments.sandbox.gate import Refused, checked_tree
from caveat.environments.sandbox.names import guest_builtins
from caveat.environments.sandbox.records import Limits, Status
from caveat.environments.sandbox.values import NotPlain, TooLarge, decode, encode

MODULE_NAME = "solution"
"""What guest code has as its `__name__`."""
MOST_MESSAGE = 200
"""Most characters of a message."""
_OUT_OF_MEMORY = b'{"status":"memory","message":"more memory than allowed","value":"null"}'


def run_request(request: Mapping[str, Any], modules: Mapping[str, ModuleType], fd: int) -> NoReturn:
    """Run a request, write its answer and end the process."""
    try:
        data = json.dumps(_outcome(request, modules, fd)).encode()
    except MemoryError:
        data = _OUT_OF_MEMORY
    _end(fd, data)


def _outcome(
    request: Mapping[str, Any], modules: Mapping[str, ModuleType], fd: int
) -> dict[str, str]:
    """The status, message and encoded value of a request."""
    source, call, limits = request["source"], request["call"], request["limits"]
    sys.stdin = None  # type: ignore[assignment]
    sys.stdout = sys.stderr = _Printed(limits.printed_characters, fd)  # type: ignore[assignment]
    space: dict[str, Any] = {"__name__": MODULE_NAME}
    try:
        if request["gate"]:
            code = compile(checked_tree(source), "<solution>", "exec", dont_inherit=True)
            space["__builtins__"] = guest_builtins(modules)
        else:
            code = compile(source, "<solution>", "exec", dont_inherit=True)
    except Refused as error:
        return _fields("refused", str(error))
    except (SyntaxError, ValueError, RecursionError) as error:
        return _fields("refused", f"no Python: {type(error).__name__}: {error}")
    if call is None:
        return _fields("returned", "")
    random.seed(0)  # Python seeds it anew in each fork; outcomes are to be repeatable
    arguments = decode(call["arguments"], limits.value_items)
    try:
        exec(code, space)
        function = space.get(call["function"])
        if not callable(function):
            return _fields("missing", f"no function {call['function']!r}")
        value = function(*arguments)
    except MemoryError:
        raise
    except BaseException as error:
        return _fields("raised", _line(error))
    return _value_fields(value, limits)


def _value_fields(value: Any, limits: Limits) -> dict[str, str]:
    try:
        return _fields("returned", "", encode(value, limits.value_items, limits.value_bytes))
    except TooLarge as error:
        return _fields("output", f"it returned {error}")
    except NotPlain as error:
        return _fields("refused", f"it returned {error}")


def _fields(status: Status, message: str, value: str = "null") -> dict[str, str]:
    return {"status": status, "message": message, "value": value}


def _line(error: BaseException) -> str:
    """An exception in one line. Its text is guest code's own, which may raise again."""
    try:
        text = str.split(str(error)[: 4 * MOST_MESSAGE])
    except BaseException:
        text = []
    return f"{type(error).__name__}: {' '.join(text)}"[:MOST_MESSAGE].strip(" :")


class _Printed:
    """Where guest code prints: nowhere, and only so much."""

    def __init__(self, most: int, fd: int) -> None:
        self._left, self._fd, self._most = most, fd, most

    def write(self, text: str) -> int:
        """Count a text; end the process where that is too much."""
        self._left -= len(text)
        if self._left < 0:
            message = f"it printed more than {self._most} characters"
            _end(self._fd, json.dumps(_fields("output", message)).encode())
        return len(text)

    def flush(self) -> None:
        """Nothing is kept."""


def _end(fd: int, data: bytes) -> NoReturn:
    """Write an answer and end the process without running anything of the guest."""
    try:
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os._exit(0)
