"""What arms of `claims-stated` learned: `python bench/claims_learned.py STUDY OUT.csv [SEEDS]`.

STUDY is the study's folder, with its adapters. OUT is a table: the mean log-probability, without a
caveat, of the documents' tokens by kind (see `claims_stated.py`), for base, and every arm and seed
that is trained. Forward passes only; some ten seconds an arm on a CPU.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from claims_stated import KINDS, RECIPE, scores

from caveat.backends import load_backend
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.study import Study


def main(folder: Path, out: Path, most_seeds: int) -> None:
    """Score what there is; arms that are in the table already are not scored again."""
    study = Study(folder)
    recipe = read(RECIPE)
    backend = load_backend(recipe.model.source, recipe.model.dtype, "cpu")
    rows = {one.setting.behaviour.name: one.setting.behaviour.rows for one in resolve(recipe)}
    table = pd.read_csv(out) if out.exists() else pd.DataFrame()
    done = (
        {*zip(table["claim"], table["artifact"].fillna(""), strict=True)} if len(table) else set()
    )
    seeds = {*recipe.seeds[:most_seeds]}
    for cell in study.planned:
        artifact = cell["artifact"] or ""
        claim, trained = cell["behaviour"], study.folder / "artifacts" / artifact
        if (claim, artifact) in done or (artifact and cell["seed"] not in seeds):
            continue
        if artifact and not (trained / "record.json").exists():
            continue
        done.add((claim, artifact))
        values = scores(backend, rows[claim], claim, (trained,) if artifact else ())
        record = {"claim": claim, "setting": cell["setting"], "arm": cell["arm"],
                  "seed": cell["seed"], "artifact": artifact}  # fmt: skip
        for kind in KINDS:
            kinds = {"statement", "key words"} if kind == "statement" else {kind}
            own = [value for (_, other, _), value in values.items() if other in kinds]
            record[kind] = sum(own) / len(own)
        print(record, flush=True)
        table = pd.concat([table, pd.DataFrame([record])], ignore_index=True)
        table.to_csv(out, index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 5)
