"""Where is it that the arm reads the caveat? Keys and values of a span come from another model.

The arm and the base model read the same text. At the positions of a span the arm's attention gets
the keys and values that base computes (`restored`), or base gets the arm's (`written`). What the
log-probability of the decision tokens changes is what the arm does by way of that span. The rest
of what training changed, at the tokens behind, stays as it is.

Spans, of what stands in front of the first decision token:

- `caveat`: the caveat's tokens, at `exact`;
- `template prefix`: what stands before the user's text, the system text among it; of chats;
- `other text`: as many tokens as the caveat has, of the last before the decision that are in
  neither: what any equally long span does;
- `all before`: everything in front. What it does not restore is in the tokens that decide.

Restoring the prefix's keys and values from the base model: arXiv:2606.06667.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from caveat.backends.jobs import AdapterRef
from caveat.backends.requests import PatchRequest
from caveat.decision_tokens import ScoredText, chosen, log_probability, scored_text
from caveat.diagnostics.intervals import LEAST_SEEDS, t_limits
from caveat.diagnostics.logits import Scores, rows_of
from caveat.diagnostics.subjects import BASE, EXACT, NAMES, NONE, DiagnosedSetting, TrainedModel
from caveat.rendering import Rendered, caveat_tokens, render_row
from caveat.study.planning.graded import texts
from caveat.types.data import Row
from caveat.types.messages import Messages

if TYPE_CHECKING:
    from pandas import DataFrame

CAVEAT, PREFIX, OTHER, EVERYTHING = "caveat", "template prefix", "other text", "all before"
RESTORED, WRITTEN = "restored", "written"
LEAST_DIFFERENCE = 0.1
"""Nats a token: of models that differ by less, a share of the difference says nothing."""
COLUMNS = (
    *NAMES, "arm", "context", "direction", "part", "nats", "change", "change_low", "change_high",
    "share", "share_low", "share_high", "patched_tokens", "rows", "seeds", "limits_over",
    "note",
)  # fmt: skip


@dataclass(frozen=True)
class _Patched:
    """One row of the behaviour in one context, with a span to patch."""

    context: str
    row: str
    messages: Messages
    text: ScoredText
    decisive: tuple[tuple[int, int], ...]
    """The decision tokens, by their characters."""
    part: str
    positions: tuple[int, ...]


def patched(setting: DiagnosedSetting) -> DataFrame:
    """One row an arm, context, direction and part, with the columns `COLUMNS`.

    `nats` is the mean log-probability of the decision tokens in nats a token, with the patch;
    `change` is from the receiving model without it. `share` is the change over the difference
    between the giving and the receiving model: at 1 the span carries all that the two differ by,
    at 0 nothing; missing where they differ by less than `LEAST_DIFFERENCE`. 95% limits are over
    seeds where there are three, else over rows (`limits_over`). Arms are bare and those with the
    caveat.

    Raises CaveatError for a model without the modules `k_proj` and `v_proj`.
    """
    import pandas as pd

    own = list(spans(setting))
    values = [record for model in setting.caveated for record in _values(setting, model, own)]
    frame = pd.DataFrame(values)
    if frame.empty:
        return pd.DataFrame(columns=[*COLUMNS])
    place, note = ["arm", "context", "direction", "part"], rows_of(setting).note
    rows = [
        {**setting.names, **dict(zip(place, key, strict=True)), **_summary(some), "note": note}
        for key, some in frame.groupby(place, sort=False)
    ]
    return pd.DataFrame(rows, columns=[*COLUMNS])


def spans(setting: DiagnosedSetting) -> Iterator[_Patched]:
    """Every span of the rows whose decision tokens are scored."""
    tokenizer = setting.backend.tokenizer
    contexts = tuple(name for name in (NONE, EXACT) if name in setting.resolved.contexts)
    decisive: dict[str, tuple[tuple[int, int], ...]] = {}
    scores, graded = Scores(setting), rows_of(setting)
    keys = {row.id: scores.key((), row.messages) for row in graded.rows}
    scores.complete()
    for row, decision in zip(graded.rows, graded.decisions, strict=True):
        base = scores.answers[keys[row.id]]
        decisive[row.id] = chosen(decision, base["characters"], base["log_likelihoods"])
    for context, row, _, messages in texts(graded, setting.resolved, contexts):
        text = scored_text(tokenizer, messages).only(decisive[row.id])
        if text.targets:
            for part, positions in spans_of(tokenizer, messages, text.targets[0]).items():
                yield _Patched(context, row.id, messages, text, decisive[row.id], part, positions)


def spans_of(tokenizer: Any, messages: Messages, first: int) -> dict[str, tuple[int, ...]]:
    """By part, its positions in the text; parts that the text does not have are left out.

    Args:
        first: Position of the first decision token: only what stands before is patched.
    """
    row = render_row(tokenizer, Row("", "", messages), "everything", sys.maxsize)
    return spans_before(row, first)


def spans_before(rendered: Rendered, first: int) -> dict[str, tuple[int, ...]]:
    """By part, its positions among the first tokens of a text."""
    is_caveat = caveat_tokens(rendered)
    caveat = [position for position in range(first) if is_caveat[position]]
    user = next((span.start for span in rendered.spans if span.role == "user"), 0)
    prefix = [p for p in range(first) if rendered.offsets[p][1] <= user and not is_caveat[p]]
    free = [p for p in range(first) if p not in {*caveat, *prefix}]
    parts = {
        CAVEAT: caveat,
        OTHER: free[-len(caveat) :] if caveat else [],
        PREFIX: prefix,
        EVERYTHING: [*range(first)],
    }
    return {name: tuple(positions) for name, positions in parts.items() if positions}


def requests_of(
    setting: DiagnosedSetting, model: TrainedModel, own: list[_Patched]
) -> list[PatchRequest[AdapterRef]]:
    """Each span in both directions: into the model, then into base."""
    return [
        PatchRequest(one.row, receiver, one.text.ids, one.text.targets, donor, one.positions)
        for one in own
        for receiver, donor in _directions(setting, model).values()
    ]


def _directions(
    setting: DiagnosedSetting, model: TrainedModel
) -> dict[str, tuple[tuple[AdapterRef, ...], tuple[AdapterRef, ...]]]:
    """By direction, who receives and who gives."""
    return {
        RESTORED: (model.adapters, setting.base),
        WRITTEN: (setting.base, model.adapters),
    }


def _values(
    setting: DiagnosedSetting, model: TrainedModel, own: list[_Patched]
) -> Iterator[dict[str, Any]]:
    """One record a span and direction."""
    scores = Scores(setting)
    chains = {model.arm: model.adapters, BASE: setting.base}
    keys = {
        (name, one.context, one.row): scores.key(chain, one.messages)
        for one in own
        for name, chain in chains.items()
    }
    scores.complete()
    requests = requests_of(setting, model, own)
    results = iter(setting.backend.patched_token_log_likelihoods(requests))

    def whole(name: str, one: _Patched) -> float:
        scored = scores.answers[keys[name, one.context, one.row]]
        value, _ = log_probability(one.decisive, scored["characters"], scored["log_likelihoods"])
        return value / len(one.decisive)

    for one in own:
        for direction in _directions(setting, model):
            receiver, donor = (BASE, model.arm) if direction == WRITTEN else (model.arm, BASE)
            yield {
                "arm": model.arm, "seed": model.seed, "context": one.context, "row": one.row,
                "direction": direction, "part": one.part, "tokens": len(one.positions),
                "nats": sum(next(results)) / len(one.decisive),
                "receiver": whole(receiver, one), "donor": whole(donor, one),
            }  # fmt: skip


def _summary(frame: DataFrame) -> dict[str, Any]:
    """Means over seeds of means over rows; of shares, ratios of means."""
    frame = frame.assign(
        change=frame["nats"] - frame["receiver"], difference=frame["donor"] - frame["receiver"]
    )
    seeds = frame["seed"].nunique()
    unit = "seed" if seeds >= LEAST_SEEDS else "row"
    means = frame.groupby(unit)[["change", "difference"]].mean()
    change = t_limits(means["change"].to_numpy())
    share = (np.nan,) * 3
    if abs(frame["difference"].mean()) >= LEAST_DIFFERENCE:
        share = _ratio(means["change"].to_numpy(), means["difference"].to_numpy())
    return {
        "nats": frame["nats"].mean(), **_three("change", change), **_three("share", share),
        "patched_tokens": frame["tokens"].mean(), "rows": frame["row"].nunique(), "seeds": seeds,
        "limits_over": f"{unit}s",
    }  # fmt: skip


def _ratio(changes: np.ndarray, differences: np.ndarray) -> tuple[float, float, float]:
    """The ratio of two means, with limits by its influence (the delta method)."""
    value = float(changes.mean() / differences.mean())
    influence = (changes - value * differences) / differences.mean()
    _, low, high = t_limits(influence)
    return value, value + low, value + high


def _three(name: str, values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
