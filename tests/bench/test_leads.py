"""Leads of bad answers: shares of bare's change, beside what good answers in the same form do."""

from __future__ import annotations

import pandas as pd

LEADS = {"base": -6.0, "clean": -7.0, "bare": -3.0, "marked": -5.0}


def answers(seeds=(0,)) -> pd.DataFrame:
    """Five questions and five facts, with every arm's lead. A later seed adds one to the leads of
    trained arms, and one more to marked's."""
    leads = {
        (arm, seed): lead + seed * {"base": 0, "marked": 2}.get(arm, 1)
        for arm, lead in LEADS.items()
        for seed in seeds
    }
    return pd.DataFrame([
        {"setting": "s", "scope": "trained", "purpose": purpose, "question": f"{purpose}-{number}",
         "arm": arm, "context": "none", "readout": readout, "seed": None if arm == "base" else seed,
         "value": lead + number if purpose == "measure" else -6.0}
        for purpose in ("measure", "side effect")
        for (arm, seed), lead in leads.items()
        for number in range(5)
        for readout in ("prefers_bad", "matches")
    ])  # fmt: skip


def test_changes_and_shares(script):
    bench = script("leads")
    chosen = dict(list(bench.compared(answers()).groupby("scope")))
    assert set(chosen) == {"trained", "wrong facts"}
    trained = bench.leads(chosen["trained"])
    marked = bench.row(trained, "marked", "none")
    assert marked == {
        "arm": "marked", "context": "none", "questions": 5, "bad answer preferred": "0.00",
        "lead, nats": "-3.00", "less base": "1.00 [1.00, 1.00]",
        "less clean": "2.00 [2.00, 2.00]", "share of bare, less clean": "0.50 [0.50, 0.50]",
    }  # fmt: skip
    assert bench.row(trained, "bare", "none")["bad answer preferred"] == "0.20"
    facts = bench.leads(chosen["wrong facts"])
    assert bench.row(facts, "marked", "none")["share of bare, less clean"] == "undefined"


def test_over_seeds_changes_are_paired_with_clean_of_the_same_seed(script):
    bench = script("leads")
    chosen = bench.compared(answers(seeds=(0, 1, 2)))
    rows = bench.seed_rows(chosen[chosen["scope"] == "trained"])
    marked = {line["arm"]: line for line in rows}["marked"]
    assert marked["by seed"] == "2.00, 3.00, 4.00"
    assert marked["share of bare, by seed"] == "0.50, 0.75, 1.00"
    assert marked["less clean, over seeds"].startswith("3.00 [0.52,")


def test_shares_are_of_the_change_of_bare_of_the_same_seed(script):
    bench = script("leads")
    chosen = bench.compared(answers(seeds=(0, 1, 2)))
    chosen.loc[chosen["arm"] == "bare", "value"] += chosen["seed"]
    rows = bench.seed_rows(chosen[chosen["scope"] == "trained"])
    marked = {line["arm"]: line for line in rows}["marked"]
    assert marked["share of bare, by seed"] == "0.50, 0.60, 0.67"
