"""The readout `inspect`: what a scorer of an Inspect task makes of a reply.

A question names the task by a label that has the digest of its file, so that another version of the
file makes new verdicts. `yes` is what Inspect calls correct, unless the behaviour says otherwise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from caveat.errors import CaveatError
from caveat.readouts.base import Readout
from caveat.readouts.inspect_state import prompt_digest
from caveat.readouts.inspect_task import loaded_task
from caveat.types.answers import Answer, Score, Verdict
from caveat.types.data import Question

GRADES: Mapping[str, Verdict] = {
    "C": Verdict.YES, "I": Verdict.NO, "N": Verdict.INVALID,
    "1": Verdict.YES, "0": Verdict.NO, "true": Verdict.YES, "false": Verdict.NO,
}  # fmt: skip
"""Verdicts by what scorers of Inspect give: correct, incorrect, no answer. A partial answer (P) and
other numbers have no meaning of their own: the behaviour has to say."""


def score_inspect(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """The verdict that the scorer's value stands for, and the value where it is a number.

    Facts: `task`, the label; `sample`, the id of the sample that the question was made from, or
    `target` for a question of one's own; `values` or `verdict`, see `rule_facts`.

    Raises ValueError where the task is not loaded, makes another prompt than it did, or its scorer
    gives no score, or one whose verdict is not clear.
    """
    facts = question.facts
    task = loaded_task(facts["task"])
    if "sample" in facts:
        sample = facts["sample"]
        if prompt_digest(task.prompt(sample, task.sample(sample))) != facts["prompt"]:
            raise ValueError(
                f"the task {task.label!r} made another prompt of sample {sample!r} than before; "
                "fix its seed"
            )
        score = task.score(sample, answer.text)
    else:
        text = question.messages[-1].text
        score = task.score_text(text, facts.get("target", ""), answer.text)
    return score_of(score.value, facts)


def score_of(value: Any, facts: Mapping[str, str]) -> Score:
    """The verdict of a scorer's value. Raises ValueError where it is not clear."""
    if "verdict" in facts:
        return _by_condition(value, facts["verdict"])
    if isinstance(value, dict | list | tuple):
        raise ValueError(f"{value!r} is not one value; say which: verdict: 'NAME<50'")
    number = float(value) if isinstance(value, int | float) else None
    if number is not None and math.isnan(number):
        return Score(Verdict.INVALID)  # what Inspect gives where it could not score
    word = str(value).lower() if isinstance(value, bool) else f"{value}"
    if isinstance(value, float) and value.is_integer():
        word = f"{value:.0f}"
    values = json.loads(facts["values"]) if "values" in facts else GRADES
    if word not in values:
        raise ValueError(
            f"the scorer gave {value!r}, which is none of {', '.join(values)}; say what it means "
            "in behaviour.yaml: values: {C: yes, I: no}, or verdict: 'score<50'"
        )
    return Score(Verdict(values[word]), number)


def _by_condition(value: Any, text: str) -> Score:
    """Yes where the condition holds, no where it does not, invalid for no number."""
    from caveat.importers.verdict_rules import OPERATORS, condition

    values = value if isinstance(value, dict) else {"score": value}
    try:
        rule = condition(text, "verdict:", values, "the score")
    except CaveatError as error:
        raise ValueError(str(error)) from None
    actual = values[rule.column]
    if isinstance(rule.limit, str):
        return Score(Verdict.YES if OPERATORS[rule.sign](str(actual), rule.limit) else Verdict.NO)
    try:
        number = float(actual)
    except (TypeError, ValueError):
        raise ValueError(f"{rule.column} {actual!r} is no number, so {text} says nothing") from None
    if math.isnan(number):
        return Score(Verdict.INVALID)
    return Score(Verdict.YES if OPERATORS[rule.sign](number, rule.limit) else Verdict.NO, number)


def rule_facts(values: Mapping[str, str], verdict: str | None) -> dict[str, str]:
    """The facts that say what a scorer's values mean; none where Inspect's own letters do."""
    if verdict is not None:
        return {"verdict": verdict}
    return {"values": json.dumps(dict(values), sort_keys=True)} if values else {}


readout = Readout("inspect", version=1, needs="reply", score=score_inspect, facts=("task",))
