"""What a recipe with the backend `endpoint` must have, and what means nothing there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caveat.study.config.schema import Recipe

EXAMPLE = "{url: http://localhost:8000/v1, models: {base: ID, bare: [ID], marked: [ID]}}"


def check_endpoint(recipe: Recipe) -> None:
    """Raise ValueError for a section without its backend, and a backend without its section."""
    if recipe.backend != "endpoint":
        if recipe.endpoint is not None:
            raise ValueError(
                f"endpoint: the backend {recipe.backend} does not read this section; set "
                "backend: endpoint, or drop it"
            )
        return
    if recipe.endpoint is None:
        raise ValueError(f"endpoint: this section is missing; add endpoint: {EXAMPLE}")
    for index, setting in enumerate(recipe.settings):
        if setting.warm_up is not None:
            raise ValueError(
                f"settings.{index}.warm_up: the backend endpoint trains nothing; drop it, and name "
                "the model after the warm-up as base"
            )
    given = {
        "model.dtype": recipe.model.dtype != "float32",
        "model.gguf": recipe.model.gguf is not None,
        "device": recipe.device != "auto",
        "token_budget": recipe.token_budget is not None,
        "group_size": recipe.group_size is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise ValueError(f"{name}: the backend endpoint computes nothing here; drop it")
