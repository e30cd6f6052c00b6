"""Before: the policy's own replies, drawn before it practises, to the prompts without the caveat.

Contrast for policies that needs neither an oracle nor counter rows: without the permission it
should go on as it did.
"""

from __future__ import annotations

from caveat.domain.plan import Plan, Sample
from caveat.domain.reply import Sampling
from caveat.interventions.materials import Materials, last_stage, last_train, shared
from caveat.interventions.practising import with_practice


def before(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Sample a reply to `share` of the prompts before the practice, which is taught them.

    Raises CaveatError where nothing is practised.
    """
    with_practice(plan, "before", lambda practice: practice)
    practice = last_stage(plan).practice
    assert practice is not None
    rows = shared(materials.rows, len(materials.rows), share, "before")
    sampling = Sampling(practice.max_tokens, practice.temperature)
    place = last_train(plan)
    asked = Sample(tuple(row.messages[:-1] for row in rows), sampling, "before")
    return (*plan[:place], asked, *plan[place:])
