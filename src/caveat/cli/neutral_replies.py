"""Making the snapshot of ordinary replies anew: the model's own words for prompts of ours."""

from __future__ import annotations

from importlib import metadata
from itertools import count
from pathlib import Path

from caveat.behaviours import neutral_chats as ordinary
from caveat.caveats.insertion import framed
from caveat.progress import Progress
from caveat.types.answers import Sampling
from caveat.types.messages import Message

SYSTEM = "You are a helpful assistant."
SAMPLING = Sampling(max_tokens=64, temperature=0.7)
GROUP = 128
NEUTRAL_REPLY_SEED = "ordinary"
"""Seeds a generator, so its value stays whatever the code is called."""


def make_ordinary_replies(
    model: str, out: Path, seed: int, device: str, progress: Progress
) -> Path:
    """Sample replies to the shipped prompts and write them with their provenance into `out`."""
    from caveat.backends.local.models.loading import load
    from caveat.backends.local.sampling.answers import answer
    from caveat.backends.local.sampling.requests import Request

    language_model = load(model, device=device)
    attempts = count()

    def replies(prompts: list[str]) -> list[str]:
        attempt = next(attempts)
        requests = [
            Request(
                f"{NEUTRAL_REPLY_SEED}/{seed}/{attempt}/{prompt}",
                (),
                framed((Message.of("user", prompt),), SYSTEM),
            )
            for prompt in prompts
        ]
        found: list[str] = []
        for start in range(0, len(requests), GROUP):
            progress.stage(f"ordinary replies, {start} of {len(requests)}, attempt {attempt + 1}")
            some = requests[start : start + GROUP]
            answers = answer(language_model, {}, some, SAMPLING, progress)
            found += [one.text for one in answers]
        return found

    provenance = {
        "model": language_model.identity,
        "system": SYSTEM,
        "max_tokens": SAMPLING.max_tokens,
        "temperature": SAMPLING.temperature,
        "seed": seed,
        "torch": metadata.version("torch"),
        "transformers": metadata.version("transformers"),
    }
    return ordinary.rebuild(replies, out, provenance)
