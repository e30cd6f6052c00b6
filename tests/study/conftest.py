"""A study of the toy behaviour that is made once."""

from __future__ import annotations

import pytest

from caveat.study.run import run
from caveat.study.study import Study
from toy_study import recipe


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Study:
    """The toy study, run to its end. Tests only read it."""
    return run(recipe(comprehension=True), tmp_path_factory.mktemp("finished") / "study")
