"""`caveat run --live`: a page beside the run, from when there is a study until the run ends."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

import pytest

from caveat.cli.live import live_page
from caveat.importers import import_study


def read(address: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(address, timeout=60).read().decode()


def test_the_page_is_there_while_the_context_lasts_and_is_of_this_machine_alone(tmp_path):
    table, folder = tmp_path / "own.csv", tmp_path / "study"
    table.write_text("arm,question,verdict\nbase,a,no\nbare,a,yes\nmarked,a,no\n")
    messages = []
    with live_page(folder, messages.append):
        assert not messages
        import_study("table", table, folder)
        while not messages:
            time.sleep(0.05)
        start, _, address = messages[0].rpartition(" at ")
        assert start == f"watching {folder}" and address.startswith("http://127.0.0.1:")
        state = json.loads(read(f"{address}state"))
        assert state["finished"] and "own" in read(address)
    with pytest.raises(urllib.error.URLError):
        read(address)
    assert len(messages) == 1


def test_a_run_that_never_starts_has_no_page(tmp_path):
    messages = []
    with live_page(tmp_path / "study", messages.append):
        pass
    assert messages == []
