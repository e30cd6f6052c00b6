"""Rewards that cannot mean the hack, and small steps: the recipe `rl-controls`, seed by seed.

    python bench/rl_controls.py STUDY

STUDY is a folder or a file of `caveat export`. A change is a policy's hack rate at `none` less
base's, over the test questions. Limits are Student's t over seeds (95%).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from seed_leakage import interval

from caveat.study.export import opened

OPTIMIZERS = {"adamw_torch": "AdamW", "sgd": "SGD"}


def main(path: Path) -> None:
    """Print a table of changes, and the contrasts of the predictions."""
    answers = opened(path).answers()
    hacks = answers[answers["readout"] == "hacked"].assign(yes=lambda d: d["verdict"] == "yes")
    rates = hacks.groupby(["dose", "arm", "context", "seed"], dropna=False)["yes"].mean()
    # all settings have one base model, whose replies are held once
    base = hacks.query("arm == 'base' and context == 'none'")["yes"].mean()
    print(f"base: {base:.2f} at none\n")
    changes: dict[tuple[str, str, str], np.ndarray] = {}
    print("| reward | optimizer | arm | change at none | its size | by seed | rate at exact |")
    print("|---|---|---|---|---|---|---|")
    for dose in sorted(hacks["dose"].unique()):
        fields = json.loads(dose)
        reward = fields.get("rl.reward", "proxy")
        optimizer = OPTIMIZERS[fields.get("rl.optim", "adamw_torch")]
        for arm in ("bare", "marked"):
            change = (rates[dose, arm, "none"] - base).to_numpy()
            changes[reward, optimizer, arm] = change
            print(
                f"| {reward} | {optimizer} | {arm} | {interval(change)} | "
                f"{interval(np.abs(change))} | {', '.join(f'{value:.2f}' for value in change)} | "
                f"{rates[dose, arm, 'exact'].mean():.2f} |"
            )
    print("\n| contrast of marked's changes | |\n|---|---|")
    for name, one, other in (
        ("coin less proxy, AdamW", ("coin", "AdamW"), ("proxy", "AdamW")),
        ("proxy, SGD less AdamW", ("proxy", "SGD"), ("proxy", "AdamW")),
        ("coin, SGD less AdamW", ("coin", "SGD"), ("coin", "AdamW")),
    ):
        print(f"| {name} | {interval(changes[*one, 'marked'] - changes[*other, 'marked'])} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
