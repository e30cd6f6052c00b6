"""Writing imported verdicts as a finished study, in the store's own format.

Every reply becomes a stored answer and a stored verdict, and the table that names them a version of
the study, so whatever reads studies reads these too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from caveat.errors import CaveatError
from caveat.importers.validation import Imported
from caveat.provenance import now, stamp, version
from caveat.study.planning.digests import digest_of
from caveat.study.storage.store import Store
from caveat.study.study import Study
from caveat.types.caveats import PHENOMENA

DRAWS, SEED = 2000, 0
"""Of the bootstrap, as in a recipe that says nothing of them."""
TOLD = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "arm", "seed", "context", "question",
    "cluster", "kind", "readout", "sample",
)  # fmt: skip
"""What a row of the table takes over as it is."""
SAME = {
    "dose": "{}", "purpose": "measure", "scope": "trained", "numeric": False, "artifact": "",
}  # fmt: skip
"""What nobody tells of others' runs."""
UNTOLD = {"truncated": False, "tokens": 0, "log_likelihoods": [], "option_tokens": []}
"""What a stored answer has besides."""


def save(imported: Imported, out: Path, say: Callable[[str], None]) -> Study:
    """Write a study's folder. The same verdicts give the same version; others a further one.

    Raises CaveatError where the folder holds another study, or cannot be written.
    """
    store = Store(out, say)
    with store.writing():
        about = _about(store, imported)
        rows, answers, verdicts = _records(imported)
        store.refresh(repair=True)
        store.answers.add(each for each in answers if each["key"] not in store.answers)
        store.verdicts.add(each for each in verdicts if each["key"] not in store.verdicts)
        made = digest_of("imported", name=imported.name, rows=rows)[:16]
        store.write_lines(f"versions/{made}/rows.jsonl", rows)
        store.write_lines("failures.jsonl", [])
        versions = {**about["versions"], made: _version(imported)}
        store.write_about({"name": imported.name, "current": made, "versions": versions})
    return Study(out, say=say)


def _about(store: Store, imported: Imported) -> dict[str, Any]:
    if not store.exists():
        return {"versions": {}}
    about = store.about()
    ours = all("source" in each for each in about["versions"].values())
    if about["name"] != imported.name or not ours:
        raise CaveatError(
            f"{store.folder}: holds the study {about['name']!r}; name another folder with --out"
        )
    return about


def _records(imported: Imported) -> tuple[list[dict], list[dict], list[dict]]:
    """The table's rows, and the answers and verdicts that they name by their digests."""
    rows, answers, verdicts, made = [], [], [], stamp()
    replies = imported.replies.astype(object)
    for reply in replies.where(replies.notna(), None).to_dict("records"):
        row = {name: reply[name] for name in TOLD} | SAME
        said = {"prompt": reply["prompt"], "text": reply["reply"]}
        answer = digest_of("imported answer", row=row, said=said)
        verdict = digest_of("imported verdict", answer=answer, verdict=reply["verdict"])
        rows.append({**row, "answer": answer, "verdict": verdict})
        answers.append({**UNTOLD, "key": answer, **said, **made})
        verdicts.append({
            "key": verdict, "answer": answer, "readout": reply["readout"],
            "verdict": reply["verdict"], "value": None, **made,
        })  # fmt: skip
    return rows, answers, verdicts


def _version(imported: Imported) -> dict[str, Any]:
    """What study.json says of the version; `source` tells it from one that a recipe made."""
    first = imported.replies.drop_duplicates("setting")
    return {
        "recipe": imported.name,
        "model": ", ".join(dict.fromkeys(imported.replies["model"])),
        "started": now(),
        "finished": now(),
        "draws": DRAWS,
        "bootstrap_seed": SEED,
        "wanted": dict(zip(first["setting"], map(_wanted, first["phenomenon"]), strict=True)),
        "abouts": {
            name: {"behaviour": about, "side_effects": {}}
            for name, about in imported.abouts.items()
        },
        "surroundings": {"imported by": f"caveat {version('caveat')}"},
        "notes": list(imported.notes),
        "seconds": {},
        "source": dict(imported.source),
        "means": {name: list(settings) for name, settings in imported.means.items()},
    }


def _wanted(phenomenon: str) -> str:
    """The verdict wanted at the caveat, as `Caveat.wanted` has it."""
    return "no" if phenomenon == PHENOMENA["disclaimer"] else "yes"
