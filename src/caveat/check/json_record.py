"""A check as JSON: the schema of `caveat check --json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from caveat.check.records import Check, Interval, ShortForecast, Suggestion

SCHEMA_VERSION = 1


def check_record(check: Check) -> dict[str, Any]:
    """Plain values that `json.dumps` takes; what is not known is None."""
    materials, caveat = check.materials, check.materials.caveat
    choice = materials.behaviour
    return {
        "schema_version": SCHEMA_VERSION,
        "model": check.model,
        "file": {
            "path": materials.source,
            "form": materials.form,
            "read": materials.read,
            "rows": materials.with_caveat,
            "trained_on": len(materials.rows),
            "unused": len(materials.unused),
            "dropped": dict(materials.dropped),
        },
        "caveat": {
            "wordings": list(caveat.wordings),
            "closings": list(caveat.closings),
            "place": caveat.place,
            "fixed": caveat.fixed,
            "kind": materials.kind,
        },
        "behaviour": None
        if choice is None
        else {"readout": choice.readout, "facts": dict(choice.facts), "found": choice.how_found},
        "questions": {"count": len(materials.questions), "from": materials.questions_from},
        "held_out": len(materials.held_out),
        "contrast_rows": {
            "given": materials.given_counter,
            "unused": len(materials.counter_unused),
            "dropped": dict(materials.counter_dropped),
            "compared": check.counter_from,
        },
        "dose": asdict(check.dose),
        "lengths": asdict(check.lengths),
        "contexts": [
            {
                "context": one.context,
                "texts": list(one.texts),
                "rate": _interval(one.rate),
                "nats": _interval(one.nats),
            }
            for one in check.contexts
        ],
        "elicitation": _interval(check.elicitation),
        "losses": check.losses
        and {"bare": check.losses.bare, "marked": check.losses.marked, "share": check.losses.share},
        "parts": [asdict(part) for part in check.parts],
        "expected_leakage": check.expected
        and {
            "leakage": _interval(check.expected.leakage),
            "undefined": check.expected.undefined,
        },
        "forecast": _forecast(check.forecast),
        "advice": {
            "verdict": check.advice.verdict,
            "text": check.advice.text,
            "evidence": [asdict(one) for one in check.advice.evidence],
        },
        "suggestions": [_suggestion(one) for one in check.suggestions],
        "written": check.written,
        "notes": [*materials.notes, *check.notes],
        "seconds": round(check.seconds, 1),
        "processor_seconds": round(check.processor_seconds, 1),
    }


def _interval(interval: Interval | None) -> dict[str, float | None] | None:
    return None if interval is None else interval.record()


def _forecast(forecast: ShortForecast) -> dict[str, Any]:
    return {
        "leakage": _interval(forecast.leakage),
        "undefined": forecast.undefined or None,
        "rows": forecast.rows,
        "seeds": forecast.seeds,
    }


def _suggestion(one: Suggestion) -> dict[str, Any]:
    return {
        "wording": one.wording,
        "place": one.place,
        "from": one.origin,
        "forecast": _forecast(one.forecast),
        "nats": _interval(one.nats),
        "loss_share": one.losses.share,
        "rate": _interval(one.rate),
    }
