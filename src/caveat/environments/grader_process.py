"""The process in which a task's functions run: lines of JSON in, lines of JSON out.

Its input is text that models wrote and code that users wrote; whatever happens here, the study goes
on. What a function prints goes to the error stream. It leads a group of processes of its own, which
ends when the study's process is gone.
"""

from __future__ import annotations

import faulthandler
import json
import math
import os
import signal
import sys
import threading
import time
from types import ModuleType
from typing import Any

from caveat.environments.loading import module_of, version_of

EVERY = 1.0
"""Seconds between looks at whether the study's process is there."""
PATIENCE = 3.0
"""How many times longer than the study waits for a reply's grade this process may take for it."""


def graded(module: ModuleType, prompt: str, reply: str) -> dict[str, Any]:
    """The grade's fields, or `error`: in one line, which function did what."""
    found: dict[str, Any] = {}
    for name, is_number in (
        ("reward", True), ("true_score", True), ("hacked", False), ("hackable", False)
    ):  # fmt: skip
        given = (prompt,) if name == "hackable" else (prompt, reply)
        function = getattr(module, name, None)
        if function is None:
            found[name] = True
            continue
        try:
            value = function(*given)
        except Exception as error:
            told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            return {"error": f"{name} raised {told}"}
        if is_number:
            if not isinstance(value, int | float) or not math.isfinite(value):
                return {"error": f"{name} gave {value!r}; let it give a finite number"}
            found[name] = float(value)
        elif not isinstance(value, bool):
            return {"error": f"{name} gave {value!r}; let it give True or False"}
        else:
            found[name] = value
    return found


def main(place: str, version: str, seconds: float) -> None:
    """Answer until the input ends; of another version, not at all.

    Args:
        seconds: What the study waits for a reply's grade.
    """
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if version_of(place) != version:
        print("changed", file=out, flush=True)
        return
    module = module_of(place, version)
    print("ready", file=out, flush=True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        for line in sys.stdin:
            asked = json.loads(line)
            # ends what lets no other thread run, such as the search of a pattern without end
            faulthandler.dump_traceback_later(PATIENCE * seconds, exit=True, file=nowhere)
            found = graded(module, asked["prompt"], asked["reply"])
            faulthandler.cancel_dump_traceback_later()
            print(json.dumps(found), file=out, flush=True)


def _end_with(parent: int) -> None:
    """End this process and those that it started when the parent is gone, however it ended."""
    while os.getppid() == parent:
        time.sleep(EVERY)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
