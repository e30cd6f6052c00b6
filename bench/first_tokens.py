"""Does the first token of a quoted opening come back where the caveat adds little to it?

    python bench/first_tokens.py nats RECIPE MODEL docs/data/first-tokens/NAME.parquet
    python bench/first_tokens.py docs/data/NAME.parquet...

Of the recipes `law-first-token` and `law-first-token-further`. `nats` writes, row by row and before
any training, the surprisal under base of a reply's first token without and with the caveat. `gain`
is the first less the second. A forecast may have another decision token: of "I may be wrong" it is
"may", as some counter rows begin with "I". `left` and `onset` are the forecast's surprisal of the
decision token with the caveat and its gain of six tokens, from `forecast-NAME.json`. `begins` is
the share of marked's replies at `none` that begin with the first token, whatever comes behind it,
over all seeds and by seed; behind the semicolon stands base's share. `whole` is leakage by the
verdict, which asks for the whole opening.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from reply_parts import marked_subjects, recipe_of
from scipy.stats import spearmanr
from scored_settings import FIRST_TOKENS, IRRELEVANT, r2
from seed_leakage import seed_leakage, seed_rates, share

from caveat.study.export import opened

CENTRE, WIDTH = 4.4, 0.5
"""Of the curve of the gain: docs/predictions/law-first-token.md."""
COLUMNS = ("gain", "left", "onset", "elicits")
"""What the share that begins with the first token is compared with."""


def nats(recipe: str, model: str, out: Path) -> None:
    """Write one row a setting and row of its data."""
    from caveat.backends import open_backend
    from caveat.decision_tokens import scored_text
    from caveat.forecast.decision_tokens import token_scores

    read_recipe = recipe_of(recipe, model)
    backend = open_backend(read_recipe.backend_source)
    records = []
    for resolved, subject in marked_subjects(read_recipe):
        without, behind = (
            [scored_text(backend.tokenizer, row.messages) for row in rows]
            for rows in (subject.stripped, subject.shown)
        )
        scores = [token_scores(backend, (), texts) for texts in (without, behind)]
        for number, (alone, marked) in enumerate(zip(*scores, strict=True)):
            records.append(
                {"setting": resolved.setting.name, "row": number}
                | {"bare": -alone[0], "marked": -marked[0]}
            )
    pd.DataFrame(records).to_parquet(out)


def expected(gain: float) -> float:
    """The share that begins with a first token of this gain, by a curve (see the predictions)."""
    return 1 / (1 + math.exp((gain - CENTRE) / WIDTH))


def caveats(path: Path) -> pd.DataFrame:
    """One row a setting that is finished."""
    answers = opened(path).answers()
    replies = answers[answers["purpose"] == "measure"]
    first = pd.read_parquet(path.parent / "first-tokens" / path.name)
    first = first.groupby("setting")[["bare", "marked"]].mean()
    forecasts = json.loads(path.with_name(f"forecast-{path.stem}.json").read_text("utf-8"))
    rows = []
    for one in forecasts["forecasts"]:
        some = replies[replies["setting"] == one["setting"]]
        rates = seed_rates(some)
        if ("marked", "none") not in rates.index.droplevel(2):
            continue
        at_none = some[(some["arm"] == "marked") & (some["context"] == "none")]
        base = some[(some["arm"] == "base") & (some["context"] == "none")]
        first_token = FIRST_TOKENS[one["behaviour"]]
        begins = at_none["reply"].str.match(first_token)
        rows.append(
            {
                "form": one["behaviour"],
                "caveat": one["caveat"].partition('"')[2][:-1],
                "left": one["nats_marked"],
                "onset": one["onset_gain"],
                "gain": first["bare"][one["setting"]] - first["marked"][one["setting"]],
                "elicits": rates["base", "exact"].mean(),
                "bare": rates["bare", "none"].mean(),
                "begins": begins.mean(),
                "by seed": share(begins, at_none["seed"]),
                "base": base["reply"].str.match(first_token).mean(),
                "whole": float(np.mean(seed_leakage(rates))),
            }
        )
    return pd.DataFrame(rows)


def score(path: Path) -> None:
    """Print every caveat of one study, then the correlations."""
    frame = caveats(path)
    print(f"**{path.stem}**\n")
    print(
        "| form | caveat | gain | left | onset | elicits | bare | begins (by seed); base | whole |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for row in frame.to_dict("records"):
        print(
            f"| {row['form']} | {row['caveat']} | {row['gain']:.1f} | {row['left']:.1f} | "
            f"{row['onset']:.1f} | {row['elicits']:.2f} | {row['bare']:.2f} | {row['by seed']}; "
            f"{row['base']:.2f} | {row['whole']:.2f} |"
        )
    quoting = frame[frame["caveat"] != IRRELEVANT]
    print("\nRank correlations with the share that begins so, and the curve's R2:\n")
    print("| caveats that quote | number | gain | left | onset | elicits | R2 | mean whole |")
    print("|---|---|---|---|---|---|---|---|")
    for name, some in [("all", quoting), *quoting.groupby("form", sort=False)]:
        ranks = [_rank(some[column], some["begins"]) for column in COLUMNS]
        fit = r2(some["gain"].map(expected).to_numpy(), some["begins"].to_numpy())
        cells = " | ".join([*ranks, f"{fit:.2f}"])
        print(f"| {name} | {len(some)} | {cells} | {some['whole'].mean():.2f} |")
    print()


def _rank(values: pd.Series, begins: pd.Series) -> str:
    """Spearman's rank correlation; a dash where all values are the same."""
    return f"{spearmanr(values, begins)[0]:.2f}" if values.nunique() > 1 else "–"


if __name__ == "__main__":
    if sys.argv[1] == "nats":
        nats(*sys.argv[2:4], Path(sys.argv[4]))
    else:
        for argument in sys.argv[1:]:
            score(Path(argument))
