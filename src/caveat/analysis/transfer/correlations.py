"""Rank correlations between settings: does a remedy for one phenomenon help against another?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from caveat.analysis.differences import holm
from caveat.analysis.leakage import with_reasons
from caveat.analysis.rank_correlation import (
    LEAST,
    limits_over_items,
    p_value,
    percentile_limits,
    spearman,
)
from caveat.analysis.transfer.ranking import Ranking, averaged, ceiling

SAME, WITHIN, BETWEEN = "same setting", "within phenomenon", "between phenomena"
AVERAGED = "phenomena averaged"
SIDES = ("setting", "phenomenon", "behaviour", "readout", "scope", "dose")
"""What names a side of a pair."""


@dataclass(frozen=True)
class Pair:
    """Two rankings of the same interventions, or the reason why they have no correlation."""

    level: str
    first: Ranking
    second: Ranking
    undefined: str | None
    value: float = np.nan
    draws: np.ndarray | None = None
    """Shape (draws,)."""
    shuffled: np.ndarray | None = None
    ceiling: float = np.nan

    @property
    def behaviours(self) -> str:
        """`same` or `other`; "" where a side is a mean over behaviours."""
        one, other = self.first.names["behaviour"], self.second.names["behaviour"]
        return "" if not (one and other) else "same" if one == other else "other"


def pairs(rankings: Sequence[Ranking]) -> Iterator[Pair]:
    """The pairs among the rankings of one model, settings first, then averaged phenomena."""
    for two in combinations(rankings, 2):
        if _compared(*two):
            yield _pair(_level(*two), *two)
    for two in combinations(_phenomena(rankings), 2):
        yield _pair(AVERAGED, *two)


def _compared(first: Ranking, second: Ranking) -> bool:
    """Settings are compared by primary panels, a setting's own panels with its primary one."""
    alike = first.names["setting"] == second.names["setting"]
    return (first.primary or second.primary) if alike else (first.primary and second.primary)


def _level(first: Ranking, second: Ranking) -> str:
    if first.names["setting"] == second.names["setting"]:
        return SAME
    alike = first.names["phenomenon"] == second.names["phenomenon"]
    return WITHIN if alike else BETWEEN


def _phenomena(rankings: Sequence[Ranking]) -> list[Ranking]:
    """One ranking a phenomenon: the mean over its settings, each first over its doses."""
    settings: dict[str, dict[str, list[Ranking]]] = {}
    for ranking in rankings:
        if ranking.primary and not ranking.undefined:
            by_setting = settings.setdefault(ranking.names["phenomenon"], {})
            by_setting.setdefault(ranking.names["setting"], []).append(ranking)
    phenomena = []
    for phenomenon, by_setting in settings.items():
        names = dict.fromkeys(SIDES, "") | {"phenomenon": phenomenon}
        means = [averaged(doses, doses[0].names) for doses in by_setting.values()]
        name = "mean of " + ", ".join(by_setting)
        phenomena.append(averaged(means, {**names, "setting": name}))
    return phenomena


def _pair(level: str, first: Ranking, second: Ranking) -> Pair:
    common = [name for name in first.interventions if name in second.interventions]
    one, other = first.of(common), second.of(common)
    reason = _reason(first) or _reason(second)
    if not reason and len(common) < LEAST:
        reason = f"too few interventions are in both: {len(common)}, and {LEAST} are needed"
    if reason:
        return Pair(level, one, other, reason)
    value = spearman(one.change[None], other.change[None]).item()
    if np.isnan(value):
        return Pair(level, one, other, "every intervention changes one of the two alike")
    draws, shuffled = (
        spearman(getattr(one, name), getattr(other, name)) for name in ("draws", "shuffled")
    )
    return Pair(level, one, other, None, value, draws, shuffled, ceiling(one, other))


def _reason(ranking: Ranking) -> str | None:
    return f"{ranking.names['setting']}: {ranking.undefined}" if ranking.undefined else None


MEAN, LESS = "mean of pairs", "within less between"
COLUMNS = [
    "model", "level", *(f"{side}_{name}" for side in ("first", "second") for name in SIDES),
    "behaviours", "pairs", "interventions", "value", "low", "high", "low_interventions",
    "high_interventions", "p", "p_holm", "ceiling", "least", "least_without", "most",
    "most_without", "kept", "kept_value", "undefined",
]  # fmt: skip


Undoing = Mapping[str, frozenset[str]]
"""By setting, the interventions that undo the training there (`matrix.transfer`, `undoes`)."""


def undoing(matrix: pd.DataFrame) -> Undoing:
    """The interventions that undo the training, by setting, from the primary panels of
    `matrix.transfer`; of a setting at several doses, at any of them."""
    rows = matrix[matrix["primary"].astype(bool)]
    return {
        setting: frozenset(panel.loc[panel["undoes"].astype(bool), "intervention"])
        for setting, panel in rows.groupby("setting", sort=False)
    }


def correlations(rankings: Sequence[Ranking], undoing: Undoing | None = None) -> pd.DataFrame:
    """One row a pair of rankings, then one a mean of pairs, with the columns `COLUMNS`.

    Values are Spearman's correlations, over the interventions that both sides have, of the changes
    of leakage from marked. Only interventions are ranked: no controls (`filler`, a random frozen
    adapter) and no stability arms. `level` is:

    - `same setting`: two readouts, scopes or doses of one setting.
    - `within phenomenon`, `between phenomena`: two settings, each by its primary panel.
    - `phenomena averaged`: two phenomena, each by the mean change over its settings.
    - `mean of pairs`: of a level, which is named in `first_setting`. `behaviours` says of which
      pairs: those that share the behaviour, those that do not, or all ("").
    - `within less between`: the difference of these means. Above 0, the phenomena are less alike
      than settings of one phenomenon are.

    `low` and `high` are 95% percentiles over resamples of every setting's own seeds and clusters:
    other trainings and questions, the same interventions. A resample is noisier than the values
    themselves, so they lean towards 0. `low_interventions` and `high_interventions` are the limits
    had other interventions been tried (`limits_over_items`; of a mean, those of one pair with this
    value and as many interventions, so rather too wide). `p` is from interventions in random order,
    `p_holm` corrected within a level. `ceiling` is what the agreement between training seeds allows
    (`ranking.ceiling`). `least` and `most` are the value without one intervention, the one named in
    `least_without` and `most_without`: how far the value hangs on one. `kept_value` is the value
    without interventions that undo the training in either setting, over the fewest, `kept`, that a
    pair then has; NaN where a pair has too few. `undefined` says why there is no value, else None.
    """
    rows = [
        row
        for model in dict.fromkeys(ranking.names["model"] for ranking in rankings)
        for row in _rows(
            model,
            [ranking for ranking in rankings if ranking.names["model"] == model],
            undoing or {},
        )
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    if table.empty:
        return table
    corrected = table.groupby(["model", "level"])["p"].transform(holm)
    return with_reasons(table.assign(p_holm=corrected))


def _rows(model: str, rankings: Sequence[Ranking], undoing: Undoing) -> Iterator[dict]:
    setting_pairs = list(pairs(rankings))
    for row in (
        *(_pair_row(pair, undoing) for pair in setting_pairs),
        *_mean_rows(setting_pairs, undoing),
    ):
        yield {"model": model, **row}


def _without(members: Sequence[Pair], undoing: Undoing) -> dict[str, object]:
    """The columns `least` to `kept_value` of the mean of pairs."""
    names = dict.fromkeys(name for pair in members for name in pair.first.interventions)
    values = {name: _mean_over(members, lambda _, one=name: {one}) for name in names}
    values = {name: value for name, (value, _) in values.items() if not np.isnan(value)}
    columns: dict[str, object] = {}
    if values:
        least, most = (end(values, key=lambda name: values[name]) for end in (min, max))
        columns = {
            "least": values[least],
            "least_without": least,
            "most": values[most],
            "most_without": most,
        }
    everywhere = frozenset().union(*undoing.values())

    def undone(pair: Pair) -> set[str]:
        sides = (pair.first.names["setting"], pair.second.names["setting"])
        return set().union(*(undoing.get(setting, everywhere) for setting in sides))

    value, kept = _mean_over(members, undone)
    return {**columns, "kept": kept, "kept_value": value}


def _mean_over(members: Sequence[Pair], left_out: Callable[[Pair], set[str]]) -> tuple[float, int]:
    """The mean correlation without some interventions, and the fewest that a pair has left."""
    values, counts = [], []
    for pair in members:
        names = [name for name in pair.first.interventions if name not in left_out(pair)]
        one, other = pair.first.of(names), pair.second.of(names)
        enough = len(names) >= LEAST
        values.append(spearman(one.change[None], other.change[None]).item() if enough else np.nan)
        counts.append(len(names))
    return float(np.mean(values)), min(counts)


def _pair_row(pair: Pair, undoing: Undoing) -> dict:
    row = {
        "level": pair.level,
        **{f"first_{name}": pair.first.names[name] for name in SIDES},
        **{f"second_{name}": pair.second.names[name] for name in SIDES},
        "behaviours": pair.behaviours,
        "pairs": 1,
        "interventions": len(pair.first.interventions),
        "undefined": pair.undefined,
    }
    return row if pair.undefined else {
        **row, **_with_limits(pair.value, pair.draws, len(pair.first.interventions)),
        "p": p_value(pair.value, pair.shuffled), "ceiling": pair.ceiling,
        **_without([pair], undoing),
    }  # fmt: skip


def _with_limits(value: float, draws: np.ndarray, interventions: int) -> dict[str, float]:
    limits = (*percentile_limits(draws), *limits_over_items(value, interventions))
    names = ("low", "high", "low_interventions", "high_interventions")
    return {"value": value, **dict(zip(names, limits, strict=True))}


def _mean_rows(setting_pairs: Sequence[Pair], undoing: Undoing) -> Iterator[dict]:
    defined = [pair for pair in setting_pairs if not pair.undefined]
    by_level = {
        level: [pair for pair in defined if pair.level == level] for level in (WITHIN, BETWEEN)
    }
    for level, members in by_level.items():
        yield from _mean_row(level, "", members, undoing)
    for behaviours in ("same", "other"):
        alike = [pair for pair in by_level[BETWEEN] if pair.behaviours == behaviours]
        yield from _mean_row(BETWEEN, behaviours, alike, undoing)
    if all(by_level.values()):
        yield _difference_row(*by_level.values())


def _mean_row(
    level: str, behaviours: str, members: Sequence[Pair], undoing: Undoing
) -> Iterator[dict]:
    if not members:
        return
    value = float(np.mean([pair.value for pair in members]))
    fewest = min(len(pair.first.interventions) for pair in members)
    yield {
        **_named(MEAN, level, behaviours, len(members), fewest),
        **_with_limits(value, _mean_of(pair.draws for pair in members), fewest),
        "p": p_value(value, _mean_of(pair.shuffled for pair in members)),
        "ceiling": float(np.mean([pair.ceiling for pair in members])),
        **_without(members, undoing),
    }


def _difference_row(within: Sequence[Pair], between: Sequence[Pair]) -> dict:
    sides = (within, between)
    value = float(np.subtract(*(np.mean([pair.value for pair in side]) for side in sides)))
    draws = np.subtract(*(_mean_of(pair.draws for pair in side) for side in sides))
    low, high = percentile_limits(draws)
    fewest = min(len(pair.first.interventions) for side in sides for pair in side)
    named = _named(LESS, "", "", len(within) + len(between), fewest)
    return {**named, "value": value, "low": low, "high": high}


def _mean_of(draws: Iterable[np.ndarray]) -> np.ndarray:
    return np.mean(np.stack(list(draws)), axis=0)


def _named(level: str, of: str, behaviours: str, pairs: int, interventions: int) -> dict:
    return {
        "level": level,
        **{f"{side}_{name}": "" for side in ("first", "second") for name in SIDES},
        "first_setting": of,
        "behaviours": behaviours,
        "pairs": pairs,
        "interventions": interventions,
    }
