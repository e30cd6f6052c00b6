"""What the updates of a study's policies saw, as one table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from caveat.study.store import Store

if TYPE_CHECKING:
    from pandas import DataFrame

NAMES = ("setting", "phenomenon", "behaviour", "caveat", "model", "dose", "arm", "seed")
SEEN = (
    "number", "reward", "true_score", "hacked", "even", "distinct", "tokens", "truncated",
    "divergence",
)  # fmt: skip


def policies(store: Store, planned: list[dict[str, Any]]) -> DataFrame:
    """One row an update of a finished policy: its cell (`NAMES`), and what it saw (`SEEN`).

    See `language.jobs.Update` for the figures. Cells that did not practise have no rows.
    """
    import pandas as pd

    cells = {(row["artifact"], *(row[name] for name in NAMES)): row for row in planned}
    rows = [
        {**{name: row[name] for name in NAMES}, **{name: update[name] for name in SEEN}}
        for (artifact, *_), row in cells.items()
        for update in _updates(store, artifact)
    ]
    return pd.DataFrame(rows, columns=[*NAMES, *SEEN]).astype({"seed": "Int64"})


def _updates(store: Store, artifact: str) -> Iterator[dict[str, Any]]:
    """Of a policy and those that it went on from, in order; of what was trained upon one, its."""
    if not artifact or not store.has(artifact):
        return
    record = store.record(artifact)
    if record["kind"] == "policy":
        yield from _updates(store, record["goes_on"] or "")
        yield from record["updates"]
    elif record.get("beneath"):
        yield from _updates(store, record["beneath"][-1])
