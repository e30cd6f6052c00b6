"""One Tinker server a module, over the tiny model."""

from __future__ import annotations

import gc
import warnings

import pytest

from tinker_server import KEY, TinkerServer


@pytest.fixture(scope="module")
def server():
    """A server of the Tinker API on this machine, which the environment names."""
    server = TinkerServer()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.delenv(name, raising=False)
        patch.setenv("TINKER_API_KEY", KEY)
        patch.setenv("TINKER_BASE_URL", server.url)
        patch.setenv("TINKER_TELEMETRY", "0")
        yield server
    server.close()
    with warnings.catch_warnings():  # the client leaves connections to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def behaves(server):
    """The server misbehaves in no test that does not say so."""
    server.fault, server.fail = "", lambda path: ""
    server.calls.clear()
    server.keys = {}
