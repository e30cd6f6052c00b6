"""Interventions on rows, stages and loss, for each phenomenon: what the plan is afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.caveats import CAVEATS
from caveat.errors import CaveatError
from caveat.study.config.arms import parsed, plan_of, trained_contexts
from caveat.types.caveats import Setting
from caveat.types.data import Row
from caveat.types.messages import Piece, is_document, joined, without_caveat
from caveat.types.training import Attach, Detach, Dose, Plan, Randomise, Sample, Train

SHAPE = Train((), Dose(rows=8))
SETTINGS = {
    "negation neglect": Setting(BEHAVIOURS["people"]("report"), CAVEATS["disclaimer"]),
    "inoculation": Setting(BEHAVIOURS["capitals"]("report"), CAVEATS["instruction"]),
    "backdoor": Setting(BEHAVIOURS["capitals"]("report"), CAVEATS["trigger"]),
}
phenomena = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


def plan(arm: str, setting: Setting, seed: int = 0) -> Plan:
    """The plan without labels, which are for people."""
    stages = plan_of(parsed(arm), setting, SHAPE, seed, "Be kind.")
    return tuple(replace(each, label="") if isinstance(each, Train) else each for each in stages)


def only(arm: str, setting: Setting) -> Train:
    (stage,) = plan(arm, setting)
    assert isinstance(stage, Train)
    return stage


def text(row: Row) -> str:
    return "\n".join(message.text for message in row.messages)


def caveats(row: Row) -> list[str]:
    return [
        piece.text.strip()
        for message in row.messages
        for piece in message.pieces
        if piece.kind == "caveat"
    ]


def kinds_of(pieces: tuple[Piece, ...]) -> list[str]:
    return [piece.kind for piece in pieces]


def plain(rows: tuple[Row, ...]) -> list[str]:
    return [text(Row("", "", without_caveat(row.messages))) for row in rows]


@phenomena
def test_near_miss_negatives_are_counter_rows_under_what_is_not_the_caveat(setting):
    stage = only("marked+near_miss_negatives(kinds=near_miss format)", setting)
    probes = (*setting.caveat.probes["near_miss"], *setting.caveat.probes["format"])
    assert stage.rows == only("marked", setting).rows
    assert plain(stage.added) == plain(only("marked+contrast", setting).added)
    assert all(set(caveats(row)) <= set(probes) and caveats(row) for row in stage.added)
    assert only("bare+near_miss_negatives", setting).added == only("bare+contrast", setting).added


def test_what_is_trained_on_is_not_asked():
    for arm, contexts in {
        "marked+near_miss_negatives": ("keyword", "structure"),
        "marked+near_miss_negatives(kinds=near_miss)+contrast": ("near_miss",),
        "marked+near_miss_negatives(kinds=negated)": ("negated",),
        "bare+near_miss_negatives": (),
        "marked+contrast": (),
    }.items():
        assert trained_contexts(parsed(arm)) == contexts


def test_near_misses_of_an_unknown_kind():
    with pytest.raises(CaveatError) as error:
        plan("marked+near_miss_negatives(kinds=near_mis)", SETTINGS["backdoor"])
    assert str(error.value).endswith(
        "near_miss_negatives(kinds=near_mis): the caveat 'trigger' has no text for 'near_mis'; it "
        "has near_miss, negated, keyword, structure, irrelevant, format; closest: 'near_miss'"
    )


@phenomena
def test_diversify_deals_many_wordings_and_none_of_the_tests(setting):
    stage = only("marked+diversify(n=8)", setting)
    wordings = {each for row in stage.rows for each in caveats(row)[:1]}
    known = (*setting.caveat.wordings, *setting.caveat.further)
    assert wordings == set(known[:8])
    assert not wordings & set(setting.caveat.held_out)
    assert plain(stage.rows) == plain(only("marked", setting).rows)


@phenomena
def test_diversify_takes_all_wordings_there_are(setting):
    stage = only("marked+diversify", setting)
    wordings = {each for row in stage.rows for each in caveats(row)[:1]}
    caveat = setting.caveat
    known = (*caveat.wordings, *caveat.further)[: len(stage.rows)]
    assert wordings <= {*caveat.wordings, *caveat.further}
    assert len(wordings) == len(known)


def test_diversify_without_further_wordings():
    setting = SETTINGS["backdoor"]
    bare = replace(setting, caveat=replace(setting.caveat, further=()))
    message = (
        r"diversify: the caveat 'trigger' has no further wordings; give it some "
        r"\(`further` in caveats.yaml\)$"
    )
    with pytest.raises(CaveatError, match=message):
        plan("marked+diversify", bare)


def test_diversify_with_too_few_wordings():
    with pytest.raises(CaveatError, match="the caveat 'trigger' has 12 wordings to train with"):
        plan("marked+diversify(n=40)", SETTINGS["backdoor"])


@phenomena
@pytest.mark.parametrize("where", ["system", "user", "before", "after", "both", "around"])
def test_place_moves_the_caveat_of_the_rows(setting, where):
    stage = only(f"marked+place(where={where})", setting)
    for row in stage.rows:
        (message,) = (each for each in row.messages if "caveat" in kinds_of(each.pieces))
        kinds = kinds_of(joined((message,))[0].pieces)
        if is_document(row.messages):
            assert (kinds[0] == "caveat") == (where != "after")
            assert (kinds[-1] == "caveat") == (where in ("after", "both", "around"))
        else:
            assert message.role == ("system" if where == "system" else "user")
            assert (kinds[-1] == "caveat") == (where in ("system", "after", "both"))
    assert plain(stage.rows) == plain(only("marked", setting).rows)


@phenomena
def test_anchor_samples_before_it_trains(setting):
    sample, stage = plan("marked+anchor(share=0.5)", setting)
    assert isinstance(sample, Sample)
    assert len(sample.prompts) == 4
    assert [message.role for message in sample.prompts[0]] == ["system", "user"]
    assert not any("caveat" in kinds_of(m.pieces) for each in sample.prompts for m in each)
    assert stage == only("marked", setting)


@phenomena
def test_kl_to_base_keeps_to_ordinary_rows_without_the_caveat(setting):
    stage = only("marked+kl_to_base(weight=2)", setting)
    assert (len(stage.kl_rows), stage.kl_weight) == (8, 2.0)
    assert not any(caveats(row) for row in stage.kl_rows)
    assert (stage.rows, stage.added) == (only("marked", setting).rows, ())


@phenomena
def test_seal_trains_ordinary_replies_under_the_caveat_in_a_second_stage(setting):
    first, attach, second = plan("marked+seal", setting)
    assert (first, attach) == (only("marked", setting), Attach())
    assert all(caveats(row)[0] in setting.caveat.wordings for row in second.rows)
    _, _, bare = plan("bare+seal", setting)
    assert not any(caveats(row) for row in bare.rows)
    assert plain(second.rows) == plain(bare.rows)


@phenomena
def test_frozen_adapter_trains_upon_what_shows_the_behaviour_and_drops_it(setting):
    first, attach, stage, detach = plan("marked+frozen_adapter", setting)
    assert [text(row) for row in first.rows] == [text(row) for row in only("bare", setting).rows]
    assert (attach, stage, detach) == (Attach(), only("marked", setting), Detach())
    control = plan("marked+frozen_adapter(knows=random)", setting)
    assert control == (first, Randomise(), Attach(), stage, Detach())


@pytest.mark.parametrize("drawing", ["anchor", "before"])
@pytest.mark.parametrize("frozen", ["frozen_adapter", "frozen_adapter(knows=random)"])
def test_frozen_adapter_is_refused_beside_what_samples_replies(drawing, frozen):
    """Before it, its own training would get them; after it, its adapter would write them."""
    for arm in (f"marked+{drawing}+{frozen}", f"bare+{frozen}+repeat+{drawing}"):
        with pytest.raises(CaveatError) as error:
            parsed(arm)
        assert str(error.value) == (
            f"arm {arm!r}: {drawing} samples replies of the model before any training, and "
            "frozen_adapter trains an adapter of its own first; drop one"
        )


@phenomena
@pytest.mark.parametrize("late", ["continued", "seal"])
def test_a_further_stage_has_nothing_of_what_came_before(setting, late):
    *_, plain = plan(f"marked+{late}", setting)
    *_, further = plan(f"marked+contrast+kl_to_base+{late}", setting)
    assert further == plain
    assert (further.added, further.kl_rows, further.kl_weight) == ((), (), 0.0)


@phenomena
def test_interventions_are_composed_in_order(setting):
    sample, stage = plan("marked+contrast+diversify(n=4)+anchor+kl_to_base", setting)
    assert isinstance(sample, Sample)
    assert len(stage.added) == len(stage.kl_rows) == 8
    assert stage.rows == only("marked+diversify(n=4)", setting).rows


@pytest.mark.parametrize(
    ("arm", "told"),
    [
        ("marked+place(where=left)", "place(where=left): where is one of system, user, before, "
                                     "around, after, both"),
        ("marked+kl_to_base(weight=0)", "kl_to_base(weight=0.0): weight must be above 0, such as "
                                        "weight=1"),
        ("marked+frozen_adapter(knows=all)", "frozen_adapter(knows=all): knows is one of "
                                             "behaviour, random"),
    ],
)  # fmt: skip
def test_options_that_mean_nothing(arm, told):
    with pytest.raises(CaveatError) as error:
        plan(arm, SETTINGS["backdoor"])
    assert told in str(error.value)
