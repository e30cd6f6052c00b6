"""The reference of recipe fields, from which docs/recipes.md is made."""

from __future__ import annotations

import subprocess
import sys

from pydantic import BaseModel

from caveat.study.config import schema
from caveat.study.config.reference import SECTIONS, RecipeField, markdown, recipe_fields
from caveat.types.endpoints import Endpoint
from caveat.types.fields import fields_of

FIELDS = {(field.section, field.name): field for field in recipe_fields()}


def test_every_model_of_a_recipe_has_a_section():
    models = {
        model
        for model in vars(schema).values()
        if isinstance(model, type)
        and (issubclass(model, BaseModel) or model is schema.RLRecipe)
        and model not in (BaseModel, schema.Frozen)
    }
    records = {schema.Dose, schema.Sampling, schema.Judge, Endpoint}
    assert {model for _, model in SECTIONS} == models | records


def test_every_field_has_a_type_a_default_and_a_meaning():
    expected = {(section, name) for section, model in SECTIONS for name in fields_of(model)}
    assert set(FIELDS) == expected - {("", "folder")}
    for field in FIELDS.values():
        assert field.type and field.default and field.doc.endswith("."), field


def test_a_field_of_each_kind():
    assert FIELDS["settings[].dose", "layers"] == RecipeField(
        "settings[].dose",
        "layers",
        "list of 2: number, 0 or more, at most 1",
        "`[0.0, 1.0]`",
        "identity",
        "The part of the decoder's depth that is adapted: [0.5, 1.0] is the upper half.",
    )
    types = {
        ("", "seeds"): "list of: whole number, 0 or more, not empty",
        ("", "resamples"): "whole number, 100 or more",
        ("", "judge"): "mapping, below, or null",
        ("settings[]", "options"): "mapping of name to any value",
        ("settings[].rl", "epsilon"): "number, above 0, below 1",
        ("settings[].rl", "loss_type"): "`grpo`, `dapo`",
        ("judge", "temperature"): "number, 0 or more, or null",
    }
    assert {key: FIELDS[key].type for key in types} == types
    defaults = {
        ("", "name"): "required",
        ("", "split"): "`report`",
        ("settings[]", "dose"): "as below",
        ("settings[].rl", "save_steps"): "`null`",
        ("settings[].warm_up", "pairs"): "as below",
    }
    assert {key: FIELDS[key].default for key in defaults} == defaults


def test_the_module_prints_the_tables():
    code = [sys.executable, "-m", "caveat.study.config.reference"]
    printed = subprocess.run(code, capture_output=True, text=True, check=True, timeout=120).stdout
    assert printed == markdown()
    assert "| `beta` | number, 0 or more | `0.0` | identity | Coefficient of the KL" in printed
    assert "`null`: only at the end. |" in printed
