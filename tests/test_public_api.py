"""`import caveat`: every public name is there, and none loads anything heavy before its use."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import caveat


@pytest.mark.parametrize("name", caveat.__all__)
def test_every_public_name_is_there(name):
    assert getattr(caveat, name) is not None
    assert name in dir(caveat)


def test_type_checkers_see_the_same_names():
    """The imports for type checkers name the same modules as the lazy ones."""
    tree = ast.parse(Path(caveat.__file__).read_text("utf-8"))
    (typed,) = [node for node in tree.body if isinstance(node, ast.If)]
    modules = {
        alias.name: statement.module
        for statement in typed.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert modules == caveat._MODULE_OF
    assert sorted([*modules, "CaveatError"]) == sorted(caveat.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'caveat' has no attribute 'Studdy'"):
        caveat.Studdy  # noqa: B018


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, caveat\n"
        "heavy = ('torch', 'transformers', 'pandas', 'altair', 'scipy', 'pydantic', 'numpy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_has_types():
    assert (files("caveat") / "py.typed").is_file()
