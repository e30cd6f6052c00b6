"""What tests of scripts share: a script as a module, with its neighbours importable."""

from __future__ import annotations

import importlib

import pytest

from paths import BENCH


@pytest.fixture(scope="module")
def script():
    """Imports a script of `bench` by its name, as one of its neighbours would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCH)
        yield importlib.import_module
