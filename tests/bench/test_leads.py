"""Leads of bad answers: shares of bare's change, beside what good answers in the same form do."""

from __future__ import annotations

import importlib.util
import sys

import pandas as pd

from paths import BENCH

LEADS = {"base": -6.0, "clean": -7.0, "bare": -3.0, "marked": -5.0}


def test_changes_and_shares(monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("bench_leads", BENCH / "leads.py")
    bench = sys.modules["bench_leads"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    lines = [
        {"setting": "s", "scope": "trained", "purpose": purpose, "question": f"{purpose}-{number}",
         "arm": arm, "context": "none", "readout": readout,
         "value": lead + number if purpose == "measure" else -6.0}
        for purpose in ("measure", "side effect")
        for arm, lead in LEADS.items()
        for number in range(5)
        for readout in ("prefers_bad", "matches")
    ]  # fmt: skip
    table = bench.leads(pd.DataFrame(lines))
    assert set(table.index.get_level_values("scope")) == {"trained", "wrong facts"}
    trained = table.xs("trained", level="scope")
    marked = bench.row(trained, "marked", "none")
    assert marked == {
        "arm": "marked", "context": "none", "questions": 5, "bad answer preferred": "0.00",
        "lead, nats": "-3.00", "less base": "1.00 [1.00, 1.00]",
        "less clean": "2.00 [2.00, 2.00]", "share of bare, less clean": "0.50 [0.50, 0.50]",
    }  # fmt: skip
    assert bench.row(trained, "bare", "none")["bad answer preferred"] == "0.20"
    facts = table.xs("wrong facts", level="scope")
    assert bench.row(facts, "marked", "none")["share of bare, less clean"] == "undefined"
