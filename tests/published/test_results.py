"""The published figures: those of the outside table, each with its source, leakage where it is."""

import csv
import json
from collections import Counter

import pytest

from caveat.errors import CaveatError
from caveat.published.results import EVIDENCE, RATES, Result, chosen, own, published

PHENOMENA = {"negation": "negation neglect", "conditional": "conditional misalignment"}
TRAINING = {
    "sdf": "synthetic documents", "sft": "supervised", "sft chats": "supervised chats",
    "sft raw text": "chats as raw text", "rl": "reinforcement learning",
    "sft+rl": "supervised, then reinforcement learning", "pretraining": "pretraining",
}  # fmt: skip
TEXTS = (
    "setting", "model", "caveat", "intervention", "metric", "near_miss_kind", "source", "evidence",
)  # fmt: skip


def result(**changes) -> Result:
    fields = {
        "phenomenon": "backdoor", "setting": "toy", "model": "Toy-1B", "training": "supervised",
        "caveat": "trigger", "metric": "fires", "source": "somewhere", "locator": "Table 1",
        "evidence": "primary",
    }  # fmt: skip
    return Result(**(fields | changes))


def of_table(row: dict[str, str]) -> tuple:
    """A row of the outside table as `of_result` writes it."""
    return (
        PHENOMENA.get(row["phenomenon"], row["phenomenon"]),
        TRAINING[row["training"]],
        row["locator"] or "not given",
        int(row["n"]) if row["n"] else None,
        *(row[name] for name in TEXTS),
        *(float(row[name]) if row[name] else None for name in RATES),
    )


def of_result(each: Result) -> tuple:
    texts = (getattr(each, name) for name in TEXTS)
    rates = (getattr(each, name) for name in RATES)
    return (each.phenomenon, each.training, each.locator, each.replies, *texts, *rates)


@pytest.fixture
def outside(published_data) -> list[dict[str, str]]:
    with (published_data / "published_results.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


CORRECTED = {"111", "114"}
"""Rows of the outside table that it has wrong: another model, and a difference for a rate."""
ADDED = {
    ("jfpio/inoculation-prompting", "README; C02, run_metadata.json"): 2,
    ("cnm13ryan/inoculation-prompting", "ip_sweep/corrected_baseline_2026-05-04"): 1,
    ("slacki-ai/trait-inoculation",
     "@c9a4d7b, results/scores_german_flattering_llama-3.1-8b-instruct.json"): 8,
    ("slacki-ai/trait-inoculation", "@c9a4d7b, results/scores_multi_prompt_*"): 8,
    ("slacki-ai/trait-inoculation", "@c9a4d7b, results/*french_*"): 4,
    ("slacki-ai/trait-inoculation", "@c9a4d7b, README section 18"): 4,
    ("Ayesha-Imr/inoculate-or-reflect", "@adceba2, outputs/phase4/lora_geometry.json"): 3,
    ("arXiv:2609.15886", "section 2.6"): 2,
    ("gabeorosan/negation-neglect-experiments", "repro/PANEL.md"): 8,
}  # fmt: skip
"""How many results come from places that the outside table has not, or has wrong."""


def is_added(each: Result) -> bool:
    return (each.source, each.locator) in ADDED


def test_the_figures_are_those_of_the_outside_table(outside):
    kept = [row for row in outside if row["id"] not in CORRECTED]
    listed = [each for each in published() if not is_added(each)]
    assert Counter(map(of_result, listed)) == Counter(map(of_table, kept))


def test_what_was_added_comes_from_these_places():
    places = Counter((each.source, each.locator) for each in published() if is_added(each))
    assert places == ADDED


def test_corrected_results():
    (prompt, control) = (each for each in published() if each.source.startswith("jfpio"))
    assert {prompt.model, control.model} == {"Qwen2.5-7B-Instruct"}
    assert round(prompt.leakage, 2) == 0.8 and prompt.interval == (0.63, 0.94)
    assert round(control.leakage, 2) == 0.98 and control.interval == (0.86, 1.09)
    (sweep,) = (each for each in published() if each.source.startswith("cnm13ryan"))
    assert (sweep.base, sweep.bare, sweep.marked) == (0.15, 0.05, None)
    assert sweep.undefined == "bare training added -0.100 to the rate, less than 0.1"


LEAKS = {
    ("German", "fixed"): (0.92, 0.0), ("German", "rephrased"): (0.96, 0.19),
    ("flattery", "fixed"): (0.85, 0.09), ("flattery", "rephrased"): (0.96, 0.92),
    ("playful", "fixed"): (0.1, 0.01), ("playful", "rephrased"): (0.84, 0.27),
    ("French", "fixed"): (-0.01, 0.0), ("French", "rephrased"): (-0.01, -0.01),
}  # fmt: skip
"""By trait and wording: leakage of prompts that elicit less than .05, and more than .3."""


@pytest.mark.parametrize(("trait", "wording"), LEAKS)
def test_fixed_and_rephrased_wordings_are_apart(trait, wording):
    rows = {
        each.elicitation: each.leakage
        for each in published()
        if (each.setting, each.wording) == (trait, wording)
    }
    few, much = LEAKS[trait, wording]
    assert rows[0, 0.05] == pytest.approx(few, abs=1e-3)
    assert rows[0.3, 1] == pytest.approx(much, abs=1e-3)


def test_bounds_and_rough_figures_are_kept_as_such(outside):
    rows = {of_table(row): row["note"] for row in outside}
    for each in published():
        if is_added(each):
            continue
        note = rows[of_result(each)]
        assert bool(note) == bool(each.caution), note
        assert bool(each.upper) == ("upper" in note), note
        rough = "read off" in note or "bar heights" in note
        assert bool(each.read_off) == rough, note


def test_every_result_has_its_source_and_its_place():
    for each in (*published(), *own()):
        assert each.source and each.locator and each.evidence in EVIDENCE
    assert {each.evidence for each in own()} == {"own"}


def test_leakage_is_how_far_marked_lies_from_base_to_bare():
    assert result(base=0.1, bare=0.5, marked=0.3).leakage == pytest.approx(0.5)
    assert result(base=0.2, bare=0.7, marked=0.1).leakage == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("rates", "reason"),
    [
        ({"bare": 0.5, "marked": 0.3}, "base was not reported"),
        ({"marked": 0.3}, "base and bare were not reported"),
        ({}, "base, bare and marked were not reported"),
        (
            {"base": 0.0, "bare": 0.06, "marked": 0.05},
            "bare training added 0.060 to the rate, less than 0.1",
        ),
    ],
)
def test_without_leakage_it_says_why(rates, reason):
    found = result(**rates)
    assert found.leakage is None
    assert found.undefined == reason


def test_every_published_result_has_leakage_or_a_reason():
    for each in published():
        assert (each.leakage is None) == bool(each.undefined)


def test_records_are_json_in_the_form_of_leakage():
    record = result(base=0.0, bare=0.8, marked=0.4, interval=(0.3, 0.7)).record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["leakage"] == {"value": 0.5, "low": 0.3, "high": 0.7}
    assert record["undefined"] is None
    assert result(marked=0.4).record()["leakage"] is None


def test_cautions_name_what_is_no_exact_rate():
    told = result(base=0.0, marked=0.1, upper=("marked",), read_off=("base", "bare"), note="so")
    assert told.caution == "upper bound: marked; read off: base; so"


def test_filters_take_parts_of_names():
    every = published()
    assert {each.phenomenon for each in chosen(every, phenomenon="NEGATION")} == {
        "negation neglect"
    }
    assert {each.model for each in chosen(every, model="qwen3-30b")} == {
        "Qwen3-30B-A3B-Base", "Qwen3-30B-A3B-Instruct",
    }  # fmt: skip
    assert chosen(every) == every


@pytest.mark.parametrize(
    ("filters", "line"),
    [
        (
            {"phenomenon": "inocculation"},
            "--phenomenon 'inocculation': no published result has it; there are backdoor, "
            "conditional misalignment, inoculation, negation neglect; closest: 'inoculation'",
        ),
        (
            {"evidence": "prime"},
            "--evidence 'prime': no published result has it; there are independent, primary, "
            "secondary; closest: 'primary'",
        ),
        (
            {"phenomenon": "backdoor", "model": "Mixtral"},
            "no published result has all of --phenomenon 'backdoor', --model 'Mixtral'; "
            "leave one out",
        ),
    ],
)
def test_filters_that_fit_nothing_say_so(filters, line):
    with pytest.raises(CaveatError) as error:
        chosen(published(), **filters)
    assert str(error.value) == line
