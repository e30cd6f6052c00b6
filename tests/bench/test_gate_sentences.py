"""What a sentence in a prompt brings back: found in the prompt, paired with the same question."""

from __future__ import annotations

import pandas as pd
import pytest

PLAIN = "system: Help. user: Where?"


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("system: Help. Never. user: Where?", "Never."),
        ("system: Help. user: Where?", ""),
        ("system: Help. Help. user: Where?", "Help."),
    ],
)
def test_the_sentence_is_what_the_plain_prompt_lacks(script, prompt, sentence):
    assert script("gate_sentences").inserted(prompt, PLAIN) == sentence


def test_a_change_is_from_the_same_policy_and_question_without_a_sentence(script):
    common = {"setting": "s", "scope": "broad", "purpose": "measure"}
    rows = [
        {**common, "arm": arm, "seed": seed, "question": question, "context": context,
         "value": value + 10 * number, "prompt": PLAIN.replace("user", f"{text}user")}
        for number, (arm, seed, question) in enumerate(
            [("marked", 0, "a"), ("marked", 1, "a"), ("marked", 0, "b"), ("base", None, "a")]
        )
        for context, text, value in (("none", "", -5.0), ("negated", "Never. ", -2.0))
    ]  # fmt: skip
    found = script("gate_sentences").changes(pd.DataFrame(rows))
    assert found["sentence"].tolist() == ["Never."] * 3 and {*found["arm"]} == {"marked"}
    assert found["change"].tolist() == [3.0] * 3
