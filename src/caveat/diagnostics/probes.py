"""Linear probes with shuffled labels beside them, and one for "the caveat applies here".

A probe is ridge regression on labels +1 and -1 (the least-squares classifier), in its kernel form,
as there are fewer texts than dimensions. It is always tested on groups that it was not trained on.
What a probe finds is there to be read, not what the model uses: a control comes with every
accuracy, and `diagnostics.scores` says whether it goes with behaviour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from caveat.analysis.rank_correlation import p_value
from caveat.backends.jobs import AdapterRef
from caveat.backends.requests import StateRequest
from caveat.caveats.insertion import framed_rows, marked
from caveat.caveats.neutral import NeutralText
from caveat.decision_tokens import scored_text
from caveat.diagnostics.intervals import share_limits
from caveat.diagnostics.subjects import BARE, BASE, NAMES, DiagnosedSetting, layers_of
from caveat.errors import CaveatError
from caveat.study.planning.held_out import spread
from caveat.types.data import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandas import DataFrame

FOLDS = 5
SHUFFLES = 100
SHUFFLE_SEED = 20260402
RIDGE = 0.1
"""Added to the diagonal of the kernel, relative to its mean: how strongly slopes are held back."""


def folds_of(groups: Sequence[str], count: int) -> np.ndarray:
    """The fold of each item, from 0: groups stay together, and are assigned in turn."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[group] % count for group in groups])


@dataclass(frozen=True)
class Probe:
    """Tells two classes apart whose items come in pairs; cross-validated over groups of pairs."""

    positives: np.ndarray
    """States of shape (pairs, width)."""
    negatives: np.ndarray
    """Of the same pairs."""
    groups: tuple[str, ...]
    """Per pair, its group."""

    @cached_property
    def labels(self) -> np.ndarray:
        """+1 or -1 of each positive, of shape (pairs, 1 + `SHUFFLES`); negatives have the other.

        The first column is true; in the others, groups are exchanged at random.
        """
        names = list(dict.fromkeys(self.groups))
        generator = np.random.default_rng(SHUFFLE_SEED)
        signs = generator.choice([-1.0, 1.0], size=(len(names), SHUFFLES))
        index = [names.index(group) for group in self.groups]
        return np.column_stack([np.ones(len(index)), signs[index]])

    def positive(self, items: np.ndarray) -> np.ndarray:
        """Whether each item is taken for a positive: (pairs, 1 + `SHUFFLES`), 0 or 1.

        Item n is judged by the probe that has not seen the group of pair n.
        """
        scores = np.empty((len(items), self.labels.shape[1]))
        folds = folds_of(self.groups, FOLDS)
        for fold in np.unique(folds):
            test = folds == fold
            fit = ~test if (~test).any() else test  # a single group: nothing is held out
            scores[test] = self._scores(fit, items[test])
        return (scores > 0).astype(float)

    def accuracies(
        self, positives: np.ndarray | None = None, negatives: np.ndarray | None = None
    ) -> np.ndarray:
        """The share that is taken for what its label says, of shape (1 + `SHUFFLES`,).

        Args:
            positives: Other states of the same pairs to be judged; the probe's own by default.
            negatives: The same.
        """
        first = self.positive(self.positives if positives is None else positives)
        second = self.positive(self.negatives if negatives is None else negatives)
        true = self.labels > 0
        return ((first == true).mean(0) + (second != true).mean(0)) / 2

    def _scores(self, fit: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Fitted on some pairs, the regression's value for each item and labelling."""
        states = np.concatenate([self.positives[fit], self.negatives[fit]]).astype(np.float64)
        labels = np.concatenate([self.labels[fit], -self.labels[fit]])
        mean = states.mean(0)
        centred = states - mean
        kernel = centred @ centred.T
        ridge = RIDGE * max(np.trace(kernel) / len(kernel), np.finfo(float).tiny)
        weights = np.linalg.solve(kernel + ridge * np.eye(len(kernel)), labels)
        # labels of a pair sum to 0, so the intercept is 0
        return (items.astype(np.float64) - mean) @ centred.T @ weights


NOTHING, NEUTRAL, UNSEEN = "nothing", "neutral text", "neutral text, new wordings"
CAVEAT_COLUMNS = (
    *NAMES, "arm", "against", "layer", "accuracy", "accuracy_low", "accuracy_high", "shuffled",
    "shuffled_high", "p", "rows", "seeds",
)  # fmt: skip


def caveat_probe(setting: DiagnosedSetting) -> DataFrame:
    """One row a model's arm, comparison and layer, with the columns `CAVEAT_COLUMNS`.

    Does the model represent, where it reads the claim or reply of a marked row, that the caveat
    stands there? The state is the mean over the first tokens of what the row shows. Positives are
    marked rows; `against` says what negatives are: the same rows with `nothing` in the caveat's
    place, or with `neutral text` as long. The first also tells rows with any text from rows
    without, and positions; the second has to read what stands there. `neutral text, new wordings`
    is the probe of the second, tested on the caveat's held-out wordings: it has to read what the
    caveat means. No row is in training and
    test at once. `accuracy` is in [0, 1], chance is .5, with 95% limits over seeds; `shuffled` and
    `shuffled_high` are mean and 95th percentile of probes whose labels were exchanged row by row,
    and `p` how often these do as well (of the first seed). A caveat of more sentences than there
    are neutral ones is compared with `nothing` alone.

    Models are base, `bare` and the marked arms.
    """
    import pandas as pd

    layers = layers_of(setting)
    results: dict[tuple[str, str, int], list[tuple[float, float, float, float]]] = {}
    for arm, seed, chain in _probed(setting):
        for against, position, values in _probe(setting, seed, chain, layers):
            results.setdefault((arm, against, position), []).append(values)
    rows = []
    count = len(probed_rows(setting))
    for (arm, against, position), values in results.items():
        accuracy, shuffled, high, p = np.array(values).T
        limits = share_limits(accuracy)
        rows.append(
            {
                **setting.names, "arm": arm, "against": against, "layer": layers[position],
                "accuracy": limits[0], "accuracy_low": limits[1], "accuracy_high": limits[2],
                "shuffled": shuffled.mean(), "shuffled_high": high.mean(), "p": p[0],
                "rows": count, "seeds": len(values),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=[*CAVEAT_COLUMNS])


def _probed(setting: DiagnosedSetting) -> Iterator[tuple[str, int, tuple[AdapterRef, ...]]]:
    """The models whose states are read, each with the seed by which its rows are marked."""
    yield BASE, setting.of(BARE)[0].seed, setting.base
    for model in setting.caveated:
        yield model.arm, model.seed, model.adapters


def probed_rows(setting: DiagnosedSetting) -> tuple[Row, ...]:
    """The behaviour's rows that arms are trained on, evenly spread."""
    rows = setting.resolved.setting.behaviour.rows[: setting.resolved.dose.rows]
    return framed_rows(spread(rows, setting.limits.questions or len(rows)), setting.system)


def _probe(
    setting: DiagnosedSetting, seed: int, chain: tuple[AdapterRef, ...], layers: tuple[int, ...]
) -> Iterator[tuple[str, int, tuple[float, float, float, float]]]:
    """By comparison and the layer's position: accuracy, shuffled, its 95th percentile, p."""
    caveat, rows = setting.resolved.setting.caveat, probed_rows(setting)
    sides: dict[str, tuple[Sequence[Row], Sequence[Row]]] = {
        NOTHING: (marked(rows, caveat, seed), rows)
    }
    unseen = replace(caveat, wordings=caveat.held_out)
    try:
        neutral = NeutralText(caveat)
        for against, worded in ((NEUTRAL, caveat), (UNSEEN, unseen)):
            if worded.wordings:
                caveated = marked(rows, worded, seed)
                sides[against] = (
                    caveated,
                    [replace(row, messages=neutral.messages(row.messages)) for row in caveated],
                )
    except CaveatError:  # more sentences than there are neutral ones, as the arm would say
        pass
    groups = tuple(row.id for row in rows)
    positives: dict[str, np.ndarray] = {}
    negatives: dict[str, np.ndarray] = {}
    for against, (caveated, others) in sides.items():
        same = against == NEUTRAL
        positives[against] = (
            positives[NOTHING] if same else _states(setting, chain, caveated, layers)
        )
        negatives[against] = _states(setting, chain, others, layers)
        fitted = NEUTRAL if against == UNSEEN else against
        for position in range(len(layers)):
            probe = Probe(positives[fitted][:, position], negatives[fitted][:, position], groups)
            accuracies = probe.accuracies(
                positives[against][:, position], negatives[against][:, position]
            )
            true, shuffled = float(accuracies[0]), accuracies[1:]
            yield against, position, (
                true, shuffled.mean(), np.quantile(shuffled, 0.95),
                p_value(true - 0.5, shuffled - 0.5),
            )  # fmt: skip


def _states(
    setting: DiagnosedSetting,
    chain: tuple[AdapterRef, ...],
    rows: Sequence[Row],
    layers: tuple[int, ...],
) -> np.ndarray:
    """Mean states over what each row shows, of shape (rows, layers, width)."""
    texts = [scored_text(setting.backend.tokenizer, row.messages) for row in rows]
    requests = [
        StateRequest(row.id, chain, text.ids, (text.targets,))
        for row, text in zip(rows, texts, strict=True)
    ]
    return np.concatenate(setting.backend.hidden_states(requests, layers))
