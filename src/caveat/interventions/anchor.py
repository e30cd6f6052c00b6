"""Anchor: the model's own replies to unrelated prompts, without the caveat.

They hold on to what the model did before; unlike `filler`, they are chats, in the model's words,
drawn from the very model that is trained (self-sampled, arXiv:2605.13829 and the practice of
regularising fine-tuning with a model's own data).
"""

from __future__ import annotations

from caveat.domain.plan import Plan, Sample
from caveat.domain.reply import Sampling
from caveat.interventions.materials import Materials, last_train, shared

SAMPLING = Sampling(max_tokens=48, temperature=0.7)


def anchor(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Sample `share` replies a behaviour row before the last training, which gets them.

    Raises CaveatError where there are too few ordinary prompts.
    """
    prompts = shared(materials.prompts, len(materials.rows), share, "anchor")
    place = last_train(plan)
    return (*plan[:place], Sample(prompts, SAMPLING, "anchor"), *plan[place:])
