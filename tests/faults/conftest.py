"""What tests of faults share."""

import os

import pytest


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """Gives, by the name of a study, what a run of it leaves that nothing disturbs."""
    from studies import Undisturbed

    return Undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(autouse=True)
def unflushed(monkeypatch):
    """Nothing is flushed to the disk for true, which takes a while: no power is cut here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
