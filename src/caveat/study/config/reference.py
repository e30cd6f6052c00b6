"""Every field of a recipe with its type, default, bounds, meaning, and what it changes.

`python -m caveat.study.config.reference` prints the tables of docs/recipes.md.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen

from caveat.study.config.schema import (
    ModelRecipe,
    RayRecipe,
    Recipe,
    RLRecipe,
    SettingRecipe,
    WarmUpPairRecipe,
    WarmUpRecipe,
)
from caveat.types.answers import Judge, Sampling
from caveat.types.endpoints import Endpoint
from caveat.types.fields import fields_of, parts_of
from caveat.types.training import Dose

SECTIONS: tuple[tuple[str, type[Any]], ...] = (
    ("", Recipe),
    ("model", ModelRecipe),
    ("settings[]", SettingRecipe),
    ("settings[].dose", Dose),
    ("settings[].rl", RLRecipe),
    ("settings[].warm_up", WarmUpRecipe),
    ("settings[].warm_up.pairs[]", WarmUpPairRecipe),
    ("sampling", Sampling),
    ("judge", Judge),
    ("ray", RayRecipe),
    ("endpoint", Endpoint),
)
"""Where the mappings of a recipe are, and the models that read them."""
UNWRITTEN = ("folder",)
"""Fields that no recipe may have."""
REQUIRED = "required"
PLAIN_TYPES = {
    int: "whole number", float: "number", str: "text", bool: "true or false", Any: "any value",
}  # fmt: skip
BOUNDS = {Ge: "{} or more", Gt: "above {}", Le: "at most {}", Lt: "below {}"}


@dataclass(frozen=True, slots=True)
class RecipeField:
    """One row of the reference."""

    section: str
    """The mapping that the field is in, such as `settings[].dose`; "" for the recipe itself."""
    name: str
    type: str
    default: str
    """As in YAML; `required` where there is none."""
    part: str
    """`identity`: a change makes other cells, answers or verdicts. `run-time`: it does not."""
    doc: str


def recipe_fields() -> tuple[RecipeField, ...]:
    """Every field that a recipe may have, section by section."""
    return tuple(field for section, model in SECTIONS for field in _fields(section, model))


INTRODUCTION = """# Recipes

A recipe is a YAML file that describes a study. `caveat run FILE` runs it, and
`--set settings.0.dose.rows=24` replaces a field, `settings.*.dose.rows=24` that of every setting.
Unknown keys are refused.

```yaml
name: example
model: smollm2-135m
seeds: [0, 1, 2]
arms: [base, bare, marked, marked+contrast, bare+contrast]
contexts: [none, exact]
settings:
  - behaviour: spanish
    caveat: year
    dose: {rows: 36, epochs: 2, batch_size: 2, learning_rate: 2e-3, layers: [0.5, 1.0]}
```

A field that is *identity* is part of what a result is made from: another value makes other cells. A
*run-time* field changes no result. `make docs` writes this page from the schema."""


def markdown() -> str:
    """The page docs/recipes.md: a table for each mapping, after the docstring of its model."""
    parts = [INTRODUCTION, *(_section(section, model) for section, model in SECTIONS)]
    return "\n\n".join(parts) + "\n"


def _section(section: str, model: type[Any]) -> str:
    about = inspect.cleandoc(model.__doc__ or "")
    title = f"`{section}`" if section else "The recipe"
    lines = [
        f"## {title}",
        "",
        about,
        "",
        "| field | type | default | changes | meaning |",
        "|---|---|---|---|---|",
    ]
    for field in _fields(section, model):
        doc = re.sub(r"\bNone\b", "`null`", field.doc)
        cells = (f"`{field.name}`", field.type, field.default, field.part, doc)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _fields(section: str, model: type[Any]) -> Iterator[RecipeField]:
    hints = get_type_hints(model, include_extras=True)
    parts, docs, defaults = parts_of(model), attribute_docstrings(model), _defaults(model)
    for name in fields_of(model):
        if name not in UNWRITTEN:
            yield RecipeField(
                section, name, type_text(hints[name]), defaults[name], parts[name], docs[name]
            )


def type_text(annotation: Any) -> str:
    """The annotation for people: `whole number, 1 or more, or null`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        bounds = [text for item in annotation.__metadata__ for text in _bounds(item)]
        return ", ".join([type_text(annotation.__origin__), *bounds])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin is tuple:
        count = "" if inner[-1] is Ellipsis else f" {len(inner)}"
        return f"list of{count}: {type_text(inner[0])}"
    if origin is dict:
        return f"mapping of name to {type_text(inner[1])}"
    if inner:  # a union
        optional = ", or null" if NoneType in inner else ""
        return " or ".join(type_text(part) for part in inner if part is not NoneType) + optional
    return "mapping, below" if _is_mapping(annotation) else PLAIN_TYPES[annotation]


def _is_mapping(model: Any) -> bool:
    """Whether this is a record or recipe model, or an instance of one: a mapping in YAML."""
    return is_dataclass(model) or hasattr(model, "model_fields")


def _bounds(metadata: Any) -> Iterator[str]:
    """The bounds that a piece of `Annotated` sets; pydantic's Field holds several."""
    if isinstance(metadata, MinLen):
        yield "not empty"
    for kind, text in BOUNDS.items():
        if isinstance(metadata, kind):
            yield text.format(f"{getattr(metadata, kind.__name__.lower()):g}")
    for piece in getattr(metadata, "metadata", ()):
        yield from _bounds(piece)


def _defaults(model: type[Any]) -> dict[str, str]:
    if is_dataclass(model):
        return {name: _yaml(field.default) for name, field in model.__dataclass_fields__.items()}
    return {name: _yaml(field.get_default()) for name, field in model.model_fields.items()}


def _yaml(value: Any) -> str:
    """The default as it would be written; a mapping's fields have their own table."""
    if type(value).__name__ in ("PydanticUndefinedType", "_MISSING_TYPE"):
        return REQUIRED
    if any(_is_mapping(type(item)) for item in (value if isinstance(value, tuple) else (value,))):
        return "as below"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value, default=str)}`"


@cache
def attribute_docstrings(model: type[Any]) -> dict[str, str]:
    """Per field, the string after it in the class's source, or in that of a class it extends."""
    docs: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if "__annotations__" not in owner.__dict__ or owner.__module__.startswith("pydantic"):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(definition, ast.ClassDef)
        for node, following in zip(definition.body, definition.body[1:], strict=False):
            match node, following:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    docs[name] = re.sub(r"\s+", " ", text).strip()
    return docs


if __name__ == "__main__":
    print(markdown(), end="")
