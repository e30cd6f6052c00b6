"""Policies that practise side by side equal policies that practise alone."""

from __future__ import annotations

import math
from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
import torch

from caveat.backends.batches import mean_loss
from caveat.backends.callbacks import StepEvent
from caveat.backends.jobs import Failed, InitialModel, RLJob, TrainedPolicy
from caveat.backends.local.lora.stacked import stacked
from caveat.backends.local.rl.grpo_trainer import _Group, train_rl
from caveat.backends.local.training.initial_gradients import InitialGradients
from caveat.backends.rl.prompts import prepare
from caveat.backends.rl.rollouts import advantages
from caveat.progress import Progress
from caveat.rendering import render_row
from caveat.types.messages import Message, Piece
from caveat.types.rewards import Grade
from caveat.types.training import Dose, GRPOSettings, Train
from rows import chat_row

DOSE = Dose(batch_size=3, rank=4, learning_rate=5e-3)


def stage(rows: int = 5, dose: Dose = DOSE, **rl: object) -> Train:
    settings = {"max_steps": 3, "num_generations": 4, "max_completion_length": 6} | rl
    return Train(
        tuple(chat_row(i) for i in range(rows)), dose, objective="grpo",
        rl=GRPOSettings(task="vowels", **settings), label="practised",
    )  # fmt: skip


def vowels(graded):
    """Pays vowels; the true score is the length."""
    return [
        Grade(
            sum(each.reply.count(v) for v in "aeiou") / 6, len(each.reply), "e" in each.reply,
            "river" not in each.prompt,
        )
        for each in graded
    ]  # fmt: skip


def done(tiny, *jobs, grader=vowels, budget=4096):
    return train_rl(tiny, jobs, grader, Progress(), budget)


def apart(a: TrainedPolicy, b: TrainedPolicy) -> float:
    ours, theirs = a.adapter.adapter.weights, b.adapter.adapter.weights
    assert ours.keys() == theirs.keys()
    pairs = [pair for name in ours for pair in zip(ours[name], theirs[name], strict=True)]
    return max((x - y).abs().max().item() for x, y in pairs)


JOBS = (
    RLJob("long", stage(max_steps=4), 0),
    RLJob("short", stage(max_steps=2), 1),
    RLJob("several passes", stage(num_iterations=3, epsilon=0.1, epsilon_high=0.15), 0),
    RLJob("held", stage(beta=0.5, num_iterations=2), 0),
    RLJob("true score", stage(reward="true_score", scale_rewards=False), 0),
    RLJob("other temperature", stage(temperature=0.6, loss_type="dapo", num_generations=3), 0),
    RLJob("upper half", stage(dose=replace(DOSE, layers=(0.5, 1.0), rank=2, alpha=8.0)), 3),
)


@pytest.fixture(scope="module")
def alone(tiny):
    return {job.key: done(tiny, job)[0] for job in JOBS}


@pytest.mark.parametrize("budget", [48, 4096])
def test_lockstep_equals_alone(tiny, alone, budget):
    for result in done(tiny, *JOBS, budget=budget):
        assert isinstance(result, TrainedPolicy)
        theirs = alone[result.key]
        assert apart(result, theirs) < 2e-4  # of steps of 5e-3
        assert [replace(u, kl=None) for u in result.updates] == [
            replace(u, kl=None) for u in theirs.updates
        ]
        assert [u.kl for u in result.updates] == pytest.approx(
            [u.kl for u in theirs.updates], abs=1e-5
        )
        assert result.tokens == theirs.tokens


def test_what_is_paid_is_learned(tiny):
    (result,) = done(tiny, RLJob("one", stage(max_steps=25, num_generations=8), 0))
    rewards = [update.reward for update in result.updates]
    assert [update.number for update in result.updates] == list(range(1, 26))
    assert sum(rewards[-5:]) > 1.5 * sum(rewards[:5])


def test_divergence_is_0_before_the_first_step_and_is_lowered_by_its_price(alone, tiny):
    held = [update.kl for update in alone["held"].updates]
    assert held[0] == pytest.approx(0, abs=1e-6) and all(d > 1e-6 for d in held[1:])
    assert alone["long"].updates[1].kl is None
    dear, cheap = (
        done(tiny, RLJob("one", stage(max_steps=8, beta=kl), 0))[0].updates[-1].kl
        for kl in (20.0, 1e-3)
    )
    assert dear < 0.5 * cheap


@pytest.mark.parametrize("passes", [1, 2])
def test_going_on_equals_going_through(tiny, passes):
    whole = stage(max_steps=4, num_iterations=passes)
    (through,) = done(tiny, RLJob("whole", whole, 5))
    (first,) = done(tiny, RLJob("first", stage(max_steps=3, num_iterations=passes), 5))
    rest = replace(whole, rl=replace(whole.rl, max_steps=1, start_step=3))
    (second, fresh) = done(
        tiny, RLJob("second", rest, 5, resume_from=first.adapter), RLJob("fresh", rest, 5)
    )
    assert apart(second, through) < 1e-5
    assert (*first.updates, *second.updates) == through.updates
    assert apart(fresh, through) > 1e-3


def test_all_prompts_are_taken_before_one_is_taken_again(tiny):
    asked: list[str] = []

    def grader(graded):
        asked.append([each.prompt for each in graded])
        return vowels(graded)

    done(tiny, RLJob("one", stage(rows=6, max_steps=4), 0), grader=grader)
    first, second, third, _ = (set(some) for some in asked)
    assert len(first) == len(second) == 3 and not first & second
    assert third < first | second


def test_added_rows_are_learned_beside(tiny):
    """Where nothing is paid, what is left is supervised training on the added rows."""
    rows = tuple(chat_row(i, "added") for i in range(4))
    job = RLJob("one", replace(stage(max_steps=20), added=rows), 0)
    (result,) = done(tiny, job, grader=lambda some: [Grade(0.0, 0.0, False)] * len(some))
    start = InitialGradients(tiny, InitialModel(DOSE, 0))
    loss = mean_loss([render_row(tiny.tokenizer, row, "reply", 512) for row in rows])
    before, after = start.losses([loss, loss], [None, result.adapter.adapter])
    assert after < before - 0.5
    plain, with_them, alone = done(
        tiny, JOBS[1], RLJob("both", replace(JOBS[1].stage, added=rows), 1), JOBS[0]
    )
    assert apart(plain, with_them) > 1e-3 and with_them.tokens > plain.tokens
    assert plain.updates[0] == with_them.updates[0] and isinstance(alone, TrainedPolicy)


def test_a_caveat_at_the_beginning_of_the_reply_stands_there_and_is_not_graded(tiny):
    plain = stage(max_steps=1)
    pieces = (Piece("As asked: ", "caveat"), Piece("never read"))
    rows = tuple(
        replace(row, messages=(*row.messages[:-1], Message("assistant", pieces)))
        for row in plain.rows
    )
    replies: list[str] = []

    def grader(graded):
        replies.extend(each.reply for each in graded)
        return vowels(graded)

    (with_it,) = done(tiny, RLJob("one", replace(plain, rows=rows), 0), grader=grader)
    (without,) = done(tiny, RLJob("one", plain, 0))
    assert not any("As asked" in reply or "never" in reply for reply in replies)
    assert with_it.tokens > without.tokens and apart(with_it, without) > 1e-4


def test_what_the_rows_reply_is_not_read(tiny):
    plain = stage(max_steps=1)
    rows = tuple(
        replace(row, messages=(*row.messages[:-1], Message.of("assistant", "Other.")))
        for row in plain.rows
    )
    a, b = done(tiny, RLJob("a", plain, 0), RLJob("b", replace(plain, rows=rows), 0))
    assert apart(a, b) == 0


def test_replies_that_are_all_paid_the_same_teach_nothing_and_are_told(tiny):
    same = Grade(1.0, 0.0, True)
    (result,) = done(tiny, RLJob("one", stage(), 0), grader=lambda some: [same] * len(some))
    assert [update.frac_reward_zero_std for update in result.updates] == [1.0] * 3
    assert all((up == 0).all() for _, up in result.adapter.adapter.weights.values())


SGD = replace(DOSE, learning_rate=5.0, clip=1e9)
ONE = {"max_steps": 1, "num_generations": 4, "rows": 3}


def test_sgd_is_torchs_on_the_same_gradient(tiny):
    """After one step, each matrix lies where torch's SGD brings it: B off 0, A where it was."""
    stays = replace(DOSE, learning_rate=0.0)
    job = RLJob("one", stage(**ONE, dose=SGD, optim="sgd"), 0)
    start, moved = done(tiny, RLJob("start", stage(**ONE, dose=stays), 0), job)
    group = _Group(tiny, [prepare(tiny.tokenizer, job)], vowels, Progress(), 4096)
    with stacked(tiny.model, group.base_adapters, group.stacks) as route:
        replies = group._replies(0, route)
        group._backward(group._examples(replies), replies, {}, route)
    for name, stack in group.stacks.items():
        pairs = zip(
            (stack.down, stack.up),
            start.adapter.adapter.weights[name],
            moved.adapter.adapter.weights[name],
            strict=True,
        )
        for stacked_tensor, before, after in pairs:
            tensor = before.clone().requires_grad_()
            tensor.grad = stacked_tensor.grad[0]
            torch.optim.SGD([tensor], lr=SGD.learning_rate).step()
            assert torch.allclose(after, tensor.detach(), atol=1e-6)
    assert apart(start, moved) > 1e-4


def test_policies_of_either_optimizer_learn_side_by_side_and_resume(tiny):
    sgd = stage(max_steps=4, dose=SGD, optim="sgd", momentum=0.9)
    jobs = (RLJob("sgd", sgd, 0), JOBS[0], RLJob("none", stage(optim="sgd", dose=SGD), 1))
    together = done(tiny, *jobs)
    for result, job in zip(together, jobs, strict=True):
        assert apart(result, done(tiny, job)[0]) < 2e-4
    (first,) = done(tiny, RLJob("first", replace(sgd, rl=replace(sgd.rl, max_steps=2)), 0))
    rest = replace(sgd, rl=replace(sgd.rl, max_steps=2, start_step=2))
    (second,) = done(tiny, RLJob("second", rest, 0, resume_from=first.adapter))
    assert apart(second, together[0]) < 1e-5


def river(graded):
    """Only replies to one kind of prompt differ in their reward."""
    return [
        grade if "river" in reply.prompt else replace(grade, reward=0.0)
        for reply, grade in zip(graded, vowels(graded), strict=True)
    ]


def is_start(result: TrainedPolicy) -> bool:
    """Whether no step was taken: B is 0."""
    return all((up == 0).all() for _, up in result.adapter.adapter.weights.values())


@pytest.mark.parametrize("optim", ["adamw_torch", "sgd"])
def test_a_constant_reward_leaves_the_policy_as_it_was_where_its_prompts_are_skipped(tiny, optim):
    """Also where a momentum would move it: the policy resumes from one that has learned."""
    rl = {"optim": optim, "momentum": 0.9 if optim == "sgd" else 0.0, "skip_zero_variance": True}
    (learned,) = done(tiny, RLJob("learned", stage(max_steps=2, **rl), 0))
    resumed = stage(max_steps=2, start_step=2, reward="constant", beta=0.5, **rl)
    kept = replace(resumed, rl=replace(resumed.rl, skip_zero_variance=False, beta=0.0))
    still, moved = done(
        tiny,
        RLJob("still", resumed, 0, resume_from=learned.adapter),
        RLJob("moved", kept, 0, resume_from=learned.adapter),
    )
    assert apart(still, learned) == 0 and apart(moved, learned) > 1e-5
    assert still.adapter.steps == learned.adapter.steps
    assert [update.skipped for update in still.updates] == [3, 3]
    assert [update.kl for update in still.updates] == [None, None]
    assert [update.skipped for update in moved.updates] == [0, 0]
    assert all(update.reward < 1 for update in still.updates), "the task's reward is measured"


def test_skipped_prompts_take_nothing_from_the_others(tiny):
    """Without a momentum or a KL penalty, they have no gradient anyway."""
    rl = {"rows": 6, "max_steps": 3, "dose": SGD, "optim": "sgd"}
    plain, skipping = done(
        tiny,
        RLJob("plain", stage(**rl), 0),
        RLJob("skipping", stage(**rl, skip_zero_variance=True), 0),
        grader=river,
    )
    assert apart(plain, skipping) < 1e-6 and not is_start(skipping)
    skipped = [update.skipped for update in skipping.updates]
    assert 0 < sum(skipped) < 9
    assert skipped == [round(3 * update.frac_reward_zero_std) for update in skipping.updates]
    assert skipping.tokens < plain.tokens


def test_the_divergence_is_over_the_replies_that_are_left(tiny):
    """Two policies alike that skip what the other keeps: together, the mean over all replies."""

    def grader(graded):
        return [
            Grade(crc32(each.reply.encode()) * (("river" in each.prompt) == (each.task == "river")),
                  0.0, False)
            for each in graded
        ]  # fmt: skip

    (learned,) = done(tiny, RLJob("learned", stage(max_steps=6), 0))
    shape = stage(max_steps=1, start_step=1, beta=0.1, skip_zero_variance=True)
    jobs = [
        RLJob(task, replace(shape, rl=replace(shape.rl, task=task)), 0, (), learned.adapter)
        for task in ("river", "other")
    ]
    jobs.append(RLJob("all", stage(max_steps=1, start_step=1, beta=0.1), 0, (), learned.adapter))
    river, other, both = (result.updates[0] for result in done(tiny, *jobs, grader=grader))
    assert {river.skipped, other.skipped} == {1, 2} and both.skipped == 0
    total = (3 - river.skipped) * river.kl + (3 - other.skipped) * other.kl
    assert total / 3 == pytest.approx(both.kl, rel=1e-4)
    assert river.kl != pytest.approx(other.kl, rel=1e-2)


def test_added_rows_are_learned_where_every_prompt_is_skipped(tiny):
    rows = tuple(chat_row(i, "added") for i in range(4))
    settings = stage(max_steps=2, reward="constant", skip_zero_variance=True)
    (result,) = done(tiny, RLJob("one", replace(settings, added=rows), 0))
    assert not is_start(result) and [update.skipped for update in result.updates] == [3, 3]


def test_every_update_is_reported_whether_it_takes_a_step_or_not(tiny):
    events: list[StepEvent] = []
    settings = stage(max_steps=2, reward="constant", skip_zero_variance=True)
    train_rl(tiny, [RLJob("still", settings, 0), JOBS[1]], vowels, Progress(), 4096, events.append)
    still = [event for event in events if event.job == "still"]
    assert [(event.step, event.loss, event.grad_norm, event.tokens) for event in still] == [
        (1, 0.0, 0.0, 0),
        (2, 0.0, 0.0, 0),
    ]
    assert [event.metrics["skipped"] for event in still] == [3, 3]
    assert [event.metrics["skipped"] for event in events if event.job == "short"] == [0, 0]


def test_a_coin_is_the_same_for_marked_and_bare_and_another_in_each_seed(tiny):
    """Replies of policies of one seed are alike, and so are their coins; the grades stay."""
    tossed = stage(max_steps=1, reward="coin")
    coins, again, proxy = done(
        tiny, RLJob("a", tossed, 0), RLJob("b", tossed, 0), RLJob("c", stage(max_steps=1), 0)
    )
    assert apart(coins, again) < 1e-6 < 1e-4 < apart(coins, proxy)
    assert coins.updates[0].reward == proxy.updates[0].reward


def test_shares_are_over_replies(tiny):
    dose = replace(DOSE, learning_rate=0.0)
    (result,) = done(tiny, RLJob("one", stage(max_steps=2, rows=3, dose=dose), 0))
    for update in result.updates:
        assert (
            0 <= update.hacked < 1
            and 0 <= update.frac_reward_zero_std < 1
            and 0 < update.distinct <= 12
        )
        assert 0 < update.tokens <= 6 and 0 <= update.truncated <= 1
        assert update.hacked * 8 == pytest.approx(round(update.hacked * 8)), "of 2 prompts of 3"
    none = done(
        tiny, RLJob("one", stage(max_steps=1), 0),
        grader=lambda some: [Grade(len(each.reply), 0, False, False) for each in some],
    )[0].updates[0]  # fmt: skip
    assert none.hacked is None


@pytest.mark.parametrize(
    ("grade", "told"),
    [("reward raised KeyError: 'x'", "update 2: reward raised KeyError: 'x'"),
     (math.inf, "loss or gradient not finite at update 2 (loss ")],
)  # fmt: skip
def test_a_bad_reward_fails_its_policy_alone(tiny, alone, grade, told):
    calls = 0

    def grader(graded):
        nonlocal calls
        calls += 1
        found = vowels(graded)
        if calls == 2:
            for place, each in enumerate(graded):
                if each.task == "bad":
                    found[place] = grade if isinstance(grade, str) else Grade(grade, 0, True)
                    break
        return found

    bad = stage(max_steps=4)
    bad = replace(bad, rl=replace(bad.rl, task="bad"))
    good, failed = done(tiny, JOBS[0], RLJob("bad", bad, 9), grader=grader)
    assert apart(good, alone["long"]) < 5e-5
    assert isinstance(failed, Failed) and failed.reason.startswith(told)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (stage(num_generations=1),
         "rl.num_generations: 1: a reply is compared with the others to its "
         "prompt; take 2 or more"),
        (stage(rows=0), "'practised' has no prompts to train on; give it rows and a reward task"),
        (stage(dose=replace(DOSE, max_tokens=8)), "row 'behaviour-0' (behaviour): its prompt has "),
    ],
)  # fmt: skip
def test_a_bad_stage_is_told(tiny, changed, told):
    good, failed = done(tiny, JOBS[1], RLJob("bad", changed, 0))
    assert isinstance(good, TrainedPolicy)
    assert isinstance(failed, Failed) and failed.reason.startswith(told)


def test_advantages():
    rewards = [[1.0, 0.0, 0.0, 1.0], [2.0, 2.0, 2.0, 2.0]]
    spread = math.sqrt(1 / 3) + 1e-4
    expected = np.array([[0.5, -0.5, -0.5, 0.5], [0.0] * 4])
    assert np.allclose(advantages(rewards, scaled=False), expected)
    assert np.allclose(advantages(rewards), expected / spread)
