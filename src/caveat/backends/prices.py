"""Prices of services, in dollars per million tokens.

Services bill tokens: those trained on, those read of prompts and scored texts (prefill), and those
sampled. Discounts, such as for prompts that a service remembers, are not counted: a study costs no
more than is said here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from caveat.backends.base import Facts
from caveat.errors import CaveatError

MILLION = 1e6
TABLES = "price_tables"
"""The folder of the shipped ones, one file a service."""
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Billed:
    """Tokens by what they are billed as."""

    train: float = 0.0
    prefill: float = 0.0
    sample: float = 0.0

    def __add__(self, other: Billed) -> Billed:
        return Billed(
            self.train + other.train, self.prefill + other.prefill, self.sample + other.sample
        )


class Price(BaseModel):
    """Dollars per million tokens of one model."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    prefill: Dollars
    sample: Dollars
    train: Dollars = 0.0

    def dollars(self, billed: Billed) -> float:
        """What some tokens cost."""
        return (
            self.train * billed.train + self.prefill * billed.prefill + self.sample * billed.sample
        ) / MILLION


class PriceTable(BaseModel):
    """Prices of models, and when they were read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    read: date
    source: str = ""
    models: dict[str, Price]


def price_table(backend: Facts, path: Path | None) -> PriceTable | None:
    """The prices for a backend's work: a user's file, else the shipped one of its service.

    None where the work costs nothing, or nobody here knows. Raises CaveatError for a file that is
    no price table, or lacks the model.
    """
    if path is not None:
        table = _parsed(path)
        if backend.name not in table.models:
            raise CaveatError(
                f"--prices {path}: has no price for the model '{backend.name}'; add it under models"
            )
        return table
    if backend.billed_by is None:
        return None
    shipped = files("caveat.backends").joinpath(TABLES, f"{backend.billed_by}.yaml")
    table = PriceTable.model_validate(yaml.safe_load(shipped.read_text("utf-8")))
    return table if backend.name in table.models else None


def _parsed(path: Path) -> PriceTable:
    try:
        return PriceTable.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise CaveatError(f"--prices {path}: cannot be read ({error.strerror}); fix that") from None
    except (ValidationError, ValueError, yaml.YAMLError) as error:
        reason = error.errors()[0] if isinstance(error, ValidationError) else None
        where = ".".join(map(str, reason["loc"])) if reason else "the file"
        what = reason["msg"] if reason else " ".join(str(error).split())[:100]
        raise CaveatError(
            f"--prices {path}: {where}: {what}; it needs read (a date) and models, each with "
            "prefill, sample and train in dollars per million tokens"
        ) from None
