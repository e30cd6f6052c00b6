"""Find the smallest dose that installs the behaviour: `caveat tune`.

Leakage is defined where bare training installs the behaviour, and the dose that does depends on the
model. A grid of doses is tried from the smallest on, bare arms alone, on tuning questions and on
seeds that no result uses, until the rate at `none` reaches a target. Nothing of it enters a table.

Doses are ordered by the learning rate summed over the steps: under Adam a step moves each weight by
about the learning rate, so this is how far training can go. Every dose is a setting of one study,
so what was trained is found again, and a stopped search resumes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.backends import check_backend, open_backend
from caveat.backends.base import Backend
from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.study.config.resolve import resolve_setting
from caveat.study.config.schema import Recipe, SettingRecipe, read
from caveat.types.training import Dose

if TYPE_CHECKING:
    from pandas import DataFrame

TARGET = 0.9
FIRST_SEED = 100
"""Tuning seeds start here: the seeds of results lie below."""
EPOCHS = (1, 2, 4)
RATE_FACTORS = (0.5, 1.0, 2.0)
"""Of the recipe's learning rate, in the grid where none is given."""


@dataclass(frozen=True)
class Grid:
    """The doses to try; empty axes are filled from the recipe's own dose."""

    rows: tuple[int, ...] = ()
    epochs: tuple[int, ...] = EPOCHS
    learning_rates: tuple[float, ...] = ()

    def doses(self, dose: Dose, available: int) -> list[Dose]:
        """All doses of the grid, the smallest first; the rest of the dose is the recipe's.

        Raises CaveatError for more rows than the behaviour has.
        """
        counts = self.rows or (min(dose.rows or available, available),)
        if max(counts) > available:
            raise CaveatError(f"--rows {max(counts)}: the behaviour has {available} rows")
        rates = self.learning_rates or tuple(
            float(f"{factor * dose.learning_rate:.3g}") for factor in RATE_FACTORS
        )
        grid = [
            replace(dose, rows=rows, epochs=epochs, learning_rate=rate)
            for rows in counts
            for epochs in self.epochs
            for rate in rates
        ]
        return sorted(dict.fromkeys(grid), key=size)


def steps(dose: Dose) -> int:
    """Optimizer steps of a dose with a number of rows: its loss mass, as each step's weights sum
    to 1."""
    assert dose.rows is not None
    return dose.epochs * math.ceil(dose.rows / dose.batch_size)


def size(dose: Dose) -> tuple[float, int, int]:
    """Sort key: the learning rate summed over the steps, then tokens seen, then distinct rows."""
    assert dose.rows is not None
    return (
        round(steps(dose) * dose.learning_rate, 12),
        dose.epochs * dose.rows,
        dose.rows,
    )


@dataclass(frozen=True)
class Trial:
    """A dose that was tried."""

    dose: Dose
    rate: float
    """R(bare, none) on tuning questions."""
    low: float
    high: float
    base: float
    """R(base, none)."""
    valid: float
    """Share of valid answers."""
    effects: dict[str, float] = field(default_factory=dict)
    """Side effects of bare by name: a share, or a change in nats a token."""

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rows": self.dose.rows,
            "epochs": self.dose.epochs,
            "learning_rate": self.dose.learning_rate,
            "loss_mass": steps(self.dose),
            "rate": {"value": self.rate, "low": self.low, "high": self.high},
            "base": self.base,
            "valid": self.valid,
            "side_effects": self.effects,
        }


@dataclass(frozen=True)
class Tuned:
    """The search for one setting."""

    setting: str
    index: int
    """Of the setting in the recipe."""
    target: float
    trials: tuple[Trial, ...]
    """In the order in which they were tried; the last one reached the target, if any did."""
    left: int
    """Doses of the grid that were not tried."""

    @property
    def reached(self) -> Trial | None:
        """The smallest dose that reached the target."""
        return next((trial for trial in self.trials if trial.rate >= self.target), None)

    @property
    def best(self) -> Trial:
        """The dose with the highest rate."""
        return max(self.trials, key=lambda trial: trial.rate)

    def sets(self) -> list[str]:
        """`--set` items that put the dose into the recipe."""
        if self.reached is None:
            return []
        dose = self.reached.dose
        prefix = f"settings.{self.index}.dose"
        return [
            f"{prefix}.rows={dose.rows}",
            f"{prefix}.epochs={dose.epochs}",
            f"{prefix}.learning_rate={dose.learning_rate:g}",
        ]

    def failure(self) -> str:
        """One line for a target that was not reached."""
        dose = self.best.dose
        return (
            f"{self.setting}: bare reaches {self.best.rate:.2f} "
            f"[{self.best.low:.2f}, {self.best.high:.2f}] of the target {self.target:g}, at the "
            f"best of {len(self.trials)} doses tried (rows={dose.rows}, epochs={dose.epochs}, "
            f"learning_rate={dose.learning_rate:g}); widen the grid (--rows, --epochs, --rates), "
            "lower --target, or leave this setting out on this model"
        )

    def record(self) -> dict[str, Any]:
        """For JSON."""
        reached = self.reached
        return {
            "setting": self.setting,
            "index": self.index,
            "target": self.target,
            "reached": None if reached is None else reached.record(),
            "tried": [trial.record() for trial in self.trials],
            "not_tried": self.left,
            "sets": self.sets(),
            "problem": None if reached else self.failure(),
        }


def tune(
    recipe: Recipe | str | Path | dict[str, Any],
    out: str | Path | None = None,
    progress: Progress | None = None,
    sets: Sequence[str] = (),
    target: float = TARGET,
    grid: Grid | None = None,
    seeds: int = 2,
    backend: Backend | None = None,
) -> tuple[Tuned, ...]:
    """Search for each setting's dose; studies lie in `out`, `studies/NAME-tune` by default.

    Args:
        target: R(bare, none) to reach, in (0, 1].
        seeds: Number of training seeds of each dose.
        backend: In place of the backend `local`, which loads the recipe's model.

    Raises CaveatError for a mistake in the recipe or an option, and for settings that use RL.
    """
    if not 0 < target <= 1:
        raise CaveatError(f"--target {target}: must be above 0 and at most 1, such as 0.9")
    if seeds < 1:
        raise CaveatError(f"--seeds {seeds}: must be 1 or more")
    given = read(recipe, tuple(sets))
    tuning = _tuning_recipe(given, seeds)
    searches = [
        _Search(tuning, setting, index, target, grid or Grid())
        for index, setting in enumerate(tuning.settings)
    ]
    if backend is None:
        given.demand_local("caveat tune")
        check_backend(given.backend_source)
        backend = open_backend(given.backend_source, progress)
    folder = Path(out) if out is not None else Path("studies") / f"{given.name}-tune"
    return tuple(search.run(folder, progress, backend) for search in searches)


def _tuning_recipe(recipe: Recipe, seeds: int) -> Recipe:
    """The recipe with bare arms alone, at `none`, on tuning questions and tuning seeds."""
    for setting in recipe.settings:
        if setting.rl is not None:
            raise CaveatError(
                f"tune: {setting.behaviour} x {setting.caveat} trains with RL, whose dose is "
                "rl.max_steps; try values of it with caveat run --set split=tune"
            )
    tuning_seeds = tuple(range(FIRST_SEED, FIRST_SEED + seeds))
    shared = sorted({*recipe.seeds} & {*tuning_seeds})
    if shared:
        raise CaveatError(
            f"tune: seed {shared[0]} is one of the recipe's seeds, and would choose the dose of "
            f"its own results; tuning takes {FIRST_SEED} to {tuning_seeds[-1]}, so give the recipe "
            "others"
        )
    plain = {"arms": None, "contexts": None}
    settings = tuple(setting.model_copy(update=plain) for setting in recipe.settings)
    return recipe.model_copy(
        update={
            "name": f"{recipe.name}-tune",
            "split": "tune",
            "seeds": tuning_seeds,
            "decision_tokens": False,
            "arms": ("base", "bare"),
            "contexts": ("none",),
            "contexts_by_arm": {},
            "comprehension": False,
            "means": {},
            "executor": "local",
            "settings": settings,
        }
    )


class _Search:
    """The search for one setting's dose: everything is checked when it is made."""

    def __init__(
        self, recipe: Recipe, setting: SettingRecipe, index: int, target: float, grid: Grid
    ) -> None:
        resolved = resolve_setting(
            recipe, setting.model_copy(update={"dose": replace(setting.dose, rows=None)})
        )
        self.recipe, self.setting, self.index, self.target = recipe, setting, index, target
        self.name = resolved.setting.name
        self.doses = grid.doses(setting.dose, len(resolved.setting.behaviour.rows))

    def run(self, folder: Path, progress: Progress | None, backend: Backend) -> Tuned:
        """Try dose after dose until one reaches the target.

        The study of a dose has those of the smaller ones too: so nothing is made twice, and at the
        end it is one study of all doses.
        """
        from caveat.study.run import run

        trials: list[Trial] = []
        for count in range(1, len(self.doses) + 1):
            settings = tuple(
                self.setting.model_copy(update={"dose": dose}) for dose in self.doses[:count]
            )
            name = f"{self.recipe.name}-{self.index}"
            recipe = self.recipe.model_copy(update={"name": name, "settings": settings})
            study = run(
                recipe, folder / f"setting-{self.index}", progress, backend=backend, report=False
            )
            failures = study.failures()
            if len(failures):
                raise CaveatError(f"tune: {failures['cell'][0]} failed: {failures['reason'][0]}")
            trials.append(
                _trial(self.doses[count - 1], self.name, study.leakage(), study.side_effects())
            )
            if trials[-1].rate >= self.target:
                break
        left = len(self.doses) - len(trials)
        return Tuned(self.name, self.index, self.target, tuple(trials), left)


def _trial(dose: Dose, setting: str, leakage: DataFrame, effects: DataFrame) -> Trial:
    """What a study says of the bare arm of one of its doses.

    Of several readouts, the one with the most answers counts.
    """
    base = _rows(leakage, setting, "base")
    bare = _rows(leakage, setting, "bare")
    bare = bare[[_is(dose, text) for text in bare["dose"]]]
    bare = bare[bare["scope"] == "trained"] if (bare["scope"] == "trained").any() else bare
    row = bare.sort_values("replies", ascending=False, kind="stable").iloc[0]
    same = (base["readout"] == row["readout"]) & (base["scope"] == row["scope"])
    changed = _rows(effects, setting, "bare")
    changed = changed[[_is(dose, text) for text in changed["dose"]]]
    return Trial(
        dose,
        float(row["rate"]),
        float(row["rate_low"]),
        float(row["rate_high"]),
        float(base[same]["rate"].iloc[0]),
        float(row["valid"]),
        dict(_effects(changed)),
    )


def _rows(frame: DataFrame, setting: str, arm: str) -> DataFrame:
    rows = frame[(frame["setting"] == setting) & (frame["arm"] == arm)]
    return rows[rows["context"] == "none"] if "context" in rows else rows


def _is(dose: Dose, text: str) -> bool:
    """Whether the dose that a study's table names is this one."""
    import json

    fields = json.loads(text)
    names = ("rows", "epochs", "learning_rate")
    return bool(fields) and all(fields.get(name) == getattr(dose, name) for name in names)


def _effects(rows: DataFrame) -> Iterator[tuple[str, float]]:
    for row in rows.to_dict("records"):
        if row["effect"] != "valid replies" and row["value"] == row["value"]:
            yield row["effect"], float(row["value"])
