"""What benchmarks and examples import exists: most of them are run by hand, and seldom."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec

from paths import ROOT


def test_every_name_that_is_imported_is_there():
    missing = []
    for path in sorted([*(ROOT / "bench").glob("*.py"), *(ROOT / "examples").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("caveat"):
                module = import_module(node.module)
                missing += [
                    f"{path.name}: {node.module}.{alias.name}"
                    for alias in node.names
                    if not hasattr(module, alias.name) and not is_module(module, alias.name)
                ]
    assert missing == []


def is_module(module, name: str) -> bool:
    """Whether a package has a module of that name."""
    return hasattr(module, "__path__") and find_spec(f"{module.__name__}.{name}") is not None
