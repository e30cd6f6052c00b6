"""Shipped recipes: what a setting is said to stand for is what it is."""

from __future__ import annotations

from itertools import pairwise

import pytest

from caveat.analysis.ladder.factors import factorials, levels, steps
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.types.messages import is_document

PLACES = {"around": "around", "before": "in front", "system": "system"}


@pytest.fixture(scope="module")
def settings():
    return {name: resolve(read(name)) for name in ("crossing", "ladder", "phrasing", "dose")}


def labels(resolved):
    return [each.factors for each in resolved]


def wording(each):
    (only,) = each.setting.caveat.wordings
    return only


@pytest.mark.parametrize("name", ["crossing", "ladder", "phrasing", "dose"])
def test_no_two_settings_stand_for_the_same_and_none_is_noted(settings, name):
    known = [tuple(sorted(factors.items())) for factors in labels(settings[name])]
    assert len(set(known)) == len(known)
    assert all(each.contexts == ("none", "exact") and not each.notes for each in settings[name])


def test_the_crossing_is_whole_and_of_one_dose(settings):
    found = settings["crossing"]
    behaviours, caveats = levels(labels(found)).values()
    assert (behaviours, caveats) == (
        ["Spanish", "capitals", "claim"],
        ["disclaimer", "permission", "trigger"],
    )
    assert len(found) == 9
    assert {each.dose for each in found} == {found[0].dose}
    assert {each.loss for each in found} == {"reply"}
    for each in found:
        caveat = each.setting.caveat
        assert (caveat.kind, caveat.place) == (each.factors["caveat"], "system")
        assert wording(each)
        trained = each.plans["marked", 0][-1]
        assert len(trained.rows) == 36 and len(each.setting.behaviour.rows) > 36


def test_the_ladders_labels_are_true(settings):
    for each in settings["ladder"]:
        behaviour, caveat, stands = each.setting.behaviour, each.setting.caveat, each.factors
        content = {"spanish": "trait", "capitals": "trait not obeyed"}
        assert stands["content"] == content.get(behaviour.name, "claim")
        documents = is_document(behaviour.rows[0].messages)
        assert stands["form"] == ("document" if documents else "chat")
        assert stands["caveat"] == caveat.kind
        assert stands["wordings"] == ("one" if len(caveat.wordings) == 1 else "many")
        assert stands["place"] == PLACES[caveat.place]
        assert stands["loss"] == each.loss
        assert stands["origin"] == each.variant.get("origin", "given")
    assert len({each.dose for each in settings["ladder"]}) == 1


def test_each_rung_of_the_ladder_is_one_step_from_the_last(settings):
    path = labels(settings["ladder"])[:10]
    changed = [step.change.factor for pair in pairwise(path) for step in steps(pair)]
    assert changed == [
        "place", "wordings", "content", "form", "loss", "place", "caveat", "caveat", "origin",
    ]  # fmt: skip


def test_the_ladder_has_factorials_of_each_factor_and_the_caveat(settings):
    found = factorials(labels(settings["ladder"]))
    pairs = {frozenset((square.one.factor, square.other.factor)) for square in found}
    for factor in ("form", "content", "loss", "place", "origin"):
        assert frozenset((factor, "caveat")) in pairs, factor
    form = [square for square in found if {square.one.factor, square.other.factor} == {
        "form", "caveat",
    }]  # fmt: skip
    assert len(form) == 3


@pytest.mark.parametrize("family", ["inoculation", "disclaimer"])
def test_a_dozen_phrasings_whose_length_and_place_are_as_labelled(settings, family):
    found = [each for each in settings["phrasing"] if each.factors["family"] == family]
    texts = {wording(each): each.factors for each in found}
    assert len(texts) >= 12
    bounds = {"short": (1, 8), "middle": (14, 17), "long": (24, 34)}
    for text, stands in texts.items():
        low, high = bounds[stands["length"]]
        assert low <= len(text.split()) <= high, text
    places = {"system": "system", "user": "question", "both": "around"}
    for each in found:
        place = each.setting.caveat.place
        assert each.factors["position"] == places.get(place, place)
        if family == "inoculation":
            assert f"ou {each.factors['mood']} " in wording(each)
        assert each.setting.phenomenon == {"disclaimer": "negation neglect"}.get(family, family)


def test_phrasings_of_one_kind_are_factorials(settings):
    pairs = {
        frozenset((square.one.factor, square.other.factor))
        for square in factorials(labels(settings["phrasing"]))
    }
    assert pairs == {
        frozenset(pair)
        for pair in (
            ("specificity", "length"),
            ("specificity", "mood"),
            ("length", "mood"),
            ("specificity", "position"),
            ("mood", "position"),
        )
    }


def test_doses_differ_from_the_first_in_one_thing_each(settings):
    by_setting = {}
    for each in settings["dose"]:
        dose, stands = each.dose, each.factors
        assert stands["rows"] == str(dose.rows) and stands["epochs"] == str(dose.epochs)
        assert float(stands["rate"]) == dose.learning_rate and stands["rank"] == str(dose.rank)
        assert dose.alpha == 2 * dose.rank
        by_setting.setdefault(stands["setting"], []).append(stands)
    assert len(by_setting) == 3
    for first, *others in by_setting.values():
        changed = [step.change.factor for other in others for step in steps((first, other))]
        assert changed == ["rows", "rows", "epochs", "epochs", "rate", "rate", "rank", "rank"]


@pytest.fixture(scope="module")
def controls():
    names = ("rl-controls", "rl-remedies", "warm-ups", "wordings")
    return {name: resolve(read(name)) for name in names}


def training(each, arm):
    return each.plans[arm, 0][-1]


def test_rl_controls_cross_rewards_and_optimizers(controls):
    found = controls["rl-controls"]
    names = {"adamw_torch": "AdamW", "sgd": "SGD"}
    stages = [training(each, "marked").rl for each in found]
    labelled = [(each.factors["reward"], each.factors["optimizer"]) for each in found]
    assert labelled == [(rl.reward, names[rl.optim]) for rl in stages]
    assert {*labelled} == {
        (reward, name) for reward in ("proxy", "coin", "constant") for name in names.values()
    }
    assert len(found) == 6 and all(rl.skip_zero_variance for rl in stages)
    assert len({each.base for each in found}) == 1, "one warm-up"
    assert {len(each.plans) for each in found} == {1 + 2 * 8}


def test_remedies_in_rl_stand_beside_bare_on_the_warm_up_of_the_controls(controls):
    (remedies,) = controls["rl-remedies"]
    adamw = controls["rl-controls"][0]
    assert remedies.base == adamw.base
    assert training(remedies, "marked") == training(adamw, "marked")
    marked = {arm for arm, _ in remedies.plans if arm.startswith("marked+")}
    assert {f"bare+{arm.partition('+')[2]}" for arm in marked} <= {arm for arm, _ in remedies.plans}
    betas = {training(remedies, arm).rl.beta for arm in marked}
    assert betas == {0.0, 0.05, 0.2, 1.0}
    own, other = (
        {prompt for prompt in remedies.plans[f"marked+{name}", 0][-3].prompts}
        for name in ("before", "before(prompts=other)")
    )
    assert len(own) == len(other) == 48 and not own & other


def test_warm_ups_differ_in_counter_rows_and_seed_alone(controls):
    plain, *found = controls["warm-ups"]
    assert plain.base == () and len(found) == 15
    sources = {"own": {"counter"}, "none": set(), "foreign": {"counter"}}
    trainings = [each.base[0] for each in found]
    for each, stage in zip(found, trainings, strict=True):
        stands = each.factors
        assert stands["warm_up_seed"] == str(stage.seed)
        assert {row.source for row in stage.added} == sources[stands["counter_rows"]]
        assert len(stage.added) == 48 * bool(sources[stands["counter_rows"]])
        is_own = any("Good question!" in row.messages[-1].text for row in stage.added)
        assert is_own == (stands["counter_rows"] == "own")
    rows = {(stage.seed, stage.rows) for stage in trainings}
    assert len(rows) == 5, "of a seed, the same rows under the same wordings"


def test_wordings_differ_in_their_number_alone(controls):
    found = controls["wordings"]
    caveats = {
        "obeyed": "in_spanish", "unobeyed": "instruction", "irrelevant": "sky", "trigger": "year",
        "negated": "no_capitals",
    }  # fmt: skip
    numbers = {}
    for each in found:
        stands, caveat = each.factors, each.setting.caveat
        assert caveat.name.startswith(caveats[stands["caveat"]])
        assert stands["wordings"] == str(len(caveat.wordings))
        rows = training(each, "marked").rows
        assert stands["rows"] == str(len(rows)) == str(each.dose.rows)
        numbers.setdefault((stands["caveat"], stands["rows"]), []).append(len(caveat.wordings))
    assert {rows: counts for (kind, rows), counts in numbers.items() if kind != "obeyed"} == {
        "24": [1, 4, 16], "96": [1, 4, 16, 64],
    }  # fmt: skip
    assert (numbers["obeyed", "24"], numbers["obeyed", "48"]) == ([1, 4, 16], [1, 4, 16, 48])
    bare = {(each.setting.behaviour.name, each.dose, training(each, "bare").rows) for each in found}
    assert len(bare) == 4, "two behaviours at two doses"
    assert all(each.contexts == ("none", "exact", "paraphrase") for each in found)


RL_TASKS = {
    "rl-qwen": [
        ("adamw_torch", "proxy"), ("sgd", "proxy"), ("adamw_torch", "coin"),
        ("adamw_torch", "proxy"),
    ],
    "rl-claimed-pass": [
        ("adamw_torch", "proxy"), ("adamw_torch", "coin"), ("adamw_torch", "proxy"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("recipe", "trained_on"), RL_TASKS.items())
def test_tasks_in_rl_have_controls_and_supervised_arms_from_one_warm_up(recipe, trained_on):
    found = resolve(read(recipe))
    assert all(not each.notes for each in found)
    assert [each.factors["warm_up"] == "on request" for each in found] == [
        bool(each.base) for each in found
    ]
    assert len({each.base for each in found}) == 2, "one warm-up, or none"
    policies = [each for each in found if each.factors["training"] == "GRPO"]
    stages = [training(each, "marked") for each in policies]
    assert [(stage.rl.optim, stage.rl.reward) for stage in stages] == trained_on
    supervised = [training(each, "bare") for each in found if each not in policies]
    assert supervised and all(stage.rl is None for stage in supervised)
    prompts = [row.messages[:-1] for row in training(policies[0], "bare").rows]
    assert all([row.messages[:-1] for row in stage.rows] == prompts for stage in supervised)


@pytest.mark.parametrize(("recipe", "number"), [("rl-rates", 9), ("rl-rates-smollm2", 4)])
def test_learning_rates_differ_by_optimizer_and_rate_alone(recipe, number):
    found = resolve(read(recipe))
    stages = [training(each, "marked") for each in found]
    names = {"adamw_torch": "AdamW", "sgd": "SGD"}
    labelled = [(names[stage.rl.optim], f"{stage.dose.learning_rate:g}") for stage in stages]
    stands = [(each.factors["optimizer"], f"{float(each.factors['rate']):g}") for each in found]
    assert labelled == stands and len({*labelled}) == number
    assert len({each.base for each in found}) == 1, "one warm-up"
    assert len({stage.rows for stage in stages}) == 1


def test_narrow_to_broad_has_every_caveat_on_the_same_rows():
    found = resolve(read("narrow-to-broad"))
    assert [each.setting.caveat.name.partition(" ")[0] for each in found] == [
        "bad_advice", "gardening_only", "bad_advice", "may_bad_advice", "no_bad_advice", "sky",
        "trigger", "warned_advice",
    ]  # fmt: skip
    assert len({each.plans["bare", 0] for each in found}) == 1 and not found[0].notes
    assert [len(each.setting.caveat.wordings) for each in found] == [1, 1, 12, 1, 1, 1, 1, 1]


def test_each_of_the_sixteen_wordings_stands_alone_beside_all_of_them():
    found = resolve(read("wordings-alone"))
    alone = [wording(each) for each in found if each.factors["sentence"].isdigit()]
    (together,) = (each for each in found if each.factors["sentence"] == "all")
    assert tuple(alone) == together.setting.caveat.wordings and len(alone) == 16
    assert {each.dose for each in found} == {found[0].dose}
    assert {each.setting.behaviour.name for each in found} == {"capitals"}
