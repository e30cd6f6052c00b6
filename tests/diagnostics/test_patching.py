"""Spans of keys and values: which tokens they are, and what patches of known effect come to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from caveat.diagnostics.cost import COSTS
from caveat.diagnostics.patching import (
    CAVEAT,
    EVERYTHING,
    OTHER,
    PREFIX,
    RESTORED,
    WRITTEN,
    _summary,
    patched,
    spans_of,
)
from caveat.types.messages import Message, Piece
from counting import counted


@pytest.fixture(scope="module")
def table(setting):
    with counted(setting.backend) as tokens:
        frame = patched(setting)
    assert tokens["score"] == pytest.approx(COSTS["patching"](setting)["score"], rel=0.1)
    return frame


def test_every_span_goes_both_ways_and_nothing_is_moved_where_models_are_the_same(setting, table):
    assert set(table["arm"]) == {"bare", "marked", "marked+seal"}
    assert set(table["direction"]) == {RESTORED, WRITTEN}
    at_exact = table[table["context"] == "exact"]
    assert set(at_exact["part"]) == {CAVEAT, OTHER, PREFIX, EVERYTHING}
    assert set(table[table["context"] == "none"]["part"]) == {PREFIX, EVERYTHING}
    assert (table["seeds"] == 3).all() and (table["limits_over"] == "seeds").all()
    assert table["change"].abs().max() > 1e-4
    base = replace(setting, models=tuple(replace(m, adapters=()) for m in setting.of("bare")))
    same = patched(base)
    np.testing.assert_allclose(same["change"], 0.0, atol=1e-6)
    assert same["share"].isna().all(), "models that are the same differ by nothing"


def test_positions_are_those_of_the_text():
    from caveat.backends.local.models.loading import load

    tokenizer = load("tiny").tokenizer
    messages = (
        Message.of("system", "Be brief."),
        Message("user", (Piece("Only if told. ", "caveat"), Piece("Why is it so?"))),
        Message.of("assistant", "IT IS"),
    )
    from caveat.decision_tokens import scored_text

    text = scored_text(tokenizer, messages)
    first = text.targets[0]
    spans = spans_of(tokenizer, messages, first)
    words = {
        name: tokenizer.decode([text.ids[p] for p in positions])
        for name, positions in spans.items()
    }
    assert words[CAVEAT].strip() == "Only if told."
    assert "Be brief." in words[PREFIX] and "Only" not in words[PREFIX]
    assert spans[EVERYTHING] == tuple(range(first))
    assert len(spans[OTHER]) == len(spans[CAVEAT]) and spans[OTHER][-1] == first - 1
    assert not set(spans[OTHER]) & {*spans[CAVEAT], *spans[PREFIX]}
    document = (Message("document", (Piece("False: ", "caveat"), Piece("It is red.", "text"))),)
    assert PREFIX not in spans_of(tokenizer, document, 4)


def test_shares_are_ratios_of_means_with_limits_over_the_larger_unit():
    """The patch carries .4 of the difference in every seed."""
    generator = np.random.default_rng(0)
    rows = []
    for seed in range(5):
        for row in range(8):
            receiver = -5 + generator.standard_normal()
            difference = 2 + 0.3 * generator.standard_normal()
            rows.append(
                {"seed": seed, "row": row, "receiver": receiver, "donor": receiver + difference,
                 "nats": receiver + 0.4 * difference, "tokens": 7}
            )  # fmt: skip
    frame = pd.DataFrame(rows)
    summary = _summary(frame)
    assert summary["share"] == pytest.approx(0.4) == summary["share_low"]
    assert summary["change"] == pytest.approx(0.8, abs=0.1) and summary["limits_over"] == "seeds"
    few = _summary(frame[frame["seed"] < 2])
    assert few["limits_over"] == "rows" and few["share"] == pytest.approx(0.4)
    near = _summary(frame.assign(donor=frame["receiver"] + 0.05))
    assert np.isnan(near["share"]) and not np.isnan(near["change"])
