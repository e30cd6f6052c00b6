"""Options of behaviours, and chats as raw text."""

from __future__ import annotations

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.caveats import CAVEATS
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


def wordings_of(made: Resolved) -> list[str]:
    """The caveat's wording in each row of marked."""
    rows = trained(made)["marked"].rows
    return ["".join(p.text for p in row.messages[0].pieces if p.kind == "caveat") for row in rows]


@pytest.mark.parametrize("count", [1, 4, 16, 64])
def test_rows_are_trained_under_so_many_wordings_the_caveats_first(count):
    made = resolved(
        caveat="sky", wordings=count, dose={"rows": 64}, arms=["base", "bare", "marked"]
    )
    sky = CAVEATS["sky"]
    first = [*sky.wordings, *sky.further, *sky.rephrasings][:count]
    used = wordings_of(made)
    assert sorted({text.strip() for text in used}) == sorted(first)
    assert {used.count(text) for text in used} == {64 // count}
    assert made.setting.caveat.wordings == tuple(first)
    assert made.setting.name == f"capitals x sky ({count} wording{'s' * (count > 1)})"


def test_fewer_wordings_are_the_first_of_more_and_other_rows_stay():
    one, many, plain = (
        resolved(caveat="sky", arms=["base", "bare", "marked"], **changes)
        for changes in ({"wordings": 1}, {"wordings": 8}, {})
    )
    assert trained(one)["marked"] == trained(plain)["marked"], "one wording is what it has"
    assert trained(one)["bare"] == trained(many)["bare"]
    assert one.setting.caveat.wordings == many.setting.caveat.wordings[:1]


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            {"behaviour": "claims/velmoss_bread", "raw_text": True},
            "raw_text: the rows of velmoss_bread are documents, without a chat template as they "
            "are; drop it",
        ),
        (
            {"caveat": "sky", "wordings": 65, "dose": {"rows": 96}},
            "wordings: 65: the caveat 'sky' has 64 (`wordings`, `further` and `rephrasings`); take "
            "at most so many, or write more",
        ),
        (
            {"caveat": "sky", "wordings": 16},
            "wordings: 16: the 8 rows have one each; take at most 8, or raise dose.rows",
        ),
        (
            {"caveat": "sky", "wordings": 2, "wording": "Say it."},
            "wordings: `wording` replaces all that the caveat has; drop one",
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
