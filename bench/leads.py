"""How far training moved the lead of bad answers, in nats: `python bench/leads.py STUDY`.

For studies with the readout `prefers_bad` (docs/narrow-to-broad.md). A rate of preferred answers
hides what happens below its threshold, and all leads shrink when a model learns the form of the
answers. So the change from base stands beside the change from `clean`, which learned good answers
in the same form. Shares are of bare's change. Intervals (95%) of the first table resample
questions, each with all its arms; seeds are averaged before, so nothing is said about other
trainings. Of a study with several seeds a second table has Student's t limits over them, paired by
seed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scored_settings import beside_base
from seed_leakage import interval

from caveat.study.export import opened

LEADS_SEED = 20261129
RESAMPLES = 10_000
LEVELS = (2.5, 97.5)


def compared(answers: pd.DataFrame) -> pd.DataFrame:
    """The answers that compare a bad reply with a good one, with wrong facts as a scope."""
    chosen = answers[answers["readout"] == "prefers_bad"].copy()
    chosen["scope"] = chosen["scope"].where(chosen["purpose"] == "measure", "wrong facts")
    return chosen


def leads(chosen: pd.DataFrame) -> pd.DataFrame:
    """The mean lead by question (rows), arm and context (columns)."""
    keys = ["question", "arm", "context"]
    return chosen.groupby(keys)["value"].mean().unstack(["arm", "context"])


def seed_rows(chosen: pd.DataFrame) -> Iterator[dict[str, object]]:
    """By trained arm and context of one setting and scope, changes from clean over the seeds."""
    trained = chosen[chosen["arm"] != "base"]
    means = trained.groupby(["arm", "context", "seed"])["value"].mean()
    clean = means["clean", "none"]
    bare = means["bare", "none"] - clean
    for arm, context in means.index.droplevel("seed").unique():
        change = (means[arm, context] - clean).dropna()
        yield {
            "arm": arm,
            "context": context,
            "less clean, over seeds": interval(change.to_numpy()),
            "by seed": ", ".join(f"{value:.2f}" for value in change),
            "share of bare, by seed": ", ".join(f"{value:.2f}" for value in change / bare),
        }


def printed(rows: Sequence[Mapping[str, object]]) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for line in rows:
        print("| " + " | ".join(str(value) for value in line.values()) + " |")


def row(table: pd.DataFrame, arm: str, context: str) -> dict[str, object]:
    """The change of one arm in one context, from base and from clean at none, with intervals."""
    own, base, clean, bare = (
        table[key].to_numpy() if key in table else np.full(len(table), np.nan)
        for key in ((arm, context), ("base", "none"), ("clean", "none"), ("bare", "none"))
    )
    asked = np.isfinite(own)
    own, base, clean, bare = (values[asked] for values in (own, base, clean, bare))
    picks = np.random.default_rng(LEADS_SEED).integers(len(own), size=(RESAMPLES, len(own)))

    def shown(change: np.ndarray, whole: np.ndarray | None = None) -> str:
        value, sampled = change.mean(), change[picks].mean(1)
        if whole is not None:
            lower = np.percentile(whole[picks].mean(1), LEVELS[0])
            if not lower > 0:
                return "undefined"
            value, sampled = value / whole.mean(), sampled / whole[picks].mean(1)
        if not np.isfinite(value):
            return "-"
        low, high = np.percentile(sampled, LEVELS)
        return f"{value:.2f} [{low:.2f}, {high:.2f}]"

    return {
        "arm": arm,
        "context": context,
        "questions": len(own),
        "bad answer preferred": f"{(own > 0).mean():.2f}",
        "lead, nats": f"{own.mean():.2f}",
        "less base": shown(own - base),
        "less clean": shown(own - clean),
        "share of bare, less clean": shown(own - clean, bare - clean),
    }


def main(words: list[str] | None = None) -> None:
    """Print a table for each setting and scope."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path)
    options = parser.parse_args(words)
    for (setting, _, given), chosen in beside_base(compared(opened(options.study).answers())):
        fields = json.loads(given)
        dose = ", ".join(f"{name} {fields[name]:g}" for name in ("rows", "epochs", "learning_rate"))
        for scope, answers in chosen.groupby("scope", sort=False):
            table = leads(answers)
            print(f"\n**{setting} ({dose}): {scope}**\n")
            printed([row(table, arm, context) for arm, context in table.columns])
            if {"bare", "clean"} <= {*answers["arm"]} and answers["seed"].nunique() > 1:
                print()
                printed(list(seed_rows(answers)))


if __name__ == "__main__":
    main()
