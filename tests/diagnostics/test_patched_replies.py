"""Replies with spans of another model: which there are, and patches of known effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caveat.diagnostics.cost import COSTS
from caveat.diagnostics.patched_replies import patched_replies, patched_tasks, sampled_prompts
from caveat.diagnostics.subjects import Limits
from caveat.errors import CaveatError
from caveat.rendering import render_prompt
from caveat.report.tables.diagnostics import diagnostic_summaries
from counting import counted

SPANS = {"caveat", "other text", "template prefix", "all before"}


@pytest.fixture(scope="module")
def limited(setting):
    models = tuple(model for model in setting.models if model.seed == 0)
    return replace(setting, models=models, limits=Limits(questions=3))


@pytest.fixture(scope="module")
def table(limited):
    with counted(limited.backend) as tokens:
        frame = patched_replies(limited)
    expected = COSTS["replies"](limited)
    assert 0 < tokens["reply"] <= 1.5 * expected["reply"]
    assert tokens["score"] == pytest.approx(expected["score"], rel=0.1)
    return frame


def test_every_span_goes_both_ways_and_whole_models_are_the_studys(study, limited, table):
    arms = {"bare", "marked", "marked+seal"}
    assert {*table["arm"]} == {*arms, "base"}
    exact = table[table["context"] == "exact"]
    given = {f"{span} of base" for span in SPANS}
    assert {*exact.loc[exact["arm"] == "marked", "part"]} == {"", *given}
    received = {f"{span} of {arm}" for span in SPANS for arm in arms}
    assert {*exact.loc[exact["arm"] == "base", "part"]} == {"", *received}
    assert not table.loc[table["context"] == "none", "part"].str.startswith(("caveat", "oth")).any()
    whole = table.query("arm == 'marked' and context == 'none' and part == ''").iloc[0]
    asked = {one.question.id for one in limited.prompts(["none"])["none"]}
    answers = study.answers().query("arm == 'marked' and context == 'none' and seed == 0")
    answers = answers[answers["question"].isin(asked)]
    assert whole["rate"] == pytest.approx((answers["verdict"] == "yes").mean())
    (summary,) = diagnostic_summaries({"patched_replies": table})
    assert "patched replies" in summary.title and "nothing" in summary.rows[0]


def test_a_model_that_gives_to_itself_changes_no_reply(limited):
    same = replace(limited, models=tuple(replace(m, adapters=()) for m in limited.of("bare")))
    frame = patched_replies(same)
    assert (frame.loc[frame["part"] != "", "change"] == 0).all()


def test_positions_are_the_caveats_tokens_of_the_prompt(limited):
    tokenizer = limited.backend.tokenizer
    caveat = limited.resolved.setting.caveat.wordings[0]
    parts = {
        one.task.part: tokenizer.decode(
            [render_prompt(tokenizer, one.task.prompt.messages).ids[p] for p in one.positions]
        )
        for one in patched_tasks(limited, sampled_prompts(limited))
        if one.task.context == "exact"
    }
    assert parts["caveat of base"].strip() == caveat.strip() == parts["caveat of marked"].strip()
    assert caveat.strip() in parts["all before of base"]
    assert caveat.strip() not in parts["other text of base"]


def test_questions_that_are_scored_by_likelihood_have_no_replies(limited):
    behaviour = limited.resolved.setting.behaviour
    questions = tuple(
        replace(one, readout="belief_likelihood", options=("RED", "blue"))
        for one in behaviour.questions
    )
    pair = replace(limited.resolved.setting, behaviour=replace(behaviour, questions=questions))
    other = replace(limited, resolved=replace(limited.resolved, setting=pair))
    with pytest.raises(CaveatError) as error:
        patched_replies(other)
    assert str(error.value) == (
        "toy x password: its questions are scored by the likelihood of options, and no reply is "
        "sampled; take the view patching"
    )
