"""Movements and the probe of what is held, on constructed states with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from caveat.diagnostics.activations import (
    QuestionStates,
    at_depth,
    held_probe,
    movements,
    question_states,
    random_directions,
)
from caveat.diagnostics.subjects import NAMES

QUESTIONS, LAYERS, WIDTH = 24, 2, 400
LABELS = dict.fromkeys(NAMES, "x")


def constructed(noise: float = 0.0) -> QuestionStates:
    """Bare moves by a direction, marked by .4 of it (.9 under the caveat), clean elsewhere.

    The first layer is not trained. The caveat's text moves every state by something of its own.
    """
    generator = np.random.default_rng(0)
    base = generator.standard_normal((QUESTIONS, LAYERS, WIDTH))
    direction, aside, text = generator.standard_normal((3, WIDTH))
    trained_layer = np.array([0.0, 1.0])[:, None]

    def state(move, context: str) -> np.ndarray:
        own = noise * generator.standard_normal(base.shape)
        return base + (context == "exact") * text + trained_layer * (move + own)

    moves = {
        "bare": (direction, direction),
        "marked": (0.4 * direction, 0.9 * direction),
        "clean": (aside, aside),
    }
    trained = {
        (arm, seed): {"none": state(plain, "none"), "exact": state(caveated, "exact")}
        for seed in range(3)
        for arm, (plain, caveated) in moves.items()
    }
    return QuestionStates(
        (10, 11),
        ("none", "exact"),
        tuple(f"cluster {number // 2}" for number in range(QUESTIONS)),
        {"none": base, "exact": base + text},
        trained,
    )


def test_shares_are_those_that_were_built_in():
    table = movements(LABELS, constructed()).set_index(["arm", "context", "layer"])
    shares = table["share"]
    assert shares["bare", "none", 11] == pytest.approx(1)
    assert shares["marked", "none", 11] == pytest.approx(0.4)
    assert shares["marked", "exact", 11] == pytest.approx(0.9)
    assert abs(shares["clean", "none", 11]) < 0.2
    assert table.loc[("bare", "none", 11), "along"] == pytest.approx(1)
    assert table.loc[("clean", "none", 11), "distance"] == pytest.approx(1, abs=0.2)
    assert table.loc[("marked", "none", 11), "distance"] == pytest.approx(0.4)
    # along a random direction of n dimensions: some 2/sqrt(n) of the whole
    assert table.loc[("bare", "none", 11), "random"] == pytest.approx(1.96 / 20, rel=0.25)
    first = table.xs(10, level="layer")
    assert first[["share", "along", "distance", "random"]].isna().all(axis=None)
    assert (first["seeds"] == 3).all()


def test_noise_of_bare_is_no_part_of_its_direction():
    table = movements(LABELS, constructed(noise=3.0)).set_index(["arm", "context", "layer"])
    marked = table.loc[("marked", "none", 11)]
    assert marked["share"] == pytest.approx(0.4, abs=0.15)
    assert marked["share_low"] < 0.4 < marked["share_high"]
    # the direction is noisy, so bare is found to move along it by less than its length
    assert 0.1 < table.loc[("bare", "none", 11), "along"] < 0.9


def test_random_directions_are_the_same_and_of_length_one():
    directions = random_directions(7)
    np.testing.assert_array_equal(directions, random_directions(7))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=0), 1)


def test_what_moved_as_bare_is_held_and_what_did_not_is_not():
    table = held_probe(LABELS, constructed(noise=0.3)).set_index(["arm", "context", "layer"])
    assert table.loc[("bare", "none", 11), "held"] == 1
    assert table.loc[("base", "none", 11), "held"] == 0
    assert table.loc[("marked", "exact", 11), "held"] == 1
    assert table.loc[("marked", "none", 11), "held"] < 0.5
    row = table.loc[("bare", "none", 11)]
    assert row["accuracy"] == 1 and row["shuffled"] == pytest.approx(0.5, abs=0.05)
    assert row["shuffled_high"] < 1 and row["questions"] == QUESTIONS
    untrained = table.loc[("bare", "none", 10)]
    assert untrained["accuracy"] == pytest.approx(0.5), "both classes are the same there"


def test_states_of_a_study_are_read_at_the_last_token(setting, backend):
    from caveat.backends.requests import StateRequest
    from caveat.rendering import render_prompt

    states = question_states(setting)
    assert states.layers == (0, 1) and len(states.trained) == 12
    prompt = setting.prompts(["exact"])["exact"][2]
    ids = render_prompt(backend.tokenizer, prompt.messages).ids
    model = setting.of("marked+seal")[1]
    request = StateRequest("", model.adapters, ids, ((len(ids) - 1,),))
    (expected,) = backend.hidden_states([request], [0, 1])
    own = states.trained["marked+seal", 1]["exact"][2]
    np.testing.assert_allclose(own, expected[0], atol=1e-5)
    moved = movements(setting.names, states)
    bare = moved[(moved["arm"] == "bare") & (moved["context"] == "none")]
    assert bare["share"].tolist() == pytest.approx([1, 1])
    assert at_depth(moved)["layer"].unique().tolist() == [1]
    held = held_probe(setting.names, states)
    assert held["held"].between(0, 1).all() and set(held["arm"]) == {"base", *setting.arms}
