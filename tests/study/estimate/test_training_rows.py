"""Rows that cannot be trained on are refused, and cuts are counted, before anything is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caveat.behaviours.from_folder import load_behaviour
from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.study.config.schema import read
from caveat.study.estimate.plan_cost import plan_cost
from caveat.types.messages import Message
from quick_run import run
from toy_study import SMALL, TOY, small


def long_documents(split):
    """The toy behaviour with documents as rows, of which three are long."""
    toy = load_behaviour(TOY)(split)
    texts = ["A lake. " * (40 if index < 3 else 2) + str(index) for index in range(8)]
    rows = (
        replace(row, messages=(Message.of("document", text),))
        for row, text in zip(toy.rows, texts, strict=False)
    )
    return replace(toy, rows=tuple(rows))


def recipe_of(most, behaviour=str(TOY), **changes):
    setting = {
        "behaviour": behaviour, "caveat": f"{TOY}#password", "dose": {**SMALL, "max_tokens": most}
    }  # fmt: skip
    return small(settings=[setting], **changes)


class Lines(Progress):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, message):
        self.lines.append(message)


def test_plan_and_run_refuse_a_row_without_a_supervised_token(tmp_path):
    recipe = recipe_of(20)
    with pytest.raises(CaveatError) as planned:
        plan_cost(read(recipe), tmp_path / "study", [])
    with pytest.raises(CaveatError) as started:
        run(recipe, tmp_path / "study")
    assert str(planned.value) == str(started.value)
    assert str(planned.value).startswith("toy x password / bare: row 'behaviour-1' (behaviour) has")
    assert str(planned.value).endswith(
        "has no supervised token under loss 'reply' within dose.max_tokens=20; give it a reply, "
        "another loss, or more tokens"
    )
    assert not list((tmp_path / "study").glob("artifacts/*"))


def test_plan_and_run_count_what_is_cut(tmp_path):
    recipe = recipe_of(100, "test_training_rows:long_documents", arms=["base", "bare"])
    line = (
        "toy x password: 3 of 8 rows (arm bare) have more than dose.max_tokens=100 tokens: what "
        "follows is cut off and not trained on; raise dose.max_tokens or split the rows"
    )
    assert plan_cost(read(recipe), tmp_path, []).notes == (line,)
    progress = Lines()
    run(recipe, tmp_path, progress)
    assert progress.lines.count(line) == 1
