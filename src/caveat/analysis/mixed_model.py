"""A logistic mixed model of all verdicts of a study: what arms, contexts and predictors add, given
the others.

    yes ~ arm * context + caveat * (nats + rate) + (1 | question) + (1 | prompt) + (1 | training)

`caveat` is 1 for `marked` and `marked+X`: bare models never saw the caveat, so a predictor of the
caveat's effect says nothing of them. `rate` and `nats` are elicitation and its graded form, one
value a setting on a model (and of `nats` a dose), in standard deviations. A training is a setting,
model, arm, dose and seed: what the seed does to the arm. A prompt is a setting's on a model,
trained with the caveat or without: what else than the predictors makes settings differ. The
variances of the three are those of the variational fit of statsmodels' `BinomialBayesMixedGLM`. Its
standard errors are too small where a predictor is constant within a group, since it takes effects
as independent; so standard errors here are those of the penalised likelihood at these variances
(Breslow & Clayton 1993), with Student's t on the number of groups within which a term is constant
less the number of such terms.

Arms that answer all yes or all no are separated: the likelihood has no maximum there. Effects have
the prior N(0, 3^2) in logits, which keeps them finite, but then it is the prior that says how
large they are. Terms that a wider prior moves by a standard error, and all terms where the fit does
not converge, are not reported: the simpler figure beside them stands instead, least squares on the
rates of trainings.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from caveat.analysis.intervals import ALPHA
from caveat.analysis.panel import BASE, SETTING_COLUMNS
from caveat.analysis.rates import verdicts
from caveat.errors import CaveatError

PREDICTORS = ("nats", "rate")
"""Columns of `mixed_rows` with one value a setting on a model at a dose, where they are known."""
SUBJECT = ("setting", "model", "dose")
"""Columns that say what a predictor is one value of, as far as rows have them."""
GROUPS = ("question", "prompt", "training")
"""Random intercepts."""
PRIOR_SPREAD = 3.0
"""Standard deviation of the prior of fixed effects, in logits."""
WIDER = 4.0
"""How much wider a second prior is: what it moves is not set by the data."""
MOST_ROWS = 3000
"""Variances between groups are those of so many rows, taken at random: more takes minutes."""
LARGEST = 8.0
"""An effect or a standard deviation beyond this, in logits, is none that data can show."""
STEPS = 100
START = 0.5
"""Standard deviation between groups from which the fit starts, in logits."""
TOLERANCE = 1e-3
"""Of the gradient of the evidence bound where the fit ends, times the root of the rows."""
COLUMNS = [
    "term", "estimate", "low", "high", "p", "freedom", "rate_change", "rate_low", "rate_high",
    "rate_p", "undefined",
]  # fmt: skip


@dataclass(frozen=True)
class MixedModel:
    """The fitted model as frames."""

    effects: pd.DataFrame
    """One row a term, columns `COLUMNS`: `estimate` in logits with its 95% interval, NaN where
    `undefined` says why; `rate_change`, in rate, is the simpler figure: least squares on the rates
    of trainings, with standard errors robust to trainings that share a prompt."""
    spreads: dict[str, float]
    """Standard deviations between the groups of `GROUPS`, in logits."""
    formula: str
    rows: int
    note: str
    """In one line, why the mixed model is not reported; "" where it is."""
    left_out: tuple[str, ...] = ()
    """One line a predictor that is no term of the model, with the reason."""


def mixed_rows(answers: pd.DataFrame, checks: pd.DataFrame) -> pd.DataFrame:
    """One row an answer of a trained arm in the contexts `none` and `exact`.

    Columns: yes (0 or 1), arm, context, setting, model, dose, question, prompt, training, caveat
    (0 or 1) and, where every setting has one on every model, `rate` and `nats`.

    Args:
        answers: As `Study.answers()`.
        checks: As `Study.caveat_checks()`: elicitation is `rate`, graded elicitation is `nats`.
    """
    measured = verdicts(answers)
    rows = measured[(measured["arm"] != BASE) & (measured["scope"] == "trained")]
    rows = rows[rows["context"].isin(["none", "exact"])]
    prompt = rows["setting"] + "\0" + rows["model"]
    table = pd.DataFrame(
        {
            "yes": (rows["verdict"] == "yes").astype(float),
            **{name: rows[name].astype(str) for name in ("arm", "context", *SUBJECT)},
            "question": rows["behaviour"] + "\0" + rows["question"],
            "prompt": prompt + "\0" + rows["arm"].str.startswith("marked").astype(str),
            "training": prompt + "\0" + rows["arm"] + rows["dose"] + rows["seed"].astype(str),
            "caveat": rows["arm"].str.startswith("marked").astype(float),
        }
    )
    # base answers the same at every dose, but its nats are those of the rows that a dose scores
    for name, check, key in (
        ("rate", "elicitation", SETTING_COLUMNS),
        ("nats", "graded elicitation", [*SETTING_COLUMNS, "dose"]),
    ):
        values = checks[(checks["check"] == check) & checks["value"].notna()]
        values = values[values["scope"] == "trained"].drop_duplicates(key)
        column = rows[key].merge(values[[*key, "value"]], on=key, how="left")["value"]
        if len(table) and column.notna().all():
            table[name] = column.to_numpy(float)
    return table.reset_index(drop=True)


def default_formula(rows: pd.DataFrame) -> str:
    """Arms by contexts, and for arms with the caveat the predictors that are there and vary."""
    terms = [
        " * ".join(name for name in ("arm", "context") if rows[name].nunique() > 1) or "1",
        *(f"caveat:{name}" for name in PREDICTORS if _varies(rows, name)),
    ]
    return "yes ~ " + " + ".join(terms)


def _varies(rows: pd.DataFrame, name: str) -> bool:
    return name in rows and rows[name].nunique() > 1


def _left_out(rows: pd.DataFrame, formula: str | None) -> tuple[str, ...]:
    """Of the default formula, or of the predictors that a formula names."""
    names = [n for n in PREDICTORS if formula is None or re.search(rf"\b{n}\b", formula)]
    return tuple(
        f"{name} is left out: it is {rows[name].iloc[0]:.2f} throughout, and does not vary"
        if name in rows
        else f"{name} is left out: not every setting has one on every model"
        for name in names
        if not _varies(rows, name)
    )


def mixed_model(rows: pd.DataFrame, formula: str | None = None) -> MixedModel:
    """Fit the model to rows such as those of `mixed_rows`.

    Raises CaveatError where a formula names what the rows lack, or where there is nothing to fit.

    Args:
        rows: With the columns yes, question, prompt, training and those of the formula.
        formula: The fixed part, as patsy writes it; None: `default_formula`.
    """
    if rows.empty:
        raise CaveatError("mixed model: no answers of trained arms in the contexts none and exact")
    left_out = _left_out(rows, formula)
    formula = formula or default_formula(rows)
    design = _design(rows, formula)
    yes = rows["yes"].to_numpy(float)
    note = _all_alike(yes)
    spreads: dict[str, float] = {}
    effects = pd.DataFrame({"term": list(design.columns)})
    groups = [name for name in GROUPS if rows[name].nunique() > 1]
    if not note:
        spreads, note = _spreads(yes, design, rows, groups)
    separated: dict[str, str] = {}
    if not note:
        every, errors, converged = _penalised(yes, design, rows, spreads)
        estimate, error = every[: design.shape[1]], errors[: design.shape[1]]
        if not converged:
            note = f"the mixed model did not converge in {STEPS} steps"
        effects = effects.assign(**_with_intervals(estimate, error, design, rows, groups))
        wider, *_ = _penalised(yes, design, rows, spreads, WIDER * PRIOR_SPREAD)
        separated = _separated(list(design.columns), estimate, error, wider[: design.shape[1]])
    if note:
        note += "; least squares on the rates of trainings stands in its place"
    undefined = [note or separated.get(term) for term in design.columns]
    effects = effects.assign(**_by_training(rows, design), undefined=undefined)
    hidden = effects["undefined"].notna()
    effects = effects.reindex(columns=COLUMNS)
    effects.loc[hidden, ["estimate", "low", "high", "p"]] = np.nan
    reasons = effects["undefined"].astype(object)
    effects["undefined"] = reasons.where(reasons.notna(), None)
    return MixedModel(effects, spreads, formula, len(rows), note, left_out)


def _design(rows: pd.DataFrame, formula: str) -> pd.DataFrame:
    """Columns of the fixed effects; numeric predictors in standard deviations over subjects."""
    import patsy

    scaled = rows.copy()
    for name in PREDICTORS:
        if _varies(rows, name):
            values = rows.drop_duplicates(_columns(rows, SUBJECT))[name]
            scaled[name] = (rows[name] - values.mean()) / values.std()
        elif name in rows:
            scaled[name] = 0.0
    for name in ("arm", "context"):
        if name in rows:
            first = "bare" if name == "arm" else "none"
            levels = sorted(rows[name].unique(), key=lambda level: (level != first, level))
            scaled[name] = pd.Categorical(rows[name], levels)
    try:
        _, design = patsy.dmatrices(formula, scaled, return_type="dataframe")
    except (patsy.PatsyError, NameError, SyntaxError) as error:
        reason = str(error).partition("\n")[0]
        columns = ", ".join(rows.columns)
        raise CaveatError(f"formula {formula!r}: {reason}; columns are {columns}") from error
    kept = _independent(design.to_numpy(float))
    return design.iloc[:, kept].rename(columns=_plain)


def _columns(rows: pd.DataFrame, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in rows]


def _plain(term: str) -> str:
    """`arm[T.marked]:context[T.exact]` as `arm marked : context exact`."""
    return term.replace("[T.", " ").replace("]", "").replace(":", " : ")


def _independent(columns: np.ndarray) -> list[int]:
    """Indices of the columns that are no combination of those before: a study that lacks an arm in
    a context, or has one setting, leaves others without meaning."""
    kept: list[int] = []
    for index in range(columns.shape[1]):
        if np.linalg.matrix_rank(columns[:, [*kept, index]]) > len(kept):
            kept.append(index)
    return kept


def _all_alike(yes: np.ndarray) -> str:
    return f"every verdict is {'yes' if yes[0] else 'no'}" if len(np.unique(yes)) == 1 else ""


def _indicators(rows: pd.DataFrame, groups: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Shape (rows, levels): which level of which group a row is in; and each level's group."""
    tables = [pd.get_dummies(rows[name], dtype=float).to_numpy() for name in groups]
    owner = np.repeat(np.arange(len(groups)), [table.shape[1] for table in tables])
    return np.hstack([np.empty((len(rows), 0)), *tables]), owner


def _spreads(
    yes: np.ndarray, design: pd.DataFrame, rows: pd.DataFrame, groups: Sequence[str]
) -> tuple[dict[str, float], str]:
    """Standard deviations between groups, and why there are none, "" where there are."""
    from scipy.sparse import csr_matrix
    from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    if not groups:
        return {}, ""
    if len(rows) > MOST_ROWS:
        some = np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST_ROWS])
        yes, design, rows = yes[some], design.iloc[some], rows.iloc[some]
    levels, owner = _indicators(rows, groups)
    model = BinomialBayesMixedGLM(
        yes, design.to_numpy(float), csr_matrix(levels), owner, vcp_p=1.0, fe_p=PRIOR_SPREAD
    )
    usual = dict.fromkeys(groups, START)
    effects, errors, _ = _penalised(yes, design, rows, usual)
    fixed = design.shape[1]
    logs = np.full(len(groups), np.log(START))
    mean = np.concatenate([effects[:fixed], logs, effects[fixed:]])
    spread = np.concatenate([errors[:fixed], np.full(len(groups), 0.3), errors[fixed:]])
    try:
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            result = model.fit_vb(mean, spread, minim_opts={"gtol": TOLERANCE * np.sqrt(len(rows))})
    except (np.linalg.LinAlgError, ValueError, FloatingPointError) as error:
        return {}, f"the mixed model cannot be fitted ({str(error).partition(chr(10))[0]})"
    spreads = dict(zip(groups, np.exp(result.vcp_mean).tolist(), strict=True))
    unsure = any(
        issubclass(one.category, ConvergenceWarning) or "converge" in str(one.message)
        for one in raised
    )
    if unsure or not np.isfinite(list(spreads.values())).all():
        return spreads, "the mixed model did not converge"
    largest = max(spreads, key=lambda name: spreads[name])
    if spreads[largest] > LARGEST:
        return spreads, (
            f"the mixed model did not converge: the spread between {largest}s is "
            f"{spreads[largest]:.1f} logits"
        )
    return spreads, ""


def _separated(
    terms: Sequence[str], estimate: np.ndarray, error: np.ndarray, wider: np.ndarray
) -> dict[str, str]:
    """Terms whose size is the prior's: a wider one moves them outwards by a standard error."""
    return {
        term: f"separated: {one:.1f} logits, and {other:.1f} with a prior {WIDER:g} times as wide"
        for term, one, size, other in zip(terms, estimate, error, wider, strict=True)
        if abs(other) - abs(one) > size or abs(one) > LARGEST
    }


def _penalised(
    yes: np.ndarray,
    design: pd.DataFrame,
    rows: pd.DataFrame,
    spreads: Mapping[str, float],
    prior: float = PRIOR_SPREAD,
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Effects, fixed ones first, their standard errors, and whether Newton's steps ended."""
    levels, owner = _indicators(rows, list(spreads))
    columns = np.hstack([design.to_numpy(float), levels])
    fixed = design.shape[1]
    variances = np.array([*spreads.values()])[owner] ** 2 if len(owner) else np.empty(0)
    penalty = np.concatenate([np.full(fixed, prior**-2), 1 / np.maximum(variances, 1e-8)])
    effects, converged = np.zeros(columns.shape[1]), False
    for _ in range(STEPS):
        rate = 1 / (1 + np.exp(-np.clip(columns @ effects, -30, 30)))
        gradient = columns.T @ (yes - rate) - penalty * effects
        curvature = (columns * (rate * (1 - rate))[:, None]).T @ columns + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        effects = effects + step * min(1.0, 5.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-8:
            converged = True
            break
    return effects, np.sqrt(np.diagonal(np.linalg.inv(curvature))), converged


def _with_intervals(
    estimate: np.ndarray,
    error: np.ndarray,
    design: pd.DataFrame,
    rows: pd.DataFrame,
    groups: Sequence[str],
) -> dict[str, np.ndarray]:
    from scipy.special import stdtr, stdtrit

    freedom = _freedom(design, rows, groups)
    half = -stdtrit(freedom, ALPHA / 2) * error
    return {
        "estimate": estimate,
        "low": estimate - half,
        "high": estimate + half,
        "p": 2 * stdtr(freedom, -np.abs(estimate / error)),
        "freedom": freedom,
    }


def _freedom(design: pd.DataFrame, rows: pd.DataFrame, groups: Sequence[str]) -> np.ndarray:
    """Shape (terms,): the groups that a term is constant in and not 0, less the number of terms
    that are so in all of these; of the kind of group that leaves the fewest."""
    columns = design.to_numpy(float)
    freedom = np.full(design.shape[1], float(max(len(rows) - design.shape[1], 1)))
    varies = columns.std(0) > 0
    for name in groups:
        codes = pd.factorize(rows[name])[0]
        first = np.unique(codes, return_index=True)[1]
        constant = varies & (columns == columns[first][codes]).all(0)
        present = columns[first] != 0
        for term in np.flatnonzero(constant):
            inside = present[:, term]
            together = constant & (present[inside].all(0))
            left = max(int(inside.sum()) - int(together.sum()), 1)
            freedom[term] = min(freedom[term], left)
    return freedom


def _by_training(rows: pd.DataFrame, design: pd.DataFrame) -> dict[str, np.ndarray]:
    """Least squares on the rate of each training in each context.

    Standard errors are robust to what trainings of a setting on a model share or, where these are
    too few, to what the contexts of a training share.
    """
    import statsmodels.api as sm

    keys = [rows["training"], rows["context"]] if "context" in rows else [rows["training"]]
    means = design.assign(yes=rows["yes"]).groupby([key.to_numpy() for key in keys]).mean()
    settings = rows.groupby(_columns(rows, SUBJECT[:2]), sort=False).ngroup()
    table = pd.DataFrame({"setting": settings, "training": rows["training"]})
    first = table.groupby([key.to_numpy() for key in keys]).first()
    over = "setting" if first["setting"].nunique() > max(3, design.shape[1]) else "training"
    nothing = np.full(design.shape[1], np.nan)
    groups = pd.factorize(first[over])[0]
    if groups.max() < design.shape[1]:
        return dict.fromkeys(("rate_change", "rate_low", "rate_high", "rate_p"), nothing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer groups than terms: said above
        fit = sm.OLS(means["yes"].to_numpy(), means[design.columns].to_numpy(float)).fit(
            cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
        )
        low, high = fit.conf_int(ALPHA).T
    return {"rate_change": fit.params, "rate_low": low, "rate_high": high, "rate_p": fit.pvalues}
