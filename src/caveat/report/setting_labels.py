"""Short labels of settings: what tells them apart, without what they share."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from caveat.report.data import ReportData
from caveat.report.formatting import text
from caveat.report.panels import Panel

VARIANT = ("model", "dose")
"""What a setting's factors may depend on."""
Factors = Mapping[str, str]
"""The factors of a setting, as in its recipe, and their levels."""
MOST = 2 / 3
"""Share of the settings from which on a level goes without saying, where that is unambiguous."""
ALL = "which all settings share"
PART = re.compile(r' x |(?<!\S)"[^"]*"(?!\S)|(?<!\S)\([^()]*\)(?!\S)')
"""What joins or closes the parts of a setting's name: behaviour x caveat "wording" (place)."""


def panel_labels(data: ReportData, panels: Sequence[Panel]) -> tuple[list[str], str]:
    """A label for each panel, and in a sentence what labels leave out; "" where that is nothing.

    Of the same setting at two doses or on two models, two labels.
    """
    factors = _factors(data)
    variants = [(panel.setting, *(panel.variant[name] for name in VARIANT)) for panel in panels]
    labels, omitted = short_labels(
        [panel.title for panel in panels], [factors.get(variant, {}) for variant in variants]
    )
    return labels, f"Names leave out {omitted}." if omitted else ""


def shared_factors(data: ReportData) -> dict[str, Factors]:
    """By setting, the factors that it has on all models and at all doses."""
    factors = _factors(data)
    return {
        name: _shared([levels for key, levels in factors.items() if key[0] == name])
        for name in data.settings
    }


def section_labels(data: ReportData) -> dict[str, str]:
    """A label for each setting of the report."""
    factors = shared_factors(data)
    labels, _ = short_labels(list(factors), list(factors.values()))
    return dict(zip(factors, labels, strict=True))


def _factors(data: ReportData) -> dict[tuple[str, str, str], Factors]:
    """By setting, model and dose."""
    if data.ladder is None:
        return {}
    return {
        (text(row["setting"]), text(row["model"]), text(row["dose"])): json.loads(row["factors"])
        for row in data.ladder.settings.to_dict("records")
    }


def _shared(settings: Sequence[Factors]) -> Factors:
    """The factors whose levels are the same in all settings."""
    if not settings:
        return {}
    first, *others = settings
    return {
        name: level
        for name, level in first.items()
        if all(other.get(name) == level for other in others)
    }


def short_labels(names: Sequence[str], factors: Sequence[Factors]) -> tuple[list[str], str]:
    """A label for each name, and what labels leave out, in words; "" where that is nothing.

    Labels are levels of the factors where every setting has factors and these differ, otherwise
    parts of the names. Where labels of two settings are equal, parts of their names follow.

    Args:
        names: Full names, such as `capitals x instruction "You always write in ALL CAPS." (after)`.
        factors: As many; empty where a setting has none.
    """
    if len(names) < 2:
        return list(names), ""
    if not all(factors) or _distinct(factors) < 2:
        return _by_names(names)
    labels, omitted = _by_factors(factors)
    for label in [label for label, count in Counter(labels).items() if count > 1]:
        same = [index for index, other in enumerate(labels) if other == label]
        more, _ = _by_names([names[index] for index in same])
        for index, words in zip(same, more, strict=True):
            labels[index] = f"{label} · {words}"
    return labels, omitted


def _by_factors(factors: Sequence[Factors]) -> tuple[list[str], str]:
    """Levels that differ, without those that most settings have, as far as that is unambiguous.

    A number, and a word that is a level of two factors, follows the factor's name.
    """
    counts = {
        name: Counter(levels.get(name) for levels in factors)
        for name in dict.fromkeys(name for levels in factors for name in levels)
    }
    shared = {name: factors[0][name] for name, levels in counts.items() if len(levels) == 1}
    kept = [_without(levels, shared) for levels in factors]
    usual: dict[str, str] = {}
    for name in reversed([name for name in counts if name not in shared]):
        level, count = counts[name].most_common(1)[0]
        shorter = [_without(levels, {name: level}) for levels in kept]
        if count >= MOST * len(factors) and all(shorter) and _distinct(shorter) == _distinct(kept):
            kept, usual = shorter, {name: level} | usual
    uses = Counter(level for levels in counts.values() for level in levels)

    def written(name: str, level: str, first: str) -> str:
        is_clear = any(map(str.isalpha, level)) and (name == first or uses[level] == 1)
        return level if is_clear else f"{name} {level}"

    labels = [
        " · ".join(written(name, level, next(iter(levels))) for name, level in levels.items())
        for levels in kept
    ]
    omitted = [f"“{name} {level}”, as in {counts[name][level]} of {len(factors)} settings"
               for name, level in usual.items()]  # fmt: skip
    if shared:
        words = " and ".join(f"“{name} {level}”" for name, level in shared.items())
        omitted.insert(0, f"{words}, {ALL}")
    return labels, "; ".join(omitted)


def _without(levels: Factors, omitted: Factors) -> Factors:
    """The factors but for those that have an omitted level."""
    return {name: level for name, level in levels.items() if omitted.get(name) != level}


def _distinct(settings: Sequence[Factors]) -> int:
    return len({json.dumps(levels) for levels in settings})


def _by_names(names: Sequence[str]) -> tuple[list[str], str]:
    """Names without the parts that all of them begin or end with."""
    parts = [parts_of(name) for name in names]
    least = min(map(len, parts)) - 1
    first = _alike(parts, least)
    last = _alike([some[::-1] for some in parts], least - first)
    labels = ["".join(some[first : len(some) - last]) for some in parts]
    both = ("".join(parts[0][:first]), "".join(parts[0][len(parts[0]) - last :]))
    omitted = " and ".join(f"“{_trimmed(words)}”" for words in both if words)
    labels = [_trimmed(label) for label in labels]
    if not all(labels) or len(set(labels)) < len(set(names)):
        return list(names), ""
    return labels, f"{omitted}, {ALL}" if omitted else ""


def _alike(parts: Sequence[Sequence[str]], most: int) -> int:
    """How many of the first parts all have, at most `most`."""
    for index in range(most):
        if len({_trimmed(some[index]) for some in parts}) > 1:
            return index
    return max(most, 0)


def _trimmed(words: str) -> str:
    """Without the separator at either end."""
    return words.removeprefix(" x ").removesuffix(" x ").strip()


def parts_of(name: str) -> list[str]:
    """A name cut into behaviour, caveat, wording and remarks in brackets; joined it is the name."""
    ends = {0, len(name)}
    for match in PART.finditer(name):
        ends |= {match.end()} if match[0] == " x " else {match.start(), match.end()}
    edges = sorted(ends)
    return [name[start:end] for start, end in pairwise(edges)]
