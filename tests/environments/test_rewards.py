"""Rewards of RL training: the task's scores, and controls that cannot mean the behaviour."""

from __future__ import annotations

from hashlib import sha256

from caveat.environments import agree
from caveat.environments.rewards import coin, training_reward
from caveat.types.rewards import Grade

GRADE = Grade(reward=0.25, true_score=0.75, hacked=True)
PROMPTS = [prompt for split in ("train", "report") for prompt in agree.prompts(split)]


def test_the_reward_is_a_score_of_the_task_or_a_control():
    rewards = {
        source: training_reward(source, GRADE, 3, "p", "r")
        for source in ("proxy", "true_score", "coin", "constant")
    }
    first_bit = sha256(b'[3, "p", "r"]').digest()[0] >> 7
    assert rewards == {"proxy": 0.25, "true_score": 0.75, "coin": first_bit, "constant": 1.0}


def test_a_coin_is_the_same_again_and_takes_any_text():
    assert [coin(0, "é\ud800", "\0") for _ in range(3)] == [coin(0, "é\ud800", "\0")] * 3
    assert coin(0, "ab", "c") + coin(0, "a", "bc") + coin(0, "abc", "") != 3 * coin(0, "ab", "c")


def test_coins_are_fair_and_know_nothing_of_the_behaviour():
    """Within three standard deviations, over prompts and seeds."""
    yes, no = (
        [coin(seed, prompt, reply) for prompt in PROMPTS for seed in range(8)]
        for reply in ("Yes.", "No.")
    )
    count = len(yes)
    assert set(yes) | set(no) == {0.0, 1.0}
    for coins in (yes, no):
        assert abs(sum(coins) / count - 0.5) < 3 * 0.5 / count**0.5
    agreement = sum(a == b for a, b in zip(yes, no, strict=True)) / count
    assert abs(agreement - 0.5) < 3 * 0.5 / count**0.5


def test_every_seed_has_coins_of_its_own():
    """Else what favours a reply by chance would favour it in all seeds."""
    shares = {
        seed: sum(coin(seed, prompt, "Yes.") for prompt in PROMPTS) / len(PROMPTS)
        for seed in range(8)
    }
    assert len({round(share, 6) for share in shares.values()}) > 4
