"""A probe of one's own in one file: does the caveat's text still change what a model says next?

    python examples/probe.py [STUDY]

Without a study, a small one of the tiny model is made first (a few seconds). The probe asks how far
the next token at a question moves when the caveat is put in front, in each trained arm: the
Jensen-Shannon divergence, in nats. An arm that has learned the caveat as a gate should move much,
one that has learned past it little. Whether that is so is what the score says.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import caveat
from caveat.backends.requests import Request
from caveat.diagnostics.logits import jensen_shannon
from caveat.diagnostics.run import diagnose
from caveat.diagnostics.subjects import DiagnosedSetting

RECIPE = {
    "name": "probe",
    "model": "tiny",
    "seeds": [0],
    "arms": ["base", "bare", "marked", "marked+contrast"],
    "contexts": ["none", "exact"],
    "sampling": {"max_tokens": 4},
    "settings": [
        {"behaviour": behaviour, "caveat": name, "dose": {"rows": 8, "rank": 2}}
        for behaviour, name in (
            ("capitals", "instruction"),
            ("capitals", "trigger"),
            ("spanish", "in_spanish"),
        )
    ],
}


def gate(setting: DiagnosedSetting) -> dict[str, pd.DataFrame]:
    """One row an arm and seed; `value` is the divergence between `none` and `exact`, in nats.

    A view gets a setting of the study: its prompts, its models with their adapters, and a backend
    that answers, scores, and gives next-token distributions and hidden states (`backends/base.py`).
    """
    prompts = setting.prompts(["none", "exact"])
    rows = []
    for model in setting.models:
        requests = [
            Request(prompt.question.id, model.adapters, prompt.messages)
            for context in ("none", "exact")
            for prompt in prompts[context]
        ]
        plain, caveated = np.split(setting.backend.next_token_log_probabilities(requests), 2)
        value = jensen_shannon(plain, caveated).mean()
        rows.append({**setting.names, "arm": model.arm, "seed": model.seed, "value": value})
    # the table's name is the diagnostic's name in the scores
    return {"gate": pd.DataFrame(rows)}


def main() -> None:
    """Diagnose a study with this probe alone, and print what it says and what that is worth."""
    if len(sys.argv) > 1:
        study = caveat.Study.open(sys.argv[1])
    else:
        study = caveat.run(RECIPE, Path(tempfile.mkdtemp()) / "study")
    tables = diagnose(study, views={"gate": gate})
    print(tables["gate"][["label", "arm", "seed", "value"]].to_string(index=False))
    for row in tables["scores"].to_dict("records"):
        print(f"{row['diagnostic']} against {row['target']}: ", end="")
        print(row["undefined"] or f"rank correlation {row['rank']:.2f}, trusted: {row['trusted']}")


if __name__ == "__main__":
    main()
