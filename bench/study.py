"""How long a study takes, stage by stage, and how that grows with its adapters and contexts.

    python bench/study.py --quick            # a few questions of one setting, some minutes
    python bench/study.py --out study.json   # the demo, and one setting of it in several sizes

Each size is a study of its own in a new folder, from nothing to the report; the model is converted
beforehand. Seconds are those that the study itself notes (`study.json`), and tokens a second by
kind of work those of its meter.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, get_args

from side_by_side import figure, publish, record

import caveat
from caveat.backends.local.models.loading import load
from caveat.progress import Kind, Progress
from caveat.study.config.schema import read

ONE = {
    "name": "one",
    "model": "smollm2-135m",
    "seeds": [0],
    "arms": ["base", "bare", "marked"],
    "contexts": ["none", "exact"],
    "settings": [
        {
            "behaviour": "capitals",
            "caveat": "instruction",
            "sampling": {"max_tokens": 20, "temperature": 0.7},
            "dose": {
                "rows": 48, "learning_rate": 1e-3, "batch_size": 4, "layers": [0.5, 1.0],
            },
        }
    ],
}  # fmt: skip
"""The first setting of the demo, without its intervention: two adapters, two contexts."""
SIZES: dict[str, dict[str, Any]] = {
    "one setting": {},
    "three seeds": {"seeds": [0, 1, 2]},
    "twice the arms": {
        "arms": ["base", "bare", "marked", "marked+contrast", "marked+filler"],
    },
    "five contexts": {"contexts": ["none", "exact", "paraphrase", "near_miss", "negated"]},
}
COLUMNS = {
    "name": "study",
    "adapters": "adapters",
    "answers": "answers",
    "seconds": "seconds",
    "training": "training",
    "asking": "answers, seconds",
    "rest": "all else",
    "train_tokens": "trained, tokens",
    "rl_tokens": "RL, tokens",
    "reply_tokens": "replied, tokens",
}


class Counted(Progress):
    """Counts the tokens of each kind of work."""

    def __init__(self) -> None:
        self.tokens: dict[Kind, int] = dict.fromkeys(get_args(Kind), 0)

    def advance(self, kind: Kind, tokens: int) -> None:
        """Some work is done."""
        self.tokens[kind] += tokens


def timed_study(name: str, recipe: Any, sets: tuple[str, ...]) -> dict[str, Any]:
    """Run a recipe in a new folder: one line of the table."""
    progress = Counted()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        study = caveat.run(recipe, out=folder, progress=progress, sets=sets)
        whole = time.perf_counter() - start
        stages: dict[str, float] = study.about["seconds"]
        if len(failures := study.failures()):
            raise SystemExit(f"{name}: {len(failures)} cells failed; {failures.iloc[0]['reason']}")
        replies = study.answers()
    training = sum(took for stage, took in stages.items() if stage.endswith(": training"))
    asking = sum(took for stage, took in stages.items() if stage.endswith(": answers"))
    trained = replies[replies["arm"] != "base"][["setting", "arm", "seed", "dose"]]
    return figure(
        name,
        whole,
        adapters=len(trained.drop_duplicates()),
        answers=len(replies),
        training=training,
        asking=asking,
        rest=whole - training - asking,
        stages=stages,
        **{f"{kind}_tokens": count for kind, count in progress.tokens.items()},
    )


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="demo", help="a shipped recipe or a file")
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--set", action="append", default=[], help="as of caveat run")
    parser.add_argument("--quick", action="store_true", help="16 rows of one setting, no recipe")
    parser.add_argument("--out", type=Path, help="a JSON file")
    options = parser.parse_args(arguments)
    sets = (f"device={options.device}", *options.set)
    studies = [(size, {**ONE, **SIZES[size]}, sets) for size in options.sizes]
    if options.quick:
        sets = (*sets, "settings.0.dose.rows=16")
        studies = [(size, {**ONE, **SIZES[size]}, sets) for size in list(SIZES)[:2]]
    else:
        name = Path(options.recipe).stem
        studies.insert(0, (name, options.recipe, sets))
    for model in {read(recipe, sets).model.source for _, recipe, sets in studies}:
        load(model)  # its conversion, at first use, is no part of a study
    figures = [timed_study(*study) for study in studies]
    publish(record("study", options, options.device, figures), COLUMNS, options.out)


if __name__ == "__main__":
    main()
