"""Studies: recipes, cells, the store, and the run that conducts all other rooms."""

from __future__ import annotations
