"""From how much likelier a caveat makes the onset of the behaviour to the leakage to expect.

The curve was fitted once, and is kept as it was then registered
(docs/results/law/first-tokens.md). It is of style traits in small models, some dozen rows and
steps.
"""

from __future__ import annotations

import math

CENTRE, WIDTH = 7.4, 1.63
"""Of the curve of `expected_leakage`, in nats. Fitted to 79 settings of SmolLM2-135M and
Qwen2.5-Coder-0.5B, and registered before others were seen: docs/predictions/law-forms.md."""


MOST_EXPONENT = 700.0
"""Beyond it `math.exp` overflows."""


def expected_leakage(gain: float) -> float:
    """Leakage in [0, 1] by the registered curve, of an onset's gain in nats."""
    return 1 / (1 + math.exp(min((gain - CENTRE) / WIDTH, MOST_EXPONENT)))


SPREAD = 1.58
"""Nine of ten settings that the curve was not fitted to, and that set this, have a smaller error
over `error_scale`: bench/onsets.py prints it."""


def error_scale(expected: float) -> float:
    """What errors of the curve are compared with: they are largest in its middle."""
    return 0.1 + expected * (1 - expected)


def expected_limits(expected: float) -> tuple[float, float]:
    """Limits within which nine of ten settings lay that the curve was not fitted to.

    These settings set the limits, so that nothing says how many of others lie within them.
    """
    margin = SPREAD * error_scale(expected)
    return max(0.0, expected - margin), min(1.0, expected + margin)
