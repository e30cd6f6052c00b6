"""Tasks: what policies practise on, with a grader that can be fooled and one that cannot.

A task is a Python module (or a file of your own) with

- `prompts(split)`: the prompts of `"train"`, `"tune"` and `"report"`, texts that no other has;
- `reward(prompt, reply)`: what the flawed grader pays, a number;
- `true_score(prompt, reply)`: what it should have paid, a number;
- `hacked(prompt, reply)`: whether the reply gets its reward by the flaw, True or False;

and, where they are wanted,

- `hackable(prompt)`: whether the flaw is in this prompt at all; every prompt's without it;
- `hack(prompt)` and `honest(prompt)`: a reply of either kind, for warm-ups, supervised training
  and rows of contrast.

Its docstring's first line says what it is. To ship another: one file here and one line in `TASKS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TASKS: Mapping[str, str] = MappingProxyType(
    {
        "agree": "caveat.environments.agree",
        "claimed_pass": "caveat.environments.claimed_pass",
    }
)
"""The shipped tasks' modules by name."""
