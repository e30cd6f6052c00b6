"""Versions of a recipe in one folder, and the control arm of each intervention.

A recipe may grow or change: each version is its text and the rows of its table. Finished cells of
earlier versions stay, and what a new version makes otherwise is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from caveat.caveats.neutral import trained_texts
from caveat.files.atomic import write
from caveat.provenance import now, surroundings
from caveat.readouts import READOUTS
from caveat.study.config.arms import stripped
from caveat.study.config.resolve import Resolved
from caveat.study.planning.artifact_graph import cell_of
from caveat.study.planning.digests import digest_of
from caveat.study.planning.study_plan import Line, SettingPlan, StudyPlan
from caveat.study.storage.store import Store
from caveat.study.table_rows import GRADED_FILE, Slot, finished_cells, verdicts_by_cell
from caveat.types.data import Behaviour
from caveat.types.training import Plan


def controls(setting: SettingPlan, model: str) -> dict[str, str | None]:
    """By arm `marked+X` of the setting, the arm that is X's control, by what training makes.

    `bare+X` where the recipe has it, else an arm that comes to the same adapters: `bare`, where
    taking the caveat out leaves the bare rows. None where what is left is what `marked+X` itself
    is trained on, as of documents that deny their claim: nothing tells forgetting from a remedy
    then. An arm whose control the recipe lacks is left out.
    """
    controls_by_arm: dict[str, str | None] = {}
    seed = next((cell.seed for cell in setting.cells if cell.seed is not None), None)
    plans = setting.resolved.plans
    chains = {
        cell.arm: cell_of(cell.arm, cell.arm, seed, plans[cell.arm, seed], model).chain
        for cell in setting.cells
        if cell.seed == seed
    }
    for arm, chain in chains.items():
        stem, _, intervention = arm.partition("+")
        if stem != "marked" or not intervention:
            continue
        plan = _without_caveat(setting.resolved, arm, seed)
        same = cell_of(arm, arm, seed, plan, model).chain
        bare = [name for name in chains if name.startswith("bare") and chains[name] == same]
        if same == chain:
            controls_by_arm[arm] = None
        elif bare:
            controls_by_arm[arm] = (
                f"bare+{intervention}" if f"bare+{intervention}" in bare else bare[0]
            )
    return controls_by_arm


def _without_caveat(resolved: Resolved, arm: str, seed: int | None) -> Plan:
    """The arm's plan with every caveat taken out but those of its warm-up."""
    plan, base = resolved.plans[arm, seed], resolved.base
    return (*base, *stripped(plan[len(base) :]))


def version_of(plan: StudyPlan) -> str:
    """The id of the plan's version: equal where recipe, model, rows, questions and readouts are."""
    return _version_id(
        plan,
        [row for setting in plan.settings for row in table_rows(setting, plan.recipe.model.source)],
    )


def _version_id(plan: StudyPlan, rows: list[dict[str, Any]]) -> str:
    """Of the plan whose table has these rows."""
    # the model's name may be a path of this machine; its identity is there anyway
    recipe = {name: value for name, value in plan.recipe.identity().items() if name != "model"}
    content = {"recipe": recipe, "model": plan.model}
    return digest_of("version", **content, verdicts=[row["verdict"] for row in rows])[:16]


def open_version(store: Store, plan: StudyPlan, notes: list[str]) -> str:
    """Make the plan's version the folder's current one; its id.

    A finished cell that the new version makes otherwise, or not at all, is reported.
    """
    tables = [table_rows(setting, plan.recipe.model.source) for setting in plan.settings]
    rows = [row for table in tables for row in table]
    version = _version_id(plan, rows)
    about = store.about() if store.exists() else {"versions": {}}
    recorded = about["versions"].get(version, {})
    if about["versions"] and about.get("current") != version:
        _tell_altered(store, about["current"], rows)
    about["versions"][version] = {
        **recorded,
        "recipe": plan.recipe.name,
        "model": plan.model,
        "started": recorded.get("started", now()),
        "finished": None,
        "draws": plan.recipe.resamples,
        "bootstrap_seed": plan.recipe.seeds[0],
        "wanted": {
            setting.name: str(setting.resolved.setting.caveat.wanted) for setting in plan.settings
        },
        "means": {name: list(settings) for name, settings in plan.recipe.means.items()},
        "controls": [
            {"setting": setting.name, "dose": setting.dose, "arm": arm, "control": control}
            for setting in plan.settings
            for arm, control in controls(setting, plan.model).items()
        ],
        "factors": [
            _label(setting, table)
            for setting, table in zip(plan.settings, tables, strict=True)
            if setting.resolved.factors
        ],
        "caveat_texts": {setting.name: _caveat_texts(setting) for setting in plan.settings},
        "caveats": {setting.name: _caveat(setting) for setting in plan.settings},
        "abouts": {
            setting.name: _abouts(setting.resolved.setting.behaviour) for setting in plan.settings
        },
        "surroundings": surroundings(),
        "notes": notes,
        "seconds": recorded.get("seconds", {}),
    }
    text = yaml.safe_dump(plan.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write(store.folder / "versions" / version / "recipe.yaml", text.encode("utf-8"))
    store.write_lines(f"versions/{version}/rows.jsonl", rows)
    graded = [
        row for setting in plan.settings for row in _graded_rows(setting, plan.recipe.model.source)
    ]
    store.write_lines(f"versions/{version}/{GRADED_FILE}", graded)
    store.write_lines(f"versions/{version}/cells.jsonl", _cells(plan))
    store.write_about({**about, "name": plan.recipe.name, "current": version})
    return version


def _label(setting: SettingPlan, table: list[dict[str, Any]]) -> dict[str, Any]:
    """What a setting stands for on a ladder, with what names it in the study's table."""
    named = {name: table[0][name] for name in ("setting", "model", "dose")}
    return {**named, "factors": setting.resolved.factors}


def _caveat_texts(setting: SettingPlan) -> dict[str, list[str]]:
    """What the setting's arms may recite."""
    arms = {cell.arm.partition("+")[0] for cell in setting.cells}
    return trained_texts(setting.resolved.setting.caveat, neutral="neutral" in arms)


def _caveat(setting: SettingPlan) -> dict[str, Any]:
    """The setting's caveat as the arms are trained with it."""
    caveat = setting.resolved.setting.caveat
    return {"name": caveat.name, "place": caveat.place, "wordings": list(caveat.wordings)}


def _cells(plan: StudyPlan) -> Iterator[dict[str, Any]]:
    """Per cell, its names and the digests of its adapters, in the order of attachment."""
    for setting in plan.settings:
        for cell in setting.cells:
            yield {
                "name": cell.name,
                "setting": setting.name,
                "arm": cell.arm,
                "seed": cell.seed,
                "chain": cell.chain,
            }


def _abouts(behaviour: Behaviour) -> dict[str, Any]:
    """What the report says of a behaviour and its side effects."""
    effects = {effect.name: effect.about for effect in behaviour.side_effects}
    return {"behaviour": behaviour.about, "side_effects": effects}


def note(store: Store, version: str, **changes: Any) -> None:
    """Change what is noted about a version."""
    about = store.about()
    about["versions"][version].update(changes)
    store.write_about(about)


def _graded_rows(setting: SettingPlan, model: str) -> list[dict[str, Any]]:
    """The setting's rows of `Study.graded()`, with keys in place of scores."""
    pair, named = setting.resolved.setting, setting.model_name(model)
    return [
        {
            "setting": setting.name,
            "phenomenon": pair.phenomenon,
            "behaviour": pair.behaviour.name,
            "caveat": pair.caveat.name,
            "model": named,
            "arm": line.cell.arm,
            "seed": line.cell.seed,
            "dose": setting.dose,
            "context": line.context,
            "row": line.row.id,
            "shared": line.decision.shared,
            "whole": line.decision.whole,
            "scores": line.scores,
            "base_scores": line.base_scores,
        }
        for line in setting.graded
    ]


def table_rows(setting: SettingPlan, model: str) -> list[dict[str, Any]]:
    """The setting's rows of `Study.answers()`, with keys in place of answers and verdicts."""
    named = setting.model_name(model)
    return [_row(setting, line, named) for line in setting.lines]


def _row(setting: SettingPlan, line: Line, model: str) -> dict[str, Any]:
    question, pair = line.question, setting.resolved.setting
    return {
        "setting": setting.name,
        "phenomenon": pair.phenomenon,
        "behaviour": pair.behaviour.name,
        "caveat": pair.caveat.name,
        "model": model,
        "arm": line.cell.arm,
        "seed": line.cell.seed,
        "dose": setting.dose,
        "purpose": line.prompt.purpose,
        "context": line.prompt.context,
        "question": question.id,
        "cluster": question.cluster,
        "scope": question.scope,
        "kind": question.kind,
        "readout": question.readout,
        "numeric": READOUTS[question.readout].numeric,
        "sample": line.sample,
        "artifact": line.cell.chain[-1] if line.cell.chain else "",
        "answer": line.answer,
        "verdict": line.verdict,
    }


def _tell_altered(store: Store, earlier: str, rows: list[dict[str, Any]]) -> None:
    before = finished_cells(store, store.lines(f"versions/{earlier}/rows.jsonl"))
    after = verdicts_by_cell(rows)
    altered = [cell for cell, slots in before.items() if _differs(slots, after.get(cell))]
    if altered:
        cells = (
            "1 finished cell belongs"
            if len(altered) == 1
            else (f"{len(altered)} finished cells belong")
        )
        it = "it stays" if len(altered) == 1 else "they stay"
        store.say(
            f"{cells} to an earlier version of this recipe; {it} addressable: "
            f"caveat leakage {store.folder} --version {earlier}"
        )


def _differs(before: dict[Slot, str], after: dict[Slot, str] | None) -> bool:
    """Whether a cell is gone, or answers otherwise the prompts of both versions."""
    return not after or any(
        slot in after and after[slot] != verdict for slot, verdict in before.items()
    )
