"""The shipped prompts with made-up replies, so that no test waits for a model."""

from __future__ import annotations

import pytest

from caveat.behaviours.neutral_chats import Ordinary, shipped_prompts


@pytest.fixture(scope="session")
def ordinary() -> Ordinary:
    prompts = shipped_prompts()
    replies = {
        prompt.prompt: f"This plain reply is about {prompt.topic}, and it is number {number}."
        for number, prompt in enumerate(prompts)
    }
    return Ordinary(prompts, replies)
