"""A small study of two seeds, and a server over it that counts its requests."""

from __future__ import annotations

import pytest

from quick_run import run
from remote_study import COLD
from serving import Gate, no_refusal, served
from toy_study import small


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    recipe = small(seeds=[0, 1], sampling=COLD, decision_tokens=True)
    return run(recipe, tmp_path_factory.mktemp("trained") / "local")


@pytest.fixture(scope="session")
def server(local):
    with served(local, Gate) as (address, gate):
        yield address, gate


@pytest.fixture
def gate(server):
    _, gate = server
    gate.bodies.clear()
    yield gate
    gate.refuse = no_refusal
