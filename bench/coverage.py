"""How often 95% intervals hold the truth and p-values are too small, on simulated studies.

    python bench/coverage.py --calibration                 # false positives and power, minutes
    python bench/coverage.py                               # coverage, a minute
    python bench/coverage.py --quick                       # two lines of false positives
    python bench/coverage.py --simulations 2000 --out coverage.json   # the whole table of coverage

A reply's chance of yes is logistic in an arm's level plus normal effects of the training seed, the
question's cluster and the question; levels are set so that the marginal rate is the one asked
for, which is the truth with three seeds and more. With one seed the truth is that seed's own
expected rate over clusters and questions. Half of the variance of cluster and question effects is
shared by the arms.

Near 0 and 1 the number of yes is small and whole, so no interval covers 95% at every rate; there
coverage is also averaged over a band of rates (Brown, Cai & DasGupta 2001). Below a rate of 0.05
intervals cover too much by construction: 0 of 72 is likely there and its interval reaches 0.17, so
no interval lies below the truth, and half of the 5% is never used.

False positives are of arms whose true rates are equal, at the levels 0.05, 0.01 and 0.001: of the
package's p-value and of the t-test over seeds beside it. `docs/engineering/statistics.md` has the
tables and what they say.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from caveat.analysis.intervals import Estimates
from caveat.analysis.ladder.behaviour_panels import BehaviourPanel
from caveat.analysis.ladder.contrasts import leakage_contrasts
from caveat.analysis.panel import Cell, Panel, influences

RATES = (0.03, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.97)
BAND = tuple(np.linspace(0.02, 0.1, 9).round(3).tolist())
PAIRS = ((0.03, 0.03), (0.03, 0.5), (0.03, 0.97), (0.5, 0.5), (0.5, 0.9), (0.9, 0.97))
LEAKS = (0.03, 0.1, 0.5, 0.9)
STEPS = ((0.5, 0.5), (0.2, 0.8))
NODES, MASS = np.polynomial.hermite_e.hermegauss(60)
MASS = MASS / MASS.sum()
LEVELS = (0.05, 0.01, 0.001)
NULL_RATES = (0.15, 0.5, 0.85, 0.03, 0.97)
NULL_SPREADS = (0.0, 0.3, 0.5, 1.0, 1.5)
"""Standard deviations between seeds, in logits."""
CHUNK = 100
"""Simulations that share a panel."""


@dataclass(frozen=True)
class Design:
    """Seeds and questions of a simulated study."""

    seeds: int
    clusters: int
    questions: int
    """In a cluster."""

    def __str__(self) -> str:
        return f"{self.seeds} x {self.clusters * self.questions} in {self.clusters}"


@dataclass(frozen=True)
class Effects:
    """Standard deviations on the logit scale."""

    seed: float
    cluster: float
    question: float

    def __str__(self) -> str:
        return f"{self.seed:g} / {self.cluster:g} / {self.question:g}"


@dataclass(frozen=True)
class Coverage:
    """One line of the table."""

    of: str
    design: str
    effects: str
    rates: str
    coverage: float
    below: float
    """Share of intervals that lie below the truth."""
    width: float
    """Median."""
    undefined: float = 0.0


DESIGNS = (Design(1, 12, 2), Design(3, 12, 2), Design(5, 24, 2))
EFFECTS = (Effects(0.3, 0.5, 0.5), Effects(0.5, 1.0, 0.5), Effects(1.0, 0.5, 0.5))


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def marginal(level: np.ndarray, spread: float) -> np.ndarray:
    """Expected rate at a level (any shape), over normal effects of that standard deviation."""
    return logistic(np.asarray(level)[..., None] + spread * NODES) @ MASS


def level_of(rate: float, spread: float) -> float:
    """The level whose expected rate is `rate`."""
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if marginal(middle, spread) < rate else (low, middle)
    return (low + high) / 2


def simulate(
    rates: tuple[float, ...],
    design: Design,
    effects: Effects,
    count: int,
    generator,
    seeds=None,
    shared: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of yes, shape (count, arms, seeds, clusters), and the truth, shape (count, arms).

    `seeds` are factors of the arms' seed effects; `shared` is the share of the variance of these
    effects that arms of the same seed have in common.
    """
    arms, shape = len(rates), (count, len(rates), design.seeds, design.clusters, design.questions)
    seeds = np.ones(arms) if seeds is None else np.asarray(seeds)
    within = np.hypot(effects.cluster, effects.question)
    spreads = np.hypot(within, effects.seed * seeds)
    level = np.array([level_of(*pair) for pair in zip(rates, spreads, strict=True)])

    def half_shared(*axes: int) -> np.ndarray:
        common = generator.standard_normal((count, 1, 1, *axes))
        return np.sqrt(0.5) * (common + generator.standard_normal((count, arms, 1, *axes)))

    own = generator.standard_normal(shape[:3])
    if shared:
        common = generator.standard_normal((count, 1, design.seeds))
        own = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    of_seed = seeds[:, None] * effects.seed * own
    logit = (level[:, None] + of_seed)[..., None, None]
    logit = logit + effects.cluster * half_shared(design.clusters, 1)
    logit = logit + effects.question * half_shared(design.clusters, design.questions)
    yes = generator.random(shape) < logistic(logit)
    if design.seeds == 1:
        return yes.sum(-1), marginal(level + of_seed[..., 0], within)
    return yes.sum(-1), np.broadcast_to(np.array(rates), (count, arms))


def estimates_of(
    yes: np.ndarray, design: Design, base: int | None, strata: np.ndarray | None = None
) -> Estimates:
    """The package's own estimates. The arms of all simulations of a chunk are the cells of one
    panel. The arm `base` of each has no seeds: its first seed's replies are those of base."""
    count, arms = yes.shape[:2]
    clusters = yes.shape[-1]
    total = yes.astype(float).reshape(count * arms, design.seeds, clusters)
    is_base = np.arange(count * arms) % arms == (-1 if base is None else base)
    total[is_base] = total[is_base, :1] / design.seeds
    number = np.full(total.shape, float(design.questions))
    number[is_base] /= design.seeds
    mean, influence = influences(number, total, strata)
    cells = [Cell("base" if of_base else "arm", "none", "{}") for of_base in is_base]
    same = np.ones(count * arms, dtype=int)
    panel = Panel(
        names={},
        dose="{}",
        cells=tuple(cells),
        clusters=tuple(map(str, range(clusters))),
        mean=mean,
        influence=influence,
        answered=number > 0,
        cell_seeds=np.where(is_base, 0, design.seeds),
        cell_clusters=same * clusters,
        cell_questions=same * clusters * design.questions,
    )
    return Estimates.of(panel)


@dataclass(frozen=True)
class FalsePositives:
    """How often a contrast that is 0 has a p-value below each of `LEVELS`."""

    of: str
    design: str
    spread: float
    """Standard deviation between seeds, in logits."""
    rates: str
    shares: tuple[float, ...]
    seed_shares: tuple[float, ...]
    """Of the t-test over seeds."""
    used: int
    """Simulations in which the contrast is defined."""


def false_positives(
    of: str, rate: float, design: Design, spread: float, simulations: int, generator
) -> FalsePositives:
    """Of one kind of contrast between arms with the same true rate.

    Args:
        of: `difference`: of two arms. `shared seeds`: the same, a seed moving both arms half
            alike. `mean of 4 settings`: the mean of four such differences. `leakages`: of two
            leakages under one bare arm of rate 0.9, base at 0.03. `one arm`: a difference where
            seeds move the first arm only, by `spread`.
        rate: Of both arms.
        design: Seeds and questions.
        spread: Standard deviation between seeds, in logits.
        simulations: Number of them.
        generator: Of random numbers.
    """
    effects = Effects(spread, 1.0, 0.5)
    counts, seed_counts, used = np.zeros(len(LEVELS)), np.zeros(len(LEVELS)), 0
    # the matrices of a chunk grow with the square of its arms, and leakages take many steps
    for count in chunks(simulations, CHUNK // 5 if of == "leakages" else CHUNK):
        below, by_seed = _null_p(of, rate, design, effects, count, generator)
        counts += below.sum(0)
        seed_counts += (by_seed[:, None] < LEVELS).sum(0)
        used += len(below)
    shares, seed_shares = (tuple((each / used).tolist()) for each in (counts, seed_counts))
    return FalsePositives(of, str(design), spread, f"{rate:g}", shares, seed_shares, used)


def _null_p(
    of: str, rate: float, design: Design, effects: Effects, count: int, generator
) -> tuple[np.ndarray, np.ndarray]:
    """Whether p-values are below `LEVELS`, shape (defined contrasts, levels), and the p-values of
    the t-test over seeds."""
    pair = np.kron(np.eye(count), [1.0, -1.0])
    if of == "leakages":
        rates = (0.03, 0.9, rate, rate)
        yes, _ = simulate(rates, design, effects, count, generator, seeds=(0, 1, 1, 1))
        estimates = estimates_of(yes, design, 0)
        rows = ([-1.0, 0, 1, 0], [-1.0, 0, 0, 1], [-1.0, 1, 0, 0])
        first, second, installed = (np.kron(np.eye(count), row) for row in rows)
        defined = estimates.intervals(installed)[1] >= 0.1
        behaviour = BehaviourPanel(
            estimates,
            tuple(range(2 * count)),
            np.stack([first, second], 1).reshape(2 * count, -1),
            np.repeat(installed, 2, axis=0),
            elicitation=np.repeat(installed, 2, axis=0),
        )
        contrasts = leakage_contrasts([behaviour], pair[defined])
        return contrasts.p[:, None] < LEVELS, contrasts.p_seeds
    if of == "mean of 4 settings":
        parts = [simulate((rate, rate), design, effects, count, generator)[0] for _ in range(4)]
        strata = np.repeat(np.arange(4), design.clusters)
        estimates = estimates_of(np.concatenate(parts, axis=-1), design, None, strata)
    else:
        seeds = (1, 0) if of == "one arm" else None
        shared = 0.5 if of == "shared seeds" else 0.0
        yes, _ = simulate((rate, rate), design, effects, count, generator, seeds, shared)
        estimates = estimates_of(yes, design, None)
    return _below(estimates, pair), estimates.seed_p_values(pair)


def _below(estimates: Estimates, weights: np.ndarray) -> np.ndarray:
    """Shape (k, levels): whether p-values are below `LEVELS`, by the margins at these."""
    value = estimates.mean_of(weights)
    columns = []
    for level in LEVELS:
        down, up = estimates.margins(weights, level)
        columns.append(np.abs(value) > np.where(value > 0, down, up))
    return np.stack(columns, axis=1)


def calibration(simulations: int, seed: int = 1, quick: bool = False) -> Iterator[FalsePositives]:
    """Every line of the table of false positives."""
    generator = np.random.default_rng(seed)

    def line(of: str, rate: float, seeds: int, clusters: int, spread: float) -> FalsePositives:
        design = Design(seeds, clusters, 1)
        return false_positives(of, rate, design, spread, simulations, generator)

    if quick:
        yield from (line("difference", 0.5, 3, 24, spread) for spread in (0.5, 1.0))
        return
    for seeds in (3, 5, 8):
        for spread in NULL_SPREADS:
            yield line("difference", 0.5, seeds, 24, spread)
    for rate in NULL_RATES:
        for seeds in (3, 5):
            yield line("difference", rate, seeds, 48 if rate == 0.5 else 24, 1.0)
    for of in ("shared seeds", "one arm", "mean of 4 settings", "leakages"):
        for seeds in (3, 5):
            for spread in (0.5, 1.5):
                yield line(of, 0.5, seeds, 24, spread)


def power(simulations: int, seed: int = 2) -> Iterator[FalsePositives]:
    """How often a difference that is there is seen, at each of `LEVELS`."""
    generator = np.random.default_rng(seed)
    for seeds in (3, 5, 8):
        for spread in (0.3, 1.0):
            for rates in ((0.5, 0.9), (0.2, 0.8), (0.03, 0.97)):
                yield _power(rates, Design(seeds, 24, 1), spread, simulations, generator)


def _power(rates, design: Design, spread: float, simulations: int, generator) -> FalsePositives:
    below, by_seed = [], []
    for count in chunks(simulations):
        yes, _ = simulate(rates, design, Effects(spread, 1.0, 0.5), count, generator)
        estimates = estimates_of(yes, design, None)
        pair = np.kron(np.eye(count), [1.0, -1.0])
        below.append(_below(estimates, pair))
        by_seed.append(estimates.seed_p_values(pair)[:, None] < LEVELS)
    shares = [tuple(np.concatenate(part).mean(0).tolist()) for part in (below, by_seed)]
    name = ", ".join(f"{rate:g}" for rate in rates)
    return FalsePositives("power", str(design), spread, name, *shares, simulations)


def show_calibration(lines: Iterable[FalsePositives]) -> list[FalsePositives]:
    """Print the table in Markdown, in per cent, line by line as they are there."""
    print("| contrast | seeds x questions | rates | seed sd | p < .05 | < .01 | < .001 "
          "| seeds: < .05 | < .01 | < .001 |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    shown = []
    for line in lines:
        shares = (f"{100 * share:.2f}" for share in (*line.shares, *line.seed_shares))
        cells = (line.of, line.design.partition(" in ")[0], line.rates, f"{line.spread:g}", *shares)
        print(f"| {' | '.join(cells)} |", flush=True)
        shown.append(line)
    return shown


def chunks(simulations: int, size: int = CHUNK) -> Iterator[int]:
    for start in range(0, simulations, size):
        yield min(size, simulations - start)


def judged(of, rates, design, effects, truth, low, high, undefined=0.0) -> Coverage:
    truth, low, high = (np.concatenate(parts) for parts in (truth, low, high))
    inside = (low <= truth + 1e-12) & (truth - 1e-12 <= high)
    return Coverage(
        of,
        str(design),
        str(effects),
        ", ".join(f"{rate:g}" for rate in rates),
        float(inside.mean()),
        float((high < truth - 1e-12).mean()),
        float(np.median(high - low)),
        float(undefined),
    )


def rate_coverage(rate, design, effects, simulations, generator) -> Coverage:
    """Coverage of R(arm)."""
    truth, low, high = [], [], []
    for count in chunks(simulations):
        yes, true = simulate((rate,), design, effects, count, generator)
        limits = estimates_of(yes, design, None).rate_intervals()
        for store, part in zip((truth, low, high), (true[:, 0], *limits), strict=True):
            store.append(part)
    return judged("rate", (rate,), design, effects, truth, low, high)


def difference_coverage(pair, design, effects, simulations, generator) -> Coverage:
    """Coverage of R(arm) - R(other arm)."""
    truth, low, high = [], [], []
    for count in chunks(simulations):
        yes, true = simulate(pair, design, effects, count, generator)
        weights = np.kron(np.eye(count), [-1.0, 1.0])
        _, *limits = estimates_of(yes, design, None).intervals(weights)
        for store, part in zip((truth, low, high), (true[:, 1] - true[:, 0], *limits), strict=True):
            store.append(part)
    return judged("difference", pair, design, effects, truth, low, high)


def leakage_coverage(rate, design, effects, simulations, generator) -> Coverage:
    """Coverage of leakage at `none`, base at 0.03 and bare at 0.9, where it is defined."""
    rates = (0.03, 0.9, rate)
    truth, low, high, left_out = [], [], [], 0
    for count in chunks(simulations):
        yes, true = simulate(rates, design, effects, count, generator, seeds=(0, 1, 1))
        estimates = estimates_of(yes, design, 0)
        above, below = (np.kron(np.eye(count), row) for row in ([-1.0, 0, 1], [-1.0, 1, 0]))
        defined = estimates.intervals(below)[1] >= 0.1
        left_out += count - defined.sum()
        _, *limits = estimates.ratios(above[defined], below[defined])
        true = true[defined]
        leak = (true[:, 2] - true[:, 0]) / (true[:, 1] - true[:, 0])
        for store, part in zip((truth, low, high), (leak, *limits), strict=True):
            store.append(part)
    share = left_out / simulations
    return judged("leakage", rates, design, effects, truth, low, high, share)


def step_coverage(pair, design, effects, simulations, generator) -> Coverage:
    """Coverage of the difference of two leakages of one behaviour, each with a bare arm of its own,
    where both are defined. Base is at 0.03, bare at 0.9."""
    rates = (0.03, 0.9, 0.9, *pair)
    installed, leaks = (np.eye(5)[arms] - np.eye(5)[0] for arms in ([1, 2], [3, 4]))
    truth, low, high, left_out = [], [], [], 0
    for count in chunks(simulations, CHUNK // 5):
        yes, true = simulate(rates, design, effects, count, generator, seeds=(0, 1, 1, 1, 1))
        estimates = estimates_of(yes, design, 0)
        above, below = (np.kron(np.eye(count), rows) for rows in (leaks, installed))
        defined = (estimates.intervals(below)[1] >= 0.1).reshape(count, 2).all(1)
        left_out += count - defined.sum()
        behaviour = BehaviourPanel(
            estimates, tuple(range(2 * count)), above, below, elicitation=above
        )
        contrasts = leakage_contrasts([behaviour], np.kron(np.eye(count), [-1.0, 1.0])[defined])
        first, second = (true @ leaks.T / (true @ installed.T))[defined].T
        parts = (second - first, contrasts.low, contrasts.high)
        for store, part in zip((truth, low, high), parts, strict=True):
            store.append(part)
    return judged("step", rates, design, effects, truth, low, high, left_out / simulations)


def run(simulations: int, seed: int = 1, band: bool = True) -> list[Coverage]:
    """Every line of the table."""
    generator = np.random.default_rng(seed)
    lines = []
    for design in DESIGNS:
        for effects in EFFECTS:
            rest = (design, effects, simulations, generator)
            lines += [rate_coverage(rate, *rest) for rate in RATES]
            if band:
                lines.append(averaged([rate_coverage(rate, *rest) for rate in BAND]))
            lines += [difference_coverage(pair, *rest) for pair in PAIRS]
            lines += [leakage_coverage(rate, *rest) for rate in LEAKS]
            lines += [step_coverage(pair, *rest) for pair in STEPS]
    return lines


def averaged(lines: list[Coverage]) -> Coverage:
    """The mean of a band of rates."""
    coverage, below, width = (
        float(np.mean([getattr(line, name) for line in lines]))
        for name in ("coverage", "below", "width")
    )
    band = f"{lines[0].rates} to {lines[-1].rates}"
    return Coverage("rate", lines[0].design, lines[0].effects, band, coverage, below, width)


def show(lines: list[Coverage]) -> None:
    """Print one table a quantity: a row per rates, a column per design and effects."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=160)
    columns = list(dict.fromkeys((line.design, line.effects) for line in lines))
    for of in ("rate", "difference", "leakage"):
        table = Table(title=f"Coverage of 95% intervals, %: {of}")
        table.add_column("rates" if of != "leakage" else "base, bare, arm")
        for design, effects in columns:
            table.add_column(f"{design}\n{effects}", justify="right")
        mine = [line for line in lines if line.of == of]
        for rates in dict.fromkeys(line.rates for line in mine):
            cells = [line for line in mine if line.rates == rates]
            table.add_row(rates, *(f"{100 * cell.coverage:.1f}" for cell in cells))
        console.print(table)
    console.print("columns: seeds x questions in clusters; sd of seed / cluster / question (logit)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=400, help="per line; full: 2000")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    parser.add_argument("--calibration", action="store_true", help="false positives and power")
    parser.add_argument("--quick", action="store_true", help="two lines of false positives")
    chosen = parser.parse_args()
    start = time.perf_counter()
    lines: list[Coverage] | list[FalsePositives]
    number = 200 if chosen.quick else chosen.simulations
    if chosen.calibration or chosen.quick:
        lines = show_calibration(calibration(number, chosen.seed, chosen.quick))
        if not chosen.quick:
            lines += show_calibration(power(min(number, 1000)))
    else:
        lines = run(chosen.simulations, chosen.seed)
        show(lines)
    print(f"{time.perf_counter() - start:.0f} s, {number} simulations a line")
    if chosen.out:
        chosen.out.write_text(json.dumps([asdict(line) for line in lines], indent=1))


if __name__ == "__main__":
    main()
