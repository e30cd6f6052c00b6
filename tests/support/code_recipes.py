"""The recipes of code tasks, made small for the tiny model."""

from __future__ import annotations

from typing import Any

import yaml

from paths import ROOT

DOSE = {"rows": 4, "batch_size": 2, "rank": 2, "max_tokens": 1024}
FEW = {"questions": 1, "broad": ["hides a failure"]}


def shrunk(name: str, arms: list[str], **changes: Any) -> dict[str, Any]:
    """The first setting of a recipe with few rows, questions and tokens, on the tiny model."""
    recipe = yaml.safe_load((ROOT / "recipes" / f"{name}.yaml").read_text("utf-8"))
    setting = {**recipe["settings"][0], "arms": arms, "contexts": ["none", "exact"]}
    setting |= {"dose": DOSE, "options": FEW, **changes}
    return {
        **recipe, "model": "tiny", "seeds": [0], "settings": [setting], "contexts_by_arm": {},
        "sampling": {"max_tokens": 4}, "base_samples": 1, "resamples": 100,
        "decision_tokens": False,
    }  # fmt: skip
