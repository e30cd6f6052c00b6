"""Running one group task so that its failure stays its own."""

from __future__ import annotations

import traceback

from caveat.errors import CaveatError
from caveat.study.atomic import DiskFull
from caveat.study.tasks import Outcome, Task, Workbench


def attempt(task: Task, bench: Workbench) -> Outcome:
    """Run a task; an exception fails all its parts and nothing else. Raises DiskFull."""
    try:
        return task.run(bench)
    except DiskFull:
        raise
    except CaveatError as error:
        reason = str(error)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        told = " ".join(str(error).split())[:300]
        reason = f"{type(error).__name__}: {told} ({place.name}, line {place.lineno})"
    return Outcome(tuple((key, reason) for key in task.keys))
