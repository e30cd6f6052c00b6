"""Make the rows of the recipes own-samples and obedience: hand-written, and samples of a model.

    python bench/own_samples.py --model ~/models/qwen2.5-coder-0.5b --dtype bfloat16
    python bench/own_samples.py --model ~/models/qwen2.5-coder-1.5b --dtype bfloat16 --only larger
    python bench/own_samples.py --model ~/models/qwen2.5-coder-0.5b --dtype bfloat16 --costs

Writes behaviours in folders (docs/your-own.md), all with the shipped questions of `spanish`:

- `written`: the 48 shipped Spanish replies, without the opener that the shipped rows have.
- `own`: the model's replies under the caveat at temperature .7, cut to whole short sentences; of
  each prompt the first one that the readout calls Spanish. Those of `written` come first.
- `unlikely`: of the model's replies at a higher temperature, for each prompt of `written` the one
  whose log-probability under the caveat is nearest to that of the hand-written reply.
- `larger`: as `own`, of a larger model. Only with `--only larger`.
- `english`: 96 shipped replies in English to other prompts, of SmolLM2-135M. For a warm-up.

`--costs` prints what the replies of each set cost under the caveat, in nats: less their
log-probability by the model. Sampling takes a quarter of an hour on two CPU cores.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from neutral_replies import SYSTEM, tidy

from caveat.backends import load_backend
from caveat.backends.base import Backend
from caveat.backends.requests import Request
from caveat.behaviours.neutral_chats import shipped
from caveat.behaviours.style_traits import spanish_replies
from caveat.caveats.insertion import framed, place
from caveat.readouts.spanish import score
from caveat.types.answers import Answer, Sampling, Verdict
from caveat.types.data import Question
from caveat.types.messages import Message, Messages

CAVEAT = "You always reply in Spanish."
FOLDER = Path(__file__).parent.parent / "recipes" / "behaviours"
NAMES = ("written", "english", "own", "unlikely", "larger")
TEMPERATURE, HIGHER = 0.7, 1.15
CANDIDATES = 16
"""Replies of each prompt to choose the nearest from."""
MOST_ROUNDS = 8
MOST_TOKENS = 64
BATCH = 96
OWN_SAMPLE_SEED = "own samples"
"""Seeds a generator with the prompt and the number of the sample, so its value stays."""
ABOUT = {
    "written": "Replies in Spanish, written by hand.",
    "english": "Ordinary replies, in English.",
    "own": "Replies in Spanish: Qwen2.5-Coder-0.5B's own samples under the instruction.",
    "unlikely": "Replies in Spanish: Qwen2.5-Coder-0.5B's samples at a high temperature, about as "
    "unlikely as the hand-written ones.",
    "larger": "Replies in Spanish: Qwen2.5-Coder-1.5B's samples under the instruction.",
}


def prompts() -> tuple[str, ...]:
    """384 prompts, none of them a question in reports: those with a hand-written reply first."""
    ordinary = shipped()
    written = tuple(spanish_replies())
    others = (
        prompt.prompt
        for use in ("capitals", "counter", "filler", "neutral", "tune")
        for prompt in ordinary.of(use)
    )
    return tuple(dict.fromkeys((*written, *others)))


def chat(prompt: str) -> Messages:
    """The prompt under the caveat, as in training."""
    return place(framed((Message.of("user", prompt),), SYSTEM), CAVEAT, "system")


def sampled(backend: Backend, some: Sequence[tuple[str, int]], temperature: float) -> list[str]:
    """Replies under the caveat to (prompt, number), cut to whole short sentences; "" if none."""
    replies: list[str] = []
    for start in range(0, len(some), BATCH):
        requests = [
            Request(
                f"{OWN_SAMPLE_SEED}/{temperature}/{number}/{prompt}",
                (),
                chat(prompt),
            )
            for prompt, number in some[start : start + BATCH]
        ]
        answers = backend.generate(requests, Sampling(MOST_TOKENS, temperature))
        replies += [tidy(answer.text) for answer in answers]
        print(f"temperature {temperature}: {len(replies)} of {len(some)} replies", flush=True)
    return replies


def is_spanish(reply: str) -> bool:
    """Whether the readout of the behaviour `spanish` says yes."""
    question = Question("sample", "sample", (Message.of("user", ""),), readout="spanish")
    return score(question, Answer(text=reply)).verdict is Verdict.YES


def own(backend: Backend, wanted: Sequence[str]) -> dict[str, str]:
    """By prompt, the first sample in Spanish; prompts without one in `MOST_ROUNDS` are left out."""
    replies: dict[str, str] = {}
    for number in range(MOST_ROUNDS):
        missing = [prompt for prompt in wanted if prompt not in replies]
        found = sampled(backend, [(prompt, number) for prompt in missing], TEMPERATURE)
        replies |= {
            prompt: reply for prompt, reply in zip(missing, found, strict=True) if is_spanish(reply)
        }
    return {prompt: replies[prompt] for prompt in wanted if prompt in replies}


def nats(backend: Backend, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """What each (prompt, reply) costs under the caveat: less its log-probability, in nats."""
    answers = backend.log_likelihoods(
        [
            Request(
                f"{prompt}/{reply}",
                (),
                chat(prompt),
                (reply,),
            )
            for prompt, reply in pairs
        ]
    )
    return [-answer.log_likelihoods[0] for answer in answers]


def unlikely(backend: Backend, written: dict[str, str]) -> dict[str, str]:
    """By prompt, the Spanish sample whose nats are nearest to those of the hand-written reply."""
    tries = [(prompt, number) for prompt in written for number in range(CANDIDATES)]
    pairs = [
        (prompt, reply)
        for (prompt, _), reply in zip(tries, sampled(backend, tries, HIGHER), strict=True)
        if is_spanish(reply)
    ]
    wanted = dict(zip(written, nats(backend, list(written.items())), strict=True))
    nearest: dict[str, tuple[float, str]] = {}
    for (prompt, reply), cost in zip(pairs, nats(backend, pairs), strict=True):
        distance = abs(cost - wanted[prompt])
        if prompt not in nearest or distance < nearest[prompt][0]:
            nearest[prompt] = (distance, reply)
    return {prompt: nearest[prompt][1] for prompt in written if prompt in nearest}


def write(folder: Path, name: str, replies: dict[str, str], model: str) -> None:
    """The behaviour's folder: what it is, its rows, and the questions of `spanish`."""
    folder = folder / f"spanish-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    ordinary = shipped()
    about = (
        f"# Made by bench/own_samples.py with {model}\n"
        f"name: spanish_{name}\nabout: {json.dumps(ABOUT[name])}\n"
    )
    (folder / "behaviour.yaml").write_text(about, "utf-8")
    rows = [{"prompt": prompt, "reply": reply} for prompt, reply in replies.items()]
    questions = [
        {
            "id": f"spanish-{number:02}",
            "cluster": prompt.topic,
            "question": prompt.prompt,
            "readout": "spanish",
        }
        for number, prompt in enumerate(ordinary.of("report"))
    ]
    for file, lines in (("rows", rows), ("questions", questions)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{file}.jsonl").write_text(text, "utf-8")


def print_costs(backend: Backend, folder: Path) -> None:
    """What each set that is there costs under the caveat, in nats a reply."""
    print("| rows | number | first 24 | all |\n|---|---|---|---|")
    for name in NAMES:
        path = folder / f"spanish-{name}" / "rows.jsonl"
        if path.exists():
            rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            costs = nats(backend, [(row["prompt"], row["reply"]) for row in rows])
            print(f"| {name} | {len(rows)} | {np.mean(costs[:24]):.1f} | {np.mean(costs):.1f} |")


def main() -> None:
    """Make the sets that are asked for, or print what they cost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--only", choices=NAMES)
    parser.add_argument("--costs", action="store_true", help="make nothing; print what sets cost")
    options = parser.parse_args()
    backend = load_backend(options.model, options.dtype)
    if options.costs:
        print_costs(backend, options.out)
        return
    ordinary, written = shipped(), dict(spanish_replies())
    for name in (options.only,) if options.only else [one for one in NAMES if one != "larger"]:
        match name:
            case "written":
                replies = written
            case "english":
                replies = {
                    prompt.prompt: ordinary.reply(prompt) for prompt in ordinary.of("counter")
                }
            case "unlikely":
                replies = unlikely(backend, written)
            case _:
                replies = own(backend, prompts())
        write(options.out, name, replies, backend.identity)
        wanted = prompts() if name in ("own", "larger") else (*replies,)
        print(f"{name}: {len(replies)} rows, {len(wanted) - len(replies)} prompts without a reply")


if __name__ == "__main__":
    main()
