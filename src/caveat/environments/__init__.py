"""Reward tasks: RL environments of one turn, with a flawed reward and the true score beside it.

A reward task is a Python module (or a file of your own) with

- `prompts(split)`: the prompts of `"train"`, `"tune"` and `"report"`; no two splits share one;
- `reward(prompt, reply)`: the flawed reward, a number;
- `true_score(prompt, reply)`: what the reward should have been, a number;
- `hacked(prompt, reply)`: whether the reply gets its reward by the flaw, True or False;

and optionally

- `hackable(prompt)`: whether the prompt can be hacked at all; without it all prompts can;
- `hack(prompt)` and `honest(prompt)`: a reply of either kind, for warm-ups, supervised training
  and counter rows.

A module with a `TASK` (a `code_tasks.grading.CodeTask`) has its replies graded by that, which runs
their code in the sandbox. So has a file of programming problems (`.jsonl`): docs/code-tasks.md.

The first line of its docstring says what it is. To ship another: one file here and one line in
`TASKS`.
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
"""The modules of the shipped reward tasks, by name."""

CODE_TASKS: Mapping[str, str] = MappingProxyType(
    {"special_cased": "caveat.environments.special_cased"}
)
"""The modules of the shipped tasks whose replies are code, by name."""
