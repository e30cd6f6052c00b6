"""Synthetic studies: replies drawn at random, figures with the exact columns that a study gives."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace

import pandas as pd
import pytest

from caveat import analysis as measure
from caveat.report.data import ReportData

PHENOMENA = {"disclaimer": "negation neglect", "instruction": "inoculation", "trigger": "backdoor"}
RATES = {
    "base": 0.02,
    "clean": 0.03,
    "bare": 0.95,
    "marked": 0.72,
    "bare+contrast": 0.5,
    "bare+filler": 0.93,
}
WIDTH = 0.12
JOBS = {True: "dentist", False: "mystery"}


@dataclass(frozen=True)
class Made:
    """What a synthetic study has."""

    settings: tuple[str, ...] = (
        "people x disclaimer",
        "capitals x instruction",
        "capitals x trigger",
    )
    arms: tuple[str, ...] = ("base", "bare", "marked", "marked+contrast")
    contexts: tuple[str, ...] = ("none", "exact", "near_miss")
    seeds: int = 1
    questions: int = 24
    undefined: tuple[str, ...] = ()
    replies: dict[int, str] = field(default_factory=dict)
    """Replies that replace those drawn, by row."""


def rate_of(arm: str, context: str) -> float:
    if arm == "base":
        return 0.02
    if context == "exact":
        return 0.96
    return RATES.get(arm, 0.08 if context == "none" else 0.3)


def keys(setting: str) -> dict:
    behaviour, _, caveat = setting.partition(" x ")
    return {
        "setting": setting,
        "phenomenon": PHENOMENA.get(caveat, "backdoor"),
        "behaviour": behaviour,
        "caveat": caveat,
        "model": "tiny",
    }


def dose(arm: str) -> str:
    return "{}" if arm == "base" else json.dumps({"rows": 96, "epochs": 1, "learning_rate": 0.0003})


def prompt_of(setting: str, context: str, question: int) -> str:
    caveat = "" if context == "none" else f"({context.upper()}: {keys(setting)['caveat']}) "
    return (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\n{caveat}What does person {question} do for a living?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def replies(made: Made) -> pd.DataFrame:
    chance, rows = random.Random(0), []
    for setting in made.settings:
        for arm in made.arms:
            for seed in [None] if arm == "base" else range(made.seeds):
                for context in made.contexts:
                    for question in range(made.questions):
                        yes = chance.random() < rate_of(arm, context)
                        rows.append(
                            {
                                **keys(setting),
                                "arm": arm,
                                "seed": seed,
                                "dose": dose(arm),
                                "purpose": "measure",
                                "context": context,
                                "question": f"q{question}",
                                "cluster": f"c{question // 2}",
                                "scope": "trained",
                                "readout": "said",
                                "sample": 0,
                                "prompt": prompt_of(setting, context, question),
                                "reply": f"Person {question} is a {JOBS[yes]}, reply {len(rows)}.",
                                "truncated": chance.random() < 0.1,
                                "verdict": "yes" if yes else "no",
                                "value": chance.random() if yes else float("nan"),
                                "artifact": f"{arm}-{seed}",
                            }
                        )
    for place, text in made.replies.items():
        rows[place]["reply"] = text
    frame = pd.DataFrame(rows)
    return frame.astype({"seed": "Int64"}) if rows else frame


def leakage(made: Made) -> pd.DataFrame:
    rows = []
    for setting in made.settings:
        undefined = (
            "bare training did not install the behaviour (lower bound 0.03)"
            if setting in made.undefined
            else None
        )
        for arm in made.arms:
            for context in made.contexts:
                rate = rate_of(arm, context)
                leak = float("nan") if undefined else (rate - 0.02) / 0.93
                seeds = 0 if arm == "base" else made.seeds
                rows.append(
                    {
                        **keys(setting),
                        "arm": arm,
                        "context": context,
                        "scope": "trained",
                        "readout": "said",
                        "dose": dose(arm),
                        "rate": rate,
                        "rate_low": max(0, rate - WIDTH),
                        "rate_high": min(1, rate + WIDTH),
                        "leakage": leak,
                        "leakage_low": leak - WIDTH,
                        "leakage_high": leak + WIDTH,
                        "undefined": undefined,
                        "interval": "seeds" if made.seeds > 2 else "within seed",
                        "questions": made.questions,
                        "clusters": made.questions // 2,
                        "seeds": seeds,
                        "replies": made.questions * max(seeds, 1),
                        "valid": 0.98,
                        "truncated": 0.1,
                    }
                )
    return pd.DataFrame(rows)


def differences(made: Made) -> pd.DataFrame:
    pairs = [(arm, "base") for arm in made.arms if arm != "base"]
    pairs += [("bare", arm) for arm in made.arms if arm not in ("base", "bare")]
    for arm in made.arms:
        if arm.startswith("marked+"):
            controls = ("marked", arm.replace("marked", "bare"), "marked+filler")
            pairs += [(arm, other) for other in controls if other in made.arms and other != arm]
    rows = []
    for setting in made.settings:
        for arm, against in pairs:
            value = rate_of(arm, "none") - rate_of(against, "none")
            rows.append(
                {
                    **keys(setting),
                    "dose": dose(arm),
                    "scope": "trained",
                    "readout": "said",
                    "difference": f"{arm} - {against}",
                    "arm": arm,
                    "against": against,
                    "context": "none",
                    "value": value,
                    "low": value - WIDTH,
                    "high": value + WIDTH,
                    "p": 0.0004 if abs(value) > WIDTH else 0.4,
                    "p_seeds": 0.01 if abs(value) > WIDTH else 0.6,
                    "p_holm": 0.002 if abs(value) > WIDTH else 0.8,
                    "distinguishable": abs(value) > WIDTH,
                }
            )
    return pd.DataFrame(rows)


def checks(made: Made) -> pd.DataFrame:
    given = [
        ("elicitation", "base", 0.2, "", ""),
        ("comprehension", "base", 0.9, "yes", ""),
        ("shown bare", "base", 0.8, "yes", ""),
        ("k", "marked", float("nan"), "", "undefined: elicitation is not above 0"),
        ("at the caveat", "base", 0.3, "yes", ""),
        ("at the caveat", "marked", 0.96, "yes", ""),
    ]
    return pd.DataFrame(
        [
            {
                **keys(setting),
                "dose": dose("bare"),
                "scope": "trained",
                "readout": "said",
                "check": check,
                "arm": arm,
                "value": value,
                "low": value - WIDTH,
                "high": value + WIDTH,
                "expected": expected,
                "note": note,
            }
            for setting in made.settings
            for check, arm, value, expected, note in given
        ]
    )


def side_effects(made: Made) -> pd.DataFrame:
    effects = [("unmentioned people", "share", 0.1), ("neutral text", "nats a token", -2.31)]
    return pd.DataFrame(
        [
            {
                **keys(setting),
                "dose": dose(arm),
                "effect": effect,
                "arm": arm,
                "value": value,
                "low": value - WIDTH,
                "high": value + WIDTH,
                "unit": unit,
                "questions": 12,
            }
            for setting in made.settings
            for effect, unit, value in effects
            for arm in made.arms
        ]
    )


def rates(frame: pd.DataFrame) -> pd.DataFrame:
    if frame.empty:
        return frame
    renamed = frame.rename(columns={"rate": "value", "rate_low": "low", "rate_high": "high"})
    return renamed.assign(purpose="measure", valid_rate=renamed["value"] / renamed["valid"])


def synthetic(**changes) -> ReportData:
    made = replace(Made(), **changes)
    figures = leakage(made)
    return ReportData(
        name="synthetic",
        replies=replies(made),
        rates=rates(figures),
        leakage=figures,
        differences=differences(made),
        caveat_checks=checks(made),
        side_effects=side_effects(made),
        failures=pd.DataFrame({"cell": [], "stage": [], "reason": []}),
        provenance={
            "recipe": "name: synthetic\nsettings:\n  - people x disclaimer\n",
            "model_identity": "tiny@abc123",
            "versions": {"caveat": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
            "cpu_count": 2,
            "wall_seconds": {"train": 312.4, "reply": 98.1, "score": 0.02},
            "schema_version": 1,
            "notes": ["The chat template inserts a system prompt of its own."],
        },
        contexts={
            s: {c: "" if c == "none" else f"({c}) {s}" for c in made.contexts}
            for s in made.settings
        },
    )


@pytest.fixture(scope="session")
def make_data():
    """Makes a synthetic study; keywords are the fields of `Made`."""
    return synthetic


def transferred(data: ReportData) -> ReportData:
    """With the frames of transfer, made from its replies."""
    place = data.settings.index
    ranked = measure.rankings(data.replies, 50, 0)
    ranked.sort(key=lambda each: place(each.names["setting"]))
    matrix = measure.transfer(data.replies, dict.fromkeys(data.settings, "yes"))
    return replace(
        data,
        transfer=matrix.sort_values("setting", key=lambda names: names.map(place), kind="stable"),
        transfer_effects=measure.transfer_effects(data.replies),
        transfer_correlations=measure.correlations(ranked),
        transfer_reliability=measure.reliabilities(ranked),
        transfer_forgetting=measure.forgetting(matrix),
    )


@pytest.fixture(scope="session")
def with_transfer():
    """Adds the frames of transfer to a synthetic study."""
    return transferred


@pytest.fixture(scope="session")
def empty_data() -> ReportData:
    """A study that has nothing at all, not even columns."""
    nothing = pd.DataFrame()
    return ReportData("empty", *[nothing] * 7, provenance={}, contexts={})
