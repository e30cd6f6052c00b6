"""What surrounds a question in each context: the example prompts, less what all of them share."""

from __future__ import annotations

from collections.abc import Mapping


def surroundings(prompts: Mapping[str, str]) -> dict[str, str]:
    """Per context, what its prompt has more than that of `none`, "" for `none` itself.

    A prompt that is not that of `none` with one piece put in, for example one of another question
    or with text on both sides, is given whole; so is every prompt where `none` was not asked.
    """
    plain = prompts.get("none")
    if plain is None:
        return dict(prompts)
    return {context: added(prompt, plain) for context, prompt in prompts.items()}


def added(prompt: str, plain: str) -> str:
    """The one piece that makes `prompt` of `plain`, without the blanks around it; else `prompt`."""
    before, behind = _shared(prompt, plain), _shared(prompt[::-1], plain[::-1])
    size = len(prompt) - len(plain)
    if size < 0 or before + behind < len(plain):
        return prompt
    # A piece that begins or ends like its neighbours can be cut out in several places. A caveat
    # brings its own separators, so it is cut where these come out with it.
    last = prompt[len(prompt) - behind - size : len(prompt) - behind]
    first = prompt[before : before + size]
    return (last if last != last.strip() else first).strip()


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
