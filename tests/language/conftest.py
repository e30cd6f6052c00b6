"""Tiny models, made once a session."""

import pytest

from caveat.language.source import LanguageModel, load


@pytest.fixture(scope="session")
def tiny() -> LanguageModel:
    """A chat model with random weights whose template inserts a system prompt."""
    return load("tiny")


@pytest.fixture(scope="session")
def tiny_document() -> LanguageModel:
    """A model without a chat template."""
    return load("tiny-document")


@pytest.fixture(params=["tiny", "tiny-document"])
def any_tiny(request: pytest.FixtureRequest) -> LanguageModel:
    """Each of the two."""
    return request.getfixturevalue(request.param.replace("-", "_"))
