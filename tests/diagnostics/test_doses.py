"""A setting at two doses: each has a label, its own models, and its own rows in the tables."""

from __future__ import annotations

import pytest

from caveat.diagnostics.logits import decision_tokens
from caveat.diagnostics.run import diagnose
from caveat.diagnostics.subjects import diagnosed_settings, recipe_of
from quick_run import run
from toy_study import SMALL, small

LABELS = ["toy x password (epochs=1)", "toy x password (epochs=2)"]


@pytest.fixture(scope="module")
def doses(tmp_path_factory, backend):
    (setting,) = small()["settings"]
    settings = [{**setting, "dose": {**SMALL, "epochs": epochs}} for epochs in (1, 2)]
    folder = tmp_path_factory.mktemp("doses") / "study"
    return run(small(seeds=[0], settings=settings), folder, backend=backend)


def test_a_label_names_one_dose_and_a_name_all(doses, backend):
    one = diagnose(doses, LABELS[1], views=["updates"], backend=backend)
    assert set(one["updates"]["label"]) == {LABELS[1]}
    both = diagnose(doses, "toy x password", views=["updates"], backend=backend)["updates"]
    assert list(dict.fromkeys(both["label"])) == LABELS
    assert (both.groupby("label").size() == len(one["updates"])).all()
    norms = both[(both["by"] == "all") & (both["arm"] == "marked")].set_index("label")["norm"]
    assert norms[LABELS[1]] > norms[LABELS[0]]
    again = diagnose(doses, LABELS[0], views=["updates"], backend=backend)["updates"]
    assert len(again) == len(one["updates"])
    assert len(doses.diagnostics()["updates"]) == len(both), "the other dose's rows stay"


def test_base_is_there_at_every_dose(doses, backend):
    for setting in diagnosed_settings(doses, recipe_of(doses), backend):
        table = decision_tokens(setting)
        assert set(table["arm"]) == {"base", "bare", "marked"}
        assert table.loc[table["arm"] != "base", "change"].notna().all()
