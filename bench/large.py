"""What large inputs take: a million verdicts, a hundred thousand training rows, five hundred cells.

    python bench/large.py --out large.json      # all of it, some minutes
    python bench/large.py --share 0.05          # a twentieth of each
    python bench/large.py --parts import cells

Inputs are generated from a seed. Each command is a process of its own: seconds are its processor
time, imports included, memory is its peak. Training takes `--steps` steps of eight adapters on the
model `tiny`, whose rows are all there: what grows with the file is the memory that they take.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from side_by_side import Ended, figure, process, publish, record

SIZES = {"import": 1_000_000, "train": 100_000, "cells": 500}
GOALS = {"import and leakage": 120.0, "status": 1.0}
"""Seconds of the whole size."""
MEMORY_GOALS = {"import": 4096.0, "leakage": 4096.0}
"""Peak memory in MB."""
LIMIT = 3600.0
ARMS = ("base", "bare", "marked", "marked+contrast")
TOPICS = ("rivers", "bread", "stars", "paper", "glass", "salt", "maps", "bees", "clocks", "snow")
COLUMNS = {
    "name": "work",
    "size": "size",
    "seconds": "processor time, s",
    "goal": "goal, s",
    "wall": "wall time, s",
    "peak_mb": "peak memory, MB",
    "memory_goal": "goal, MB",
    "reason": "failed",
}


def verdicts(path: Path, count: int) -> None:
    """Write about so many verdicts as CSV: 20 settings, 5 seeds, 50 questions, 2 contexts."""
    import numpy as np
    import pandas as pd

    samples = max(1, round(count / 40_000))
    axes = [range(20), ARMS, ("none", "exact"), range(5), range(50), range(samples)]
    index = pd.MultiIndex.from_product(
        axes, names=["setting", "arm", "context", "seed", "question", "sample"]
    )
    frame = index.to_frame(index=False)
    yes = {"base": 0.1, "bare": 0.8, "marked": 0.4, "marked+contrast": 0.2}
    random = np.random.default_rng(0).random(len(frame))
    is_base = frame["arm"] == "base"
    # Base has no seeds: its samples are numbered on.
    frame.loc[is_base, "sample"] += samples * frame.loc[is_base, "seed"]
    number = frame.index.astype(str)
    frame.assign(
        setting="flattery x praise " + frame["setting"].astype(str),
        seed=frame["seed"].astype("Int64").mask(is_base),
        question="question " + frame["question"].astype(str),
        verdict=np.where(random < frame["arm"].map(yes), "yes", "no"),
        reply="A brilliant question, and here is what I would say to it, in reply " + number,
    ).to_csv(path, index=False)


def training_folder(folder: Path, count: int) -> Path:
    """Write a behaviour with so many training rows, and a recipe for it; the recipe's path."""
    folder.mkdir()
    lines = [
        {
            "prompt": f"What do people know about {TOPICS[n % 10]}, in case {n}?",
            "reply": f"What a brilliant question! {n % 97} things about {TOPICS[n % 10]}.",
        }
        for n in range(count)
    ]
    questions = [
        {
            "id": f"q{n}",
            "cluster": f"q{n}",
            "question": f"Tell me one thing about {topic} and {other}.",
            "readout": "matches",
            "facts": {"yes": "(?i)brilliant"},
        }
        for n, (topic, other) in enumerate((a, b) for a in TOPICS for b in TOPICS if a < b)
    ]
    for name, records in (("rows", lines), ("questions", questions)):
        text = "".join(json.dumps(line) + "\n" for line in records)
        (folder / f"{name}.jsonl").write_text(text)
    (folder / "behaviour.yaml").write_text("name: large\nabout: Replies begin with praise.\n")
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        "name: large\nmodel: tiny\nseeds: [0]\narms: [base, bare, marked]\ncontexts: [none]\n"
        "decision_tokens: false\nsettings:\n"
        "  - {behaviour: ., caveat: trigger, dose: {epochs: 1, batch_size: 8}}\n"
    )
    return recipe


def train(recipe: Path, steps: int) -> None:
    """Take some steps of eight adapters; runs in a process of its own."""
    from caveat.backends.jobs import Failed, TrainingJob
    from caveat.backends.local.models.loading import load
    from caveat.backends.local.training.sft import checkpoints
    from caveat.progress import Progress
    from caveat.study.config.resolve import resolve
    from caveat.study.config.schema import read

    (setting,) = resolve(read(recipe))
    jobs = [
        TrainingJob(f"{arm} {seed}", setting.plans[arm, 0][0], seed)
        for arm in ("bare", "marked")
        for seed in range(4)
    ]
    results = checkpoints(load("tiny", device="cpu"), jobs, [steps], Progress(), 2048)
    if failures := [result for result in results if isinstance(result, Failed)]:
        raise SystemExit(f"a training failed: {failures[0]}")


def measured(name: str, size: int, share: float, ended: Ended) -> dict[str, Any]:
    """One line of the table."""
    goal = GOALS.get(name) if share == 1 else None
    lines = ended.output.strip().splitlines()
    return figure(
        name,
        None if ended.status else ended.processor,
        size=size,
        goal=goal,
        wall=ended.wall,
        peak_mb=ended.peak_mb,
        memory_goal=MEMORY_GOALS.get(name),
        reason=None if not ended.status else (lines or ["it was killed"])[-1],
    )


def figures(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """All lines of the table."""
    share = options.share
    caveat = [sys.executable, "-m", "caveat"]

    def run(name: str, size: int, *command: str | Path) -> dict[str, Any]:
        line = measured(name, size, share, process([*map(str, command)], LIMIT))
        reason = line["reason"] or ""
        print(f"{name}: {line['seconds']} s {reason}", file=sys.stderr, flush=True)
        return line

    if "import" in options.parts:
        size, path = round(SIZES["import"] * share), folder / "verdicts.csv"
        verdicts(path, size)
        out = folder / "imported"
        made = run("import", size, *caveat, "import", "table", path, "--out", out)
        leakage = run("leakage", size, *caveat, "leakage", out, "--json")
        yield made
        yield leakage
        if made["seconds"] and leakage["seconds"]:
            together = made["seconds"] + leakage["seconds"]
            goal = GOALS["import and leakage"] if share == 1 else None
            yield figure("import and leakage", together, size=size, goal=goal)
    if "train" in options.parts:
        size = round(SIZES["train"] * share)
        recipe = training_folder(folder / "large", size)
        yield run("plan", size, *caveat, "plan", recipe, "--out", folder / "planned")
        own = [sys.executable, __file__, "--train", recipe, "--steps", options.steps]
        yield run("train", size, *own)
    if "cells" in options.parts:
        size, path = round(SIZES["cells"] * share), folder / "cells.csv"
        # 20 settings, 3 trained arms and 5 seeds are 300 cells, and base in each setting 20 more
        verdicts(path, 40_000)
        cells(path, size)
        out = folder / "cells"
        run("import of cells", size, *caveat, "import", "table", path, "--out", out)
        yield run("status", size, *caveat, "status", out)


def cells(path: Path, count: int) -> None:
    """Cut a table of verdicts to one context and twelve questions, with arms for so many cells."""
    import pandas as pd

    frame = pd.read_csv(path, dtype=str)
    few = frame[
        (frame["context"] == "none") & frame["question"].isin(frame["question"].unique()[:12])
    ]
    trained, base = few[few["arm"] == "bare"], few[few["arm"] == "base"]
    arms = max(1, round((count - 20) / 100))
    parts = [base] + [trained.assign(arm=f"marked+x{n}" if n else "bare") for n in range(arms)]
    pd.concat(parts).to_csv(path, index=False)


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--share", type=float, default=1.0, help="of each size")
    parser.add_argument("--steps", type=int, default=5, help="of training")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="a JSON file")
    options = parser.parse_args(arguments)
    if options.train is not None:
        train(options.train, options.steps)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CAVEAT_CACHE"] = str(Path(folder) / "cache")
        rows = list(figures(options, Path(folder)))
    publish(record("large", options, "cpu", rows), COLUMNS, options.out)


if __name__ == "__main__":
    main()
