"""The control of each intervention: the arm trained on its rows with every caveat taken out."""

from __future__ import annotations

from caveat.domain.plan import Plan
from caveat.study.arms import stripped
from caveat.study.cells import cell_of
from caveat.study.planning import SettingPlan
from caveat.study.resolve import Resolved


def controls(setting: SettingPlan, model: str) -> dict[str, str | None]:
    """By arm `marked+X` of the setting, the arm that is X's control, by what training makes.

    `bare+X` where the recipe has it, else an arm that comes to the same adapters: `bare`, where
    taking the caveat out leaves the bare rows. None where what is left is what `marked+X` itself
    is trained on, as of documents that deny their claim: nothing tells forgetting from a remedy
    then. An arm whose control the recipe lacks is left out.
    """
    found: dict[str, str | None] = {}
    seed = next((cell.seed for cell in setting.cells if cell.seed is not None), None)
    chains = {cell.arm: cell.chain for cell in setting.cells if cell.seed == seed}
    for arm, chain in chains.items():
        stem, _, intervention = arm.partition("+")
        if stem != "marked" or not intervention:
            continue
        plan = _without_caveat(setting.resolved, arm, seed)
        same = cell_of(arm, arm, seed, plan, model).chain
        bare = [each for each in chains if each.startswith("bare") and chains[each] == same]
        if same == chain:
            found[arm] = None
        elif bare:
            found[arm] = f"bare+{intervention}" if f"bare+{intervention}" in bare else bare[0]
    return found


def _without_caveat(resolved: Resolved, arm: str, seed: int | None) -> Plan:
    """The arm's plan with every caveat taken out but those that its base model was taught."""
    plan, base = resolved.plans[arm, seed], resolved.base
    return (*base, *stripped(plan[len(base) :]))
