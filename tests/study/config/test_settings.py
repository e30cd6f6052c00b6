"""Options of behaviours, and chats as raw text."""

from __future__ import annotations

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.errors import CaveatError
from caveat.study.config.resolve import Resolved, resolve
from caveat.study.config.schema import read
from caveat.types.messages import is_document
from caveat.types.training import Train

ARMS = ["base", "bare", "clean", "marked", "marked+filler"]


def recipe_of(**setting: object) -> dict[str, object]:
    each = {"behaviour": "capitals", "caveat": "trigger", "dose": {"rows": 8}, **setting}
    return {"name": "mixing", "model": "tiny", "arms": ARMS, "settings": [each]}


def resolved(**setting: object) -> Resolved:
    return resolve(read(recipe_of(**setting)))[0]


def trained(made: Resolved) -> dict[str, Train]:
    return {arm: plan[-1] for (arm, _), plan in made.plans.items() if plan}


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


def test_settings_of_one_name_are_distinguished_by_their_options():
    each = {"behaviour": "capitals", "caveat": "trigger", "dose": {"rows": 8}}
    recipe = {"name": "two", "model": "tiny", "settings": [each, {**each, "raw_text": True}]}
    plain, raw = resolve(read(recipe))
    assert (plain.variant, raw.variant) == ({}, {"raw_text": True})


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            {"behaviour": "claims/velmoss_bread", "raw_text": True},
            "raw_text: the rows of velmoss_bread are documents, without a chat template as they "
            "are; drop it",
        ),
        (
            {"behaviour": "claims/velmoss_bread", "options": {"tag": "#"}, "loss": "everything"},
            "loss: 'everything' learns what velmoss_bread masks; take all_but_masked, or leave out "
            "what masks it (tag, of a claim)",
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
