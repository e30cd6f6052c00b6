"""The process in which a reward task's functions run: JSON lines in, JSON lines out.

Its input is text that models wrote and code that users wrote; whatever happens here, the study goes
on. Code that models wrote runs in `sandbox/`. What a function prints goes to the error stream. The
process leads a process group of its own, which ends when the study's process is gone.
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

PARENT_CHECK_SECONDS = 1.0
"""Seconds between checks that the study's process is alive."""
PATIENCE = 3.0
"""After so many times the time that the study waits for a grade, this process ends by itself."""


def grade_reply(module: ModuleType, prompt: str, reply: str) -> dict[str, Any]:
    """The fields of the grade, or `error`: in one line, which function did what."""
    fields: dict[str, Any] = {}
    for name, is_number in (
        ("reward", True), ("true_score", True), ("hacked", False), ("hackable", False)
    ):  # fmt: skip
        inputs = (prompt,) if name == "hackable" else (prompt, reply)
        function = getattr(module, name, None)
        if function is None:
            fields[name] = True
            continue
        try:
            value = function(*inputs)
        except Exception as error:
            message = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            return {"error": f"{name} raised {message}"}
        if is_number:
            if not isinstance(value, int | float) or not math.isfinite(value):
                return {"error": f"{name} gave {value!r}; let it give a finite number"}
            fields[name] = float(value)
        elif not isinstance(value, bool):
            return {"error": f"{name} gave {value!r}; let it give True or False"}
        else:
            fields[name] = value
    return fields


def main(module_name: str, version: str, seconds: float) -> None:
    """Grade until the input ends; end at once where the task has another version.

    Args:
        seconds: How long the study waits for a reply's grade.
    """
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if version_of(module_name) != version:
        print("changed", file=out, flush=True)
        return
    module = module_of(module_name, version)
    print("ready", file=out, flush=True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        for line in sys.stdin:
            request = json.loads(line)
            # Ends code that lets no other thread run, such as an endless search for a pattern.
            faulthandler.dump_traceback_later(PATIENCE * seconds, exit=True, file=nowhere)
            fields = grade_reply(module, request["prompt"], request["reply"])
            faulthandler.cancel_dump_traceback_later()
            print(json.dumps(fields), file=out, flush=True)


def _end_with(parent: int) -> None:
    """End this process and those that it started once the parent is gone, however it ended."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
