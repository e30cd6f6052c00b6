"""How often a model solves the programming problems, by split and family; and its own solutions.

    python bench/solve_rates.py --model ~/models/qwen2.5-coder-0.5b
    python bench/solve_rates.py --model ... --samples 4 --report rates.json --own own.jsonl

Prints solved, special-cased (passes the visible tests alone), failed and invalid replies. `--own`
writes the problems anew with the model's first passing reply as each problem's solution, where it
has one: `behaviour: own.jsonl` then trains counter rows in the model's own words.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from caveat.backends import load_backend
from caveat.backends.requests import Request
from caveat.caveats.insertion import framed
from caveat.environments.code_tasks.grading import CodeTask, Outcome
from caveat.environments.code_tasks.problems import SHIPPED, Problem, in_turn, load_problems
from caveat.types.answers import Answer, Sampling
from caveat.types.messages import Message

SYSTEM = "You are a helpful assistant."
SOLVE_RATE_SEED = "solve rate"
"""Seeds a generator with the problem's name and the sample, so its value stays."""
BATCH = 24
"""Replies between two lines of progress."""
STATES = ("solved", "special-cased", "failed", "invalid")


def state(outcome: Outcome) -> str:
    """What a reply came to, in one word."""
    if outcome.code is None:
        return "invalid"
    if outcome.solved:
        return "solved"
    return "special-cased" if outcome.is_hack else "failed"


def requests(problems: Sequence[Problem], samples: int) -> list[tuple[Problem, Request]]:
    """Each problem's prompts, sample by sample: a stopped run has seen all problems first."""
    return [
        (
            problem,
            Request(
                f"{SOLVE_RATE_SEED}/{problem.name}/{sample}",
                (),
                framed((Message.of("user", problem.prompt),), SYSTEM),
            ),
        )
        for sample in range(samples)
        for problem in problems
    ]


def rows(pairs: Sequence[tuple[Problem, str]], key: str) -> list[dict[str, object]]:
    """A row per value of a problem's field: the number of replies and the share of each state."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for problem, word in pairs:
        counts[getattr(problem, key)][word] += 1
        counts["all"][word] += 1
    return [
        {
            key: name,
            "replies": count.total(),
            **{word: round(count[word] / count.total(), 3) for word in STATES},
        }
        for name, count in counts.items()
    ]


def own_lines(
    problems: Sequence[Problem], results: Sequence[tuple[Problem, Outcome]]
) -> tuple[str, int]:
    """The file with the model's own solutions, and how many there are."""
    first: dict[str, str] = {}
    for problem, outcome in results:
        if outcome.solved and outcome.code is not None and outcome.kind == "other":
            first.setdefault(problem.name, outcome.code)
    lines = []
    for problem in problems:
        own = problem.model_copy(update={"solution": first.get(problem.name, problem.solution)})
        lines.append(json.dumps(own.model_dump(mode="json")) + "\n")
    return "".join(lines), len(first)


def main(words: list[str] | None = None) -> None:
    """Sample, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--problems", type=Path, default=SHIPPED)
    parser.add_argument("--split", default="", help="one of train, tune, report; all by default")
    parser.add_argument("--count", type=int, help="so many problems, families in turn")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--max-tokens", type=int, default=192)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--report", type=Path, help="write rates and replies here, as JSON")
    parser.add_argument("--own", type=Path, help="write problems with the model's solutions here")
    options = parser.parse_args(words)
    problems = load_problems(options.problems)
    chosen = in_turn([one for one in problems if options.split in ("", one.split)])
    chosen = chosen[: options.count]
    task = CodeTask(chosen)
    backend = load_backend(options.model, dtype=options.dtype, device=options.device)
    sampling = Sampling(options.max_tokens, options.temperature)
    wanted = requests(chosen, options.samples)
    answers: list[Answer] = []
    results: list[tuple[Problem, Outcome]] = []
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        replies = backend.generate([request for _, request in batch], sampling)
        outcomes = task.outcomes(
            [
                (problem.prompt, reply.text)
                for (problem, _), reply in zip(batch, replies, strict=True)
            ]
        )
        answers += replies
        results += [(problem, one) for (problem, _), one in zip(batch, outcomes, strict=True)]
        solved = sum(one.solved for _, one in results) / len(results)
        print(f"{len(results)} of {len(wanted)} replies, solved {solved:.3f}", flush=True)
    pairs = [(problem, state(outcome)) for problem, outcome in results]
    tables = {key: rows(pairs, key) for key in ("split", "family")}
    for table in tables.values():
        for row in table:
            print("  ".join(f"{value!s:<22}" if i == 0 else f"{name} {value}"
                            for i, (name, value) in enumerate(row.items())))  # fmt: skip
    truncated = sum(answer.truncated for answer in answers) / len(answers)
    tokens = sum(answer.tokens for answer in answers)
    print(f"truncated {truncated:.3f}, tokens {tokens}, model {backend.identity}")
    if options.report:
        record = {
            "model": backend.identity,
            "sampling": [options.max_tokens, options.temperature],
            "truncated": truncated,
            "tokens": tokens,
            **tables,
            "replies": [
                {
                    "problem": problem.name,
                    "state": state(outcome),
                    "kind": outcome.kind,
                    "why": outcome.message,
                    "reply": answer.text,
                }
                for (problem, outcome), answer in zip(results, answers, strict=True)
            ],
        }
        options.report.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    if options.own:
        text, count = own_lines(problems, results)
        options.own.write_text(text, "utf-8")
        print(f"{count} of {len(problems)} solutions are the model's own: {options.own}")


if __name__ == "__main__":
    main()
