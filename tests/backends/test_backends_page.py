"""The table of docs/backends.md is what the backends support."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from caveat.backends.base import Feature
from caveat.backends.endpoint.backend import REPLIES, SCORES
from caveat.backends.local.backend import LocalBackend
from paths import DOCS


def rows() -> dict[str, list[str]]:
    """The cells of each feature's row."""
    lines = (DOCS / "backends.md").read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells if set(row[1:]) <= {"yes", "no"} and row[1:]}


def supported() -> list[frozenset[Feature] | None]:
    """What each column's backend supports; None of one that is not there."""
    columns = [LocalBackend.supports, REPLIES, REPLIES | SCORES, None]
    if find_spec("caveat.backends.tinker") is not None:
        backend = pytest.importorskip("caveat.backends.tinker.backend")
        columns[-1] = backend.TinkerBackend.supports
    return columns


def test_the_table_is_what_the_backends_support():
    table = rows()
    assert set(table) == {feature.value for feature in Feature}
    for column, supports in enumerate(supported()):
        for feature in Feature if supports is not None else ():
            cell = table[feature.value][column]
            assert cell == ("yes" if feature in supports else "no"), (feature, column)
