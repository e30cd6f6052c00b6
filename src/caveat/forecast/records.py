"""Forecasts as they are kept: one record an arm, in a file that later calls and the report read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caveat.errors import CaveatError
from caveat.files.atomic import write
from caveat.files.reading import parse_json
from caveat.forecast.onset_curve import expected_limits
from caveat.provenance import stamp

FILE = "forecast.json"
SCHEMA_VERSION = 1
FIGURES = (
    "elicitation",
    "loss_bare",
    "loss_marked",
    "loss_gap",
    "loss_ratio",
    "first_order",
    "short_horizon",
    "similarity",
    "nats_bare",
    "nats_marked",
    "graded_elicitation",
    "continuation_gain",
    "onset_gain",
    "expected_leakage",
)
"""What is computed of an arm: see docs/forecast.md."""


@dataclass(frozen=True)
class Forecast:
    """What is known beforehand of one marked arm of a setting."""

    setting: str
    phenomenon: str
    behaviour: str
    caveat: str
    model: str
    """As studies name it: after a warm-up, the model that it made."""
    dose: str
    """As studies name it: canonical JSON."""
    arm: str
    figures: dict[str, float | str]
    """By name, the figure, or in one line why there is none."""
    notes: tuple[str, ...]
    """What to know of the rows that were used."""
    seconds: float
    """That all arms of the setting took together."""

    def record(self) -> dict[str, Any]:
        """Plain values that `json.dumps` takes; a figure that there is not is None."""
        undefined = {name: why for name, why in self.figures.items() if isinstance(why, str)}
        names = ("setting", "phenomenon", "behaviour", "caveat", "model")
        expected = self.figures["expected_leakage"]
        return {
            **{name: getattr(self, name) for name in names},
            "dose": json.loads(self.dose),
            "arm": self.arm,
            **{name: None if name in undefined else self.figures[name] for name in FIGURES},
            "expected_leakage_limits": (
                None if isinstance(expected, str) else list(expected_limits(expected))
            ),
            "undefined": undefined,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 1),
        }


def save(folder: Path, records: Iterable[dict[str, Any]], **about: Any) -> Path:
    """Write records to the study's folder, whole or not at all. Raises Unwritable."""
    path = folder / FILE
    content = {"schema_version": SCHEMA_VERSION, **about, **stamp(), "forecasts": list(records)}
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    write(path, text.encode("utf-8"))
    return path


def saved(path: Path) -> list[dict[str, Any]]:
    """The records of a file that `save` wrote, or of the one in a folder. Raises CaveatError."""
    records: list[dict[str, Any]] = _content(path)["forecasts"]
    return records


def about_saved(path: Path) -> dict[str, Any]:
    """What such a file holds beside its records: recipe, model, version. Raises CaveatError."""
    return {name: value for name, value in _content(path).items() if name != "forecasts"}


def _content(path: Path) -> dict[str, Any]:
    path = path / FILE if path.is_dir() else path
    wrong = f"holds no forecasts; name a {FILE} that caveat forecast wrote"
    content = versioned(path, SCHEMA_VERSION, "caveat forecast RECIPE makes one", wrong)
    try:
        if not all(isinstance(record["setting"], str) for record in content["forecasts"]):
            raise TypeError("a setting is no text")
    except (KeyError, TypeError):
        raise CaveatError(f"{path}: {wrong}") from None
    return content


def versioned(path: Path, newest: int, lacking: str, wrong: str) -> dict[str, Any]:
    """The mapping of a JSON file with a `schema_version` up to `newest`. Raises CaveatError.

    Args:
        lacking: What to do about a file that cannot be read.
        wrong: What is wrong with another file, and the fix.
    """
    try:
        content: dict[str, Any] = parse_json(path.read_text("utf-8"))
        newer = content["schema_version"] > newest
    except OSError as error:
        raise CaveatError(f"{path}: cannot be read ({error.strerror}); {lacking}") from None
    except (ValueError, KeyError, TypeError):
        raise CaveatError(f"{path}: {wrong}") from None
    if newer:
        raise CaveatError(
            f"{path}: schema version {content['schema_version']} is of a newer caveat than this "
            f"one ({newest}); upgrade caveat"
        )
    return content
