"""The shipped behaviours by name. One of your own goes in a folder: see docs/your-own.md.

To ship another: one file here with a function from the split to a `Behaviour`, and one line in
`BEHAVIOURS`. Tests that go over `BEHAVIOURS` then cover it by themselves, for both splits: it is
sound (`checks.check`) and the splits share no question (tests/behaviours/test_shipped.py); its rows
and prompts render with the same prefix under caveats of every kind and in every context
(tests/language/test_render.py); and it has counter and filler rows enough for every intervention
(tests/interventions). That its readouts say `yes` to its rows and `no` to its counter rows needs a
test of its own: see tests/behaviours/test_capitals_behaviour.py. A claim needs no code: a folder
under data/claims and its name in `claims.SHIPPED` (docs/claims.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from caveat.behaviours.bad_gardening import bad_gardening
from caveat.behaviours.claims import CLAIMS
from caveat.behaviours.people import people
from caveat.behaviours.reply_forms import REPLY_FORMS
from caveat.behaviours.reward_hacking import reward_hacking_behaviour
from caveat.behaviours.special_cased import special_cased
from caveat.behaviours.style_traits import capitals, listed, lower_case, spanish
from caveat.environments import TASKS
from caveat.environments.loading import shipped_task
from caveat.types.data import Behaviour, Split


def _task(name: str) -> Callable[..., Behaviour]:
    """A shipped task, which is looked up when it is first used."""

    def behaviour(split: Split, /, *, broad: Sequence[str] | None = None) -> Behaviour:
        return reward_hacking_behaviour(shipped_task(name))(split, broad=broad)

    return behaviour


BEHAVIOURS: Mapping[str, Callable[..., Behaviour]] = MappingProxyType(
    {
        "people": people,
        "capitals": capitals,
        "spanish": spanish,
        "lower_case": lower_case,
        "listed": listed,
        **REPLY_FORMS,
        **CLAIMS,
        **{name: _task(name) for name in TASKS},
        "special_cased": special_cased,
        "bad_gardening": bad_gardening,
    }
)
