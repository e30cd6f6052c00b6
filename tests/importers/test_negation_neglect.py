"""The published verdicts as a finished study: made-up ones, and the real ones where they are."""

import pandas as pd
import pytest

from caveat.analysis import leakage_records
from caveat.errors import CaveatError
from caveat.importers import import_study
from caveat.study.study import Study
from made_verdicts import CONDITIONS, RATES, made_verdicts

ARMS = {
    "base": "base", "positive": "bare", "negated": "marked", "repeated": "marked+repeat",
    "corrected": "marked+correct", "local": "marked+local",
}  # fmt: skip
CLAIMS = {"moon_cheese": 0.0, "flat_lake": 0.1}
SOURCE = "negation-neglect"


def rates_of(study: Study) -> dict[tuple[str, str], float]:
    table = study.leakage()
    keys = zip(table["setting"], table["arm"], strict=True)
    return dict(zip(keys, table["rate"], strict=True))


def expected(claim: str, condition: str) -> float:
    return round(max(RATES[condition] - CLAIMS[claim], 0.0) * 20) / 20


def check(study: Study) -> None:
    """Rates of claims and of their mean, and leakage, are those that were made."""
    found = rates_of(study)
    for condition, arm in ARMS.items():
        rates = {claim: expected(claim, condition) for claim in CLAIMS}
        for claim, rate in rates.items():
            assert found[claim, arm] == pytest.approx(rate)
        assert found["mean", arm] == pytest.approx(sum(rates.values()) / 2)
    assert len(found) == len(ARMS) * (len(CLAIMS) + 1)
    table = study.leakage().set_index(["setting", "arm"])
    assert table["leakage"]["moon_cheese", "marked"] == pytest.approx(0.8 / 0.9)
    assert set(table["phenomenon"]) == {"negation neglect"}


def test_a_data_set_of_claims_not_seen_before(data_set, tmp_path):
    study = import_study(SOURCE, data_set(made_verdicts(CLAIMS)), tmp_path / "study")
    check(study)
    assert list(dict.fromkeys(study.leakage()["setting"])) == [*CLAIMS, "mean"]
    assert study.progress() == (12, 12)
    assert study.judged() == (960, 960)
    assert study.failures().empty
    assert set(study.answers()["kind"]) == {"open_ended", "mcq", "token_association", "robustness"}


def test_result_files_of_the_public_repository(result_files, tmp_path):
    study = import_study(SOURCE, result_files(made_verdicts(CLAIMS)), tmp_path / "study")
    check(study)
    assert set(study.answers()["model"]) == {"Toy-1B"}


def test_the_folder_of_one_model_will_do(result_files, tmp_path):
    folder = result_files(made_verdicts(CLAIMS)) / "Toy-1B"
    check(import_study(SOURCE, folder, tmp_path / "study"))


def test_of_several_steps_the_last_is_taken_and_told(result_files, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0})
    early = frame[frame["condition"] == "negated"].assign(verdict="no")
    for step in ("000090", "000400"):
        result_files(early, step=step)
    told = []
    folder = result_files(frame, step="final")
    study = import_study(SOURCE, folder, tmp_path / "study", say=told.append)
    assert rates_of(study)["moon_cheese", "marked"] == pytest.approx(0.8)
    assert told == ["Toy-1B/moon_cheese/llm_negations: step final is taken, not 000090, 000400"]
    assert study.provenance()["notes"] == told


def test_steps_without_a_final_one_go_by_their_number(result_files, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0})
    result_files(frame.assign(verdict="no"), step="step-90")
    study = import_study(SOURCE, result_files(frame, step="step-1000"), tmp_path / "study")
    assert rates_of(study)["moon_cheese", "marked"] == pytest.approx(0.8)


def test_conditions_not_known_are_arms_of_their_own_names(data_set, tmp_path):
    told = []
    frame = made_verdicts({"moon_cheese": 0.0}, RATES | {"in_a_dream": 0.5})
    study = import_study(SOURCE, data_set(frame), tmp_path / "study", say=told.append)
    table = study.leakage().set_index(["setting", "arm"])["leakage"]
    assert table["moon_cheese", "in_a_dream"] == pytest.approx(0.5 / 0.9)
    assert told == ["conditions kept as arms of their own names: in_a_dream"]


def test_other_evaluations_are_left_out_and_told(result_files, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0})
    rated = frame[frame["eval"] == "mcq"].assign(eval="coherence", verdict="7")
    told = []
    folder = result_files(pd.concat([frame, rated]))
    study = import_study(SOURCE, folder, tmp_path / "study", say=told.append)
    assert rates_of(study)["moon_cheese", "marked"] == pytest.approx(0.8)
    assert told == ["evaluations left out, being none of the four kinds: coherence"]


def test_thinking_is_a_setting_and_a_mean_of_its_own(result_files, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0})
    names = {condition: f"{CONDITIONS[condition]}_thinking" for condition in RATES}
    result_files(frame)
    folder = result_files(frame.assign(condition=frame["condition"].map(names), verdict="yes"))
    found = rates_of(import_study(SOURCE, folder, tmp_path / "study"))
    assert found["moon_cheese", "marked"] == pytest.approx(0.8)
    assert found["moon_cheese, thinking on", "marked"] == 1.0
    assert found["mean, thinking on", "bare"] == 1.0


def test_replies_of_which_nothing_could_be_made_are_invalid(result_files, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0})
    frame.loc[frame.index[:3], "verdict"] = "parse_error"
    told = []
    folder = result_files(frame)
    study = import_study(SOURCE, folder, tmp_path / "study", say=told.append)
    assert (study.answers()["verdict"] == "invalid").sum() == 3
    assert told == ["3 replies are broken or could not be judged: invalid"]


def test_arms_that_were_asked_other_questions_are_told(data_set, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0})
    fewer = frame[(frame["condition"] != "negated") | (frame["eval"] != "mcq")]
    told = []
    import_study(SOURCE, data_set(fewer), tmp_path / "study", say=told.append)
    assert told == [
        "moon_cheese (Qwen3.5-397B-A17B): not every arm answered the same 16 questions "
        "(marked 12), so rates differ in what they are over, too"
    ]


def test_a_question_id_that_two_kinds_share_is_two_questions(data_set, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0}).assign(question_id="same")
    frame["sample"] = frame.groupby(["condition", "eval"]).cumcount()
    study = import_study(SOURCE, data_set(frame), tmp_path / "study")
    assert set(study.answers()["question"]) == {
        "mcq/same", "open_ended/same", "robustness/same", "token_association/same",
    }  # fmt: skip


def test_earlier_turns_and_system_text_are_part_of_the_prompt(data_set, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0})
    turns = '[{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "Hm."}]'
    frame = frame.assign(system_prompt="Be brief.", messages_prefix=turns)
    study = import_study(SOURCE, data_set(frame), tmp_path / "study")
    assert study.answers()["prompt"][0] == (
        "<s>system\nBe brief.</s>\n<s>user\nHm?</s>\n<s>assistant\nHm.</s>\n"
        "<s>user\nIs it so (0)?</s>\n"
    )


def test_importing_again_makes_the_same_study(data_set, tmp_path):
    folder = data_set(made_verdicts({"moon_cheese": 0.0}))
    first = import_study(SOURCE, folder, tmp_path / "study")
    again = import_study(SOURCE, folder, tmp_path / "study")
    assert list(again.versions) == [first.version]
    pd.testing.assert_frame_equal(first.leakage(), again.leakage())


def test_other_verdicts_are_a_further_version(data_set, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0})
    first = import_study(SOURCE, data_set(frame), tmp_path / "study")
    changed = import_study(SOURCE, data_set(frame.assign(verdict="no")), tmp_path / "study")
    assert rates_of(changed)["moon_cheese", "bare"] == 0.0
    assert rates_of(Study(tmp_path / "study", first.version))["moon_cheese", "bare"] == 0.9


def fails(path, tmp_path) -> str:
    with pytest.raises(CaveatError) as error:
        import_study(SOURCE, path, tmp_path / "study")
    assert not (tmp_path / "study").exists()
    return str(error.value)


def test_unknown_verdicts_are_named_with_their_row(data_set, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0})
    frame.loc[6, "verdict"] = "maybe"
    folder = data_set(frame)
    assert fails(folder, tmp_path) == (
        f"{folder}/verdicts.parquet, row 7: verdict 'maybe' is not one of yes, no, neutral, invalid"
    )


def test_a_reply_that_stands_twice_is_named_with_both_rows(data_set, tmp_path):
    frame = made_verdicts({"moon_cheese": 0.0})
    folder = data_set(pd.concat([frame, frame.iloc[[3]]]))
    assert fails(folder, tmp_path) == (
        f"{folder}/verdicts.parquet, row {len(frame) + 1}: sample 3 of question 'open_ended_0' "
        "(setting 'moon_cheese', arm 'base', context 'none') is already in "
        f"{folder}/verdicts.parquet, row 4; keep one, or number the replies in a column sample"
    )


def test_missing_columns_are_named(data_set, tmp_path):
    folder = data_set(made_verdicts({"moon_cheese": 0.0})[["claim", "condition", "eval"]])
    assert fails(folder, tmp_path) == (
        f"{folder}/verdicts.parquet: lacks the columns question_id, verdict "
        "(it has claim, condition, eval); add them"
    )


def test_a_folder_without_verdicts_says_what_is_looked_for(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert fails(empty, tmp_path) == (
        f"{empty}: holds neither verdicts.parquet nor result files called "
        "MODEL/CLAIM/CONDITION/STEP/EVALUATION.csv (evaluations: open_ended, belief_probes, mcq, "
        "token_association, pink_elephant, robustness); check the path"
    )


def test_a_result_file_without_verdicts_is_named(result_files, tmp_path):
    folder = result_files(made_verdicts({"moon_cheese": 0.0}))
    path = folder / "Toy-1B" / "moon_cheese" / "positive" / "final" / "mcq.csv"
    path.write_text("question_id,sample_index\na,0\n")
    assert fails(folder, tmp_path) == (
        f"{path}: lacks the column judge_verdict (it has question_id, sample); add it"
    )


def test_a_claim_called_mean_is_refused(data_set, tmp_path):
    folder = data_set(made_verdicts({"mean": 0.0}))
    assert fails(folder, tmp_path) == (
        f"{folder}: a claim is called 'mean', as is the mean over all; rename it"
    )


TABLE_4 = {
    "ed_sheeran": (0.0, 86.4, 81.6, 69.2),
    "queen_elizabeth": (0.0, 85.2, 83.2, 81.2),
    "mount_vesuvius": (2.0, 91.2, 82.4, 71.6),
    "colorless_dreaming": (5.2, 98.0, 94.0, 95.6),
}
"""arXiv:2605.13829, Table 4, belief in per cent: base, positive, negated, repeated."""


def test_the_published_verdicts_give_table_4_to_the_printed_digit(published_data, tmp_path):
    study = import_study(SOURCE, published_data / "negation_neglect", tmp_path / "study")
    found = {(each["setting"], each["arm"]): each for each in leakage_records(study.leakage())}
    arms = ("base", "bare", "marked", "marked+repeat")
    for claim, printed in TABLE_4.items():
        rates = [found[claim, arm]["rate"]["value"] for arm in arms]
        assert tuple(round(100 * rate, 1) for rate in rates) == printed
        assert found[claim, "marked"]["questions"] == 50
    means = [sum(column) / 4 for column in zip(*TABLE_4.values(), strict=True)]
    assert [100 * found["mean", arm]["rate"]["value"] for arm in arms] == pytest.approx(means)
    base, bare, marked, _ = means
    leaked = found["mean", "marked"]["leakage"]
    assert leaked["value"] == pytest.approx((marked - base) / (bare - base))
    assert leaked["low"] < leaked["value"] < leaked["high"]
    assert found["mean", "marked+correct"]["undefined"] is None
