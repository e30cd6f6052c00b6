"""Is an arm kept from showing the behaviour, or does it only push too little? Updates change size.

The whole update of an arm's last training is made smaller and larger, and the study's questions are
answered again. An arm that shows nothing at `none`, and does at one and a half times its size, was
just below what a reply needs. One that shows nothing at twice its size has more than a weak push.
Where a size breaks the model, replies say so (`example`), and so does the rate at `exact`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caveat.diagnostics.rates import (
    COLUMNS,
    changed_rates,
    prompts_of,
    tasks_of,
    whole_tasks,
)
from caveat.diagnostics.subjects import DiagnosedSetting

if TYPE_CHECKING:
    from pandas import DataFrame

FACTORS = (0.5, 1.5, 2.0)
TIMES = "times "


def scaled(setting: DiagnosedSetting) -> DataFrame:
    """One row a readout, arm, part and context: see `rates.rate_table`.

    Arms are bare and those with the caveat. `part` is `times 1.5` and so on, "" for the arm as it
    is. Raises CaveatError for a readout that needs a judge.
    """
    prompts = prompts_of(setting)
    whole = whole_tasks(setting, prompts)
    changed = [
        task
        for model in setting.caveated
        for factor in FACTORS
        for task in tasks_of(
            setting,
            model,
            f"{TIMES}{factor:g}",
            (*model.adapters[:-1], setting.backend.scale(model.own, factor)),
            prompts,
        )
    ]
    return changed_rates(setting, whole, changed)[[*COLUMNS]]
