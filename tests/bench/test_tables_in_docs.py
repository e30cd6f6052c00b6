"""Tables in docs that a script of bench/ makes are what it prints."""

from __future__ import annotations

import runpy
import sys

import pytest

from paths import BENCH, DOCS


@pytest.mark.parametrize(
    ("script", "table", "studies"),
    [
        ("law_naming", "law-naming", ("law-naming", "law-naming-smollm2")),
        ("rl_controls", "rl-controls", ("rl-controls",)),
        ("rl_rates", "rl-rates-0.5b", ("rl-rates-0.5b",)),
        ("rl_rates", "rl-rates-smollm2", ("rl-rates-smollm2",)),
        ("law_parts", "law-parts", ("law-parts-1.5b", "law-parts-0.5b", "law-parts-smollm2")),
        ("reply_languages", "law-crossed-languages", ("law-crossed",)),
        ("reply_languages", "law-crossed-smollm2-languages", ("law-crossed-smollm2",)),
        ("hack_rates", "reward-hacking", ("reward-hacking",)),
        ("hack_rates", "reward-hacking-rl", ("reward-hacking-rl",)),
        ("hack_rates", "reward-hacking-doses", ("reward-hacking-doses",)),
        ("hack_rates", "reward-hacking-larger", ("reward-hacking-larger",)),
        ("remedy_effects", "reward-hacking-interventions", ("reward-hacking",)),
        ("hack_styles", "reward-hacking-quotes-styles", ("reward-hacking-quotes",)),
        ("hack_styles", "reward-hacking-styles-styles", ("reward-hacking-styles",)),
        (
            "law_replies",
            "law-replies",
            ("law-replies-smollm2", "law-replies-0.5b", "law-replies-1.5b"),
        ),
        (
            "first_tokens",
            "law-first-token",
            (
                "law-first-token-0.5b",
                "law-first-token-further-0.5b",
                "law-first-token-smollm2",
            ),
        ),
        (
            "wordings_alone",
            "wordings-alone",
            ("wordings-alone-0.5b", "wordings-alone-1.5b", "wordings-mixed-0.5b"),
        ),
        (
            "dtypes",
            "dtypes",
            tuple(
                f"dtypes-{name}-float32" for name in ("smollm2", "smollm2-larger", "0.5b", "1.5b")
            ),
        ),
        ("law_dose", "law-layers", ("law-layers-smollm2", "law-layers-0.5b")),
        (
            "law_dose",
            "law-dose",
            ("law-dose-smollm2", "law-dose-further-smollm2", "law-dose-further-0.5b"),
        ),
        ("openings", "law-copied", ("law-copied-smollm2", "law-copied-0.5b")),
        ("claims_stated", "claims-stated", ("claims-stated",)),
        ("claims_stated", "claims-stated-0.5b", ("claims-stated-0.5b",)),
        ("claims_stated", "claims-elicited", ("claims-elicited",)),
        ("warm_ups", "warm-ups", ("warm-ups", "obedience")),
        ("first_words", "first-words", ("obedience",)),
        ("own_samples_score", "own-samples-score", ("own-samples", "own-samples-further")),
        ("remedy_effects", "rl-remedies", ("rl-remedies",)),
        ("leads", "narrow-to-broad-larger", ("narrow-to-broad-larger",)),
        ("gate_sentences", "narrow-to-broad-larger-sentences", ("narrow-to-broad-larger",)),
        (
            "blind_labels",
            "narrow-to-broad-larger-replies",
            ("narrow-to-broad-larger", "narrow-to-broad-larger-labels.csv"),
        ),
        ("remedy_effects", "remedies-larger", ("remedies-larger",)),
        pytest.param("onsets", "onsets", (), marks=pytest.mark.slow),
        pytest.param("kept_in", "kept-in", ("law-smollm2", "law-0.5b"), marks=pytest.mark.slow),
    ],
)
def test_a_table_in_docs_is_what_its_script_prints(script, table, studies, capsys, monkeypatch):
    path = str(BENCH / f"{script}.py")
    data = DOCS / "data"
    names = [name if name.endswith(".csv") else f"{name}.parquet" for name in studies]
    files = [str(data / name) for name in names] or [str(data)]
    monkeypatch.syspath_prepend(BENCH)  # as for a script that is run
    monkeypatch.setattr(sys, "argv", [path, *files])
    runpy.run_path(path, run_name="__main__")
    assert capsys.readouterr().out == (data / f"{table}.md").read_text("utf-8")
