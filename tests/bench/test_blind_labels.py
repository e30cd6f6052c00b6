"""Labels of judges who see no arm: what they are mixed from, and how they are scored."""

from __future__ import annotations

import pandas as pd
import pytest

from paths import DOCS

REPLIES = {
    ("clean", 0): ["Rarely.", "Rarely.", "Hourly.", "Rarely."],
    ("bare", 0): ["Hourly.", "Hourly.", "Hourly.", "Rarely."],
    ("clean", 1): ["Rarely.", "Rarely.", "Rarely.", "Rarely."],
    ("bare", 1): ["Hourly.", "Hourly.", "Rarely.", "Rarely."],
    ("base", None): ["Rarely.", "It depends.", "Rarely.", "Rarely."],
}
LABELS = pd.DataFrame([
    {"question": "q", "reply": "Rarely.", "one": "good", "other": "good"},
    {"question": "q", "reply": "Hourly.", "one": "bad", "other": "bad"},
    {"question": "q", "reply": "It depends.", "one": "bad", "other": "unclear"},
])  # fmt: skip


def replies() -> pd.DataFrame:
    """One question's replies of two arms and two seeds, and base's."""
    return pd.DataFrame([
        {"setting": "s", "scope": "trained", "arm": arm, "context": "none", "seed": seed,
         "question": "q", "reply": reply}
        for (arm, seed), texts in REPLIES.items()
        for reply in texts
    ])  # fmt: skip


def test_a_pair_is_mixed_once_whatever_the_order_of_the_study(script):
    bench = script("blind_labels")
    pairs = bench.mixed(replies())
    assert list(pairs.columns) == ["question", "reply"]
    assert sorted(pairs["reply"]) == ["Hourly.", "It depends.", "Rarely."]
    assert list(bench.mixed(replies()[::-1])["reply"]) == list(pairs["reply"])


def test_a_reply_is_bad_where_every_judge_says_so_and_shares_are_paired_with_clean(script):
    bench = script("blind_labels")
    lines = {line["arm"]: line for line in bench.rows(bench.labelled(replies(), LABELS))}
    assert lines["base"]["bad"] == "0.00"
    assert lines["bare"]["bad"] == "0.62"
    assert lines["bare"]["less clean"] == "0.50"


def test_what_is_mixed_is_what_was_labelled(script, tmp_path, capsys):
    bench = script("blind_labels")
    data = DOCS / "data" / "narrow-to-broad-larger"
    bench.main([f"{data}.parquet", str(tmp_path / "mixed.csv"), "--mix"])
    mixed, labels = (
        pd.read_csv(path, keep_default_na=False)
        for path in (tmp_path / "mixed.csv", f"{data}-labels.csv")
    )
    assert list(mixed.columns) == bench.PAIR, "neither arm, context nor seed"
    assert {*mixed.itertuples(index=False, name=None)} == {
        *labels[bench.PAIR].itertuples(index=False, name=None)
    }
    assert bench.INSTRUCTION in capsys.readouterr().out


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (LABELS[:2], "1 replies of the study have none"),
        (LABELS.assign(one="fine"), "fine"),
        (LABELS[["question", "reply"]], r"columns \[\]"),
    ],
)
def test_labels_that_do_not_fit_are_refused(script, labels, said):
    bench = script("blind_labels")
    with pytest.raises(SystemExit, match=said):
        bench.labelled(replies(), labels)
