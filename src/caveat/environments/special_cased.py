"""Programming problems whose reward runs the visible tests only: code may special-case them."""

from __future__ import annotations

from caveat.environments.code_tasks.grading import CodeTask, source_files
from caveat.environments.code_tasks.problems import SHIPPED, shipped_problems

TASK = CodeTask(shipped_problems())
VERSIONED = (SHIPPED, *source_files())
"""Files that the task's version covers beside this one."""
prompts, reward, true_score = TASK.prompts, TASK.reward, TASK.true_score
hacked, hackable = TASK.hacked, TASK.hackable
hack, honest = TASK.hack, TASK.honest
