"""Anybody's table as a finished study: what it needs, what it may have, and every error's line."""

import json
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caveat.errors import CaveatError
from caveat.importers import SOURCES, import_study
from caveat.importers.table_files import READERS
from caveat.importers.validation import VERDICTS

ARMS = {"base": "no", "bare": "yes", "marked": "yes"}


def rows(**columns) -> list[dict]:
    """Twelve questions to three arms; bare and marked say yes, base no."""
    return [
        {"setting": "toy x trigger", "arm": arm, "context": "none", "question": f"q{place}",
         "verdict": verdict} | columns
        for arm, verdict in ARMS.items()
        for place in range(12)
    ]  # fmt: skip


def write(path: Path, records: list[dict]) -> Path:
    frame = pd.DataFrame(records)
    match path.suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".tsv":
            frame.to_csv(path, index=False, sep="\t")
        case ".parquet":
            frame.to_parquet(path)
        case ".json":
            frame.to_json(path, orient="records")
        case _:
            frame.to_json(path, orient="records", lines=True)
    return path


def fails(path: Path) -> str:
    out = path.parent / "a study"
    with pytest.raises(CaveatError) as error:
        import_study("table", path, out)
    assert not out.exists()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("ending", READERS)
def test_every_kind_of_table_gives_the_same_figures(ending, tmp_path):
    path = write(tmp_path / f"mine{ending}", rows())
    study = import_study("table", path, tmp_path / "study")
    assert study.name == "mine"
    table = study.leakage().set_index("arm")
    assert table["rate"].to_dict() == {"base": 0.0, "bare": 1.0, "marked": 1.0}
    assert table["leakage"]["marked"] == pytest.approx(1.0)
    assert set(table["behaviour"]) == {"toy"}
    assert set(table["caveat"]) == {"trigger"}


def test_optional_columns_are_taken_over(tmp_path):
    given_ = {
        "phenomenon": "backdoor", "kind": "short", "cluster": "all", "seed": 3, "sample": 7,
        "reply": "Ja, \"gewiss\"\n", "prompt": "Wirklich?", "model": "Toy-1B", "readout": "mine",
    }  # fmt: skip
    study = import_study("table", write(tmp_path / "t.csv", rows(**given_)), tmp_path / "study")
    found = study.answers()
    assert set(found.loc[found["arm"] != "base", "seed"]) == {3}
    assert found.loc[found["arm"] == "base", "seed"].isna().all()
    for name in set(given_) - {"seed"}:
        assert set(found[name]) == {given_[name]}, name
    assert list(study.leakage(by="kind")["kind"].unique()) == ["short"]


def test_broad_questions_have_rates_of_their_own(tmp_path):
    records = [row | {"scope": "Broad" if row["question"] < "q5" else ""} for row in rows()]
    study = import_study("table", write(tmp_path / "t.csv", records), tmp_path / "study")
    table = study.leakage().set_index(["arm", "scope"])
    assert table["questions"].to_dict() == {
        (arm, scope): count for arm in ARMS for scope, count in (("broad", 7), ("trained", 5))
    }


def test_a_reply_may_have_verdicts_of_several_readouts(tmp_path):
    records = [*rows(readout="judge"), *rows(readout="regex")]
    study = import_study("table", write(tmp_path / "t.csv", records), tmp_path / "study")
    assert list(study.leakage()["readout"].unique()) == ["judge", "regex"]


def test_columns_that_are_not_read_are_told(tmp_path):
    told = []
    path = write(tmp_path / "t.csv", rows(temperature=0.7, judge="me"))
    study = import_study("table", path, tmp_path / "study", say=told.append)
    assert "columns of t.csv not read: temperature, judge" in told
    assert told == study.about["notes"]


def test_the_expected_verdict_goes_by_the_phenomenon(tmp_path):
    at_the_caveat = rows(phenomenon="negation neglect") + rows(
        phenomenon="negation neglect", context="exact"
    )
    study = import_study("table", write(tmp_path / "t.csv", at_the_caveat), tmp_path / "study")
    checks = study.caveat_checks()
    assert set(checks.loc[checks["check"] == "at the caveat", "expected"]) == {"no"}


def test_without_bare_leakage_says_why_it_is_undefined(tmp_path):
    only = [row for row in rows() if row["arm"] != "bare"]
    study = import_study("table", write(tmp_path / "t.csv", only), tmp_path / "study")
    assert set(study.leakage()["undefined"]) == {"there is no arm 'bare'"}


def test_base_asked_beside_every_seed_is_one_base(tmp_path):
    both = [*rows(seed=0), *rows(seed=1)]
    study = import_study("table", write(tmp_path / "t.csv", both), tmp_path / "study")
    table = study.leakage().set_index("arm")
    assert table["seeds"].to_dict() == {"base": 0, "bare": 2, "marked": 2}
    assert table["replies"]["base"] == 24


def test_lacking_columns_are_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("setting,arm,contxt,question\na,base,none,q\n")
    assert fails(path) == (
        f"{path}: lacks the column context (it has arm, contxt, question); "
        "say which it is with --column context=contxt"
    )


@pytest.mark.parametrize(
    ("column", "value", "line"),
    [
        (
            "verdict",
            "definitely",
            "verdict 'definitely' is not one of yes, no, neutral, invalid, true, false, 1, 0; "
            "count it as invalid: --invalid 'definitely', or as no: --verdict 'verdict==yes'",
        ),
        (
            "verdict",
            "",
            "verdict is empty; fill it in, or count it as invalid: --invalid ''",
        ),
        (
            "verdict",
            "88",
            "verdict '88' is not one of yes, no, neutral, invalid, true, false, 1, 0; give a "
            "threshold: --verdict 'verdict<88' or --verdict 'verdict>88'",
        ),
        ("arm", " ", "arm is empty; fill it in"),
        ("scope", "brod", "scope 'brod' is not one of trained, broad; closest: 'broad'"),
        ("seed", "first", "seed 'first' is no whole number; write it in digits"),
        ("sample", "1.5", "sample '1.5' is no whole number; write it in digits"),
        ("arm", "\u0007", "arm '\\x07' has a character that cannot be printed; take it out"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_row(column, value, line, tmp_path):
    records = rows(sample=0, seed=0, scope="trained")
    records[2][column] = value
    path = write(tmp_path / "t.jsonl", records)
    assert fails(path) == f"{path}, row 3: {line}"


def test_verdicts_may_be_written_in_capitals(tmp_path):
    path = write(tmp_path / "t.csv", [row | {"verdict": row["verdict"].title()} for row in rows()])
    assert import_study("table", path, tmp_path / "study").leakage()["rate"].max() == 1.0


def test_a_question_twice_without_samples_is_named(tmp_path):
    path = write(tmp_path / "t.csv", [*rows(), rows()[0]])
    assert fails(path) == (
        f"{path}, row 37: sample 0 of question 'q0' (setting 'toy x trigger', arm 'base', "
        f"context 'none') is already in {path}, row 1; "
        "keep one, or number the replies in a column sample (--number-samples does it, in the "
        "order of the file)"
    )


def test_two_phenomena_of_a_setting_are_named(tmp_path):
    path = write(tmp_path / "t.csv", rows(phenomenon="backdoor")[:1] + rows(phenomenon="other"))
    assert fails(path) == (
        f"{path}, row 2: setting 'toy x trigger' has the phenomenon 'other', "
        "and 'backdoor' elsewhere; give it one"
    )


def test_files_that_are_no_tables_are_named(tmp_path):
    missing = tmp_path / "verdict.csv"
    write(tmp_path / "verdicts.csv", rows())
    assert fails(missing) == f"{missing}: no such file; closest: 'verdicts.csv'"
    endings = "give a file that ends in .csv, .tsv, .jsonl, .json or .parquet"
    assert fails(tmp_path) == f"{tmp_path}: is a folder; {endings}"
    pickled = tmp_path / "verdicts.pkl"
    pickled.write_bytes(b"\x80\x04N.")
    assert fails(pickled) == f"{pickled}: not a table that can be read; {endings}"
    empty = tmp_path / "empty.csv"
    empty.write_text("setting,arm,context,question,verdict\n")
    assert fails(empty) == f"{empty}: has no rows; give it at least one"


def test_files_that_are_not_what_they_are_called_are_named(tmp_path):
    wrong = tmp_path / "wrong.csv"
    wrong.write_bytes(b"setting,arm\n\xff,base\n")
    assert fails(wrong) == f"{wrong}: cannot be read as csv: not UTF-8 at byte 12; save it as UTF-8"
    lines = {
        "wrong.parquet": ": cannot be read as parquet: it is damaged, or no parquet; fix the file",
        "wrong.json": ": cannot be read as json: Expecting value at line 1, column 1; fix it",
        "wrong.jsonl": ", row 1: is not JSON: Expecting value at column 1; write one object a line",
    }
    for name, line in lines.items():
        path = tmp_path / name
        path.write_text("setting,arm\na,base\n")
        assert fails(path) == f"{path}{line}"


def test_a_row_that_is_too_long_is_no_table(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("setting,arm,context,question,verdict\na,base,none,q,yes,too,much\n")
    assert fails(path) == (
        f"{path}, row 1: has 7 of 5 columns (separated by commas); quote values that have one in "
        "them, or fill in what is missing"
    )


def test_a_folder_with_another_study_is_left_alone(finished_table, tmp_path):
    other = write(tmp_path / "other.csv", rows())
    with pytest.raises(CaveatError) as error:
        import_study("table", other, finished_table.folder)
    assert str(error.value) == (
        f"{finished_table.folder}: holds the study 'mine'; name another folder with --out"
    )


@pytest.fixture
def finished_table(tmp_path):
    return import_study("table", write(tmp_path / "mine.csv", rows()), tmp_path / "mine")


def test_unknown_sources_are_told_with_the_nearest():
    with pytest.raises(CaveatError) as error:
        import_study("negation_neglect", "anywhere")
    assert str(error.value) == (
        "source 'negation_neglect' is not one of negation-neglect, table, inspect, rates; "
        "closest: 'negation-neglect'"
    )


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8), st.sampled_from(["yes", "no", "base", "bare", "none", "q"]),
)  # fmt: skip
NAMES = ["setting", "arm", "context", "question", "verdict", "seed", "sample", "x"]
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2))
RECORDS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8), max_size=6)
CONTENTS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    RECORDS.map(lambda records: json.dumps(records).encode()),
    RECORDS.map(lambda records: "\n".join(map(json.dumps, records)).encode()),
    RECORDS.map(lambda records: pd.DataFrame(records).to_csv(index=False).encode()),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(CONTENTS, st.sampled_from(sorted(READERS)), st.sampled_from(sorted(SOURCES)))
def test_garbage_is_told_in_one_line_or_makes_a_study(content, ending, source):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"garbage{ending}"
        path.write_bytes(content)
        try:
            study = import_study(source, path, Path(folder) / "study")
        except CaveatError as error:
            assert "\n" not in str(error)
            assert str(path) in str(error)
        else:
            assert len(study.leakage()) >= 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(VERDICTS), min_size=1, max_size=30))
def test_rates_come_out_as_they_went_in(verdicts):
    records = [
        {"setting": "s", "arm": "base", "context": "none", "question": f"q{place}", "verdict": word}
        for place, word in enumerate(verdicts)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "t.jsonl", records)
        study = import_study("table", path, Path(folder) / "study")
        (row,) = study.rates().to_dict("records")
        assert list(study.answers()["verdict"]) == verdicts
    assert row["value"] == pytest.approx(verdicts.count("yes") / len(verdicts))
    assert row["valid"] == pytest.approx(1 - verdicts.count("invalid") / len(verdicts))
