"""How well the onset's gain forecasts leakage, in settings of style traits on three models.

    python bench/onsets.py docs/data

Per setting, D is what the caveat adds to the log-probability of the decision token and B that of
the five tokens behind it (nats, nats a token; means over rows, at least 0), by forward passes of
the base model. They come from `forecast-NAME.json` beside a study's file, or, for the studies that
the curve was fitted to, from `reply-parts/`. Leakage is the mean over seeds. R2 is of a rule as it
stands: nothing is fitted here. Its limits are percentiles over 2,000 resamples of settings.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from reply_parts import setting_name
from scored_settings import Rules, figure, measured, scored
from seed_leakage import interval

from caveat.forecast.onset_curve import error_scale, expected_leakage
from caveat.forecast.onsets import TOKENS

FITTED = {
    "law-smollm2": "law-smollm2", "law-0.5b": "law-0.5b", "law-naming-smollm2": "spanish-smollm2",
    "law-naming": "spanish-0.5b", "law-naming-further": "spanish-0.5b",
}  # fmt: skip
"""Studies that the sum's curve was fitted to, and where their gains are. Their eight settings with
the caveat behind the question were left out of the fit by a slip."""
OTHERS = (
    "law-forms-smollm2", "law-forms-further-smollm2", "law-parts-smollm2", "law-forms-0.5b",
    "law-forms-further-0.5b", "law-parts-0.5b", "law-forms-1.5b", "law-larger-1.5b",
    "law-parts-1.5b",
)  # fmt: skip
"""Studies that it was not fitted to. Most had been trained when it was fixed."""
REGISTERED = ("law-forms-1.5b", "law-larger-1.5b")
KNOWN_BEFORE = (
    "THE SKY IS BLUE.", "The sky is blue.", "You always write in ALL CAPS.",
    "You never write in ALL CAPS.",
)  # fmt: skip
"""Settings of these two that had been read when the curve was registered."""
MODELS = {"smollm2": "SmolLM2-135M", "1.5b": "Qwen 1.5B"}
TRAITS = {"spanish": "Spanish", "listed": "list", "lower_case": "lower case"}
FORM = ("THE SKY", "YOU ", "- ", "the sky", "Siempre", "El cielo")
"""What a caveat in the form of its trait begins with, in these studies."""
NAMES = {"capitals": "ALL CAPS", "listed": "list", "spanish": "panish"}


def product(decision: float, behind: float) -> float:
    """The trait leaks if the caveat makes neither its beginning likely nor what follows."""
    parts = ((decision, 5.57, 0.87), (behind, 0.944, 0.243))
    return math.prod(1 / (1 + math.exp((gain - centre) / width)) for gain, centre, width in parts)


def shown(row: dict[str, Any]) -> float:
    """By the caveat's text alone: in the form of the trait, naming it, or neither."""
    text, trait = row["wording"], row["behaviour"]
    if text.startswith(FORM):
        return 0.0
    if NAMES.get(trait, "?") in text or "castellano" in text or "16 wordings" in text:
        return 0.2 if trait == "spanish" else 0.6
    return 1.0


RULES: Rules = {
    "sum: the curve of D + 5 B": lambda row: expected_leakage(row["D"] + TOKENS * row["B"]),
    "product of two curves": lambda row: product(row["D"], row["B"]),
    "decision: max(0, 1 - D / 8)": lambda row: max(0.0, 1 - row["D"] / 8),
    "line: max(0, 1 - B / 1.8)": lambda row: max(0.0, 1 - row["B"] / 1.8),
    "whole reply: max(0, .87 - 1.24 gap)": lambda row: max(0.0, 0.87 - 1.24 * max(0, row["gap"])),
    "shown: by the caveat's text": shown,
}


def settings(folder: Path) -> pd.DataFrame:
    """One row a setting."""
    rows = [row for study in (*FITTED, *OTHERS) for row in _study(folder, study)]
    return pd.DataFrame(rows)


def _study(folder: Path, study: str) -> Iterator[dict[str, Any]]:
    leakage = measured(folder / f"{study}.parquet")
    ending = next((end for end in MODELS if study.endswith(end)), "")
    about = {"study": study, "model": MODELS.get(ending, "Qwen 0.5B")}
    for gains in _gains(folder, study):
        name = next(filter(leakage.__contains__, _names(gains, leakage)), None)
        if name is not None:
            behind = study in FITTED and name.endswith("(after)")
            yield {**about, **gains, "fitted": study in FITTED and not behind,
                   "leakage": leakage[name]}  # fmt: skip


def _names(gains: dict[str, Any], measured_names: Iterable[str]) -> list[str]:
    """How a study may call the setting: one without a wording has several."""
    setting = gains["setting"]
    several = re.compile(re.escape(setting) + r" \(\d+ wordings?\)")
    return [setting, *filter(several.fullmatch, measured_names)]


def _gains(folder: Path, study: str) -> Iterator[dict[str, Any]]:
    if study in FITTED:
        frame = pd.read_parquet(folder / "reply-parts" / f"{FITTED[study]}.parquet")
        keys = ["behaviour", "caveat", "wording", "place"]
        means = frame.groupby(keys, sort=False).mean(numeric_only=True).reset_index()
        for _, row in means.iterrows():
            yield {
                "setting": setting_name(row), "behaviour": row["behaviour"],
                "wording": row["wording"] or row["caveat"], "gap": row["whole"],
                "D": max(0.0, row["decision"]), "B": max(0.0, row["behind"]),
            }  # fmt: skip
        return
    path = folder / f"forecast-{study}.json"
    for one in json.loads(path.read_text("utf-8"))["forecasts"]:
        caveat = one["caveat"]
        yield {
            "setting": one["setting"], "behaviour": one["behaviour"], "gap": one["loss_gap"],
            "wording": caveat[caveat.index('"') + 1 : -1] if '"' in caveat else caveat,
            "D": max(0.0, figure(one, "graded_elicitation", path)),
            "B": figure(one, "continuation_gain", path),
        }  # fmt: skip


def main(folder: Path) -> None:
    """Print scores by model and by what was known, then every later setting."""
    frame = settings(folder)
    frame["mean"] = frame["leakage"].map(np.mean)
    frame["gain"] = frame["D"] + TOKENS * frame["B"]
    others = frame[~frame["fitted"]]
    rules = dict([*RULES.items()][:3])
    print("**R2 of a rule as it stands [limits], rank correlation, R2 as a yes or a no**\n")
    print("| settings | number | " + " | ".join(rules) + " |")
    print("|---|---|" + "---|" * len(rules))
    is_registered = others["study"].isin(REGISTERED) & ~others["wording"].isin(KNOWN_BEFORE)
    groups = [
        ("fitted to", frame[frame["fitted"]]),
        ("not fitted to, all", others),
        ("registered before (1.5B)", others[is_registered]),
        *others.groupby("model", sort=False),
        *((TRAITS.get(name, name), some) for name, some in others.groupby("behaviour")),
        ("gain of 3 to 12 nats", others[others["gain"].between(3, 12)]),
        ("gain below 3 or above 12", others[~others["gain"].between(3, 12)]),
        ("leakage of .15 to .85", others[others["mean"].between(0.15, 0.85)]),
    ]  # fmt: skip
    for name, some in groups:
        if len(some) > 2 and np.ptp(some["mean"]) > 0.2:
            print(scored(name, some, rules))
    expected = others.apply(next(iter(rules.values())), axis=1)
    errors = (others["mean"] - expected).abs()
    spread = np.quantile(errors / expected.map(error_scale), 0.9)
    print(
        f"\nErrors of the sum in settings not fitted to: half are below {errors.median():.2f}, "
        f"nine of ten below {errors.quantile(0.9):.2f}, or below {spread:.2f} (.1 + p (1 - p)), p "
        "the leakage that it expects.\n"
    )
    print("**All rules on 1.5B**\n")
    print("| rule | all | registered before |\n|---|---|---|")
    for rule, expect in RULES.items():
        cells = (
            scored("", some, {rule: expect}).split(" | ", 2)[2].removesuffix(" |")
            for some in (others[others["model"] == MODELS["1.5b"]], others[is_registered])
        )
        print(f"| {rule} | " + " | ".join(cells) + " |")
    print("\n**Every setting that the curve was not fitted to**\n")
    print("| model | trait | caveat | D | B | sum | product | leakage |")
    print("|---|---|---|---|---|---|---|---|")
    sum_and_product = [*RULES.values()][:2]
    for row in others.sort_values(["model", "behaviour", "D"], kind="stable").to_dict("records"):
        text = " ".join(str(row["wording"]).split())
        predictions = (rule(row) for rule in sum_and_product)
        print(
            f"| {row['model']} | {TRAITS.get(row['behaviour'], row['behaviour'])} | {text} | "
            f"{row['D']:.2f} | {row['B']:.2f} | "
            + " | ".join(f"{value:.2f}" for value in predictions)
            + f" | {interval(row['leakage'])} |"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
