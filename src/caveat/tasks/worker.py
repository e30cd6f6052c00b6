"""The process in which a task's functions run: lines of JSON in, lines of JSON out.

Its input is text that models wrote and code that users wrote; whatever happens here, the study goes
on. What a function prints goes to the error stream.
"""

from __future__ import annotations

import json
import math
import os
import sys
from types import ModuleType
from typing import Any

from caveat.tasks.loading import module_of, version_of


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


def main(place: str, version: str) -> None:
    """Answer until the input ends; of another version, not at all."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if version_of(place) != version:
        print("changed", file=out, flush=True)
        return
    module = module_of(place, version)
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(graded(module, asked["prompt"], asked["reply"])), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
