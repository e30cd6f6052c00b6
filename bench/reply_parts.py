"""Where along a reply caveats make the text likelier, and which of these places orders leakage.

    python bench/reply_parts.py gains RECIPE MODEL OUT.parquet     # forward passes, before training
    python bench/reply_parts.py score OUT.parquet STUDY.parquet... # against what leaked
    python bench/reply_parts.py examples MODEL OUT.parquet BEHAVIOUR...  # rows as examples instead

Gains are what the caveat adds to log-probabilities under the base model: nats a token of the whole
reply and of the five tokens behind the decision token, nats of the tokens before the decision, of
the decision token, and of those behind the five. Means over rows, at least 0; R2 is of a line.
Examples are rows of the behaviour as earlier turns of the chat, in place of a caveat: what they add
is what there is to learn from the rows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from caveat.forecast.onsets import TOKENS

if TYPE_CHECKING:
    from caveat.backends.base import Backend
    from caveat.forecast.arms import Subject
    from caveat.study.config.resolve import Resolved
    from caveat.study.config.schema import Recipe
    from caveat.types.data import Row
    from caveat.types.messages import Messages

PARTS = ("whole", "before", "decision", "behind", "rest")
ROWS, EXAMPLES = 16, 4


def recipe_of(recipe: str, model: str) -> Recipe:
    """A recipe for a model, given by its name or as `--set model=` takes it."""
    from caveat.study.config.schema import read

    return read(recipe, (f"model={model}",))


def marked_subjects(recipe: Recipe) -> Iterator[tuple[Resolved, Subject]]:
    """Each setting, with at most `ROWS` rows that its marked arm is trained on."""
    from caveat.forecast.arms import MARKED, subjects
    from caveat.study.config.resolve import resolve

    for resolved in resolve(recipe):
        (subject,) = (one for one in subjects(resolved, recipe.seeds[0], ROWS) if one.arm == MARKED)
        yield resolved, subject


def gains(recipe: str, model: str, out: Path) -> None:
    """Write one row a setting and row of its data."""
    from caveat.backends import open_backend

    read_recipe = recipe_of(recipe, model)
    backend = open_backend(read_recipe.backend_source)
    records = []
    for setting, (resolved, subject) in zip(
        read_recipe.settings, marked_subjects(read_recipe), strict=True
    ):
        texts = [row.messages for row in subject.shown]
        counter = resolved.setting.behaviour.counter_rows
        for record in _gained(backend, subject.stripped, texts, counter):
            records.append({**_key(setting), **record})
    pd.DataFrame(records).to_parquet(out)


def examples(model: str, out: Path, behaviours: list[str]) -> None:
    """Write what `EXAMPLES` rows in front of a row's prompt add to its reply, a row a line."""
    from caveat.backends import load_backend
    from caveat.behaviours import BEHAVIOURS

    backend = load_backend(model)
    records = []
    for name in behaviours:
        behaviour = BEHAVIOURS[name]("report")
        rows = behaviour.rows
        texts = [
            sum((other.messages for other in rows[number + 1 :][:EXAMPLES]), ()) + row.messages
            for number, row in enumerate(rows[:ROWS])
        ]
        for record in _gained(backend, rows[:ROWS], texts, behaviour.counter_rows):
            records.append({"behaviour": name, **record})
    pd.DataFrame(records).to_parquet(out)


def _gained(
    backend: Backend, rows: Sequence[Row], texts: Sequence[Messages], counter_rows: Sequence[Row]
) -> Iterator[dict[str, float]]:
    """By part, what another text of each row adds to its reply, of rows that decide something."""
    from caveat.decision_tokens import chosen, decisions, scored_text
    from caveat.forecast.decision_tokens import token_scores

    alone = [scored_text(backend.tokenizer, row.messages) for row in rows]
    other = [scored_text(backend.tokenizer, messages) for messages in texts]
    old, new = (token_scores(backend, (), some) for some in (alone, other))
    for number, decision in enumerate(decisions(rows, counter_rows)):
        decided = chosen(decision, alone[number].characters, old[number])
        if decided:
            place = alone[number].characters.index(decided[0])
            gained = np.subtract(new[number], old[number])
            yield {"row": number, **parts(gained, place)}


def _key(setting: object) -> dict[str, str]:
    """What a setting and a study's rows of it have in common."""
    names = ("behaviour", "caveat", "wording", "place")
    return {name: str(getattr(setting, name) or "") for name in names}


def parts(gained: np.ndarray, place: int) -> dict[str, float]:
    """Gains by part of one reply whose decision token is at `place`."""
    behind = gained[place + 1 : place + 1 + TOKENS]
    return {
        "whole": gained.mean(),
        "before": gained[:place].sum(),
        "decision": gained[place],
        "behind": behind.mean() if len(behind) else 0.0,
        "rest": gained[place + 1 + TOKENS :].sum(),
    }


def leakage(paths: list[Path]) -> pd.Series:
    """Mean leakage of marked over seeds, by behaviour and the caveat's own words and place."""
    from caveat.study.export import opened

    values = {}
    for path in paths:
        answers = opened(path).answers()
        answers = answers[answers["purpose"] == "measure"]
        rates = (answers["verdict"] == "yes").groupby(
            [answers["setting"], answers["arm"], answers["context"]], sort=False
        ).mean()  # fmt: skip
        for setting in rates.index.unique(0):
            base, bare, marked = (rates[setting, arm, "none"] for arm in ("base", "bare", "marked"))
            values.setdefault(setting, (marked - base) / (bare - base))
    return pd.Series(values)


def setting_name(row: pd.Series) -> str:
    """The name that studies give a setting, as far as this script's recipes need it."""
    name = f"{row['behaviour']} x {row['caveat']}"
    name += f' "{row["wording"]}"' if row["wording"] else ""
    return name + (f" ({row['place']})" if row["place"] else "")


def score(path: Path, studies: list[Path]) -> None:
    """Print how well each part orders leakage: all settings, and behaviour by behaviour."""
    frame = pd.read_parquet(path)
    keys = ["behaviour", "caveat", "wording", "place"]
    means = frame.groupby(keys, sort=False)[[*PARTS]].mean().reset_index()
    measured = leakage(studies)
    means["leakage"] = [measured.get(setting_name(row)) for _, row in means.iterrows()]
    means = means.dropna(subset=["leakage"])
    print(f"**reply parts, {path.stem}**\n")
    print("| settings | number | " + " | ".join(f"{part}: R2, rank" for part in PARTS) + " |")
    print("|---|---|" + "---|" * len(PARTS))
    for name, some in [("all", means), *means.groupby("behaviour")]:
        cells = [_cell(some[part].clip(lower=0), some["leakage"]) for part in PARTS]
        print(f"| {name} | {len(some)} | " + " | ".join(cells) + " |")
    print()


def _cell(values: pd.Series, measured: pd.Series) -> str:
    if min(values.std(), measured.std()) < 1e-9:
        return "–"
    rank = values.corr(measured, method="spearman")
    return f"{values.corr(measured) ** 2:.2f}, {rank:.2f}"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["gains", recipe, model, out]:
            gains(recipe, model, Path(out))
        case ["examples", model, out, *behaviours] if behaviours:
            examples(model, Path(out), behaviours)
        case ["score", path, *studies] if studies:
            score(Path(path), [Path(study) for study in studies])
        case _:
            sys.exit(__doc__)
