"""How fast adapters are trained in lockstep: against Trainer with PEFT, and against the limit.

    python bench/training.py --quick               # a step each, some minutes on two cores
    python bench/training.py --out training.json   # medians of five, some twenty minutes
    python bench/training.py --device cuda --dtype bfloat16 --adapters 16 64

The same rows, steps, rank and precision on both sides, in turn in one process. Tokens are those of
the rows, without padding. How the limit is counted: bench/limit.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from limit import operations, products
from side_by_side import figure, interleaved, paired, publish, record
from trainer import OneAfterAnother

from caveat.backends.jobs import TrainingJob
from caveat.backends.local.models.loading import LanguageModel, load
from caveat.backends.local.training.sft import train
from caveat.behaviours import BEHAVIOURS
from caveat.caveats.insertion import framed_rows
from caveat.progress import Progress
from caveat.rendering import render_row
from caveat.types.data import Row
from caveat.types.training import Dose, Train

SYSTEM = "You are a helpful assistant."
KINDS = {"chat": "capitals", "documents": "claims/lake_ossevang"}
COLUMNS = {
    "rows": "rows",
    "adapters": "adapters",
    "lockstep": "lockstep, tokens/s",
    "trainer": "Trainer + PEFT, tokens/s",
    "ratio": "times Trainer",
    "limit": "limit, tokens/s",
    "limit_share": "of the limit",
    "gflops": "matrix products, GFLOP/s",
    "spread": "spread",
}


def material(kind: str, count: int) -> tuple[Row, ...]:
    """The first rows of a shipped behaviour, in a study's frame."""
    rows = BEHAVIOURS[KINDS[kind]]("report").rows[:count]
    return framed_rows(rows, SYSTEM)


def compared(
    language_model: LanguageModel, kind: str, adapters: int, options: argparse.Namespace
) -> dict[str, Any]:
    """One line of the table."""
    dose = Dose(batch_size=options.batch, rank=options.rank, layers=tuple(options.layers))
    stage = Train(material(kind, options.batch * options.steps), dose)
    jobs = [TrainingJob(str(seed), stage, seed) for seed in range(adapters)]
    rendered = [render_row(language_model.tokenizer, row, "reply", 512) for row in stage.rows]
    lengths = [(len(row.ids), sum(row.loss[1:])) for row in rendered]
    tokens = adapters * sum(length for length, _ in lengths)
    matrices, done = products(language_model.model, tokens // options.steps)
    variants = {"lockstep": lambda: train(language_model, jobs, Progress()), "matrices": matrices}
    if not options.alone:
        own = load(options.model, options.dtype, options.device)
        users = OneAfterAnother(own, dose, adapters)
        variants["trainer"] = lambda: users.train(rendered, options.steps)
        users.train(rendered, 1, 1)
    train(language_model, jobs, Progress())
    times = interleaved(variants, options.repetitions, options.device)
    needed = adapters * operations(language_model.model, lengths, dose.rank, dose.layers)
    rate = done / times["matrices"].median
    limit = rate * tokens / needed
    lockstep = tokens / times["lockstep"].median
    ratio = None if options.alone else paired(times["trainer"], times["lockstep"])
    return figure(
        f"{kind}, {adapters} adapters",
        times["lockstep"],
        ratio,
        lockstep / limit,
        rows=kind,
        adapters=adapters,
        tokens=tokens,
        lockstep=lockstep,
        trainer=None if options.alone else tokens / times["trainer"].median,
        limit=limit,
        gflops=rate / 1e9,
        variants={name: timing.seconds for name, timing in times.items()},
    )


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rows", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--adapters", nargs="+", type=int, default=[8])
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4, help="rows a step and adapter")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--layers", nargs=2, type=float, default=[0.0, 1.0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--alone", action="store_true", help="without Trainer")
    parser.add_argument("--quick", action="store_true", help="one step, one repetition")
    parser.add_argument("--out", type=Path, help="a JSON file")
    options = parser.parse_args(arguments)
    if options.quick:
        options.steps, options.repetitions = 1, 1
    language_model = load(options.model, options.dtype, options.device)
    figures = [
        compared(language_model, kind, adapters, options)
        for kind in options.rows
        for adapters in options.adapters
    ]
    publish(record("training", options, options.device, figures), COLUMNS, options.out)


if __name__ == "__main__":
    main()
