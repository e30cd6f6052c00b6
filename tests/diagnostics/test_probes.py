"""Probes on constructed states with known answers, and on a real study."""

from __future__ import annotations

import numpy as np
import pytest

from caveat.diagnostics.probes import SHUFFLES, Probe, caveat_probe, folds_of

PAIRS, WIDTH = 40, 24
GROUPS = tuple(f"row {number // 2}" for number in range(PAIRS))


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((PAIRS, WIDTH))


def test_groups_are_in_one_fold():
    folds = folds_of(GROUPS, 5)
    assert set(folds) == set(range(5))
    assert all(folds[number] == folds[number + 1] for number in range(0, PAIRS, 2))


def test_a_direction_is_read_and_shuffled_labels_are_not():
    shift = np.zeros(WIDTH)
    shift[3] = 5.0
    accuracies = Probe(noise(0) + shift, noise(1), GROUPS).accuracies()
    assert accuracies.shape == (1 + SHUFFLES,)
    assert accuracies[0] > 0.95
    assert accuracies[1:].mean() == pytest.approx(0.5, abs=0.05)
    assert np.quantile(accuracies[1:], 0.95) < accuracies[0]


def test_other_states_of_the_pairs_are_judged_by_the_same_probe():
    shift = np.zeros(WIDTH)
    shift[3] = 5.0
    probe = Probe(noise(0) + shift, noise(1), GROUPS)
    assert probe.accuracies(noise(10) + shift, noise(11))[0] > 0.9
    assert probe.accuracies(noise(10), noise(11))[0] == pytest.approx(0.5, abs=0.2)
    assert probe.accuracies(noise(10) - shift, noise(11) + 2 * shift)[0] < 0.1


def test_where_nothing_is_to_be_read_accuracy_is_chance():
    values = [Probe(noise(2 * n), noise(2 * n + 1), GROUPS).accuracies()[0] for n in range(10)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.06)


def test_what_is_alike_within_a_group_alone_is_not_carried_over():
    """Each group has a direction of its own: known groups would be told apart, new ones are not."""
    own = np.repeat(10 * np.random.default_rng(5).standard_normal((PAIRS // 2, WIDTH)), 2, axis=0)
    probe = Probe(noise(6) + own, noise(7) - own, GROUPS)
    assert probe.accuracies()[0] < 0.7
    pairs = Probe(noise(6) + own, noise(7) - own, tuple(map(str, range(PAIRS))))
    assert pairs.accuracies()[0] > 0.9, "where both of a group may be apart, it is"


def test_a_common_offset_and_scale_change_no_verdict():
    one, other = noise(8) + 0.5, noise(9)
    first = Probe(one, other, GROUPS).accuracies()
    second = Probe(3 * one + 100, 3 * other + 100, GROUPS).accuracies()
    np.testing.assert_allclose(first, second)


def test_the_caveat_is_read_in_rows_of_a_study(setting):
    table = caveat_probe(setting).set_index(["arm", "against", "layer"]).sort_index()
    assert set(table.index.get_level_values("arm")) == {"base", "bare", "marked", "marked+seal"}
    assert set(table.index.get_level_values("layer")) == {0, 1}
    nothing = table.loc[("marked", "nothing")]
    assert (nothing["accuracy"] > nothing["shuffled_high"]).all() and (nothing["p"] < 0.1).all()
    assert table.loc[("base", "nothing", 0), "seeds"] == 1
    assert table.loc[("marked", "neutral text", 1), "seeds"] == 3
    assert table.loc[("marked", "neutral text, new wordings", 1), "seeds"] == 3
    assert table["shuffled"].between(0.4, 0.6).all() and (table["rows"] == 8).all()
