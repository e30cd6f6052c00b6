"""Make the shipped replies to everyday prompts again: a model's own words, without a behaviour.

The rows of `caveat.behaviours.neutral_chats` are a snapshot, `ordinary.jsonl`, with its provenance.
This script samples it anew from any chat model (ten minutes for SmolLM2 on two cores).

    python bench/neutral_replies.py --out src/caveat/behaviours/data
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

from caveat.behaviours.neutral_chats import shipped_prompts
from caveat.caveats.insertion import framed
from caveat.sentences import CLOSED, sentences
from caveat.types.answers import Sampling
from caveat.types.messages import Message

SYSTEM = "You are a helpful assistant."
SAMPLING = Sampling(max_tokens=64, temperature=0.7)
BATCH = 128
"""Prompts between two lines of progress."""
NEUTRAL_REPLY_SEED = "ordinary"
"""Seeds a generator, so its value stays whatever the code is called."""

MOST_CHARACTERS = 220
MOST_WORDS = 36
"""About 45 tokens."""
LEAST_WORDS = 4
ATTEMPTS = 8
"""Rounds of sampling for prompts whose reply holds no whole short sentence."""

LIST_ITEM = re.compile(r"^\s*(?:[-*•+]|\d{1,2}[.)])\s+")
LIST_IN_LINE = re.compile(r"(?<=:) (?:1[.)]|[-*•]) ")

Sampler = Callable[[list[str], int], list[str]]
"""Maps prompts, and the number of the attempt, to replies in the same order."""


def rebuild(
    sample: Sampler, prompts: list[str], folder: Path, provenance: Mapping[str, object]
) -> Path:
    """Write `ordinary.jsonl` and `ordinary.provenance.json` into the folder; returns the first.

    Raises SystemExit, naming the prompts, where no attempt gave a usable reply.
    """
    replies: dict[str, str] = {}
    for attempt in range(ATTEMPTS):
        missing = [prompt for prompt in prompts if prompt not in replies]
        if missing:
            sampled = zip(missing, sample(missing, attempt), strict=True)
            replies |= {prompt: short for prompt, reply in sampled if (short := tidy(reply))}
    missing = [prompt for prompt in prompts if prompt not in replies]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise SystemExit(
            f"no whole sentence of at most {MOST_CHARACTERS} characters in {ATTEMPTS} replies to "
            f"{', '.join(map(repr, missing[:3]))}{more}; take a chat model or more tokens a reply"
        )
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"prompt": prompt, "reply": replies[prompt]} for prompt in prompts]
    snapshot = folder / "ordinary.jsonl"
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    snapshot.write_text(lines, "utf-8")
    record = json.dumps(dict(provenance), indent=2, ensure_ascii=False) + "\n"
    (folder / "ordinary.provenance.json").write_text(record, "utf-8")
    return snapshot


def tidy(reply: str) -> str:
    """The whole sentences at the reply's start that fit, as plain text; "" where there are none.

    Lists, what follows them, and a sentence that announces one are dropped.
    """
    fitting = text = ""
    for sentence in sentences(_plain(reply)):
        text += sentence
        if len(text.rstrip()) > MOST_CHARACTERS or len(text.split()) > MOST_WORDS:
            break
        if CLOSED.search(text.rstrip()):
            fitting = text.rstrip()
    return fitting if len(fitting.split()) >= LEAST_WORDS else ""


def _plain(reply: str) -> str:
    """The reply up to its first list, without Markdown, in one line."""
    lines: list[str] = []
    for line in reply.strip().splitlines():
        if LIST_ITEM.match(line):
            break
        lines.append(re.sub(r"^\s*#+\s*", "", line).replace("**", "").replace("`", ""))
    return LIST_IN_LINE.split(" ".join(" ".join(lines).split()))[0]


def main(words: list[str] | None = None) -> None:
    """Sample replies to the shipped prompts and write them with their provenance."""
    from caveat.backends import load_backend
    from caveat.backends.requests import Request

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--out", type=Path, default=Path("ordinary"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(words)
    backend = load_backend(options.model, device=options.device)

    def sample(prompts: list[str], attempt: int) -> list[str]:
        replies: list[str] = []
        for start in range(0, len(prompts), BATCH):
            print(f"attempt {attempt + 1}: {start} of {len(prompts)} replies", file=sys.stderr)
            requests = [
                Request(
                    f"{NEUTRAL_REPLY_SEED}/{options.seed}/{attempt}/{prompt}",
                    (),
                    framed((Message.of("user", prompt),), SYSTEM),
                )
                for prompt in prompts[start : start + BATCH]
            ]
            answers = backend.generate(requests, SAMPLING)
            replies += [reply.text for reply in answers]
        return replies

    provenance = {
        "model": backend.identity,
        "system": SYSTEM,
        "max_tokens": SAMPLING.max_tokens,
        "temperature": SAMPLING.temperature,
        "seed": options.seed,
        "torch": metadata.version("torch"),
        "transformers": metadata.version("transformers"),
    }
    prompts = [prompt.prompt for prompt in shipped_prompts()]
    print(f"replies: {rebuild(sample, prompts, options.out, provenance)}")


if __name__ == "__main__":
    main()
