"""A small study of two arms and two seeds, and a server over it."""

from __future__ import annotations

import openai
import pytest

from quick_run import run
from serving import served
from toy_study import small


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    recipe = small(seeds=[0, 1], arms=["base", "bare", "marked", "marked+seal"])
    return run(recipe, tmp_path_factory.mktemp("served") / "study")


@pytest.fixture(scope="session")
def server(study):
    with served(study) as (address, app):
        yield address, app


@pytest.fixture(scope="session")
def client(server):
    address, _ = server
    return openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
