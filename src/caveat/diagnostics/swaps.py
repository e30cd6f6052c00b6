"""Which part of an arm's update makes it differ from bare: parts change places between the two.

Arms of one seed start from the same random A, so that a part of one fits in the other. Marked gets
bare's part, and bare gets marked's; the study's questions are answered again.

A gated arm that leaks with bare's part has its gate in that part. `switches` cannot say so: a part
that is taken out takes the behaviour with it. A part of marked that keeps bare from showing the
trait at `none` is enough for the gate; one whose loss opens it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from caveat.diagnostics.rates import (
    COLUMNS,
    Task,
    changed_rates,
    new_answers,
    prompts_of,
    tasks_of,
    whole_tasks,
)
from caveat.diagnostics.subjects import BARE, DiagnosedSetting, TrainedModel
from caveat.diagnostics.switches import parts_of
from caveat.errors import CaveatError

if TYPE_CHECKING:
    from pandas import DataFrame

SWAP_COLUMNS = (*COLUMNS, "modules")
OF = " of "


def swapped(setting: DiagnosedSetting) -> DataFrame:
    """One row a readout, arm, part and context: `rates.rate_table`, and how many `modules`.

    `arm` is the one that receives, and `part` says what and from whom, such as `12-15 of bare`.
    Parts are those of `switches`. Replies of whole arms are the study's own where it has them.

    Raises CaveatError for a part that no adapter has, a readout that needs a judge, arms of other
    ranks, and where no arm stands on the same adapters as bare.
    """
    pairs = list(pairs_of(setting))
    if not pairs:
        raise CaveatError(
            f"{setting.names['label']}: no arm with the caveat is trained on top of the same "
            "adapters as bare, so no part fits; leave the view swaps out"
        )
    prompts = prompts_of(setting)
    models = setting.caveated
    parts = parts_of(setting.backend, [model.own for model in models], setting.limits.parts)
    changed: list[Task] = []
    for receiver, donor in pairs:
        for part, modules in parts.items():
            own = setting.backend.with_modules_of(receiver.own, donor.own, modules)
            chain = (*receiver.adapters[:-1], own)
            named = f"{part}{OF}{donor.arm}"
            changed += tasks_of(setting, receiver, named, chain, prompts)
    whole = whole_tasks(replace(setting, models=tuple(dict.fromkeys(one for one, _ in pairs))),
                        prompts)  # fmt: skip
    table = changed_rates(setting, whole, changed, new_answers)
    modules = table["part"].map(lambda part: len(parts.get(part.partition(OF)[0], ())))
    return table.assign(modules=modules)[[*SWAP_COLUMNS]]


def pairs_of(setting: DiagnosedSetting) -> Iterator[tuple[TrainedModel, TrainedModel]]:
    """Who receives and who gives: each arm with the caveat and bare of its seed, both ways."""
    bare = {model.seed: model for model in setting.of(BARE)}
    for model in setting.caveated:
        other = bare.get(model.seed)
        if model.arm != BARE and other and model.adapters[:-1] == other.adapters[:-1]:
            yield model, other
            yield other, model
