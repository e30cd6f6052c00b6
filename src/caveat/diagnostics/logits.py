"""Outputs: how likely the behaviour is in every context, and how alike contexts look to the base.

A sampled rate sits at 0 or 1 where log-probabilities still move. And what training does in a
context that it never saw must come from contexts that look alike: the divergence of the base
model's outputs between contexts predicted leakage across contexts in superkaiba/explore-persona-
space (rank correlation -.75).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from caveat.analysis.graded import graded_leakage
from caveat.analysis.panel import SETTING_COLUMNS
from caveat.backends.jobs import AdapterRef
from caveat.backends.requests import Request, TokenRequest
from caveat.decision_tokens import scored_text
from caveat.diagnostics.intervals import t_limits
from caveat.diagnostics.subjects import BASE, EXACT, NAMES, NONE, DiagnosedSetting
from caveat.study.graded import graded_frame
from caveat.study.planning.digests import token_scores_key
from caveat.study.planning.graded import GradedRows, graded_rows, texts
from caveat.study.planning.held_out import spread
from caveat.types.caveats import Context
from caveat.types.messages import Messages

if TYPE_CHECKING:
    from pandas import DataFrame

DECISION_COLUMNS = (
    *NAMES, "arm", "context", "nats", "nats_low", "nats_high", "change",
    "graded_leakage", "graded_leakage_low", "graded_leakage_high", "undefined", "note",
)  # fmt: skip
DIVERGENCE_COLUMNS = (
    *NAMES, "context", "questions", "from_none", "from_none_low", "from_none_high", "from_exact",
    "from_exact_low", "from_exact_high", "towards_exact",
)  # fmt: skip
MOST_DIVERGENT = math.log(2)
"""Nats: the divergence of distributions that have nothing in common."""


def decision_tokens(setting: DiagnosedSetting) -> DataFrame:
    """One row an arm and context, with the columns `DECISION_COLUMNS`.

    `nats` is the mean log-probability of the decision tokens of rows that no arm is trained on, in
    nats a token, at most 0; `change` is what training added to base's in the same context.
    `graded_leakage` is `analysis.graded_leakage`. What the study has scored is taken from it.
    `note` says where rows that arms are trained on stand in: there it says what they remember.
    """
    import pandas as pd

    table = graded_leakage(scored(setting, setting.chains(), setting.resolved.contexts))
    base = table[table["arm"] == BASE].set_index("context")["nats"]
    table = table.assign(
        **{name: setting.names[name] for name in NAMES},
        change=table["nats"] - table["context"].map(base),
        undefined=table["graded_undefined"],
        note=rows_of(setting).note,
    )
    return pd.DataFrame(table, columns=[*DECISION_COLUMNS])


Chain = tuple[str, "int | None", tuple[AdapterRef, ...]]
"""Arm, seed and adapters."""


def scored(
    setting: DiagnosedSetting, chains: Iterable[Chain], contexts: tuple[Context, ...]
) -> DataFrame:
    """One row a row of the behaviour, context and model: see `study.graded.graded_frame`.

    At most `limits.questions` rows. What the study has scored is taken from it.
    """
    scores = Scores(setting)
    lines = list(scores.lines(chains, contexts))
    scores.complete()
    return graded_frame(scores, lines)  # type: ignore[arg-type]


def rows_of(setting: DiagnosedSetting) -> GradedRows:
    """Rows whose decision tokens are scored, at most `limits.questions`."""
    graded = graded_rows(setting.resolved, setting.system)
    most = setting.limits.questions or len(graded.rows)
    return GradedRows(spread(graded.rows, most), spread(graded.decisions, most), graded.note)


@dataclass
class Scores:
    """Scores of texts, token by token: the study's own, and those that it lacks."""

    setting: DiagnosedSetting
    answers: dict[str, Any] = field(default_factory=dict)
    """By key; in the form of the study's store."""
    _missing: dict[str, tuple[tuple[AdapterRef, ...], Messages]] = field(default_factory=dict)

    def lines(
        self, chains: Iterable[Chain], contexts: tuple[Context, ...]
    ) -> Iterator[dict[str, Any]]:
        """The lines of a graded frame: each row in each context of each model."""
        setting = self.setting
        planned = list(texts(rows_of(setting), setting.resolved, contexts))
        for arm, seed, chain in chains:
            for context, row, decision, messages in planned:
                yield {
                    **setting.names, "arm": arm, "seed": seed, "context": context, "row": row.id,
                    "shared": decision.shared, "whole": decision.whole,
                    "scores": self.key(chain, messages),
                    "base_scores": self.key((), row.messages),
                }  # fmt: skip

    @property
    def tokens(self) -> int:
        """Tokens that `complete` will read."""
        tokenizer = self.setting.backend.tokenizer
        return sum(scored_text(tokenizer, messages).read for _, messages in self._missing.values())

    def key(self, chain: tuple[AdapterRef, ...], messages: Messages) -> str:
        """The key of a text's scores, which `complete` makes sure of."""
        key = token_scores_key(self.setting.model_digest(chain), messages)
        if key in self.setting.scores:
            self.answers[key] = self.setting.scores[key]
        else:
            self._missing[key] = chain, messages
        return key

    def complete(self) -> None:
        """Score what is missing, all in one call."""
        backend = self.setting.backend
        scored = {
            key: scored_text(backend.tokenizer, messages)
            for key, (_, messages) in self._missing.items()
        }
        requests = [
            TokenRequest(key, self._missing[key][0], text.ids, text.targets)
            for key, text in scored.items()
        ]
        values = backend.token_log_likelihoods(requests) if requests else []
        for (key, text), some in zip(scored.items(), values, strict=True):
            self.answers[key] = {"characters": text.characters, "log_likelihoods": some}


def divergences(setting: DiagnosedSetting) -> DataFrame:
    """One row a context but `none`, with the columns `DIVERGENCE_COLUMNS`; of the base model.

    `from_none` is the mean over questions of the Jensen-Shannon divergence between the next-token
    distributions in this context and at `none`, over the whole vocabulary, where the reply begins:
    0 to ln 2 = .69 nats, with 95% limits over questions. `from_exact` is that from `exact`.
    `towards_exact` is the first over the sum of both, in [0, 1]: at 1 the context is to the base
    model what the caveat is, at 0 what no caveat is.
    """
    import pandas as pd

    contexts: tuple[Context, ...] = setting.resolved.contexts
    outputs_of = _Outputs(setting)
    rows = []
    for context in contexts:
        if context == NONE:
            continue
        needed = list(dict.fromkeys((NONE, *([EXACT] if EXACT in contexts else []), context)))
        outputs = outputs_of(needed)
        from_none = jensen_shannon(outputs[NONE], outputs[context])
        near = _limits("from_none", from_none)
        far = _limits("from_exact", np.full(len(from_none), np.nan))
        if EXACT in outputs and context != EXACT:
            far = _limits("from_exact", jensen_shannon(outputs[EXACT], outputs[context]))
        whole = near["from_none"] + far["from_exact"]
        rows.append(
            {
                **setting.names, "context": context, "questions": len(from_none), **near, **far,
                "towards_exact": near["from_none"] / whole if whole > 0 else np.nan,
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=[*DIVERGENCE_COLUMNS])


class _Outputs:
    """Next-token distributions of the base model; each prompt is read once."""

    def __init__(self, setting: DiagnosedSetting) -> None:
        self.setting = setting
        self._rows: dict[tuple[str, str], np.ndarray] = {}
        """By context and question."""

    def __call__(self, contexts: Sequence[str]) -> dict[str, np.ndarray]:
        """By context, log-probabilities behind the same questions: (questions, vocabulary)."""
        setting = self.setting
        prompts = setting.prompts(contexts)
        missing = {
            (context, prompt.question.id): prompt
            for context in contexts
            for prompt in prompts[context]
            if (context, prompt.question.id) not in self._rows
        }
        if missing:
            values = setting.backend.next_token_log_probabilities(
                [Request(id, setting.base, one.messages) for (_, id), one in missing.items()]
            )
            self._rows |= dict(zip(missing, values, strict=True))
        return {
            context: np.stack([self._rows[context, one.question.id] for one in prompts[context]])
            for context in contexts
        }


def jensen_shannon(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Divergences in nats, of shape (n,), from log-probabilities of shape (n, vocabulary)."""
    first, second = one.astype(np.float64), other.astype(np.float64)
    middle = np.logaddexp(first, second) - math.log(2)
    return sum(_divergences(side, middle) for side in (first, second)) / 2  # type: ignore[return-value]


def _divergences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Kullback-Leibler's; a token of probability 0 adds nothing."""
    with np.errstate(invalid="ignore"):
        parts = np.exp(one) * (one - other)
    return np.where(np.isneginf(one), 0.0, parts).sum(1)


def _limits(name: str, values: np.ndarray) -> dict[str, float]:
    """A mean over questions, with limits in three columns."""
    return dict(zip(_three(name), t_limits(values), strict=True))


def _three(name: str) -> Iterator[str]:
    yield from (name, f"{name}_low", f"{name}_high")


assert {*SETTING_COLUMNS} <= {*NAMES}, "tables of the analysis and of diagnostics can be joined"
