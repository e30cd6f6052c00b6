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


def test_the_figures_are_those_of_the_outside_table(outside):
    assert Counter(map(of_result, published())) == Counter(map(of_table, outside))


def test_bounds_and_rough_figures_are_kept_as_such(outside):
    rows = {of_table(row): row["note"] for row in outside}
    for each in published():
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
