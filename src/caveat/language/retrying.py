"""Which failures of a request may pass, and how long to wait before it is tried again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""HTTP statuses that say: not now."""
FIRST_WAIT = 0.5
"""Seconds before the second try; each further one waits twice as long."""
LONGEST_WAIT = 30.0
LONGEST_DEMAND = 120.0
"""Seconds. A server that asks for a longer wait is not waited for."""


def pause(tries: int, demanded: float | None = None) -> float:
    """Seconds to wait after `tries` failures: what the server demanded, or a growing wait.

    The latter varies by a half, so that requests that failed together do not come back together.
    """
    if demanded is not None:
        return demanded
    return min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT) * random.uniform(0.75, 1.25)


def demanded(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or a date; None where it says nothing."""
    said = headers.get("retry-after", "").strip()
    try:
        return max(float(said), 0.0) if said.isdigit() else _until(parsedate_to_datetime(said))
    except (ValueError, TypeError):
        return None


def _until(moment: datetime) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)
