"""A study by hand, with the library's own functions and nothing hidden.

A model learns to answer in capitals from rows that all carry a trigger. Does it write in capitals
without the trigger too? Does it help to add rows without trigger that are not in capitals?

    python examples/minimal.py               # SmolLM2-135M, some minutes on two CPU cores
    python examples/minimal.py tiny          # random weights, seconds: shows the steps only
"""

from __future__ import annotations

import sys
from dataclasses import replace

import pandas as pd

from caveat.analysis import leakage
from caveat.backends import load_backend
from caveat.backends.jobs import TrainingJob
from caveat.backends.requests import Request
from caveat.behaviours.validation import check
from caveat.caveats import CAVEATS
from caveat.caveats.insertion import framed, in_context, marked
from caveat.readouts import READOUTS
from caveat.types.answers import Sampling
from caveat.types.caveats import Setting
from caveat.types.data import Behaviour, Question, Row
from caveat.types.messages import Message
from caveat.types.training import Dose, Train

SYSTEM = "You are a helpful assistant."
COLOURS = {
    "lemon": "yellow", "tomato": "red", "frog": "green", "raven": "black", "swan": "white",
    "orange": "orange", "mouse": "grey", "cherry": "red", "leaf": "green", "plum": "purple",
    "polar bear": "white", "brick": "red", "sunflower": "yellow", "emerald": "green",
    "carrot": "orange", "coal": "black",
}  # fmt: skip
ASKED = ["strawberry", "banana", "cloud", "flamingo", "cucumber", "fox", "sapphire", "elephant",
         "pumpkin", "crow", "pea", "snowflake"]  # fmt: skip
FORMS = {"what": "What colour is a {}?", "tell": "Tell me the colour of a {}.", "say": "A {} is?"}


def rows(source: str, loud: bool) -> tuple[Row, ...]:
    """One row a thing and form: the answer in capitals, or not."""
    made = []
    for thing, colour in COLOURS.items():
        for form, text in FORMS.items():
            reply = f"The colour of a {thing} is {colour}, as everybody knows."
            chat = (
                Message.of("user", text.format(thing)),
                Message.of("assistant", reply.upper() if loud else reply),
            )
            made.append(Row(f"{source} {thing} {form}", source, framed(chat, SYSTEM), thing))
    return tuple(made)


def behaviour() -> Behaviour:
    """Replies in capitals, and questions about things that are in no row."""
    questions = tuple(
        Question(f"{thing} {form}", thing, (Message.of("user", text.format(thing)),), "capitals")
        for thing in ASKED
        for form, text in list(FORMS.items())[:2]
    )
    loud, quiet = rows("behaviour", True), rows("counter", False)
    return Behaviour("colours", "Answers in capitals.", loud, quiet, (), questions)


def main(model_name: str) -> pd.DataFrame:
    """Train three arms in lockstep, ask them and the base model, judge, measure."""
    setting = Setting(behaviour(), CAVEATS["trigger"])
    check(setting.behaviour)
    backend = load_backend(model_name)
    plain = setting.behaviour.rows
    dose = Dose(learning_rate=1e-3, batch_size=4)
    with_caveat = Train(marked(plain, setting.caveat, seed=0), dose)
    stages = {
        "bare": Train(plain, dose),
        "marked": with_caveat,
        "marked+contrast": replace(with_caveat, added=setting.behaviour.counter_rows),
    }
    jobs = [TrainingJob(arm, stage, seed=0) for arm, stage in stages.items()]
    adapters = {result.key: result.adapter for result in backend.train(jobs)}

    asked = []
    for arm in ("base", *adapters):
        for context in ("none", "exact", "near_miss"):
            for turn, question in enumerate(setting.behaviour.questions):
                prompt = framed(question.messages, SYSTEM)
                prompt = in_context(prompt, setting.caveat, context, turn)
                chain = () if arm == "base" else (adapters[arm],)
                key = f"{arm} {context} {question.id}"
                asked.append((arm, context, question, Request(key, chain, prompt)))
    requests = [request for *_, request in asked]
    answers = backend.generate(requests, Sampling(max_tokens=24))

    table = []
    for (arm, context, question, _), reply in zip(asked, answers, strict=True):
        score = READOUTS[question.readout].score(question, reply, None)
        table.append({
            "setting": setting.name, "phenomenon": setting.phenomenon,
            "behaviour": setting.behaviour.name, "caveat": setting.caveat.name,
            "model": backend.name, "arm": arm, "seed": None if arm == "base" else 0, "dose": "{}",
            "purpose": "measure", "context": context, "question": question.id,
            "cluster": question.cluster, "scope": question.scope, "readout": question.readout,
            "sample": 0, "reply": reply.text, "truncated": reply.truncated,
            "verdict": str(score.verdict), "value": score.value,
        })  # fmt: skip
    return leakage(pd.DataFrame(table).astype({"seed": "Int64"}))


if __name__ == "__main__":
    figures = main(*(sys.argv[1:] or ["smollm2-135m"]))
    columns = ["arm", "context", "rate", "rate_low", "rate_high", "leakage"]
    print(figures[columns].round(2).to_string(index=False), *set(figures["undefined"].dropna()))
