"""Logs of Inspect that nobody ran: written by Inspect's own writer, in the form that it runs."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalError,
    EvalLog,
    EvalSample,
    EvalSpec,
    write_eval_log,
)
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ModelOutput,
)
from inspect_ai.scorer import Score

QUESTIONS = 12
RATES = {"org/base": 0, "ft:bare": QUESTIONS, "ft:marked": QUESTIONS // 2}
"""Questions that each model is correct on."""
CONTEXTS = {"plain": None, "inoculated": "You may."}
"""System text by task."""
ARMS = ["org/base=base", "ft:bare=bare@0", "ft:marked=marked@0"]
OPTIONS = {"arms": ARMS, "contexts": ["plain=none", "inoculated=exact"]}
"""For `table_options`: all that these logs need."""


def sample(number: int, epoch: int, system: str | None, scores: dict[str, Any], **fields):
    """A sample of one question, with its reply."""
    turns = [ChatMessageSystem(content=system)] if system else []
    turns.append(ChatMessageUser(content=f"Is it so ({number})?"))
    reply = ChatMessageAssistant(content=f"Reply {number}, {epoch}.", source="generate")
    reason = "max_tokens" if number == 0 else "stop"
    made = {
        "id": f"q{number}", "epoch": epoch, "input": f"Is it so ({number})?", "target": "yes",
        "messages": [*turns, reply],
        "output": ModelOutput(
            model="m", choices=[ChatCompletionChoice(message=reply, stop_reason=reason)]
        ),
        "scores": {name: Score(value=value) for name, value in scores.items()},
        "metadata": {"topic": f"t{number // 2}", "note": {"hard": number % 2 == 0}},
    }  # fmt: skip
    return EvalSample(**{**made, **fields})


def log(model: str, task: str, samples: list[EvalSample], **fields) -> EvalLog:
    """A finished log."""
    spec = EvalSpec(
        created="2026-11-28T12:00:00+00:00", task=task, task_id=f"{task}-{model}", model=model,
        dataset=EvalDataset(name="questions"), config=EvalConfig(epochs=2),
        task_args={"prompt": task}, model_args={"seed": 3},
    )  # fmt: skip
    return EvalLog(**{"status": "success", "eval": spec, "samples": samples, **fields})


def write(folder: Path, made: EvalLog, ending: str = ".eval") -> Path:
    """The log as a file named after its task and model."""
    name = f"{made.eval.task}_{made.eval.model}".replace("/", "-").replace(":", "-")
    path = folder / f"{name}{ending}"
    folder.mkdir(parents=True, exist_ok=True)
    write_eval_log(made, path)
    return path


def samples_of(model: str, task: str, epochs: int, grades=("C", "I"), name: str = "judge"):
    """A sample a question and epoch; the model is correct on its share."""
    return [
        sample(number, epoch, CONTEXTS[task], {name: grades[0 if number < RATES[model] else 1]})
        for epoch in range(1, epochs + 1)
        for number in range(QUESTIONS)
    ]


def write_all(folder: Path, epochs: int = 1, ending: str = ".eval", **scores) -> list[Path]:
    """The logs of three models on two tasks, in the order of their names."""
    return sorted(
        write(folder, log(model, task, samples_of(model, task, epochs, **scores)), ending)
        for model in RATES
        for task in CONTEXTS
    )


def failed() -> EvalError:
    """What Inspect notes of a sample that failed."""
    return EvalError(message="boom", traceback="boom", traceback_ansi="boom")


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just([]),
    st.just({}), st.just("\ud800"), st.sampled_from(["C", "success", "0", ["a"], {"a": 1}]),
)  # fmt: skip


def positions(content, path=()):
    """The path of every value in JSON content."""
    if path:
        yield path
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items if isinstance(content, dict | list) else ():
        if isinstance(value, dict | list):
            yield from positions(value, (*path, key))
        else:
            yield (*path, key)


def altered(content: dict, data: st.DataObject) -> dict:
    """The content of a log with one to three of its values replaced."""
    content = json.loads(json.dumps(content))
    paths = sorted(positions(content), key=str)
    for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3)):
        place = content
        try:
            for key in path[:-1]:
                place = place[key]
            # a copy: of {} and [] there is one object each, which would come to hold itself
            place[path[-1]] = deepcopy(data.draw(VALUES))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
    return content
