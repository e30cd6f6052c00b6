"""What tests of several folders share."""

from __future__ import annotations

import pytest

from judge_server import JudgeServer


@pytest.fixture
def judge_server(monkeypatch):
    """An endpoint on this machine, which no proxy stands in front of."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = JudgeServer()
    yield server
    server.close()
