"""From arm names to plans."""

from __future__ import annotations

import pytest

from caveat.behaviours.from_folder import load_behaviour
from caveat.caveats.loading import load_caveats
from caveat.errors import CaveatError
from caveat.interventions import INTERVENTIONS
from caveat.study.config.arms import parsed, plan_of
from caveat.types.caveats import Setting
from caveat.types.training import Dose, Train
from toy_study import TOY

SETTING = Setting(load_behaviour(TOY)("report"), load_caveats(TOY)["notice"])
SYSTEM = "Be kind."


def plan(name: str, seed: int = 0, system: str | None = SYSTEM, rows: int | None = 8) -> Train:
    (stage,) = plan_of(parsed(name), SETTING, Train((), Dose(rows=rows)), seed, system)
    return stage


def texts(rows):
    return [[message.text for message in row.messages] for row in rows]


def test_base_trains_nothing():
    assert plan_of(parsed("base"), SETTING, Train((), Dose()), 0, None) == ()


def test_marked_rows_carry_the_caveat_and_bare_rows_are_the_same_without():
    marked, bare = plan("marked"), plan("bare")
    assert len(marked.rows) == 8
    for with_it, without in zip(texts(marked.rows), texts(bare.rows), strict=True):
        assert with_it[0] == without[0] == SYSTEM and with_it[2] == without[2]
        assert with_it[1].removesuffix(without[1]).strip() in SETTING.caveat.wordings
    assert not any(p.kind == "caveat" for r in bare.rows for m in r.messages for p in m.pieces)


def test_the_seed_deals_the_wordings():
    assert texts(plan("marked").rows) == texts(plan("marked").rows)
    dealt = {tuple(map(tuple, texts(plan("marked", seed).rows))) for seed in range(5)}
    assert len(dealt) > 1
    assert texts(plan("bare", 0).rows) == texts(plan("bare", 1).rows)


def test_without_a_system_text_bare_rows_have_no_system_message():
    password = Setting(SETTING.behaviour, load_caveats(TOY)["password"])
    (stage,) = plan_of(parsed("bare"), password, Train((), Dose(rows=2)), 0, None)
    assert [message.role for message in stage.rows[0].messages] == ["user", "assistant"]


def test_clean_trains_on_as_many_counter_rows():
    clean = plan("clean")
    assert {row.source for row in clean.rows} == {"counter"} and len(clean.rows) == 8


@pytest.mark.parametrize(("name", "source"), [("contrast", "counter"), ("filler", "filler")])
def test_rows_are_added_beside_the_behaviour_rows(name, source):
    for stem in ("marked", "bare"):
        plain, richer = plan(stem), plan(f"{stem}+{name}(share=0.5)")
        assert richer.rows == plain.rows and len(richer.added) == 4
        assert {row.source for row in richer.added} == {source}
        assert all(row.messages[0].text == SYSTEM for row in richer.added)
    assert len(plan(f"marked+{name}").added) == 8
    assert plan(f"bare+{name}").added == plan(f"marked+{name}").added


def test_interventions_follow_each_other():
    both = plan("marked+contrast(share=0.25)+filler(share=0.5)")
    assert [row.source for row in both.added] == ["counter"] * 2 + ["filler"] * 4


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("maked", "arm 'maked': 'maked' is not one of base, bare, marked, neutral, "
                  "clean; closest: 'marked'"),
        ("marked+contrst", "arm 'marked+contrst': unknown intervention 'contrst' "
                           f"(known: {', '.join(INTERVENTIONS)}); "
                           "closest: 'contrast'"),
        ("marked+repeat+local", "arm 'marked+repeat+local': local and repeat both set the "
                                "caveat's position; take one"),
        ("marked+continued+repeat", "arm 'marked+continued+repeat': continued comes last; put "
                                    "repeat before it"),
        ("marked+repeat+place", "arm 'marked+repeat+place': place marks the rows anew and would "
                                "undo repeat; put it first"),
        ("marked+contrast(shar=1)", "arm 'marked+contrast(shar=1)': contrast has no option 'shar' "
                                    "(options: share); closest: 'share'"),
        ("marked+contrast(share=much)", "arm 'marked+contrast(share=much)': share=much: "
                                        "must be like share=1.0"),
        ("marked+contrast(share=[)", "arm 'marked+contrast(share=[)': share=[: "
                                     "'[' is not a YAML value"),
        ("marked+contrast(share=2020-13-45)", "arm 'marked+contrast(share=2020-13-45)': "
                                              "share=2020-13-45: '2020-13-45' is not a YAML value"),
        ("marked+contrast(share=!!int x)", "arm 'marked+contrast(share=!!int x)': "
                                           "share=!!int x: '!!int x' is not a YAML value"),
        ("base+contrast", "arm 'base+contrast': 'base' takes no interventions; "
                          "use bare or marked"),
        ("marked+", "arm 'marked+': write it as marked+contrast or marked+contrast(share=0.5)"),
    ],
)  # fmt: skip
def test_arms_that_mean_nothing(name, told):
    with pytest.raises(CaveatError) as error:
        parsed(name)
    assert str(error.value) == told


def test_an_endless_share_is_told():
    with pytest.raises(CaveatError) as error:
        plan("marked+contrast(share=.inf)")
    assert str(error.value) == (
        "toy x notice: arm 'marked+contrast(share=.inf)': contrast(share=inf): "
        "share must be above 0, such as share=0.5"
    )


def test_too_few_rows_are_told_with_what_there_is():
    with pytest.raises(CaveatError) as error:
        plan("marked+contrast(share=3)")
    assert str(error.value) == (
        "toy x notice: arm 'marked+contrast(share=3)': contrast(share=3.0): needs 24 rows "
        "beside 8 behaviour rows, there are 18; at most share=2.25"
    )
