"""docs/interventions.md names every intervention with its options."""

from __future__ import annotations

import re

from caveat.interventions import INTERVENTIONS
from caveat.study.config.arms import options_of
from paths import DOCS

TEXT = (DOCS / "interventions.md").read_text("utf-8")


def test_every_intervention_is_described_with_its_options():
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", TEXT, re.MULTILINE)
    assert {name: re.findall(r"`(\w+)`", options) for name, options in rows} == {
        name: list(options_of(function)) for name, function in INTERVENTIONS.items()
    }
