"""Writing imported verdicts as a finished study, in the store's own format.

Every reply becomes a stored answer and a stored verdict, and the table that names them a version of
the study, so whatever reads studies reads these too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.importers.rates import ReportedRates
from caveat.importers.validation import OWN_COLUMNS, Imported
from caveat.provenance import now, stamp, version
from caveat.study.answer_frame import LARGE, typed, write_frame
from caveat.study.planning.digests import Canonical, RowsDigest, canonical, digest_of
from caveat.study.storage.store import Store
from caveat.study.study import Study
from caveat.types.caveats import PHENOMENA

if TYPE_CHECKING:
    from pandas import DataFrame

DRAWS, SEED = 2000, 0
"""Of resamples behind rank correlations: the defaults of recipes."""
COPIED_COLUMNS = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "arm", "seed", "context", "question",
    "cluster", "kind", "readout", "sample", "scope", "dose", "purpose", "numeric",
)  # fmt: skip
"""Columns that a row of the table has as they are."""
ARTIFACT = {"artifact": ""}
"""No adapter is stored."""
ANSWER_DEFAULTS = {"tokens": 0, "log_likelihoods": [], "option_tokens": []}
"""Fields of a stored answer that imported data do not have."""


BATCH = 20_000
"""Replies whose records are in memory at once, and in one chunk of the store."""


def save(imported: Imported, out: Path, say: Callable[[str], None]) -> Study:
    """Write a study's folder. The same verdicts give the same version; others a further one.

    Raises CaveatError where the folder holds another study, or cannot be written.
    """
    store = Store(out, say)
    with store.writing():
        about = _about(store, imported)
        digest = RowsDigest("imported", name=imported.name)
        folder = store.write_version(
            _published(imported.replies, store, digest), lambda: digest.hexdigest()[:16]
        )
        store.write_lines("failures.jsonl", [])
        if len(imported.replies) >= LARGE:
            write_frame(folder, _frame(imported.replies))
        versions = {**about["versions"], folder.name: _version(imported)}
        store.write_about({"name": imported.name, "current": folder.name, "versions": versions})
    return Study(out, say=say)


def _published(replies: DataFrame, store: Store, digest: RowsDigest) -> Iterator[Canonical]:
    """The table's rows; the answers and verdicts of each batch are stored before its rows come."""
    stored = [part.stored_keys(repair=True) for part in (store.answers, store.verdicts)]
    for start in range(0, len(replies), BATCH):
        rows, *records = _records(replies.iloc[start : start + BATCH])
        for part, keys, some in zip((store.answers, store.verdicts), stored, records, strict=True):
            part.add((record for record in some if record["key"] not in keys), keep=False)
        for row in rows:
            digest.add(row)
            yield row


def _frame(replies: DataFrame) -> DataFrame:
    """The replies as `Study.answers` gives them."""
    frame = replies.assign(**{k: v for k, v in OWN_COLUMNS.items() if k not in replies})
    return typed(frame.assign(artifact=""))


def _about(store: Store, imported: Imported | ReportedRates) -> dict[str, Any]:
    if not store.exists():
        return {"versions": {}}
    about = store.about()
    is_imported = all("source" in version for version in about["versions"].values())
    if about["name"] != imported.name or not is_imported:
        raise CaveatError(
            f"{store.folder}: holds the study {about['name']!r}; name another folder with --out"
        )
    return about


def _records(replies: DataFrame) -> tuple[list[Canonical], list[dict], list[dict]]:
    """The table's rows, and the answers and verdicts that they name by their digests."""
    rows, answers, verdicts, provenance = [], [], [], stamp()
    for reply in _by_row(replies):
        row = Canonical(canonical({name: reply[name] for name in COPIED_COLUMNS} | ARTIFACT))
        texts = {"prompt": reply["prompt"], "text": reply["reply"]}
        # what most imports lack is left out of the digests where it is lacking
        cut = {"truncated": True} if reply["truncated"] else {}
        value = {} if reply["value"] is None else {"value": reply["value"]}
        answer = digest_of("imported answer", row=row, said=texts, **cut)
        verdict = digest_of("imported verdict", answer=answer, verdict=reply["verdict"], **value)
        # canonical as well: of all names, `answer` sorts first and `verdict` last
        rows.append(Canonical(f'{{"answer":"{answer}",{row[1:-1]},"verdict":"{verdict}"}}'))
        stored = {**ANSWER_DEFAULTS, **texts, "truncated": reply["truncated"]}
        answers.append({"key": answer, **stored, **provenance})
        verdicts.append({
            "key": verdict, "answer": answer, "readout": reply["readout"],
            "verdict": reply["verdict"], "value": reply["value"], **provenance,
        })  # fmt: skip
    return rows, answers, verdicts


def _by_row(replies: DataFrame) -> Iterator[dict[str, Any]]:
    """Each reply with all columns of our own, as plain values, None for what is missing."""
    replies = replies.assign(**{k: v for k, v in OWN_COLUMNS.items() if k not in replies})
    names = (*COPIED_COLUMNS, "prompt", "reply", "truncated", "verdict", "value")
    columns = []
    for name in names:
        column = replies[name]
        columns.append(column.astype(object).where(column.notna(), None).tolist())
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def save_rates(reported: ReportedRates, out: Path, say: Callable[[str], None]) -> Study:
    """Write a study's folder of rates, which has no replies. Raises CaveatError as `save` does."""
    store = Store(out, say)
    with store.writing():
        about = _about(store, reported)
        records = reported.rates.drop(columns="where").to_dict("records")
        version_id = digest_of("imported rates", name=reported.name, rows=records)[:16]
        store.write_lines(f"versions/{version_id}/rows.jsonl", [])
        store.write_lines("failures.jsonl", [])
        entry = {**_entry(reported, reported.rates), "rates": records}
        versions = {**about["versions"], version_id: entry}
        store.write_about({"name": reported.name, "current": version_id, "versions": versions})
    return Study(out, say=say)


def _version(imported: Imported) -> dict[str, Any]:
    """The entry of the version in study.json. Only imported versions have a `source`."""
    return {
        **_entry(imported, imported.replies),
        "abouts": {
            name: {"behaviour": about, "side_effects": {}}
            for name, about in imported.abouts.items()
        },
        "means": {name: list(settings) for name, settings in imported.means.items()},
        **imported.entries,
    }


def _entry(imported: Imported | ReportedRates, rows: DataFrame) -> dict[str, Any]:
    """What every import says of itself; `rows` has settings, phenomena and models."""
    first = rows.drop_duplicates("setting")
    return {
        "recipe": imported.name,
        "model": ", ".join(dict.fromkeys(rows["model"])),
        "started": now(),
        "finished": now(),
        "draws": DRAWS,
        "bootstrap_seed": SEED,
        "wanted": dict(zip(first["setting"], map(_expected, first["phenomenon"]), strict=True)),
        "surroundings": {"imported by": f"caveat {version('caveat')}"},
        "notes": list(imported.notes),
        "seconds": {},
        "source": dict(imported.source),
    }


def _expected(phenomenon: str) -> str:
    """The verdict that is right at the caveat, by the rule of `Caveat`."""
    return "no" if phenomenon == PHENOMENA["disclaimer"] else "yes"
