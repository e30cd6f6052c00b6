"""Published results: rates that others measured, their sources, and the leakage that follows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from caveat.analysis.leakage import INSTALLED
from caveat.errors import CaveatError, closest

Evidence = Literal["primary", "secondary", "independent", "own"]
"""primary: read in the source itself. secondary: as others cite it. independent: a public
repository's own result, often of one seed. own: measured by this project."""
EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
FILES = ("negation_neglect", "inoculation", "backdoor", "conditional_misalignment")
OWN = "own"
Rate = Literal["base", "bare", "marked", "clean", "exact", "near_miss"]
RATES: tuple[Rate, ...] = get_args(Rate)
Share = float | None
Wording = Literal["", "fixed", "rephrased"]
"""Whether all rows had the caveat in one wording, or each in another; "" where it is not known."""


class Result(BaseModel):
    """Rates of one published comparison; each a share in [0, 1], None where it is not reported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phenomenon: str
    setting: str
    """The claim, the trait, the data: in the source's own words."""
    model: str
    training: str
    caveat: str
    intervention: str = ""
    """The intervention on top of the caveat, "" for none."""
    wording: Wording = ""
    prompts: int | None = None
    """Number of prompts behind the row: of a fixed wording trainings, of a rephrased one wordings
    or trainings, as the source has it."""
    elicitation: tuple[float, float] | None = None
    """The least and the most that the prompts elicit from base, R(base, exact) - R(base, none)."""
    metric: str
    base: Share = Field(None, ge=0, le=1)
    """The untrained model."""
    bare: Share = Field(None, ge=0, le=1)
    """Trained without the caveat."""
    marked: Share = Field(None, ge=0, le=1)
    """Trained with the caveat, tested without."""
    clean: Share = Field(None, ge=0, le=1)
    """Trained without the behaviour."""
    exact: Share = Field(None, ge=0, le=1)
    """The marked model tested with the caveat."""
    near_miss: Share = Field(None, ge=0, le=1)
    """The marked model tested with what `near_miss_kind` names."""
    near_miss_kind: str = ""
    replies: int | None = None
    """Number of replies behind a rate, where that is reported."""
    source: str
    locator: str
    """Where in the source."""
    evidence: Evidence
    note: str = ""
    read_off: tuple[Rate, ...] = ()
    """Rates that were read off a figure or a text, so not exact."""
    upper: tuple[Rate, ...] = ()
    """Rates that are upper bounds."""
    interval: tuple[float, float] | None = None
    """95% interval of the leakage, where the source has one."""

    @model_validator(mode="before")
    @classmethod
    def _marked_from_leakage(cls, fields: Any) -> Any:
        """Take the rate of marked from `leaks`, where a source is listed by its leakage."""
        if isinstance(fields, dict) and "leaks" in fields:
            others = {name: value for name, value in fields.items() if name != "leaks"}
            base, bare = others["base"], others["bare"]
            return {**others, "marked": round(base + fields["leaks"] * (bare - base), 4)}
        return fields

    @property
    def undefined(self) -> str | None:
        """Why there is no leakage at `none`; None where there is one."""
        if self.base is not None and self.bare is not None:
            added = _difference(self.bare, self.base)
            if added < INSTALLED:
                return f"bare training added {added:.3f} to the rate, less than {INSTALLED}"
        missing = [name for name in ("base", "bare", "marked") if getattr(self, name) is None]
        if missing:
            verb = "was" if len(missing) == 1 else "were"
            return f"{_listed(missing)} {verb} not reported"
        return None

    @property
    def leakage(self) -> float | None:
        """(marked - base) / (bare - base), as in `analysis.leakage`; None if undefined."""
        if self.undefined:
            return None
        return _difference(self.marked, self.base) / _difference(self.bare, self.base)

    @property
    def caution(self) -> str:
        """What to know of the rates before using them, "" where there is nothing."""
        given = [name for name in RATES if getattr(self, name) is not None]
        parts = [
            f"{words}: {', '.join(name.replace('_', ' ') for name in given if name in names)}"
            for words, names in (("upper bound", self.upper), ("read off", self.read_off))
            if set(names) & set(given)
        ]
        return "; ".join([*parts, *([self.note] if self.note else [])])

    def record(self) -> dict[str, Any]:
        """All fields, with the leakage, as values that `json.dumps` takes."""
        fields = self.model_dump(mode="json", exclude={"interval"})
        low, high = self.interval or (None, None)
        value = self.leakage
        leakage = None if value is None else {"value": value, "low": low, "high": high}
        return {**fields, "leakage": leakage, "undefined": self.undefined}


def _listed(names: list[str]) -> str:
    """Such as `base, bare and marked`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _difference(one: float | None, other: float | None) -> float:
    return round((one or 0.0) - (other or 0.0), 12)


@cache
def published() -> tuple[Result, ...]:
    """Every published result, by phenomenon."""
    return tuple(result for name in FILES for result in _read(name))


@cache
def own() -> tuple[Result, ...]:
    """The results of this project."""
    return tuple(_read(OWN))


def _read(name: str) -> Iterator[Result]:
    import yaml

    text = (files("caveat.published") / "data" / f"{name}.yaml").read_text("utf-8")
    # The C parser takes a tenth of the time. It crashes on endless nesting: only for our own files.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for fields in _entries(yaml.load(text, Loader=loader), {}):
        yield Result.model_validate(fields)


def _entries(entry: dict[str, Any], inherited: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The innermost entries, each with the fields of those around it."""
    fields = inherited | {name: value for name, value in entry.items() if name != "rows"}
    if "rows" not in entry:
        yield fields
    for row in entry.get("rows", ()):
        yield from _entries(row, fields)


def chosen(
    results: tuple[Result, ...],
    phenomenon: str | None = None,
    model: str | None = None,
    evidence: str | None = None,
) -> tuple[Result, ...]:
    """The results that match all filters; `phenomenon` and `model` match a part of the name.

    Raises CaveatError, with the nearest name, where one filter, or all together, match no result.
    """
    filters = {"phenomenon": phenomenon, "model": model, "evidence": evidence}
    filters = {column: text for column, text in filters.items() if text is not None}
    for column, text in filters.items():
        names = sorted({getattr(result, column) for result in results})
        if not any(_matches(column, name, text) for name in names):
            raise CaveatError(
                f"--{column} {text!r}: no published result has it; there are "
                f"{', '.join(names)}{closest(text, names)}"
            )
    matching = tuple(
        result
        for result in results
        if all(_matches(column, getattr(result, column), text) for column, text in filters.items())
    )
    if not matching:
        options = ", ".join(f"--{column} {text!r}" for column, text in filters.items())
        raise CaveatError(f"no published result has all of {options}; leave one out")
    return matching


def _matches(column: str, name: str, text: str) -> bool:
    return name == text if column == "evidence" else text.lower() in name.lower()
