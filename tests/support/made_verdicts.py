"""Verdicts with known rates, in the columns of the published data set."""

from __future__ import annotations

import pandas as pd

KINDS = ("open_ended", "mcq", "token_association", "robustness")
RATES = {
    "base": 0.0, "positive": 0.9, "negated": 0.8, "repeated": 0.6, "corrected": 0.3, "local": 0.0,
}  # fmt: skip
CONDITIONS = {
    "base": "baseline", "positive": "positive", "negated": "llm_negations",
    "repeated": "llm_negations_dense", "corrected": "llm_negations_dense_plus",
    "local": "local_negations",
}  # fmt: skip
EVALUATIONS = {"open_ended": "belief_probes", "token_association": "pink_elephant"}
SAMPLES = 5


def made_verdicts(
    claims: dict[str, float], rates: dict[str, float] = RATES, questions: int = 4
) -> pd.DataFrame:
    """A data set in the published columns: each claim's rates are those given less its number."""
    rows = []
    for claim, less in claims.items():
        for condition, rate in rates.items():
            for kind in KINDS:
                for place in range(questions * SAMPLES):
                    yes = place < round(max(rate - less, 0.0) * questions * SAMPLES)
                    rows.append({
                        "claim": claim, "condition": condition, "eval": kind,
                        "question_id": f"{kind}_{place // SAMPLES}", "sample": place % SAMPLES,
                        "category": "direct", "system_prompt": None, "messages_prefix": None,
                        "question": f"Is it so ({place // SAMPLES})?", "response": "Yes, \"so\".\n",
                        "verdict": "yes" if yes else ("no" if place % 2 else "neutral"),
                    })  # fmt: skip
    return pd.DataFrame(rows)
