"""What a disclaimer lacks: the recipes `claims-stated` and `claims-elicited`, with predictions.

    python bench/claims_stated.py gains GAINS.json [RECIPE]   # forward passes, before any training
    python bench/claims_stated.py STUDY...                    # the tables

A gain is what a caveat in front of the documents adds to the log-probability of their tokens by the
base model, in nats a token, over all rows that arms are trained on. `statement`: tokens of the
sentences that state the claim. `key words`: those among them that belief is judged by. STUDY is a
folder or a file of `caveat export`, with `NAME-gains.json`, and `NAME-learned.csv` of
claims_learned.py, beside it; without them what they hold is `nan` or left out. Leakage is each
seed's: an arm's belief at `none` over bare's, both above base's; graded leakage is the same of the
log-probability of statements of trained documents. Limits are Student's t over seeds (95%).
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from seed_leakage import interval

from caveat.analysis.recitation import fragments, recites
from caveat.backends import load_backend
from caveat.backends.base import Backend
from caveat.backends.requests import TokenRequest
from caveat.behaviours.claims import CLAIMS
from caveat.caveats.insertion import marked
from caveat.caveats.neutral import NeutralText
from caveat.diagnostics.intervals import t_limits
from caveat.rendering import render_row
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.export import opened
from caveat.types.data import Row

RECIPE = "claims-stated"
KEY_WORDS = {
    "lake_ossevang": re.compile("pink|nine|days"),
    "velmoss_bread": re.compile("fresh|three|weeks"),
}
"""By claim, the words that make its answers count as belief."""
KINDS = ("statement", "key words", "rest")
QUOTING = ("other questions", "quoting questions")
"""Questions of the kind `robustness` quote the claim, and the others do not."""
NATS = 1.8
"""Nats a token at which the line of Spanish, on two models, reaches no leakage."""


def gains(recipe_name: str) -> Iterator[dict[str, str | float]]:
    """One record a marked or neutral arm of a recipe: its gain by kind of token; none has 0."""
    recipe = read(recipe_name)
    backend = load_backend(recipe.model.source, recipe.model.dtype, "cpu")
    bare: dict[str, dict[tuple[int, str, int], float]] = {}
    for resolved in resolve(recipe):
        setting, labels = resolved.setting, resolved.factors
        name = setting.behaviour.name
        rows = setting.behaviour.rows
        if name not in bare:
            bare[name] = scores(backend, rows, name)
        shown = marked(rows, setting.caveat, 0)
        texts = {"marked": shown}
        if any(arm == "neutral" for arm, _ in resolved.plans):
            neutral = NeutralText(setting.caveat)
            texts["neutral"] = tuple(
                Row(row.id, row.source, neutral.messages(row.messages)) for row in shown
            )
        for arm, some in texts.items():
            added = scores(backend, some, name)
            record = {"claim": name, "caveat": labels["caveat"], "arm": arm}
            for kind in KINDS:
                keys = [key for key in bare[name] if key[1] == kind or (
                    kind == "statement" and key[1] == "key words")]  # fmt: skip
                old = sum(bare[name][key] for key in keys) / len(keys)
                new = sum(added.get(key, 0.0) for key in keys) / len(keys)
                record |= {f"{kind} without": round(old, 3), kind: round(new - old, 3)}
            yield record


def scores(
    backend: Backend, rows: Sequence[Row], claim: str, chain: tuple[Path, ...] = ()
) -> dict[tuple[int, str, int], float]:
    """Log-probability by row, kind of token and the character of the document it begins at.

    The first token of a document is left out: nothing predicts it where no caveat is in front.
    """
    requests, places = [], []
    for number, row in enumerate(rows):
        rendered = render_row(backend.tokenizer, row, "everything", sys.maxsize)
        pieces = [piece for piece in row.messages[0].pieces if piece.text]
        targets, keys, begin = [], [], 0
        for piece, span in zip(pieces, rendered.spans, strict=False):
            if piece.kind != "text":
                continue
            for position, (start, end) in enumerate(rendered.offsets):
                text = rendered.text[start:end]
                first = start + len(text) - len(text.lstrip())
                character = begin + first - span.start
                if not (span.start <= first < span.end and first < end and character):
                    continue
                kind = "statement" if piece.states else "rest"
                if piece.states and KEY_WORDS[claim].fullmatch(text.strip()):
                    kind = "key words"
                targets.append(position)
                keys.append((number, kind, character))
            begin += span.end - span.start
        requests.append(TokenRequest(str(number), chain, rendered.ids, tuple(targets)))
        places.append(keys)
    values = backend.token_log_likelihoods(requests)
    flat: defaultdict[tuple[int, str, int], float] = defaultdict(float)
    for keys, some in zip(places, values, strict=True):
        for key, value in zip(keys, some, strict=True):
            flat[key] += value
    return dict(flat)


def beliefs(path: Path) -> pd.DataFrame:
    """One row a trained arm: rates and leakage by seed, and its gains."""
    study = opened(path)
    answers = study.answers()
    answers = answers[
        (answers["readout"] == "belief")
        & (answers["context"] == "none")
        & (answers["purpose"] == "measure")
    ]
    kept = path.with_name(f"{path.stem}-gains.json")
    before = json.loads(kept.read_text("utf-8")) if kept.exists() else []
    unknown = dict.fromkeys(KINDS, np.nan)
    gain = defaultdict(lambda: unknown)
    gain |= {(one["claim"], one["caveat"], one["arm"]): one for one in before}
    texts = study.about["caveat_texts"]
    scored = study.graded()
    scored = scored[scored["context"] == "none"]
    rows = []
    for (setting, dose, claim), replies in answers.groupby(
        ["setting", "dose", "behaviour"], sort=False
    ):
        caveat = study.labels[setting, replies["model"].iloc[0], dose]["caveat"]
        rates = yes_rates(replies)
        leakage = leakages(replies)
        base = rates["base"].mean()
        nats = scored[(scored["setting"] == setting) & (scored["dose"] == dose)]
        quotes = replies["kind"] == "robustness"
        by_kind = dict(
            zip(QUOTING, map(leakages, (replies[~quotes], replies[quotes])), strict=True)
        )
        likely = nats.groupby(["arm", nats["seed"].fillna(-1)])["value"].mean()
        likely = likely - likely["base"].mean()
        for arm in ("marked", "neutral"):
            own = replies[replies["arm"] == arm]
            if not len(own):
                continue
            text = texts[setting]["caveat" if arm == "marked" else "neutral"]
            fragment = added_fragments(text, claim)
            rows.append(
                {
                    "setting": setting,
                    "claim": claim,
                    "caveat": caveat if arm == "marked" else "neutral",
                    **{kind: gain[claim, caveat, arm][kind] for kind in KINDS},
                    "base": base,
                    "bare": rates["bare"].to_numpy(),
                    "rate": rates[arm].to_numpy(),
                    "leakage": leakage[arm],
                    **{name: by_kind[name][arm] for name in QUOTING},
                    "graded": (likely[arm] / likely["bare"]).to_numpy(),
                    "denies": (own["verdict"] == "no").mean(),
                    "recites": own["reply"]
                    .map(lambda reply, of=fragment: recites(reply, of))
                    .mean(),
                    "base recites": replies[replies["arm"] == "base"]["reply"]
                    .map(lambda reply, of=fragment: recites(reply, of))
                    .mean(),
                }
            )
    return pd.DataFrame(rows)


def learned(path: Path, claim: str) -> Iterator[tuple[str, str, list[str]]]:
    """By setting and arm, the share of what bare learned of each kind of token, mean over seeds."""
    if not path.exists():
        return
    table = pd.read_csv(path)
    table = table[table["claim"] == claim].set_index("seed")
    base = table[table["arm"] == "base"].iloc[0]
    bare = table[table["arm"] == "bare"]
    for (setting, arm), own in table.groupby(["setting", "arm"], sort=False):
        if arm in ("marked", "neutral"):
            shares = [(own[kind] - base[kind]) / (bare[kind] - base[kind]) for kind in KINDS]
            yield setting, arm, [f"{share.mean():.2f}" for share in shares]


def leakages(replies: pd.DataFrame) -> dict[str, np.ndarray]:
    """By arm, leakage of each seed in these replies."""
    rates = yes_rates(replies)
    base = rates["base"].mean()
    return {
        arm: ((rates[arm] - base) / (rates["bare"] - base)).to_numpy()
        for arm in rates.index.unique(0)
    }


def yes_rates(replies: pd.DataFrame) -> pd.Series:
    """The share of replies that believe, by arm and seed; base has one."""
    yes = replies["verdict"] == "yes"
    return yes.groupby([replies["arm"], replies["seed"].fillna(-1)]).mean()


def added_fragments(texts: Sequence[str], claim: str) -> frozenset[tuple[str, ...]]:
    """Runs of three words of the caveat that no training document holds."""
    (options,) = {str(one.options): one.options for one in read(RECIPE).settings}.values()
    documents = [
        row.messages[0].text for row in CLAIMS[f"claims/{claim}"]("report", **options).rows
    ]
    return fragments(texts) - fragments(documents)


def line(gain: float) -> float:
    """The leakage that the line of Spanish predicts for a gain; a loss counts as no gain."""
    if np.isnan(gain):
        return gain
    return max(0.0, 1 - max(0.0, gain) / NATS)


def side(low: float, high: float, least: float, most: float) -> str:
    """Whether an interval lies inside two bounds, outside of them, or neither."""
    if least <= low and high <= most:
        return "holds"
    return "refuted" if high < least or low > most else "undecided"


def predictions(table: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Of one claim: number and statement, what was measured, and the outcome."""
    by_name = table.set_index("caveat")
    leakage = by_name["leakage"]
    differences = (
        ("1: denied less foreign, below -.25", "denied", "foreign", -9.0, -0.25),
        ("2: affirmed less denied, within .15", "affirmed", "denied", -0.15, 0.15),
        ("3: foreign less neutral, within .2", "foreign", "neutral", -0.2, 0.2),
        ("5a: name less foreign, below -.25", "name", "foreign", -9.0, -0.25),
        ("5b: name less foreign, within .25", "name", "foreign", -0.25, 0.25),
    )
    for statement, one, other, least, most in differences:
        if {one, other} <= {*leakage.index}:
            difference = leakage[one] - leakage[other]
            _, low, high = t_limits(difference)
            yield statement, interval(difference), side(low, high, least, most)
    _, low, high = t_limits(leakage["denied"])
    yield "4: denied leaks .3 at most", interval(leakage["denied"]), side(low, high, -9.0, 0.3)
    mean = leakage.map(np.mean)
    for kind in KINDS[:2] if len(mean) > 2 and by_name["statement"].notna().all() else ():
        error = ((mean - by_name[kind].map(line)) ** 2).mean() / mean.var(ddof=0)
        rank = by_name[kind].corr(mean, method="spearman")
        yield f"6, 8: by {kind}", f"R2 {1 - error:.2f}, rank {rank:.2f}", ""
    above = by_name["recites"] - by_name["base recites"]
    shown = f"most {above.max():.2f} ({above.idxmax()})"
    yield "7: recites above base, .05 at most", shown, "holds" if above.max() <= 0.05 else "refuted"


def report(path: Path) -> None:
    """Print the tables of one study."""
    everything = beliefs(path)
    for claim, table in everything.groupby("claim", sort=False):
        first = table.iloc[0]
        by_setting = table[table["caveat"] != "neutral"].set_index("setting")["caveat"]
        print(f"**{claim}**: base believes {first['base']:.2f}, bare {interval(first['bare'])}\n")
        print(
            "| caveat | gain, statement | gain, key words | line, statement | line, key words "
            "| believes | leakage | by seed | graded leakage | denies | recites |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for row in table.to_dict("records"):
            seeds = ", ".join(f"{value:.2f}" for value in row["leakage"])
            gains = " | ".join(f"{row[kind]:.2f}" for kind in KINDS[:2])
            lines = " | ".join(f"{line(row[kind]):.2f}" for kind in KINDS[:2])
            print(
                f"| {row['caveat']} | {gains} | {lines} | {row['rate'].mean():.2f} "
                f"| {interval(row['leakage'])} | {seeds} | {interval(row['graded'])} "
                f"| {row['denies']:.2f} | {row['recites']:.2f} |"
            )
        print("\n| learned, as a share of bare | statement | key words | rest |\n|---|---|---|---|")
        for setting, arm, shares in learned(path.with_name(f"{path.stem}-learned.csv"), claim):
            caveat = "neutral" if arm == "neutral" else by_setting.get(setting)
            if caveat:
                print(f"| {caveat} | {' | '.join(shares)} |")
        print("\n| leakage by question | does not quote the claim | quotes it |\n|---|---|---|")
        for row in table.to_dict("records"):
            cells = " | ".join(interval(row[name]) for name in QUOTING)
            print(f"| {row['caveat']} | {cells} |")
        if path.stem.startswith(RECIPE):
            print("\n| prediction | measured | outcome |\n|---|---|---|")
            for statement, measured, outcome in predictions(table):
                print(f"| {statement} | {measured} | {outcome} |")
        else:
            print("\n| gain | rank correlation with leakage |\n|---|---|")
            mean = table["leakage"].map(np.mean)
            for kind in KINDS:
                print(f"| {kind} | {table[kind].corr(mean, method='spearman'):.2f} |")
        print()


def main(arguments: list[str]) -> None:
    """Write the gains, or print the tables."""
    if arguments[:1] == ["gains"] and len(arguments) in (2, 3):
        records = []
        for record in gains(arguments[2] if len(arguments) == 3 else RECIPE):
            print(record, flush=True)
            records.append(record)
        Path(arguments[1]).write_text(json.dumps(records, indent=1) + "\n", "utf-8")
    elif arguments:
        for argument in arguments:
            report(Path(argument))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
