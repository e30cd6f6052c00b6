"""The gate in front of the sandbox: it refuses a source before it runs, with line and reason.

It reads the syntax tree and lets ordinary functions and classes pass. What it refuses leads from
plain values to the interpreter: imports beyond a short list, names such as `eval`, attributes such
as `__globals__`, format strings that look up attributes. It is the first layer and not the wall:
what slips through meets the limits of the process (docs/sandbox.md).

RestrictedPython is not used: it refuses `counts[key] += 1`, annotated assignments and names with an
underscore, and so ordinary honest code (docs/sandbox.md has the comparison).
"""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator

from caveat.environments.sandbox.names import METHODS, MODULES, attribute_reason, is_dunder, words

MOST_CHARACTERS = 20_000
"""Longest source."""
REFUSED_NAMES = words(
    "eval exec compile open breakpoint globals locals vars dir delattr __import__"
)
"""Builtins that a source cannot have. It may use such a name for something of its own."""
_READ = frozenset({"__name__"})
"""Names with two underscores on both sides that may be read."""
_STORED = frozenset({"__slots__", "__hash__", "__doc__"})
"""Such names that a class body may assign."""
_NAMING = words("name names id attr arg asname rest module kwd_attrs")
"""Fields of syntax nodes that hold names."""
_ASYNCHRONOUS = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
_HARMLESS = frozenset(
    kind
    for kind in vars(ast).values()
    if isinstance(kind, type)
    and issubclass(kind, ast.AST)
    and not _NAMING.intersection(kind._fields)
    and kind not in _ASYNCHRONOUS
)
"""Nodes of the kinds that every source has most of: nothing is to be said about them alone."""


class Refused(Exception):
    """Why a source is refused, in one line."""


def checked_tree(source: str) -> ast.Module:
    """The syntax tree of a source that may run. Raises Refused."""
    if len(source) > MOST_CHARACTERS:
        raise Refused(f"{len(source)} characters; {MOST_CHARACTERS} are allowed")
    try:
        tree = ast.parse(source)
        nodes = list(ast.walk(tree))
    except SyntaxError as error:
        raise Refused(f"line {error.lineno or 1}: no Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"the parser gave up: {type(error).__name__}") from None
    bound = _bound_names(nodes)
    uses = _permitted_uses(nodes)
    for node in nodes:
        if type(node) not in _HARMLESS and (reason := _reason(node, bound, uses)):
            raise Refused(f"line {getattr(node, 'lineno', 1)}: {reason}")
    return tree


def _reason(node: ast.AST, bound: frozenset[str], uses: frozenset[ast.AST]) -> str:
    """Why a node is refused, or nothing."""
    reason = ""
    match node:
        case _ if isinstance(node, _ASYNCHRONOUS):
            reason = "asynchronous code is not allowed"
        case ast.Import() | ast.ImportFrom():
            reason = _import_reason(node)
        case ast.Attribute():
            reason = "" if node in uses else attribute_reason(node.attr)
        case ast.MatchClass() if node.patterns:
            # They look up the names that `__match_args__` has, as a named tuple's fields set it.
            reason = "a class pattern without attributes' names is not allowed"
        case ast.MatchClass():
            reason = next(filter(None, map(attribute_reason, node.kwd_attrs)), "")
        case ast.Name():
            reason = _name_reason(node, bound)
        case _ if getattr(node, "type_params", None):
            reason = "type parameters are not allowed"
        case ast.ClassDef() if node.keywords:
            reason = "a class with keywords, such as a metaclass, is not allowed"
        case ast.FunctionDef() if node.name in METHODS:
            pass
        case _:
            reason = _dunder_reason(node)
    return reason


def _dunder_reason(node: ast.AST) -> str:
    """Why the names that a node itself holds are refused, or nothing."""
    named = (name for name in _identifiers(node) if is_dunder(name))
    return next((f"the name {name} is not allowed" for name in named), "")


def _import_reason(node: ast.Import | ast.ImportFrom) -> str:
    """Why an import is refused, or nothing."""
    if isinstance(node, ast.ImportFrom):
        if node.level or not node.module:
            return "a relative import is not allowed"
        modules = [node.module]
        if node.module in MODULES:
            for alias in node.names:
                # A stand-in holds the listed names alone, so `*` is all of these and no more. Coder
                # models begin with `from typing import *`.
                if alias.name != "*" and alias.name not in MODULES[node.module]:
                    return f"{node.module}.{alias.name} cannot be imported"
    else:
        modules = [alias.name for alias in node.names]
    refused = (module for module in modules if module not in MODULES)
    return next((f"the module {module} cannot be imported" for module in refused), "")


def _name_reason(node: ast.Name, bound: frozenset[str]) -> str:
    """Why a name cannot be used here, or nothing."""
    name = node.id
    if is_dunder(name):
        allowed = _READ if isinstance(node.ctx, ast.Load) else _STORED
        return "" if name in allowed else f"the name {name} is not allowed"
    return f"{name} is not allowed" if name in REFUSED_NAMES and name not in bound else ""


def _identifiers(node: ast.AST) -> Iterator[str]:
    """All names that a node itself holds, whatever it is."""
    for field, value in ast.iter_fields(node):
        if isinstance(node, ast.Constant) or field == "type_comment":
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                yield item


def _bound_names(nodes: list[ast.AST]) -> frozenset[str]:
    """Names that a source gives a meaning of its own."""
    names: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
            case ast.FunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.arg():
                names.add(node.arg)
            case ast.alias():
                names.add(node.asname or node.name)
    return frozenset(names)


def _permitted_uses(nodes: list[ast.AST]) -> frozenset[ast.AST]:
    """The attributes `format` of texts that are written out and look up nothing."""
    uses: set[ast.AST] = set()
    for node in nodes:
        match node:
            case ast.Call(
                func=ast.Attribute(attr="format", value=ast.Constant(value=str() as text))
            ) if _formats_values_only(text):
                uses.add(node.func)
    return frozenset(uses)


def _formats_values_only(text: str) -> bool:
    """Whether a format string looks up neither attributes nor items, in nested fields neither."""
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError:
        return True  # it raises where it runs
    for _, name, specification, _ in fields:
        if name and ("." in name or "[" in name):
            return False
        if specification and not _formats_values_only(specification):
            return False
    return True
