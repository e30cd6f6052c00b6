"""Decision tokens under the prompts that a recipe trains with: one row a marked arm.

An arm's prompt is the very text of its rows. `marked+repeat` and `marked+place(where=both)` are
therefore prompts of their own, while `marked+contrast` has that of `marked`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caveat.backends.base import Backend
from caveat.backends.jobs import AdapterRef, Failed, TrainingJob
from caveat.caveats.insertion import framed_rows
from caveat.decision_tokens import shown
from caveat.errors import CaveatError
from caveat.forecast.arms import MARKED, carries_caveat
from caveat.forecast.decision_tokens import NONE, ScoreCache, of_texts
from caveat.study.config.resolve import Resolved
from caveat.study.config.schema import Recipe
from caveat.study.planning.study_plan import study_plan
from caveat.types.data import Row
from caveat.types.messages import Messages, without_caveat
from caveat.types.training import Attach, Plan, Scale, Train

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = (
    "recipe", "setting", "phenomenon", "behaviour", "caveat", "model", "dose", "arm",
    "same_text_as", "wordings", "place", "rows", "tokens", "nats_none", "nats_prompt", "shift",
)  # fmt: skip
ROWS = 24
"""Rows of each arm that are scored, at most."""


def decision_table(
    recipe: Recipe,
    settings: Sequence[Resolved],
    backend: Backend,
    rows: int = ROWS,
    train_warm_ups: bool = False,
    say: Callable[[str], None] = lambda message: None,
    cache: ScoreCache | None = None,
) -> DataFrame:
    """One row a setting and marked arm, with the columns `COLUMNS`; of the recipe's first seed.

    `nats_none` and `nats_prompt` are the mean surprisal of a decision token, in nats, in the rows
    that the arm is trained on, without their caveat and with it; `shift` is the first less the
    second: by how much the prompt makes the behaviour likelier. `rows` are those that decide
    something, `tokens` their decision tokens. `same_text_as` is the first arm of the setting with
    the same texts.

    Args:
        rows: Most rows of each arm, the first ones.
        train_warm_ups: Whether base models with a warm-up are trained; else their settings are left
            out, and `say` gets a line.
        say: Gets a line about what is left out.
        cache: What earlier calls with the same backend scored; grows.
    """
    import pandas as pd

    cache = {} if cache is None else cache
    bases = _Bases(backend, recipe.seeds[0])
    records: list[dict[str, Any]] = []
    for setting in study_plan(recipe, tuple(settings), backend.identity).settings:
        resolved = setting.resolved
        if resolved.base and not train_warm_ups:
            say(
                f"{setting.name}: left out: its base model needs a warm-up "
                f"({resolved.warm_up_label})"
            )
            continue
        names = {
            "recipe": recipe.name,
            "setting": setting.name,
            "phenomenon": resolved.setting.phenomenon,
            "behaviour": resolved.setting.behaviour.name,
            "caveat": resolved.setting.caveat.name,
            "model": setting.model_name(recipe.model.source),
            "dose": setting.dose,
        }
        caveat = {
            "wordings": " | ".join(resolved.setting.caveat.wordings),
            "place": resolved.setting.caveat.place,
        }
        chain = bases.chain(resolved.base)
        for record in _arms(recipe, resolved, backend, chain, rows, say, cache):
            records.append({**names, **caveat, **record})
    return pd.DataFrame(records, columns=[*COLUMNS])


@dataclass
class _Bases:
    """Base models of settings, trained when first needed and held by the backend."""

    backend: Backend
    seed: int
    _chains: dict[Plan, tuple[AdapterRef, ...]] = field(default_factory=dict)

    def chain(self, base: Plan) -> tuple[AdapterRef, ...]:
        """The adapters that a plan of SFT stages makes. Raises CaveatError where one fails."""
        if base not in self._chains:
            self._chains[base] = self._trained(base)
        return self._chains[base]

    def _trained(self, base: Plan) -> tuple[AdapterRef, ...]:
        chain: list[AdapterRef] = []
        adapter: AdapterRef = ""
        for stage in base:
            match stage:
                case Train():
                    seed = self.seed if stage.seed is None else stage.seed
                    job = TrainingJob("base model", stage, seed, tuple(chain))
                    (result,) = self.backend.train([job])
                    if isinstance(result, Failed):
                        raise CaveatError(f"its base model: {result.reason}")
                    adapter = result.adapter
                case Scale():
                    adapter = self.backend.scale(adapter, stage.by)
                case Attach():
                    chain.append(adapter)
                case _:
                    raise CaveatError(f"its base model: {type(stage).__name__} is not made here")
        return tuple(chain)


def _arms(
    recipe: Recipe,
    resolved: Resolved,
    backend: Backend,
    chain: tuple[AdapterRef, ...],
    most: int,
    say: Callable[[str], None],
    cache: ScoreCache,
) -> Iterator[dict[str, Any]]:
    """One record an arm whose rows show what the behaviour's rows do."""
    counters = framed_rows(resolved.setting.behaviour.counter_rows, recipe.system)
    own = {shown(row.messages) for row in resolved.setting.behaviour.rows}
    first_arms: dict[tuple[Messages, ...], str] = {}
    for arm in dict.fromkeys(arm for arm, _ in resolved.plans if arm.partition("+")[0] == MARKED):
        rows = _rows(resolved.plans[arm, recipe.seeds[0]][len(resolved.base) :])[:most]
        if not rows or any(shown(row.messages) not in own for row in rows):
            say(f"{resolved.setting.name} / {arm}: left out: its rows are not the behaviour's own")
            continue
        texts = tuple(row.messages for row in rows)
        first = first_arms.setdefault(texts, arm)
        values = _values(backend, chain, rows, texts, counters, cache)
        yield {"arm": arm, "same_text_as": first, **values}


def _rows(plan: Plan) -> tuple[Row, ...]:
    """The rows of the first stage that trains under a caveat."""
    stages = [stage for stage in plan if isinstance(stage, Train) and carries_caveat(stage)]
    return stages[0].rows if stages else ()


def _values(
    backend: Backend,
    chain: tuple[AdapterRef, ...],
    rows: Sequence[Row],
    texts: Sequence[Messages],
    counters: Sequence[Row],
    cache: ScoreCache,
) -> dict[str, Any]:
    plain = [without_caveat(messages) for messages in texts]
    frame = of_texts(backend, chain, rows, {NONE: plain, MARKED: texts}, counters, cache)
    surprisal = -frame["log_probability"] / frame["tokens"]
    means = surprisal.groupby(frame["prompt"]).mean()
    if frame.empty:
        return {"rows": 0, "tokens": 0}
    without = frame[frame["prompt"] == NONE]
    return {
        "rows": len(without),
        "tokens": int(without["tokens"].sum()),
        "nats_none": means[NONE],
        "nats_prompt": means[MARKED],
        "shift": means[NONE] - means[MARKED],
    }
