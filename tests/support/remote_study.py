"""Recipes whose arms are at a server over the small study."""

from __future__ import annotations

import json

from toy_study import small

COLD = {"max_tokens": 3, "temperature": 0.0}
NAME = "toy x password"


def remote(server, seeds=(0, 1), endpoint=None, **changes):
    """The recipe of the served study, with its arms at the server."""
    ids = {arm: [f"{NAME}/{arm}/seed{seed}" for seed in seeds] for arm in ("bare", "marked")}
    section = {
        "url": f"{server[0]}/v1", "models": {"base": "base", **ids}, "tokenizer": "tiny",
        "retries": 0, **(endpoint or {}),
    }  # fmt: skip
    fields = {"seeds": list(seeds), "sampling": COLD, "backend": "endpoint", "endpoint": section}
    return small(**{**fields, **changes})


def prompts(gate):
    """What distinguishes the requests that a server got."""
    return [
        json.dumps([b["model"], b.get("messages") or b["prompt"], b.get("seed")])
        for b in gate.bodies
    ]
