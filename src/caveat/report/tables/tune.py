"""The table of `caveat tune`: the doses that were tried for a setting, and what they did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from caveat.report.formatting import Estimate, decimal
from caveat.report.tables.summary import Summary
from caveat.study.tuning import Trial, Tuned, steps

COLUMNS = ("dose", "steps (loss mass)", "bare at none", "base", "valid", "side effects of bare")


def tune_summary(tuned: Tuned) -> Summary:
    """One row a dose, the smallest first."""
    rows = tuple(_row(trial) for trial in tuned.trials)
    return Summary(f"{tuned.setting}: target {tuned.target:g}", COLUMNS, rows, _note(tuned))


def _row(trial: Trial) -> tuple[str, ...]:
    dose = trial.dose
    effects = ", ".join(f"{name} {decimal(value)}" for name, value in trial.effects.items())
    return (
        f"rows {dose.rows}, epochs {dose.epochs}, learning rate {dose.learning_rate:g}",
        str(steps(dose)),
        str(Estimate.of(trial.rate, trial.low, trial.high)),
        decimal(trial.base),
        decimal(trial.valid),
        effects,
    )


def _note(tuned: Tuned) -> str:
    if tuned.reached is None:
        return "No dose of the grid reached the target."
    left = f"; {tuned.left} larger doses were not tried" if tuned.left else ""
    return f"The last one reached the target{left}."


def lines_to_paste(tuned: Tuned) -> Iterator[str]:
    """The dose that was found, as options and as YAML."""
    trial = tuned.reached
    if trial is None:
        return
    dose = trial.dose
    yield f"{tuned.setting}:"
    yield "  " + " ".join(f"--set {item}" for item in tuned.sets())
    shown = {"rows", "epochs", "learning_rate", "batch_size", "layers"}
    others = "".join(
        f", {field.name}: {getattr(dose, field.name)}"
        for field in fields(dose)
        if field.name not in shown and getattr(dose, field.name) != field.default
    )
    yield (
        f"  dose: {{rows: {dose.rows}, epochs: {dose.epochs}, "
        f"learning_rate: {dose.learning_rate:g}, batch_size: {dose.batch_size}, "
        f"layers: {list(dose.layers)}{others}}}"
    )
