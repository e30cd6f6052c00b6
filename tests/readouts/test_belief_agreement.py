"""What is claimed of the rules of `belief` holds on the published verdicts."""

import importlib.util
import sys

import numpy as np
import pytest

from caveat.readouts.belief import TRUSTED
from paths import ROOT

FOLDER = ROOT / ".." / "shared" / "data" / "negation_neglect"


@pytest.fixture(scope="module")
def bench():
    path = ROOT / "bench" / "agreement.py"
    spec = importlib.util.spec_from_file_location("bench_agreement", path)
    module = sys.modules["bench_agreement"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_trusted_kinds_and_the_table_in_docs_are_those_of_the_held_out_claims(bench):
    if not FOLDER.is_dir():
        pytest.skip("no published verdicts in ../shared/data/negation_neglect")
    table = list(bench.lines(bench.judged(FOLDER, bench.HELD_OUT)))
    assert bench.trusted(table) == dict(TRUSTED)
    page = (ROOT / "docs" / "results" / "agreement.md").read_text("utf-8")
    assert bench.table_markdown(table) + "\n" in page


@pytest.mark.parametrize(
    ("first", "second", "kappa"),
    [
        ("aabb", "aabb", 1.0),
        ("aabb", "bbaa", -1.0),
        ("aabb", "abab", 0.0),
        ("aaaa", "aaaa", 1.0),
        ("aaab", "aabb", 0.5),
        ("abcabc", "abcabb", 0.75),
    ],
)
def test_kappa(bench, first, second, kappa):
    assert bench.kappa(list(first), list(second)) == pytest.approx(kappa)


def test_an_interval_is_a_point_only_where_every_question_agrees(bench):
    import pandas as pd

    frame = pd.DataFrame(
        {
            "claim": "c",
            "question_id": np.repeat(list("abcdefgh"), 4),
            "verdict": ["yes", "no", "neutral", "yes"] * 8,
            "ruled": ["yes", "no", "no", "yes"] * 8,
        }
    )
    assert bench.interval(frame, 200, 1) == (1.0, 1.0)
    frame.loc[:5, "ruled"] = "no"
    low, high = bench.interval(frame, 200, 1)
    assert low < bench.kappa(frame["verdict"] == "yes", frame["ruled"] == "yes") < high


def test_the_first_words_keep_the_white_space_between_them(bench):
    assert bench.first_words(" one  two\nthree", 2) == " one  two"
    assert bench.first_words("one two", 5) == bench.first_words("one two", 0) == "one two"
