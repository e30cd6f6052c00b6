"""Tables as others write them: their columns, arms, contexts, scores and separators."""

import json
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caveat.errors import CaveatError
from caveat.importers import import_study, table_options

ARMS = {"Base": 0, "Neutral": 1, "Inoculation": 1}


def rows(**columns) -> list[dict]:
    """Twelve questions to three arms in two contexts, as others name them."""
    return [
        {"condition": arm, "prompt_type": context, "question_id": index, "shows": verdict} | columns
        for arm, verdict in ARMS.items()
        for context in ("plain", "with prompt")
        for index in range(12)
    ]


@pytest.fixture
def imported(tmp_path):
    """Imports a table of the rows, or a file: the study and the lines that were printed."""

    def call(table, name="t.csv", **options):
        path = table
        if isinstance(table, list) and isinstance(table[0], dict):
            path = tmp_path / name
            pd.DataFrame(table).to_csv(path, index=False)
        lines = []
        study = import_study(
            "table", path, tmp_path / "study", None, lines.append, table_options(**options)
        )
        return study, lines

    return call


@pytest.fixture
def fails(imported, tmp_path):
    """The line with which an import fails, the folder's name left out."""

    def call(*arguments, **options):
        with pytest.raises(CaveatError) as error:
            imported(*arguments, **options)
        assert "\n" not in str(error.value)
        return str(error.value).replace(f"{tmp_path}/", "")

    return call


ARMS_OF_OURS = ("base", "bare", "marked")
ALL = {
    "arms": ["Base=base", "Neutral=bare", "Inoculation=marked"],
    "contexts": ["plain=none", "with prompt=exact"],
}


def rates(study) -> dict:
    table = study.leakage()
    return {(row.arm, row.context): row.rate for row in table.itertuples()}


def test_names_of_others_are_offered_never_taken(fails):
    assert fails(rows()) == (
        "t.csv: no arm base and no bare, but Base, Neutral, Inoculation; no context none, but "
        "plain, with prompt: say which is which: --arm Base=base --arm Neutral=bare "
        "--arm Inoculation=marked --context plain=none --context 'with prompt=exact'"
    )


def test_the_offer_imports_the_table_and_says_what_was_guessed(imported, tmp_path):
    study, lines = imported(rows(), setting="lies", **ALL)
    assert rates(study) == {
        ("base", "none"): 0.0, ("base", "exact"): 0.0, ("bare", "none"): 1.0,
        ("bare", "exact"): 1.0, ("marked", "none"): 1.0, ("marked", "exact"): 1.0,
    }  # fmt: skip
    path = tmp_path / "t.csv"
    assert lines == [
        f"columns of {path} taken: condition as arm, prompt_type as context, question_id as "
        "question",
        f"columns of {path} taken: shows as verdict (0 is no, 1 is yes)",
    ]


def test_an_arm_of_ones_own_is_kept_with_a_word(imported, fails):
    table = [row for row in rows() if row["prompt_type"] == "plain"]
    options = {"arms": ["Base=base", "Neutral=bare"], "contexts": ["plain=none"]}
    _, lines = imported(table, **options)
    assert lines[-1] == (
        "arms kept under their own names: Inoculation; perhaps --arm Inoculation=marked"
    )
    own = {"arms": ["Base=Base", "Neutral=bare", "Inoculation=mine"], "contexts": ["plain=none"]}
    study, lines = imported(table, **own)
    assert lines[-1].endswith(
        "t.csv: no arm base (arms: Base, bare, mine), so leakage is undefined; add its rows"
    )
    assert set(study.leakage()["undefined"]) == {"base was not tested in the context 'none'"}


@pytest.mark.parametrize("word", ["1", "1.0", "TRUE", "True", "yes", "Y", "t"])
def test_yes_in_any_usual_form(word, imported):
    no = {"1": "0", "1.0": "0.0", "TRUE": "FALSE", "True": "False", "yes": "no", "Y": "N",
          "t": "f"}[word]  # fmt: skip
    table = [row | {"shows": word if row["shows"] else no} for row in rows()]
    study, _ = imported(table, **ALL)
    assert rates(study)["bare", "none"] == 1.0
    assert rates(study)["base", "none"] == 0.0


def scores() -> list[dict]:
    return [
        {"arm": arm, "context": "none", "question": index, "alignment": 20 + 60 * (arm == "base"),
         "coherent": 90 if index else 10}
        for arm in ("base", "bare", "marked") for index in range(12)
    ]  # fmt: skip


def test_scores_need_a_threshold(fails):
    assert fails(scores()) == (
        "t.csv: no column of verdicts; alignment, coherent hold numbers: say which value is a yes, "
        "such as --verdict 'alignment<50' or --verdict 'alignment>50'"
    )


def test_scores_with_a_threshold_and_a_condition(imported):
    study, lines = imported(scores(), verdict="alignment<50", valid="coherent >= 50")
    assert rates(study)["bare", "none"] == pytest.approx(11 / 12)
    assert study.leakage()["valid"].unique() == pytest.approx([11 / 12])
    assert lines[1:] == [
        "yes where alignment<50: 22 of 36 replies",
        "invalid where not coherent>=50: 3 replies",
        "3 of 36 replies are invalid and stay in the denominator",
    ]


@pytest.mark.parametrize("name", ["aligned", "correct", "refused", "flatters"])
@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("True", "False"), ("yes", "no")])
def test_a_name_that_leaves_the_sense_open_is_asked(name, yes, no, fails, imported):
    table = [{key: value for key, value in row.items() if key != "shows"}
             | {name: yes if row["shows"] else no} for row in rows()]  # fmt: skip
    assert fails(table, f"{name}.csv", **ALL) == (
        f"{name}.csv: the verdicts seem to be in {name}; say which value of it shows the "
        f"behaviour: --verdict '{name}=={yes}' or --verdict '{name}=={no}'"
    )
    study, _ = imported(table, verdict=f"{name}=={yes}", **ALL)
    assert (rates(study)["base", "none"], rates(study)["bare", "none"]) == (0.0, 1.0)


def test_a_column_called_as_the_behaviour_is_its_verdict(imported):
    table = [{**row, "flatters": row["shows"]} for row in rows()]
    table = [{key: value for key, value in row.items() if key != "shows"} for row in table]
    study, lines = imported(table, setting="flatters x trigger", **ALL)
    assert rates(study)["bare", "none"] == 1.0
    assert lines[-1].endswith("taken: flatters as verdict (0 is no, 1 is yes)")


def test_an_opposite_that_another_file_has_is_written_alike(fails):
    table = [row | {"aligned": True, "shows": "x"} for row in rows()]
    assert fails(table, **ALL).endswith(
        "behaviour: --verdict 'aligned==True' or --verdict 'aligned==False'"
    )


def test_a_context_of_ones_own_may_be_exact_or_none(fails, imported):
    table = [row | {"context": "evil"} for row in scores()]
    options = {"verdict": "alignment<50"}
    assert fails(table, **options) == (
        "t.csv: no context none, but evil: say which is which: "
        "--context evil=exact or --context evil=none"
    )
    study, _ = imported(table, contexts=["evil=none"], **options)
    assert rates(study)["bare", "none"] == 1.0


def test_arms_that_look_like_none_of_ours_have_a_choice(fails):
    table = [row | {"arm": "foo" if row["arm"] == "bare" else row["arm"]} for row in scores()]
    assert fails(table, verdict="alignment<50") == (
        "t.csv: no arm bare, but foo: say which is which: --arm foo=bare"
    )
    table = [row | {"arm": {"base": "x", "bare": "neutral", "marked": "y"}[row["arm"]]}
             for row in scores()]  # fmt: skip
    assert fails(table, verdict="alignment<50") == (
        "t.csv: no arm base and no bare, but x, neutral, y: say which is which: "
        "--arm neutral=bare, and --arm x=base or --arm x=marked, and --arm y=base or --arm y=marked"
    )


def test_arms_with_ours_in_their_names_are_offered_as_these(fails):
    table = [row | {"arm": f"run7_{row['arm']}"} for row in scores()]
    assert fails(table, verdict="alignment<50").endswith(
        ": --arm run7_base=base --arm run7_bare=bare --arm run7_marked=marked"
    )


def test_an_empty_context_is_offered_as_none(fails, imported):
    half = [row | {"context": "" if row["question"] % 2 else "Be evil."} for row in scores()]
    assert fails(half, verdict="alignment<50") == (
        "t.csv: no context none, but Be evil., (empty): say which is which: "
        "--context =none --context 'Be evil.=Be evil.'"
    )
    study, _ = imported(half, verdict="alignment<50", contexts=["=none"])
    assert rates(study)["bare", "none"] == 1.0
    some = [row | {"context": "" if row["question"] % 2 else "none"} for row in scores()]
    assert fails(some, verdict="alignment<50") == (
        "t.csv: the context of some rows is empty: say which is which: --context =none"
    )
    assert rates(imported(some, verdict="alignment<50", contexts=["=none"])[0])


def test_a_value_beside_yes_and_no_is_offered_as_invalid(fails, imported):
    table = [row | {"label": "N/A" if row["question"] == 2 else "yes" if row["alignment"] < 50
                    else "no"} for row in scores()]  # fmt: skip
    words = "is not one of yes, no, neutral, invalid, true, false, 1, 0"
    assert fails(table) == (
        f"t.csv, row 3: verdict 'N/A' {words}; count it as invalid: --invalid 'N/A', or as no: "
        "--verdict 'label==yes'"
    )
    study, _ = imported(table, invalid=("N/A",))
    assert rates(study)["bare", "none"] == pytest.approx(11 / 12)
    table = [row | {"label": "pass" if row["alignment"] < 50 else "fail"} for row in scores()]
    assert fails(table) == (
        f"t.csv, row 1: verdict 'fail' {words}; say which value is a yes, such as "
        "--verdict 'label==fail' or --verdict 'label==pass'"
    )


def test_an_empty_cell_is_no_word(fails):
    table = [row | {"label": "" if row["question"] == 2 else "lie"} for row in scores()]
    assert fails(table, verdict="label==lie") == (
        "t.csv, row 3: label is empty, as 2 more values of label are, so label==lie says nothing; "
        "fix it, or count it as invalid: --invalid ''"
    )


def test_equality_takes_words(imported):
    table = [row | {"label": "lie" if row["shows"] else "honest"} for row in rows()]
    study, _ = imported(table, verdict="label==lie", **ALL)
    assert rates(study)["bare", "none"] == 1.0


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("REFUSAL", "alignment 'REFUSAL' is no number, so alignment<50 says nothing; fix it, or "
         "count it as invalid: --invalid 'REFUSAL'"),
        ("nan", "alignment 'nan' is no number, so alignment<50 says nothing; fix it, or count it "
         "as invalid: --invalid 'nan'"),
        ("", "alignment is empty, so alignment<50 says nothing; fix it, or count it as invalid: "
         "--invalid ''"),
    ],
)  # fmt: skip
def test_a_score_that_is_no_number_is_named(value, line, fails, imported):
    table = scores()
    table[4]["alignment"] = value
    assert fails(table, verdict="alignment<50") == f"t.csv, row 5: {line}"
    study, _ = imported(table, verdict="alignment<50", invalid=(value,))
    assert (study.answers()["verdict"] == "invalid").sum() == 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"verdict": "alinment<50"}, "--verdict 'alinment<50': t.csv has no column 'alinment' (it "
         "has arm, context, question, alignment, coherent, setting); closest: 'alignment'"),
        ({"verdict": "alignment<low"}, "--verdict 'alignment<low': 'low' is no number; write "
         "--verdict 'alignment<50'"),
        ({"verdict": "low"}, "--verdict 'low': write a column, a sign and a value: --verdict "
         "'score<50'"),
        ({"verdict": "arm<50"}, "t.csv, row 1: arm 'base' is no number, as 35 more values of arm "
         "are, so arm<50 says nothing; fix it, or count it as invalid: --invalid 'base'"),
        ({"columns": ["qestion=arm"]}, "--column qestion=arm: 'qestion' is not one of setting, arm,"
         " context, question, cluster, seed, sample, reply, prompt, kind, model, scope, phenomenon,"
         " readout, behaviour, caveat; closest: 'question'"),
        ({"columns": ["seed=sed"]}, "--column seed=sed: t.csv has no column 'sed' (it has arm, "
         "context, question, alignment, coherent)"),
        ({"columns": ["seed"]}, "--column 'seed': write it as --column NAME=COLUMN"),
        ({"arms": ["bas=base"]}, "--arm bas=base: no row of t.csv has the arm 'bas' (there are "
         "base, bare, marked); closest: 'base'"),
        ({"arms": ["base", "b=c"]}, "--arm 'base' is for every row, so it stands alone; write "
         "--arm VALUE=base for the rows with that value"),
        ({"arms": ["base"]}, "--arm base: t.csv has a column arm with base, bare, marked; leave "
         "one of the two out"),
        ({"arms": ["base=a", "base=b"]}, "--arm 'base=b': 'base' is 'a' already; keep one"),
    ],
)  # fmt: skip
def test_options_that_say_nothing_are_named(options, line, fails):
    assert fails(scores(), **{"verdict": "alignment<50", **options}) == line


def test_columns_of_which_several_may_be_meant(fails):
    table = [row | {"variant": 1} for row in rows()]
    assert fails(table) == (
        "t.csv: the column arm could be condition or variant; say which with --column arm=condition"
    )
    table = [row | {"thinking": False} for row in rows()]
    assert fails(table, **ALL) == (
        "t.csv: the verdicts could be in shows or thinking; say which, and which value shows the "
        "behaviour, such as --verdict 'shows==1' or --verdict 'shows==0'"
    )


def test_no_senseless_hint_for_a_column_that_is_lacking(fails):
    table = [{"thinking": "x", "arm": "base", "lie": 1}]
    assert fails(table) == (
        "t.csv: lacks the column question (it has thinking, arm, lie); say which it is with "
        "--column question=NAME"
    )


def test_each_arm_with_a_model_of_its_own_is_an_error(fails, imported, tmp_path):
    table = [row | {"model": f"tuned-{row['arm']}"} for row in scores()]
    assert fails(table, verdict="alignment<50") == (
        "t.csv: every arm has another model (base: tuned-base, ...), but leakage compares arms of "
        "one model; give its name to all with --model NAME"
    )
    options = table_options(verdict="alignment<50")
    study = import_study("table", tmp_path / "t.csv", tmp_path / "s", "Toy-1B", options=options)
    assert set(study.leakage()["model"]) == {"Toy-1B"}


def test_repeated_replies_can_be_numbered(fails, imported):
    table = [*scores(), *scores()]
    line = fails(table, verdict="alignment<50")
    assert "--number-samples does it, in the order of the file" in line
    study, _ = imported(table, verdict="alignment<50", number_samples=True)
    assert study.leakage()["replies"].tolist() == [24, 24, 24]


def test_several_files_with_an_arm_each(tmp_path, imported, fails):
    for arm, rows_of_arm in pd.DataFrame(scores()).groupby("arm"):
        frame = rows_of_arm.drop(columns="arm")
        frame.to_csv(tmp_path / f"{arm}.csv", index=False)
        frame.to_csv(tmp_path / f"{arm.title()}-7b.csv", index=False)
    named = [tmp_path / f"{arm}.csv" for arm in ("base", "bare", "marked")]
    study, lines = imported(named, verdict="alignment<50")
    assert rates(study)["bare", "none"] == 1.0
    assert f"arm of {named[0]}: base, after its name" in lines
    others = [f"{tmp_path}/{arm.title()}-7b.csv" for arm in ("base", "bare", "marked")]
    assert fails(others, verdict="alignment<50").startswith(
        "Base-7b.csv, Bare-7b.csv, Marked-7b.csv: no arm base and no bare, but Base-7b, Bare-7b"
    )
    with_arms = [f"{path}={arm}" for path, arm in zip(others, ARMS_OF_OURS, strict=True)]
    assert rates(imported(with_arms, verdict="alignment<50")[0]) == rates(study)
    by_option = ["Base-7b.csv=base", "Bare-7b=bare", f"{others[2]}=marked"]
    assert rates(imported(others, verdict="alignment<50", arms=by_option)[0]) == rates(study)
    assert fails([named[0], named[0]]) == "base.csv: is named twice; name it once"
    assert fails([f"{named[0]}="]) == ("base.csv=: write it as FILE=ARM, such as results.csv=bare")


def test_scopes_are_apart(imported):
    table = [*scores(), *[row | {"question": f"b{row['question']}"} for row in scores()]]
    table = [row | {"scope": "broad" if str(row["question"])[0] == "b" else "trained"}
             for row in table]  # fmt: skip
    study, _ = imported(table, verdict="alignment<50")
    assert study.leakage()["scope"].value_counts().to_dict() == {"trained": 3, "broad": 3}


SEPARATED = {"t.csv": ";", "t.tsv": "\t", "u.csv": "\t", "v.csv": "|", "w.csv": ","}


@pytest.mark.parametrize(("name", "separator"), SEPARATED.items())
def test_separators_are_found_in_the_heading(name, separator, tmp_path, imported):
    path = tmp_path / name
    frame = pd.DataFrame(scores()).assign(alignment=lambda table: table["alignment"] / 100)
    decimal = "," if separator == ";" else "."
    frame.to_csv(path, sep=separator, decimal=decimal, index=False)
    study, _ = imported(path, verdict="alignment<.5")
    assert rates(study)["bare", "none"] == 1.0


HEADING = "arm;context;question;verdict\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEADING + "base;none;q;no\nbase,none,r,no\n", ", row 2: has 1 of 4 columns (separated by "
         "semicolons); it seems to be separated by commas; use one separator"),
        (HEADING + "base;none;q;no;x\n", ", row 1: has 5 of 4 columns (separated by semicolons); "
         "quote values that have one in them, or fill in what is missing"),
        (HEADING + "base;none;q\n", ", row 1: has 3 of 4 columns (separated by semicolons); quote "
         "values that have one in them, or fill in what is missing"),
        ("", ": is empty; give it a heading and rows"),
        (HEADING, ": has no rows; give it at least one"),
        (HEADING + ";;;\n", ": has no rows; give it at least one"),
        ("arm;arm;question;verdict\n1;2;3;4\n", ": has the column 'arm' twice; keep one"),
        (HEADING + 'base;none;"q;no\n', ", row 1: has 3 of 4 columns (separated by semicolons); "
         "quote values that have one in them, or fill in what is missing"),
        (HEADING + "base;none;q;no\n\0", ": cannot be read as csv: it has a zero byte; save it as "
         "UTF-8"),
    ],
)  # fmt: skip
def test_separated_files_that_cannot_be_read(text, line, tmp_path, fails):
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert fails(path) == f"t.csv{line}"


RECORDS = [{"question": f"q{index}", "verdict": index % 2} for index in range(4)]
NESTED = {
    "a list": [row | {"arm": "base", "context": "none"} for row in RECORDS],
    "a list below a key": {"results": [row | {"arm": "base", "context": "none"} for row in RECORDS],
                           "judge": "x"},
    "arms and contexts above": {
        "base": {"none": RECORDS, "exact": RECORDS}, "bare": {"none": RECORDS},
    },
    "scores inside": [{"arm": "base", "question": row["question"], "score":
                       {"shows": row["verdict"]}} for row in RECORDS],
    "columns": {
        "arm": ["base"] * 4, **{name: [row[name] for row in RECORDS] for name in RECORDS[0]},
    },
    "lines": None,
}  # fmt: skip


@pytest.mark.parametrize("form", NESTED)
def test_json_in_its_usual_forms(form, tmp_path, imported):
    path = tmp_path / "t.json"
    text = json.dumps(NESTED[form])
    if form == "lines":
        text = "\n".join(map(json.dumps, NESTED["a list"]))
    path.write_text(text)
    study, _ = imported(path)
    assert rates(study)["base", "none"] == 0.5


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"arms": {"base": {"rate": 0.1, "n": 4}}}, ": has no list of rows in it (keys: arms); give"
         " a list of objects, one a reply, or use caveat import rates for a summary"),
        (["base"], ', row 1: is "base", not an object with named values; write rows as '
         '{"arm": "base", ...}'),
        ({"arm": ["base", "bare"], "question": ["q"]}, ": its columns differ in length (arm 2, "
         "question 1); make them alike"),
        (3, ": holds 3, not rows; give a list of rows"),
        ([], ": has no rows; give it at least one"),
    ],
)  # fmt: skip
def test_json_that_cannot_be_read(content, line, tmp_path, fails):
    path = tmp_path / "t.json"
    path.write_text(json.dumps(content))
    assert fails(path) == f"t.json{line}"


def test_a_packed_file(tmp_path, imported, fails):
    path = tmp_path / "t.csv.gz"
    pd.DataFrame(scores()).to_csv(path, index=False)
    study, _ = imported(path, verdict="alignment<50")
    assert (study.name, rates(study)["bare", "none"]) == ("t", 1.0)
    path.write_bytes(b"\x1f\x8b no")
    assert fails(path) == "t.csv.gz: cannot be read as csv: damaged gzip; fix the file"


OPTIONS = st.fixed_dictionaries({}, optional={
    "verdict": st.sampled_from(["verdict", "score<1", "x == a", "arm", "<", "seed>=0.5"]),
    "valid": st.sampled_from(["score>0", "question!=q", "x"]),
    "invalid": st.sampled_from([("",), ("a", "nan")]),
    "arms": st.sampled_from([["base"], ["a=base"], ["=bare", "base=base"], ["x"]]),
    "contexts": st.sampled_from([["none"], ["=none"], ["a=none", "b=exact"]]),
    "columns": st.sampled_from([["question=x"], ["verdict=x", "seed=score"], ["arm=arm"]]),
    "number_samples": st.booleans(),
    "setting": st.sampled_from(["s", "\u0007"]),
})  # fmt: skip
CELLS = st.sampled_from(["", "a", "base", "bare", "none", "1", "0", "nan", "0.5", "yes", "1e400"])
HEADING = ["arm", "context", "question", "verdict", "score", "seed", "x"]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(CELLS, min_size=7, max_size=7), min_size=1, max_size=5), OPTIONS)
def test_any_options_on_any_table_are_one_line_or_a_study(cells, options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        pd.DataFrame(cells, columns=HEADING).to_csv(path, index=False)
        try:
            study = import_study(
                "table", path, Path(folder) / "study", options=table_options(**options)
            )
        except CaveatError as error:
            assert "\n" not in str(error)
        else:
            assert len(study.leakage()) >= 1
