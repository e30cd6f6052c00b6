"""What `caveat check` says, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from caveat.check.records import Check, ContextMeasure, Interval, ShortForecast, Suggestion
from caveat.importers.training_files.marking import WHERE
from caveat.report.formatting import ABSENT, Estimate, decimal
from caveat.report.tables.summary import Summary

SHOWN_WORDINGS = 3
"""Wordings that are printed of a caveat that varies."""


def check_summaries(check: Check) -> list[Summary]:
    """What was read, what the base model does, the predictors, and the suggestions."""
    tables = [_read(check), _contexts(check), *_parts(check), _predictors(check)]
    return [*tables, *([_suggestions(check)] if check.suggestions else [])]


def _read(check: Check) -> Summary:
    return Summary(
        "What was read", ("", "found"), tuple(_lines(check)), "", words=frozenset({"found"})
    )


def _lines(check: Check) -> Iterator[tuple[str, str]]:
    materials, caveat = check.materials, check.materials.caveat
    dropped = sum(materials.dropped.values())
    yield "file", f"{materials.source}: {materials.form}"
    yield "rows", f"{materials.with_caveat:,} with the caveat; {dropped:,} left out"
    yield "caveat", "; ".join(map(repr, caveat.wordings[:SHOWN_WORDINGS]))
    yield "place", WHERE[caveat.place]
    count = len(caveat.wordings)
    yield (
        "wording",
        "fixed: all rows have the same" if caveat.fixed else f"varied: {count:,} wordings",
    )
    yield "kind", materials.kind + (" (by its words; --kind says otherwise)"
                                    if materials.kind_found else "")  # fmt: skip
    yield "behaviour", _behaviour(check)
    yield "questions", f"{len(materials.questions)}, {materials.questions_from}"
    yield (
        "held out",
        f"{len(materials.held_out)} rows, which no training of the check reads; "
        f"{len(materials.rows):,} are left to train on" + _unused(len(materials.unused)),
    )
    yield "contrast rows", _contrast(check)
    yield "cut at max_tokens", _cut(check)


def _unused(count: int) -> str:
    """What is said of rows to a held-out prompt beyond the first one."""
    rows = "row" if count == 1 else "rows"
    verb = "is" if count == 1 else "are"
    return f"; {count:,} further {rows} to held-out prompts {verb} not used" if count else ""


def _contrast(check: Check) -> str:
    materials = check.materials
    dropped = sum(materials.counter_dropped.values())
    left_out = f"; {dropped:,} left out" if dropped else ""
    return (check.counter_from or "none") + _unused(len(materials.counter_unused)) + left_out


def _behaviour(check: Check) -> str:
    choice = check.materials.behaviour
    if choice is None:
        if any(one.question.readout for one in check.materials.questions):
            return "by the questions' own readouts"
        return (
            "not known, so no replies are judged; say what it is with --behaviour REGEX (or a "
            "readout's name, or judge), or give --contrast rows to find it by"
        )
    return f"{choice}" + (f", found: {choice.how_found}" if choice.how_found else "")


def _cut(check: Check) -> str:
    lengths = check.lengths
    text = (
        f"{lengths.cut} of {lengths.rows:,} rows are longer than {lengths.max_tokens} tokens "
        f"(longest: {lengths.longest:,})"
    )
    if lengths.caveat_cut:
        text += f"; {lengths.caveat_cut} would lose the caveat"
    if lengths.unsupervised:
        text += f"; {lengths.unsupervised} would lose every token to learn"
    return text


def _contexts(check: Check) -> Summary:
    rows = tuple(
        (
            one.context,
            _texts(one),
            estimate(one.rate),
            ABSENT if one.nats is None else estimate(one.nats, 1),
        )
        for one in check.contexts
    )
    elicitation = check.elicitation
    note = (
        "rate: share of sampled replies that show the behaviour. nats: how much likelier the rows' "
        "decision tokens become, against none."
    )
    if elicitation:
        note += f"\nelicitation (exact less none): {estimate(elicitation)}"
    return Summary(
        f"The base model, {check.model}, before any training",
        ("context", "in the caveat's place", "rate", "nats"),
        rows,
        note,
        frozenset({"in the caveat's place"}),
    )


def _texts(one: ContextMeasure) -> str:
    if not one.texts:
        return "the caveat" if one.context == "exact" else "nothing"
    return one.texts[0] + (f" (and {len(one.texts) - 1} more)" if len(one.texts) > 1 else "")


def _parts(check: Check) -> Iterator[Summary]:
    """Where in the replies the caveat helps; none of documents."""
    if check.parts:
        yield Summary(
            "Where the caveat makes the replies likelier",
            ("part", "tokens a row", "nats a token", "taken away"),
            tuple(
                (part.name, f"{part.tokens:.1f}", f"{part.surprisal:.2f}", f"{part.gain:+.2f}")
                for part in check.parts
            ),
            "nats a token: without the caveat. taken away: of these, by the caveat. A part that it "
            "does not make likelier tends to leak; one that it does may leak too.",
            frozenset(),
        )


def _predictors(check: Check) -> Summary:
    losses = check.losses
    rows = [
        (
            "short-horizon forecast of leakage",
            _leakage(check.forecast.leakage),
            _of(check.forecast),
        ),
    ]
    if check.expected is not None:
        rows.append(
            (
                "leakage by the first six tokens",
                _leakage(check.expected.leakage),
                check.expected.undefined or "forward passes, a fixed curve",
            )
        )
    if losses is not None:
        rows.append(
            (
                "share of the loss that the caveat takes away",
                decimal(losses.share),
                f"{losses.bare:.2f} nats a token without it, {losses.marked:.2f} with it",
            )
        )
    return Summary(
        "Predictors",
        ("", "value", "from"),
        tuple(rows),
        "Leakage is 0 where the caveat keeps the behaviour in, 1 where it might as well not be "
        "there.",
        frozenset({"from", "value"}),
    )


def _leakage(leakage: Interval | None) -> str:
    return "undefined" if leakage is None else estimate(leakage)


def _of(forecast: ShortForecast) -> str:
    if forecast.leakage is None:
        return forecast.undefined
    return f"trainings on {forecast.rows} rows, {forecast.seeds} seeds"


def _suggestions(check: Check) -> Summary:
    return Summary(
        "Wordings and places, those that should leak least first",
        ("wording", "place", "from", "forecast", "nats", "loss taken", "rate"),
        tuple(_suggestion(one) for one in check.suggestions),
        "The first lines differ from the others where the intervals of their forecasts do not "
        "overlap. `now` is the caveat as the file has it.",
        frozenset({"place", "from"}),
    )


def _suggestion(one: Suggestion) -> tuple[str, ...]:
    return (
        one.wording,
        one.place,
        one.origin,
        _leakage(one.forecast.leakage),
        ABSENT if one.nats is None else decimal(one.nats.value, 1),
        decimal(one.losses.share),
        ABSENT if one.rate is None else decimal(one.rate.value),
    )


def estimate(interval: Interval | None, digits: int = 2) -> str:
    """A value with its limits, a dash where there is none."""
    if interval is None:
        return ABSENT
    if digits == 2:
        return str(Estimate(interval.value, interval.low, interval.high))
    value = decimal(interval.value, digits)
    if interval.low is None:
        return value
    return f"{value} [{decimal(interval.low, digits)}, {decimal(interval.high, digits)}]"
