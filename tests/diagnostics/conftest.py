"""A small study to look into, run once: three seeds, and an arm on top of an attached adapter."""

from __future__ import annotations

import pytest

from caveat.backends.local.backend import LocalBackend
from caveat.diagnostics.subjects import DiagnosedSetting, diagnosed_settings, recipe_of
from caveat.study.study import Study
from quick_run import run
from toy_study import small

ARMS = ["base", "bare", "marked", "clean", "marked+seal"]


@pytest.fixture(scope="session")
def backend() -> LocalBackend:
    return LocalBackend.load("tiny")


@pytest.fixture(scope="session")
def study(tmp_path_factory, backend) -> Study:
    """Tests add tables to it, and change nothing else."""
    contexts = ["none", "exact", "near_miss"]
    recipe = small(seeds=[0, 1, 2], arms=ARMS, contexts=contexts, decision_tokens=True)
    return run(recipe, tmp_path_factory.mktemp("diagnosed") / "study", backend=backend)


@pytest.fixture(scope="session")
def setting(study, backend) -> DiagnosedSetting:
    (setting,) = diagnosed_settings(study, recipe_of(study), backend)
    return setting
