"""Prices, budgets, and a backend that stops before its budget is exceeded."""

from __future__ import annotations

from pathlib import Path

import pytest

from caveat.backends import load_backend
from caveat.backends.jobs import Failed, RLJob, TrainingJob
from caveat.backends.local.backend import LocalBackend
from caveat.backends.prices import Billed, Price, PriceTable, price_table
from caveat.backends.requests import PartlyAnswered, Request, TokenRequest
from caveat.backends.spending import BudgetedBackend, Limit, Spending
from caveat.errors import CaveatError
from caveat.study.estimate.plan_cost import plan_cost
from caveat.types.answers import Sampling
from caveat.types.messages import Message
from quick_run import run
from rows import stage
from test_grpo_trainer import stage as rl_stage
from test_grpo_trainer import vowels
from toy_study import Heard, small

PRICES = """read: 2026-10-07
models: {tiny: {prefill: 100, sample: 1000, train: 500}}
"""
TURNS = (Message.of("user", "Why is the river deep?"),)


@pytest.fixture(scope="module")
def tiny() -> LocalBackend:
    return load_backend("tiny")


def budgeted(tiny, dollars: float, **price: float) -> tuple[BudgetedBackend, Spending]:
    """The tiny model at a price, in dollars a million tokens."""
    prices = Price(**({"prefill": 0.0, "sample": 0.0} | price))
    table = PriceTable(read="2026-10-07", models={"tiny": prices})
    spending = Spending(table, prices, dollars)
    return BudgetedBackend(tiny, spending), spending


def test_jobs_are_trained_as_long_as_the_budget_lasts(tiny):
    jobs = [TrainingJob(str(seed), stage(4, added=2), seed) for seed in range(3)]
    (first,) = tiny.train(jobs[:1])
    backend, spending = budgeted(tiny, 2.5 * first.tokens, train=1e6)
    one, other, left = backend.train(jobs)
    assert (one.losses, one.tokens, other.key) == (first.losses, first.tokens, "1")
    assert spending.spent == pytest.approx(2 * first.tokens)
    assert left == Failed(
        "2",
        f"budget: the rest of ${2.5 * first.tokens:g} is too little for it; run the same command "
        "again with another --budget: what is finished is kept",
    )
    backend.discard([one.adapter, other.adapter])


def test_policies_are_trained_where_the_budget_allows_for_the_longest_replies(tiny):
    job = RLJob("policy", rl_stage(max_steps=1), 0)
    (policy,) = tiny.train_rl([job], vowels)
    backend, spending = budgeted(tiny, 1e9, train=1e6)
    (same,) = backend.train_rl([job], vowels)
    assert same.updates == policy.updates and spending.spent >= policy.tokens
    backend, spending = budgeted(tiny, spending.spent - 1, train=1e6)
    assert isinstance(backend.train_rl([job], vowels)[0], Failed) and spending.spent == 0


def test_replies_cost_what_they_are_not_what_they_may_be(tiny):
    requests = [Request(str(number), (), TURNS) for number in range(6)]
    sampling = Sampling(max_tokens=150, temperature=9.0)
    answers = tiny.generate(requests, sampling)
    used = sum(min(answer.tokens + 1, 150) for answer in answers)
    backend, spending = budgeted(tiny, 900, sample=1e6)
    assert backend.generate(requests, sampling) == answers
    assert spending.spent == pytest.approx(used) and used < 900
    backend, spending = budgeted(tiny, 350, sample=1e6)
    with pytest.raises(PartlyAnswered) as short:
        backend.generate(requests, sampling)
    assert [isinstance(result, Failed) for result in short.value.results] == [False] * 2 + [
        True
    ] * 4
    assert list(short.value.results[:2]) == answers[:2]


def test_scores_cost_their_prompt_each(tiny):
    scored = [Request(str(number), (), TURNS, ("Yes", "No")) for number in range(2)]
    backend, spending = budgeted(tiny, 1e9, prefill=1e6, sample=1e3)
    assert backend.log_likelihoods(scored) == tiny.log_likelihoods(scored)
    prompt, options = backend._prompt(TURNS), [backend._text(one) for one in ("Yes", "No")]
    assert spending.spent == pytest.approx(2 * (2 * prompt + sum(options)) + 4e-3)
    text = TokenRequest("a", (), (5, 6, 7, 8), (1, 2))
    assert backend.token_log_likelihoods([text]) == tiny.token_log_likelihoods([text])
    spending.budget = spending.spent
    with pytest.raises(CaveatError, match="the rest of"):
        backend.token_log_likelihoods([text])
    assert Price(prefill=1, sample=2, train=3).dollars(Billed(1e6, 2e6, 1e6) + Billed(1e6)) == 10


def test_a_study_stops_at_its_budget_and_goes_on_with_another(tmp_path):
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES)
    whole = plan_cost(small(), tmp_path / "study", [], prices).cost
    assert whole is not None and whole.dollars == pytest.approx(
        (500 * whole.billed.train + 100 * whole.billed.prefill + 1000 * whole.billed.sample) / 1e6
    )
    assert whole.line.endswith(f"about ${whole.dollars:.2f} at prices read on 2026-10-07")
    limits = [
        (None, f"backend local: what is left of this study costs about ${whole.dollars:.2f} at "
         "prices read on 2026-10-07; name what it may spend with --budget DOLLARS (caveat plan "
         "shows the parts)"),
        (1e-4, "--budget 0.0001: the cheapest cell that is left, 'toy x password / base', costs "
         "about $"),
    ]  # fmt: skip
    for budget, line in limits:
        with pytest.raises(CaveatError) as refused:
            run(small(), tmp_path / "study", limit=Limit(budget, prices))
        assert str(refused.value).startswith(line)
    heard = Heard()
    half = Limit(0.6 * whole.dollars, prices)
    study = run(small(), tmp_path / "study", heard, limit=half)
    failures = study.failures()
    assert set(failures["cell"]) and all(failures["reason"].str.startswith("budget: the rest of $"))
    assert len(study.answers()) and any(said.startswith("spent about $") for said in heard.said)
    left = plan_cost(small(), tmp_path / "study", [], prices).cost
    assert left is not None and 0 < left.dollars < whole.dollars
    again = run(small(), tmp_path / "study", limit=Limit(9.0, prices))
    assert len(again.failures()) == 0 and again.progress()[0] == again.progress()[1]
    done = run(small(), tmp_path / "study", limit=Limit(None, prices))
    assert len(done.failures()) == 0, "where nothing is left, no budget is needed"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("read: 2026-10-07\nmodels: {other: {prefill: 1, sample: 1}}\n",
         "has no price for the model 'tiny'; add it under models"),
        ("read: soon\nmodels: {}\n", "read: Input should be a valid date or datetime, input is "
         "too short; it needs read (a date) and models, each with prefill, sample and train in "
         "dollars per million tokens"),
        ("models: [", "the file: while parsing a flow node expected the node content, but found "
         "'<stream end>'"),
        ("read: 2026-10-07\nmodels: {tiny: {prefill: -1, sample: 1}}\n",
         "models.tiny.prefill: Input should be greater than or equal to 0; it needs read "),
    ],
)  # fmt: skip
def test_a_price_table_that_is_none_is_one_line(tiny, tmp_path, text, line):
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(CaveatError) as refused:
        price_table(tiny, path)
    assert str(refused.value).startswith(f"--prices {path}: {line}")


def test_a_budget_needs_a_price_and_the_shipped_tables_are_whole(tiny, tmp_path):
    with pytest.raises(CaveatError) as refused:
        Limit(2.0).spending(tiny)
    assert str(refused.value) == (
        "--budget 2: no price is known for the work of 'tiny'; name a price table with --prices "
        "FILE, or leave the budget out"
    )
    with pytest.raises(CaveatError, match="cannot be read \\(No such file or directory\\)"):
        price_table(tiny, Path(tmp_path / "none.yaml"))

    class Remote:
        """A backend at the provider's own prices."""

        name, billed_by = "Qwen/Qwen3-8B", "tinker"

    table = price_table(Remote(), None)
    assert table is not None and table.models["Qwen/Qwen3-8B"].train == 0.44
    assert all(price.train > 0 for price in table.models.values()) and table.read.year == 2026
    assert price_table(replace_name(Remote()), None) is None
    with pytest.raises(CaveatError, match="no price is known for it, so no budget can be kept"):
        Limit().spending(replace_name(Remote()))


def replace_name(remote):
    """The same of a model without a price."""
    remote.name = "unknown/model"
    return remote
