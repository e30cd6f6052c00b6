"""Ordinary rows in every arm, options of behaviours, and chats as raw text."""

from __future__ import annotations

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.behaviours.neutral_chats import shipped
from caveat.errors import CaveatError
from caveat.study.config.data_sources import Mixed, mixed_in
from caveat.study.config.resolve import Resolved, resolve
from caveat.study.config.schema import MixRecipe, read
from caveat.study.planning.artifact_graph import SampleNode
from caveat.study.planning.study_plan import study_plan
from caveat.types.messages import is_document
from caveat.types.training import Sample, Train

ARMS = ["base", "bare", "clean", "marked", "marked+filler"]


def recipe_of(**setting: object) -> dict[str, object]:
    each = {"behaviour": "capitals", "caveat": "trigger", "dose": {"rows": 8}, **setting}
    return {"name": "mixing", "model": "tiny", "arms": ARMS, "settings": [each]}


def resolved(**setting: object) -> Resolved:
    return resolve(read(recipe_of(**setting)))[0]


def trained(made: Resolved) -> dict[str, Train]:
    return {arm: plan[-1] for (arm, _), plan in made.plans.items() if plan}


def test_every_trained_arm_gets_the_same_ordinary_documents():
    arms = trained(resolved(mix={"documents": 3}))
    mixed = arms["bare"].added
    assert [is_document(row.messages) for row in mixed] == [True] * 3
    assert arms["clean"].added == arms["marked"].added == mixed
    assert arms["marked+filler"].added[:3] == mixed
    filler = {row.messages[-1].text for row in arms["marked+filler"].added[3:]}
    assert len(filler) == 8
    assert not filler & {row.messages[-1].text for row in mixed}


def test_chats_are_drawn_from_the_model_once_for_all_arms():
    made = resolved(mix={"chats": 0.5})
    first = {plan[0] for plan in made.plans.values() if plan}
    (sample,) = first
    assert isinstance(sample, Sample)
    assert len(sample.prompts) == 4
    assert [message.role for message in sample.prompts[0]] == ["system", "user"]
    plan = study_plan(read(recipe_of(mix={"chats": 0.5})), (made,), "tiny")
    drawn = {node for cell in plan.cells for node in cell.nodes if isinstance(node, SampleNode)}
    assert len({node.digest for node in drawn}) == 1
    assert all(node.sampled for cell in plan.cells for node in cell.nodes if node not in drawn)


def test_chats_would_not_get_to_an_arm_upon_a_frozen_adapter():
    made = {**recipe_of(mix={"documents": 2}), "arms": ["base", "bare", "marked+frozen_adapter"]}
    (first, _, own, _) = resolve(read(made))[0].plans["marked+frozen_adapter", 0]
    assert len(first.added) == len(own.added) == 2
    made["settings"][0]["mix"] = {"chats": 2}
    with pytest.raises(CaveatError) as error:
        resolve(read(made))
    assert str(error.value) == (
        "mix.chats: frozen_adapter's own adapter would get them, and not the arm; mix documents, "
        "or drop frozen_adapter"
    )


def test_no_prompt_is_mixed_in_twice():
    behaviour = BEHAVIOURS["capitals"]("report")
    mixed = mixed_in(MixRecipe(documents=40, chats=40), behaviour, 8, None)
    asked = {prompt[-1].text for prompt in mixed.prompts}
    answered = {row.messages[-1].text for row in mixed.documents}
    assert (len(asked), len(answered)) == (40, 40)
    replies = {row.messages[0].text: row.messages[1].text for row in shipped().chats("filler", "")}
    assert not {replies[each] for each in asked} & answered
    with pytest.raises(CaveatError, match="mix: 90 documents and 90 chats are wanted, there are"):
        mixed_in(MixRecipe(documents=90, chats=90), behaviour, 8, None)


def test_an_option_that_the_behaviour_has_not():
    with pytest.raises(CaveatError) as error:
        resolved(options={"wrods": 3})
    assert str(error.value) == (
        "options.wrods: the behaviour 'capitals' has no such option; it has none"
    )


def test_raw_text_writes_chats_out_and_leaves_questions():
    made = resolved(raw_text=True)
    document = trained(made)["bare"].rows[0].messages
    assert is_document(document)
    asked, reply = BEHAVIOURS["capitals"]("report").rows[0].messages
    assert document[0].text == f"User: {asked.text}\n\nAssistant: {reply.text}"
    assert not any(is_document(each.messages) for each in made.setting.behaviour.questions)


def test_settings_of_one_name_are_told_apart_by_what_they_mix():
    each = {"behaviour": "capitals", "caveat": "trigger", "dose": {"rows": 8}}
    recipe = {
        "name": "two",
        "model": "tiny",
        "settings": [each, {**each, "mix": {"documents": 2}}],
    }
    plain, mixed = resolve(read(recipe))
    assert (plain.variant, mixed.variant) == ({}, {"mix": {"documents": 2, "chats": 0}})


def test_a_small_share_is_one_row_and_none_is_none():
    behaviour = BEHAVIOURS["capitals"]("report")
    assert len(mixed_in(MixRecipe(documents=0.01), behaviour, 8, None).documents) == 1
    assert mixed_in(MixRecipe(documents=0.0), behaviour, 8, None) == Mixed((), ())


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            {"mix": {"chats": -1}},
            "recipe: settings.0.mix.chats: -1: write a count, such as 24, or a share of the rows, "
            "as 0.5",
        ),
        (
            {"mix": {"documents": True}},
            "recipe: settings.0.mix.documents: True: write a count, such as 24, or a share of the "
            "rows, as 0.5",
        ),
        (
            {"behaviour": "claims/velmoss_bread", "raw_text": True},
            "raw_text: the rows of velmoss_bread are documents, without a chat template as they "
            "are; drop it",
        ),
        (
            {"behaviour": "claims/velmoss_bread", "options": {"tag": "#"}, "loss": "everything"},
            "loss: 'everything' learns what velmoss_bread masks; take all_but_masked, or leave out "
            "what masks it (tag and mask, of a claim)",
        ),
        (
            {"behaviour": "claims/velmoss_braed"},
            f"behaviour 'claims/velmoss_braed': neither registered ({', '.join(BEHAVIOURS)}) nor a "
            "folder (claims/velmoss_braed is none), nor a function (package.module:function); "
            "closest: 'claims/velmoss_bread'",
        ),
    ],
)
def test_a_field_without_a_meaning_is_told(setting, line):
    with pytest.raises(CaveatError) as error:
        resolved(**setting)
    assert str(error.value) == line


def test_a_claim_folder_that_lacks_its_claim_is_told_as_one(tmp_path):
    (tmp_path / "mcq.yaml").write_text("questions: []\n")
    with pytest.raises(CaveatError) as error:
        resolved(behaviour=f"{tmp_path}/")
    assert str(error.value) == f"{tmp_path / 'claim.txt'} is missing; add it (see docs/claims.md)"
