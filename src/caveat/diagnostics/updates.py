"""Geometry of updates: do arms change the weights in the direction in which bare changes them?

All figures are exact: `Backend.updates` compares the low-rank updates themselves. An arm's own
update is that of its last training; frozen adapters under it (a warm-up, an attached adapter) are
no part of it.

**Two noise floors.** Arms of one seed start from the same random A, so that even unrelated updates
read the same inputs and look alike. Arms of different seeds share nothing but what the rows teach.
Compare `other seeds` of two arms with `other seeds` of one arm with itself, and `same seed` with
that of `clean` or `neutral`. `corrected` is the first comparison as one number: the cosine between
seeds over the geometric mean of both arms' cosines with themselves between seeds (Spearman's
correction for attenuation). At 1 the arms differ no more than seeds of one arm do.

Cosine of marked's update with bare's as a predictor: inoculate-or-reflect, Qwen3-8B.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from caveat.diagnostics.intervals import mean_over_seeds
from caveat.diagnostics.subjects import BARE, CLEAN, NAMES, DiagnosedSetting

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.backends.inspection import ModuleUpdates

PAIR = ("arm", "seed", "reference", "reference_seed")
SHARES = ("output_share", "input_share", "both_share")
CHANCES = ("output_chance", "input_chance")
COLUMNS = (*NAMES, *PAIR, "by", "part", "norm", "reference_norm", "cosine", *SHARES, *CHANCES)
ALL, LAYER, MODULE = "all", "layer", "module"
SAME, OTHER = "same seed", "other seeds"
LEAST_FLOOR = 0.01
"""A cosine of an arm with itself between seeds below this is too near 0 to divide by."""


def updates(setting: DiagnosedSetting) -> DataFrame:
    """One row a pair of models and part of the model, with the columns `COLUMNS`.

    Every model against every model of `bare`, of `clean` where there is one, and of its own arm's
    other seeds (reference). `by` says what `part` is: `all` weights, a `layer`, or a kind of
    `module` such as `q_proj`. `norm` is Frobenius', of the arm's own update; `cosine` is in
    [-1, 1]. `output_share` is the share of the update's squared norm that is left when its outputs
    are projected on those that the reference reaches (B's columns), `input_share` when its inputs
    are projected on those that it reads (A's rows), `both_share` when both are; in [0, 1].
    `output_chance` and `input_chance` are what a random subspace of the same rank would keep.
    """
    import pandas as pd

    models = setting.models
    modules = setting.backend.updates([model.own for model in models])
    pairs = [
        (i, j)
        for i, model in enumerate(models)
        for j, other in enumerate(models)
        if i != j and other.arm in (BARE, CLEAN, model.arm)
    ]
    rows = []
    for by, part, some in _parts(modules):
        sums = {name: sum(getattr(one, name) for one in some) for name in ARRAYS}
        norms = np.sqrt(np.diag(sums["products"]))
        chances = _chances(some, norms)
        for i, j in pairs:
            one, other = models[i], models[j]
            rows.append(
                (
                    *setting.names.values(), one.arm, one.seed, other.arm, other.seed, by, part,
                    norms[i], norms[j], _over(sums["products"][i, j], norms[i] * norms[j]),
                    *(_over(sums[name][i, j], norms[i] ** 2) for name in ARRAYS[1:]),
                    *(chance[i, j] for chance in chances),
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=[*COLUMNS])


ARRAYS = ("products", "output_norms", "input_norms", "both_norms")


def _parts(modules: list[ModuleUpdates]) -> Iterator[tuple[str, str, list[ModuleUpdates]]]:
    """All weights, each layer, each kind of module."""
    yield ALL, "", modules
    for layer in sorted({one.layer for one in modules}):
        yield LAYER, str(layer), [one for one in modules if one.layer == layer]
    for kind in dict.fromkeys(kind_of(one.module) for one in modules):
        yield MODULE, kind, [one for one in modules if kind_of(one.module) == kind]


def kind_of(module: str) -> str:
    """The last part of a module's name, such as `q_proj`."""
    return module.rpartition(".")[2]


def _chances(modules: Iterable[ModuleUpdates], norms: np.ndarray) -> np.ndarray:
    """What random outputs, and inputs, of the reference's rank would keep: (2, i, j)."""
    kept = np.zeros((2, len(norms), len(norms)))
    for one in modules:
        squares, ranks = np.diag(one.products), np.array(one.ranks)
        for side in range(2):
            kept[side] += squares[:, None] * (ranks / one.size[side])
    whole = np.where(norms > 0, norms, np.nan)[:, None] ** 2
    return kept / whole


def _over(value: float, by: float) -> float:
    return float(value / by) if by > 0 else float("nan")


SUMMARY = (
    *NAMES, "by", "part", "arm", "reference", "seeds_compared", "pairs",
    "norm", "cosine", "cosine_low", "cosine_high", *SHARES, *CHANCES, "corrected",
)  # fmt: skip
KEY = [*NAMES, "by", "part", "arm", "reference", "seeds_compared"]


def update_summary(frame: DataFrame) -> DataFrame:
    """Means over seeds, with the columns `SUMMARY`; one row a pair of arms, and seeds alike or not.

    `seeds_compared` is `same seed` or `other seeds`. Limits of the cosine are over the arm's seeds,
    where there are three. `corrected` is there for `other seeds` alone: see the module.
    """
    import pandas as pd

    same = frame["seed"] == frame["reference_seed"]
    frame = frame.assign(seeds_compared=np.where(same, SAME, OTHER))
    rows = []
    for key, group in frame.groupby(KEY, sort=False):
        cosine, low, high = mean_over_seeds(group, "cosine")
        means = group[["norm", *SHARES, *CHANCES]].mean()
        rows.append(
            {
                **dict(zip(KEY, key, strict=True)), "pairs": len(group), **means,
                "cosine": cosine, "cosine_low": low, "cosine_high": high,
            }
        )  # fmt: skip
    table = pd.DataFrame(rows, columns=[name for name in SUMMARY if name != "corrected"])
    return _corrected(table)


def _corrected(table: DataFrame) -> DataFrame:
    between = table[table["seeds_compared"] == OTHER]
    place = [*NAMES, "by", "part"]
    own = between[between["arm"] == between["reference"]]
    floors = {
        (*key, arm): value
        for *key, arm, value in own[[*place, "arm", "cosine"]].itertuples(index=False)
    }
    values = []
    for row in table.to_dict("records"):
        both = [floors.get((*(row[name] for name in place), row[arm])) for arm in PAIR[::2]]
        usable = row["seeds_compared"] == OTHER and all(
            floor is not None and floor > LEAST_FLOOR for floor in both
        )
        values.append(row["cosine"] / np.sqrt(np.prod(both)) if usable else np.nan)
    return table.assign(corrected=values)
