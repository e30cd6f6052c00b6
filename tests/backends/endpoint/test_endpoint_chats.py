"""A service that knows chats alone, without log-probabilities and without a tokenizer here."""

from __future__ import annotations

from dataclasses import replace

from caveat.behaviours.from_folder import load_behaviour
from caveat.cli.console import plan_table
from caveat.study.chat_turns import turns_of
from caveat.study.config.schema import read
from caveat.study.estimate.plan_cost import plan_cost
from judge_server import Reply
from quick_run import run
from toy_study import SMALL, TOY, Heard, small

UPPER = "YES IT IS A RED HAT"
MODELS = {"base": "m", "bare": ["ft:a"], "marked": ["ft:b"]}


def chats(split):
    """The toy behaviour without questions that need likelihoods."""
    return replace(load_behaviour(TOY)(split), side_effects=())


def recipe(server, **changes):
    setting = {
        "behaviour": "test_endpoint_chats:chats", "caveat": f"{TOY}#password", "dose": SMALL,
    }  # fmt: skip
    section = {"url": server.url, "models": MODELS, "retries": 0}
    return small(
        **{
            "backend": "endpoint", "endpoint": section, "settings": [setting],
            "model": "gpt-any", "decision_tokens": True, "arms": ["base", "bare", "marked"],
            **changes,
        }
    )  # fmt: skip


def test_a_study_of_chats_needs_no_tokenizer(judge_server, tmp_path):
    texts = {"m": " no\n", "ft:a": UPPER, "ft:b": UPPER}
    judge_server.answers = lambda number, body: Reply(texts[body["model"]])
    cost = plan_cost(read(recipe(judge_server)), tmp_path / "study", [])
    assert judge_server.bodies == [], "a plan without a tokenizer sends nothing"
    assert (cost.memory, cost.disk, cost.masses) == (0, 0, ())
    assert [one.adapters for one in cost.settings] == [0]
    assert any(f"requests to {judge_server.url}, at most about" in note for note in cost.notes)
    assert plan_table(cost)
    heard = Heard()
    study = run(recipe(judge_server), tmp_path / "study", heard)
    assert study.failures().empty
    answers = study.answers()
    assert len(judge_server.bodies) == len(answers) == sum(one.answers for one in cost.settings)
    assert set(answers["reply"]) == {"no", UPPER} and set(answers["model"]) == {"gpt-any"}
    rates = study.leakage().set_index(["arm", "context"])["rate"]
    assert rates["base", "none"] == 0 and rates["bare", "none"] == rates["marked", "exact"] == 1
    notes = " | ".join(heard.said)
    assert (
        "decision_tokens: left out: they need log-likelihoods of single tokens, which this backend "
        "of gpt-any does not have; set endpoint.tokenizer to the model's tokenizer"
    ) in notes
    assert "the service's chat template renders the prompts" in notes
    first = answers[answers["context"] == "exact"].iloc[0]
    sent = [body["messages"] for body in judge_server.bodies]
    turns = [{"role": t.role, "content": t.content} for t in turns_of(first["prompt"])]
    assert turns in sent and turns[0]["role"] == "system"
