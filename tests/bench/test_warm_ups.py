"""Leakage after a warm-up is left out where it means nothing."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("base", "bare", "reason"),
    [(0.04, 0.97, ""), (0.5, 0.97, "base shows it"), (0.0, 0.21, "bare does not")],
)
def test_leakage_needs_a_base_without_the_trait_and_a_bare_with_it(base, bare, reason, script):
    assert script("warm_ups").undefined(base, bare) == reason
