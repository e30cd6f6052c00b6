"""`caveat import rates FILE`: rates or counts that others report, a row an arm, without replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.analysis.reported_rates import wilson
from caveat.errors import CaveatError
from caveat.files.hashing import sha256_of
from caveat.importers.columns import OTHER_NAMES, lacking, plain_name, with_our_names
from caveat.importers.names import check_names, quoted, rename
from caveat.importers.options import TableOptions
from caveat.importers.table_files import KEY, read_table
from caveat.importers.tables import with_defaults, with_named_keys
from caveat.importers.validation import SCOPES

if TYPE_CHECKING:
    from pandas import DataFrame, Series


NUMBERS: Mapping[str, tuple[str, ...]] = {
    "rate": ("mean", "value", "share", "proportion", "fraction", "p", "rate_mean", "mean_rate"),
    "low": (
        "ci_low", "ci_lower", "lower", "lower_ci", "low95", "ci_lo", "lo", "rate_low", "ci95_low",
        "lower_bound", "ci_low_95",
    ),
    "high": (
        "ci_high", "ci_upper", "upper", "upper_ci", "high95", "ci_hi", "hi", "rate_high",
        "ci95_high", "upper_bound", "ci_high_95",
    ),
    "stderr": ("se", "std_err", "standard_error", "sem"),
    "yes": ("k", "hits", "successes", "positives", "n_yes", "count_yes", "yes_count"),
    "replies": ("n", "n_replies", "total", "trials", "n_total", "num_samples", "n_samples"),
}  # fmt: skip
"""Columns of numbers, and what others call them."""
NAMES = ("setting", "arm", "context", "model", "scope", "readout", "phenomenon", "behaviour",
         "caveat")  # fmt: skip
FIELDS: Mapping[str, tuple[str, ...]] = {
    **{name: OTHER_NAMES[name] for name in NAMES},
    "readout": ("metric", "judge", "measure"),
    **NUMBERS,
}
WIDE: Mapping[str, tuple[str, str]] = {
    "base": ("base", "none"), "bare": ("bare", "none"), "marked": ("marked", "none"),
    "clean": ("clean", "none"), "exact": ("marked", "exact"),
    "near_miss": ("marked", "near_miss"), "elicited": ("base", "exact"),
}  # fmt: skip
"""Arm and context of columns that hold rates side by side."""
QUANTILE = 1.959963984540054
"""Standard errors from a rate to its 95% limits."""
SLOT = ["setting", "model", "readout", "scope", "arm", "context"]


@dataclass(frozen=True)
class ReportedRates:
    """Rates of others, checked, and what the study made of them says of itself."""

    name: str
    rates: DataFrame
    """A row a rate: `NAMES`, rate in [0, 1], low, high (NaN without limits), replies (0: unknown)
    and where."""
    source: Mapping[str, Any]
    notes: tuple[str, ...]


def read(
    paths: Sequence[Path], model: str | None, options: TableOptions, need_limits: bool = True
) -> ReportedRates:
    """The rates of a file: CSV, TSV, JSON (nested too), JSON Lines or parquet.

    A row is a rate of an arm in a context (`none` without a column for it), with its limits, its
    standard error, or its number of replies; or a row has the rates of base, bare and marked side
    by side. Limits are those reported; else rate and 1.96 standard errors; else Wilson's. Raises
    CaveatError for a row that cannot be used.

    Args:
        need_limits: Refuse rates without limits and without a number of replies.
    """
    if len(paths) != 1:
        raise CaveatError(f"{paths[1]}: rates come from one file; join them into one")
    (path,) = paths
    frame = with_named_keys(read_table(path, leaves=True))
    keys = [name for name in frame if name.startswith(KEY.format(""))]
    is_wide = {"base", "bare"} <= {plain_name(name) for name in frame}
    if "arm" not in frame and len(keys) == 1 and keys[0] not in options.columns.values():
        # names above rates side by side are those of settings
        frame = frame.rename(columns={keys[0]: "setting" if is_wide else "arm"})
    by_column = {old: new for old, new in options.arms.items() if old in frame}
    by_value = {old: new for old, new in options.arms.items() if old not in by_column}
    frame = frame.rename(columns=by_column)
    present = [name for name in frame if name != "where"]
    frame, notes = with_our_names(frame, options.columns, tuple(FIELDS), path, FIELDS)
    if "arm" not in frame:
        frame = _side_by_side(frame, path)
    if not {"rate", "yes"} & set(frame):
        raise _no_rate(frame, present, path)
    frame, more = with_defaults(frame, path, path.name.partition(".")[0], False, options)
    notes += more
    frame = rename(frame, "arm", by_value, path)
    frame = rename(frame, "context", options.contexts, path)
    if model is not None:
        frame["model"] = model
    kept = {
        *options.arms.values(),
        *options.contexts.values(),
        options.all_arm,
        options.all_context,
    }
    frame = _with_names(frame)
    notes += check_names(frame["arm"], frame["context"], kept - {None}, path)
    table, how = _numbers(frame, options, need_limits)
    _check_twice(table)
    unread = [name for name in frame if name not in (*FIELDS, "where")]
    if unread:
        notes.append(f"columns of {path.name} not read: {', '.join(unread)}")
    source = {"format": "rates", "file": path.name, "sha256": sha256_of(path)}
    columns = [*NAMES, "rate", "low", "high", "replies", "where"]
    return ReportedRates(path.name.partition(".")[0], table[columns], source, (*notes, *how))


def _side_by_side(frame: DataFrame, path: Path) -> DataFrame:
    """A row a rate, from rows that have the rates of several arms as columns."""
    import pandas as pd

    plain = {plain_name(name): name for name in frame}
    wide = {plain[name]: cell for name, cell in WIDE.items() if name in plain}
    if not {"base", "bare"} <= set(plain):
        present = [name for name in frame if name != "where"]
        raise lacking(["arm"], present, path)
    others = frame.drop(columns=[*wide, *[name for name in ("rate",) if name in frame]])
    parts = [
        others.assign(arm=arm, context=context, rate=frame[name], order=range(len(frame)))
        for name, (arm, context) in wide.items()
    ]
    table = pd.concat(parts).sort_values("order", kind="stable").drop(columns="order")
    return table[table["rate"].notna()].reset_index(drop=True)


def _with_names(frame: DataFrame) -> DataFrame:
    """The table with every column of `NAMES`. Raises CaveatError for what is empty or unknown."""
    for column in ("setting", "arm"):  # an empty context is a matter of `check_names`
        if frame[column].isna().any():
            row = frame[frame[column].isna()].iloc[0]
            raise CaveatError(f"{row['where']}: {column} is empty; fill it in")
    parts = frame["setting"].str.partition(" x ")
    defaults = {
        "model": "not given", "scope": "trained", "readout": "reported", "phenomenon": "",
        "behaviour": parts[0], "caveat": parts[2],
    }  # fmt: skip
    for column, default in defaults.items():
        frame[column] = frame[column].fillna(default) if column in frame else default
    wrong = ~frame["scope"].str.strip().str.lower().isin(SCOPES)
    if wrong.any():
        row = frame[wrong].iloc[0]
        raise CaveatError(
            f"{row['where']}: scope {row['scope']!r} is not one of {', '.join(SCOPES)}"
        )
    for column in NAMES:
        wrong = ~frame[column].fillna("").map(str.isprintable)
        if wrong.any():
            row = frame[wrong].iloc[0]
            raise CaveatError(
                f"{row['where']}: {column} {row[column]!r} has a character that cannot be printed; "
                "take it out"
            )
    return frame.assign(scope=frame["scope"].str.strip().str.lower())


def _number(frame: DataFrame, column: str) -> Series:
    """A column as numbers, NaN where it is empty. Raises CaveatError for what is no number."""
    import pandas as pd

    if column not in frame:
        return pd.Series(float("nan"), index=frame.index)
    texts = frame[column].fillna("").str.strip()
    numbers = pd.to_numeric(texts.str.removesuffix("%"), errors="coerce")
    wrong = (texts != "") & (numbers.isna() | (numbers.abs() == float("inf")))
    _refuse(frame, wrong, lambda row: f"{column} {row[column]!r} is no number; fix it")
    return numbers


def _refuse(frame: DataFrame, wrong: Series, line: Any) -> None:
    if wrong.any():
        row = frame[wrong].iloc[0]
        raise CaveatError(f"{row['where']}: {line(row)}")


def _numbers(
    frame: DataFrame, options: TableOptions, need_limits: bool
) -> tuple[DataFrame, list[str]]:
    """The table with rate, low, high and replies, and how limits came about, in words."""
    values = {name: _number(frame, name) for name in NUMBERS}
    replies, yes = values["replies"], values["yes"]
    if options.replies is not None:
        replies = replies.fillna(options.replies)
    _refuse(frame, replies.notna() & (replies < 1), lambda row: (
        f"replies {replies[row.name]:g} is no number of replies; give one of at least 1, or leave "
        "it empty"
    ))  # fmt: skip
    _refuse(frame, yes.notna() & ((yes < 0) | (yes > replies) | replies.isna()), lambda row: (
        f"yes {yes[row.name]:g} of {replies[row.name]:g} replies cannot be; give a number of "
        "replies that is no less"
    ))  # fmt: skip
    scale = options.scale
    rate = (values["rate"] / scale).fillna(yes / replies)
    _refuse(frame, rate.isna(), lambda row: "rate is empty; fill it in")
    _refuse(frame, (rate < 0) | (rate > 1), lambda row: (
        f"rate {row['rate']} is not between 0 and {scale:g}; for percentages or scores up to 100 "
        "add --scale 100"
    ))  # fmt: skip
    counted = yes / replies
    _refuse(frame, (rate - counted).abs() > _rounding(frame, scale) + 1e-9, lambda row: (
        f"rate {row['rate']} and yes {yes[row.name]:g} of {replies[row.name]:g} replies "
        f"({counted[row.name] * scale:.3g}) contradict each other; fix one, or leave it empty"
    ))  # fmt: skip
    error = values["stderr"] / scale
    _refuse(frame, error < 0, lambda row: f"stderr {row['stderr']} is negative; fix it")
    low = (values["low"] / scale).fillna(rate - QUANTILE * error)
    high = (values["high"] / scale).fillna(rate + QUANTILE * error)
    _refuse(frame, low.notna() != high.notna(), lambda row: (
        "has one limit only; give low and high, or neither"
    ))  # fmt: skip
    _refuse(frame, (low > rate + 1e-9) | (high < rate - 1e-9), lambda row: (
        f"the limits {low[row.name] * scale:g} to {high[row.name] * scale:g} do not contain the "
        f"rate {rate[row.name] * scale:g}; fix them"
    ))  # fmt: skip
    # limits that fall together, as a bootstrap has them at 0 and 1, say nothing
    together = low == high
    low, high = low.mask(together), high.mask(together)
    reported = low.notna()
    below, above = wilson(rate.to_numpy(float), replies.fillna(1).to_numpy(float))
    by_count = ~reported & replies.notna()
    low, high = low.where(~by_count, below), high.where(~by_count, above)
    if need_limits:
        _refuse(frame, low.isna(), lambda row: (
            f"rate {rate[row.name] * scale:g} of {row['arm']} has "
            f"{_no_limits(row, error, together)}, so leakage would have no interval; add a column "
            "n, or --replies NUMBER for all rows"
        ))  # fmt: skip
    counts = {"as reported": int(reported.sum()), "Wilson's, from replies": int(by_count.sum())}
    how = "; ".join(f"{count} {name}" for name, count in counts.items() if count)
    table = frame.assign(rate=rate, low=low, high=high, replies=replies.fillna(0).astype(int))
    note = f"limits of rates: {how}; of leakage: Fieller's, from these, arms independent"
    return table, [note] if how else []


def _no_rate(frame: DataFrame, present: Sequence[str], path: Path) -> CaveatError:
    """The error for a table without rates, with the column that may have counts of yes."""
    numbers = {name: _whole(frame[name]) for name in frame if name not in (*FIELDS, "where")}
    replies = _whole(frame["replies"]) if "replies" in frame else None
    counts = [
        name for name, column in numbers.items()
        if replies is not None and (column >= 0).all() and (column <= replies).all()
    ]  # fmt: skip
    if not counts:
        advice = "say which it is with --column rate=NAME, or of counts with --column yes=NAME"
    else:
        option = quoted(f"yes={counts[0]}")
        advice = f"if {counts[0]} is the number of replies that are a yes, add --column {option}"
    return lacking(["rate"], present, path, advice)


def _whole(column: Series) -> Series:
    """A column as numbers, NaN where one is not whole."""
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.where(numbers % 1 == 0)


def _rounding(frame: DataFrame, scale: float) -> Series | float:
    """Half a unit of the last digit of each rate as it is written, at most half a per cent.

    `0.31` may be a rate of .307, but `1`, as some programs write 1.00, is none of .6.
    """
    if "rate" not in frame:
        return 0.0
    decimals = frame["rate"].fillna("").str.strip().str.extract(r"\.(\d+)$")[0].fillna("")
    return (0.5 * 10.0 ** -decimals.str.len() / scale).clip(upper=0.005)


def _no_limits(row: Series, error: Series, together: Series) -> str:
    """Why a rate has no limits, in words."""
    if error[row.name] == 0:
        return "a standard error of 0 and no number of replies"
    if together[row.name]:
        return "limits that fall together and no number of replies"
    return "neither limits nor a number of replies"


def _check_twice(table: DataFrame) -> None:
    twice = table.duplicated(SLOT)
    if twice.any():
        row = table[twice].iloc[0]
        first = table[(table[SLOT] == row[SLOT]).all(axis=1)].iloc[0]
        raise CaveatError(
            f"{row['where']}: the rate of {row['arm']} at {row['context']} ({row['setting']}) is "
            f"already in {first['where']}; keep one, or name what tells them apart, such as "
            "--column setting=NAME"
        )
