"""The report's section on one setting: arms by contexts, differences, checks, side effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.report.data import ReportData
from caveat.report.formatting import (
    ABSENT,
    Estimate,
    count,
    decimal,
    is_true,
    number,
    probability,
    survives,
    text,
)
from caveat.report.panels import NO_DOSE, VARIANTS, Panel, arm_order, dose_text
from caveat.report.sections.table import SHARE, SIGNED, Cell, Table
from caveat.report.setting_labels import section_labels, shared_factors
from caveat.report.tables.ladder import in_words

if TYPE_CHECKING:
    from pandas import DataFrame

Row = Mapping[str, Any]

PRIMARY = ("bare - base", "marked - base", "bare - marked")
CHECKS = ("elicitation", "graded elicitation", "comprehension", "shown bare", "k", "at the caveat")
VALID = "Share of answers to the behaviour's own questions that could be judged."


@dataclass(frozen=True)
class SettingSection:
    """What is shown of one setting."""

    name: str
    label: str
    """The name without what all settings share: see `setting_labels`."""
    factors: str
    """The factors of its recipe in words; "" without any."""
    anchor: str
    phenomenon: str
    behaviour: str
    """The behaviour in one sentence; "" where the study has none."""
    grids: tuple[tuple[Panel, Table, Table], ...]
    """Per panel, arms by contexts, and the same cells with every value."""
    contexts: dict[str, str]
    """What surrounds a question in each context."""
    differences: Table
    caveat_checks: Table
    side_effects: Table
    effects: dict[str, str]
    """What a high value of each side effect means, by name."""


def setting_sections(data: ReportData, panels: Sequence[Panel]) -> list[SettingSection]:
    """The sections of all settings; `panels` are those of the data."""
    labels, factors = section_labels(data), shared_factors(data)
    return [
        _section(data, name, index, labels[name], in_words(factors[name]), panels)
        for index, name in enumerate(data.settings)
    ]


def _section(
    data: ReportData, name: str, index: int, label: str, factors: str, panels: Sequence[Panel]
) -> SettingSection:
    rates = data.frame("rates")
    contexts = context_texts(data.contexts.get(name, {}))
    return SettingSection(
        name=name,
        label=label,
        factors=factors,
        anchor=f"setting-{index + 1}",
        phenomenon=_phenomenon(data, name),
        behaviour=text(data.abouts.get(name, {}).get("behaviour")),
        grids=tuple(
            (panel, grid(panel, rates, contexts), grid_values(panel, rates))
            for panel in panels
            if panel.setting == name
        ),
        contexts=contexts,
        differences=differences(data, name),
        caveat_checks=caveat_checks(data, name),
        side_effects=side_effects(data, name),
        effects=_effects(data, name),
    )


def _phenomenon(data: ReportData, setting: str) -> str:
    frame = data.frame("leakage")
    names = frame[frame["setting"] == setting]["phenomenon"].dropna()
    return "" if names.empty else str(names.iloc[0])


def _effects(data: ReportData, setting: str) -> dict[str, str]:
    meanings = {"valid replies": VALID, **data.abouts.get(setting, {}).get("side_effects", {})}
    frame = data.frame("side_effects")
    names = dict.fromkeys(frame[frame["setting"] == setting]["effect"].map(text))
    return {name: text(meanings[name]) for name in names if meanings.get(name)}


def grid(panel: Panel, rates: DataFrame, contexts: Mapping[str, str] | None = None) -> Table:
    """Arms (rows) by contexts (columns): the rate, and under it the leakage.

    Args:
        rates: Adds the rate among valid answers.
        contexts: What surrounds a question, by context.
    """
    valid_rates = _valid_rates(panel, rates)
    heads = [
        Cell(context.replace("_", " "), hover=(contexts or {}).get(context, ""))
        for context in panel.contexts
    ]
    rows = tuple(
        (Cell(arm), *(_grid_cell(panel, arm, name, valid_rates) for name in panel.contexts))
        for arm in panel.arms
    )
    return Table((Cell("arm"), *heads), rows, layout="grid")


def grid_values(panel: Panel, rates: DataFrame) -> Table:
    """The same cells as rows, with every value; cells that were not measured are left out."""
    valid_rates = _valid_rates(panel, rates)
    values = {
        (arm, context): _details(panel, arm, context, valid_rates)
        for arm in panel.arms
        for context in panel.contexts
        if panel.rate(arm, context).value is not None
    }
    names = next(iter(values.values()), {})
    rows = [(*key, *details.values()) for key, details in values.items()]
    return Table.of(("arm", "context", *names), rows)


def _valid_rates(panel: Panel, rates: DataFrame) -> dict[tuple[str, str], Any]:
    return {
        (row["arm"], row["context"]): row["valid_rate"]
        for row in panel.of(rates).to_dict("records")
        if text(row["purpose"]) in ("measure", "")
    }


def _grid_cell(panel: Panel, arm: str, context: str, valid_rates: Mapping[Any, Any]) -> Cell:
    rate, leakage = panel.rate(arm, context), panel.leakage(arm, context)
    if rate.value is None:
        hover = f"{arm} at {context} was not measured"
        return Cell(ABSENT, kind="absent", hover=hover)
    reason = "" if leakage.value is not None else text((panel.row(arm, context) or {})["undefined"])
    details = _details(panel, arm, context, valid_rates)
    lines = [
        f"{arm} at {context}",
        *(f"{name} {value}" for name, value in details.items() if value),
    ]
    is_share = 0 <= rate.value <= 1
    return Cell(
        estimate=rate,
        span=SHARE if is_share else None,
        heat=round(100 * rate.value) if is_share else None,
        below=None if leakage.value is None else leakage,
        note="undefined" if reason else "",
        hover="\n".join([*lines, reason] if reason else lines),
        answers={
            "setting": panel.setting,
            "arm": arm,
            "context": context,
            "readout": panel.variant["readout"],
        },
    )


def _details(
    panel: Panel, arm: str, context: str, valid_rates: Mapping[Any, Any]
) -> dict[str, str]:
    row = panel.row(arm, context) or {}
    return {
        "rate": str(panel.rate(arm, context)),
        "leakage": str(panel.leakage(arm, context)),
        **({"graded leakage": str(panel.graded(arm, context))} if panel.is_graded else {}),
        "valid": decimal(row["valid"]),
        "truncated": decimal(row["truncated"]),
        "rate among valid": decimal(number(valid_rates.get((arm, context)))),
        "questions": count(row["questions"]),
        "clusters": count(row["clusters"]),
        "seeds": count(row["seeds"]),
        "answers": count(row["replies"]),
        "interval": text(row["interval"]),
    }


def context_texts(prompts: Mapping[str, str]) -> dict[str, str]:
    """Per context, what its prompt has more than that of `none`, "" for `none` itself.

    A prompt that is not that of `none` with one piece put in, for example one of another question
    or with text on both sides, is given whole. Without the context `none`, all are.
    """
    plain = prompts.get("none")
    if plain is None:
        return dict(prompts)
    return {context: added_text(prompt, plain) for context, prompt in prompts.items()}


def added_text(prompt: str, plain: str) -> str:
    """The one piece whose insertion turns `plain` into `prompt`, stripped; else `prompt`."""
    before, after = _shared_prefix(prompt, plain), _shared_prefix(prompt[::-1], plain[::-1])
    size = len(prompt) - len(plain)
    if size < 0 or before + after < len(plain):
        return prompt
    # A piece that begins or ends like its neighbours can be cut out in several places. A caveat
    # brings its own separators, so it is cut where these come out with it.
    last = prompt[len(prompt) - after - size : len(prompt) - after]
    first = prompt[before : before + size]
    return (last if last != last.strip() else first).strip()


def _shared_prefix(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def differences(data: ReportData, setting: str) -> Table:
    """Differences of rates with intervals, Holm-corrected p-values and those of seeds alone."""

    def cells(row: Row) -> tuple[str | Cell, ...]:
        distinguishable = is_true(row["distinguishable"])
        difference = Estimate.of(row["value"], row["low"], row["high"])
        word = "distinguishable" if distinguishable else "not distinguishable"
        if distinguishable and not survives(row["p_holm"]):
            word = "not once corrected"
        return (
            text(row["difference"]),
            text(row["context"]),
            Cell(estimate=difference, span=SIGNED, quiet=not distinguishable),
            probability(row["p"]),
            probability(row["p_holm"]),
            probability(row["p_seeds"]),
            Cell(ABSENT if difference.value is None else word, quiet=not distinguishable),
        )

    columns = ("difference", "context", "difference of rates", "p", "p, Holm", "p, seeds", "")
    rows = _in_order(_of(data, "differences", setting), "difference", PRIMARY)
    return _table(rows, columns, cells, ["difference", "context"])


def caveat_checks(data: ReportData, setting: str) -> Table:
    """Elicitation, comprehension and what it is beside, k and the behaviour at the caveat."""

    def cells(row: Row) -> tuple[str | Cell, ...]:
        check = text(row["check"])
        span = None if check in ("k", "graded elicitation") else SIGNED
        value = Estimate.of(row["value"], row["low"], row["high"])
        arm, expected, note = (text(row[name]) for name in ("arm", "expected", "note"))
        return (check, arm, Cell(estimate=value, span=span), expected, note)

    rows = _in_order(_of(data, "caveat_checks", setting), "check", CHECKS)
    columns = ("check", "arm", "value", "expected verdict", "note")
    return _table(rows, columns, cells, ["check", "arm"])


def side_effects(data: ReportData, setting: str) -> Table:
    """What else training changed; arms of one effect stand together."""

    def cells(row: Row) -> tuple[str | Cell, ...]:
        unit = text(row["unit"])
        span = SHARE if unit == "share" else None
        value = Estimate.of(row["value"], row["low"], row["high"])
        effect, arm = text(row["effect"]), text(row["arm"])
        return (effect, arm, Cell(estimate=value, span=span), unit, count(row["questions"]))

    rows = _of(data, "side_effects", setting)
    rows = _in_order(rows, "effect", tuple(dict.fromkeys(row["effect"] for row in rows)))
    columns = ("effect", "arm", "value", "unit", "questions")
    return _table(rows, columns, cells, ["effect", "arm"])


def _in_order(rows: Sequence[Row], column: str, values: tuple[str, ...]) -> list[Row]:
    """Rows sorted by a column, in the order of `values`, and then by arm."""

    def order(row: Row) -> tuple:
        index = values.index(row[column]) if row[column] in values else len(values)
        return (index, arm_order(text(row["arm"])))

    return sorted(rows, key=order)


def _of(data: ReportData, name: str, setting: str) -> list[Row]:
    """The rows of one setting in a frame."""
    frame = data.frame(name)
    return frame[frame["setting"] == setting].to_dict("records")


def _table(
    rows: Sequence[Row],
    columns: tuple[str, ...],
    cells: Callable[[Row], tuple[str | Cell, ...]],
    names: list[str],
) -> Table:
    """The rows after the variants that distinguish rows of the same `names`."""
    values: dict[str, dict[tuple[str, ...], set[str]]] = {name: {} for name in VARIANTS}
    for row in rows:
        key = tuple(text(row[name]) for name in names)
        for name in VARIANTS:
            if name in row and (value := text(row[name])) not in NO_DOSE:
                values[name].setdefault(key, set()).add(value)
    variants = [
        name for name, by_key in values.items() if any(len(some) > 1 for some in by_key.values())
    ]
    doses = list(dict.fromkeys(text(row.get("dose")) for row in rows))
    doses = [dose for dose in doses if dose not in NO_DOSE]
    return Table.of(
        (*variants, *columns),
        [(*(_variant(name, row[name], doses) for name in variants), *cells(row)) for row in rows],
    )


def _variant(name: str, value: object, doses: Sequence[str]) -> str:
    if name != "dose" or text(value) in NO_DOSE:
        return text(value).removeprefix("{}")
    return dose_text(text(value), doses)
