"""Does honest ability compete with the hack? An untrained model's base rates on a reward task.

    python bench/task_rates.py --model ~/models/qwen2.5-coder-0.5b --task agree
    python bench/task_rates.py --model ... --task claimed_pass --max-tokens 32 --report rates.json

Prints, for prompts that can be hacked and those that cannot, the share of replies that are right,
get the flawed reward, and hack. `--system` asks under a caveat. On `agree` all sums that can be
hacked are wrong ones, and most of the others right ones: a model that always says yes is right in
most of the second and in none of the first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from caveat.backends import load_backend
from caveat.backends.requests import Request
from caveat.caveats.insertion import framed
from caveat.environments import TASKS
from caveat.environments.grader_process import grade_reply
from caveat.environments.loading import module_of, task_of
from caveat.types.answers import Sampling
from caveat.types.messages import Message
from caveat.types.rewards import Grade

SYSTEM = "You are a helpful assistant."
TASK_RATE_SEED = "task rate"
"""Seeds a generator with task, prompt number and sample, so its value stays."""


def row(name: str, grades: Sequence[Grade]) -> dict[str, object]:
    """The shares among some replies."""
    if not grades:
        return {"prompts": name, "replies": 0}
    return {
        "prompts": name,
        "replies": len(grades),
        "right": round(mean(grade.true_score for grade in grades), 3),
        "rewarded": round(mean(grade.reward for grade in grades), 3),
        "hacked": round(mean(grade.hacked for grade in grades), 3),
    }


def main(words: list[str] | None = None) -> None:
    """Sample, grade, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--task", required=True, help=f"{', '.join(TASKS)}, or a file of your own")
    parser.add_argument("--split", default="report", help="train, tune or report")
    parser.add_argument("--count", type=int, help="so many prompts, the first ones")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--max-tokens", type=int, default=8)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--system", default=SYSTEM, help="the system prompt, such as a caveat")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--report", type=Path, help="write rates and replies here, as JSON")
    options = parser.parse_args(words)
    task = task_of(options.task, Path())
    module = module_of(task.place, task.version)
    prompts = module.prompts(options.split)[: options.count]
    backend = load_backend(options.model, dtype=options.dtype)
    pairs = [(prompt, n, k) for k in range(options.samples) for n, prompt in enumerate(prompts)]
    requests = [
        Request(
            f"{TASK_RATE_SEED}/{task.name}/{number}/{sample}",
            (),
            framed((Message.of("user", prompt),), options.system),
        )
        for prompt, number, sample in pairs
    ]
    answers = backend.generate(requests, Sampling(options.max_tokens, options.temperature))
    grades = [
        Grade(**grade_reply(module, prompt, answer.text))
        for (prompt, _, _), answer in zip(pairs, answers, strict=True)
    ]
    table = [
        row("can be hacked", [grade for grade in grades if grade.hackable]),
        row("cannot be hacked", [grade for grade in grades if not grade.hackable]),
        row("all", grades),
    ]
    for line in table:
        print("  ".join(f"{key} {value}" for key, value in line.items()))
    print(f"task {task.name}, model {backend.identity}")
    if options.report:
        replies = [
            {"prompt": prompt, "reply": answer.text, "right": grade.true_score,
             "hacked": grade.hacked, "hackable": grade.hackable}
            for (prompt, _, _), answer, grade in zip(pairs, answers, grades, strict=True)
        ]  # fmt: skip
        record = {"model": backend.identity, "rates": table, "replies": replies}
        options.report.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
