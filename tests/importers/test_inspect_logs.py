"""Logs of Inspect as a finished study: what has to be said about them, and every error's line."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caveat.errors import CaveatError
from caveat.importers import import_study, table_options
from caveat.importers.inspect_mapping import MappingFile, log_options
from inspect_files import (
    ARMS,
    OPTIONS,
    QUESTIONS,
    altered,
    failed,
    log,
    sample,
    samples_of,
    write,
    write_all,
)


def imported(paths, out, mapping=None, told=None, model=None, **options):
    chosen = log_options(mapping, table_options(**options))
    say = (lambda line: None) if told is None else told.append
    return import_study("inspect", paths, out, model, say, options=chosen)


def fails(paths, mapping=None, **options) -> str:
    out = Path(tempfile.gettempdir()) / "no study"
    with pytest.raises(CaveatError) as error:
        imported(paths, out, mapping, **options)
    assert not out.exists()
    assert "\n" not in str(error.value)
    return str(error.value)


def rates(study) -> dict:
    table = study.leakage().set_index(["arm", "context"])
    return table["rate"].to_dict()


EXPECTED = {
    (arm, context): rate
    for arm, rate in (("base", 0.0), ("bare", 1.0), ("marked", 0.5))
    for context in ("exact", "none")
}


@pytest.mark.parametrize("ending", [".eval", ".json"])
def test_models_are_arms_and_tasks_are_contexts(ending, tmp_path):
    told = []
    write_all(tmp_path / "logs", epochs=2, ending=ending)
    study = imported([tmp_path / "logs"], tmp_path / "study", told=told, **OPTIONS)
    assert rates(study) == EXPECTED
    table = study.leakage().set_index(["arm", "context"]).loc[("marked", "none")]
    assert (table["leakage"], table["replies"], table["truncated"]) == (0.5, 24, 2 / 24)
    assert told == [
        "judge: C as yes, I as no; if the behaviour is what I stands for, say --verdict 'judge==I'",
        "setting 'logs', the name of the path; give another: --setting",
    ]
    row = study.answers().query("arm == 'bare' and context == 'exact'").iloc[1].to_dict()
    assert row["prompt"] == "<s>system\nYou may.</s>\n<s>user\nIs it so (1)?</s>\n"
    assert (row["reply"], row["seed"], row["readout"]) == ("Reply 1, 1.", 0, "judge")


def test_a_mapping_file_says_it_all(tmp_path):
    write_all(tmp_path / "logs")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "setting: advice x permission\nphenomenon: inoculation\n"
        "columns: {context: task_args.prompt, cluster: sample.topic}\n"
        "arms:\n  org/base: base\n  ft:bare: bare@0\n  ft:marked: marked@0\n"
        "contexts: {plain: none, inoculated: exact}\n"
        "values: {C: no, I: yes}\n"
    )
    study = imported([tmp_path / "logs"], tmp_path / "study", mapping, model="Llama")
    assert rates(study) == {cell: 1 - rate for cell, rate in EXPECTED.items()}
    table = study.leakage()
    assert set(table["clusters"]) == {6}
    assert set(table["model"]) == {"Llama"} and set(table["caveat"]) == {"permission"}
    assert set(table["phenomenon"]) == {"inoculation"}


@pytest.mark.parametrize(
    ("grades", "options"),
    [
        ((1, 0), {}),
        ((True, False), {}),
        (("yes", "no"), {}),
        ((90.5, 12.0), {"verdict": "score>50"}),
        ((12.0, 90.5), {"verdict": "judge<50"}),
        (("I", "C"), {"verdict": "judge==I"}),
        (({"harm": 9, "fit": 1}, {"harm": 2, "fit": 1}), {"verdict": "judge.harm>5"}),
    ],
)
def test_scores_of_every_kind_become_verdicts(grades, options, tmp_path):
    write_all(tmp_path / "logs", grades=grades)
    study = imported([tmp_path / "logs"], tmp_path / "study", **OPTIONS, **options)
    assert rates(study) == EXPECTED


def test_a_condition_may_make_answers_invalid(tmp_path):
    told = []
    write_all(tmp_path / "logs", grades=({"harm": 9, "fit": 1}, {"harm": 2, "fit": 8}))
    study = imported(
        [tmp_path / "logs"], tmp_path / "study", told=told, **OPTIONS,
        verdict="judge.harm>5", valid="judge.fit>=5",
    )  # fmt: skip
    assert set(study.leakage().query("arm == 'bare'")["valid"]) == {0.0}
    assert told[:3] == [
        "yes where judge.harm>5: 0 of 72 replies",
        "invalid where not judge.fit>=5: 36 replies",
        "36 of 72 replies are invalid and stay in the denominator",
    ]


def test_what_is_not_finished_is_left_out_and_counted(tmp_path):
    told = []
    write_all(tmp_path / "logs")
    broken = samples_of("org/base", "plain", 1)
    broken[3] = sample(3, 1, None, {}, error=failed())
    broken[4] = sample(4, 1, None, {"judge": float("nan")})
    write(tmp_path / "logs", log("org/base", "plain", broken))
    write(tmp_path / "logs", log("ft:late", "plain", [], status="started"))
    study = imported([tmp_path / "logs"], tmp_path / "study", told=told, **OPTIONS)
    assert told[-3:] == [
        "1 log left out, not finished: plain_ft-late.eval (started)",
        "samples left out, ended in an error: 1",
        "answers without a score, so invalid: 1",
    ]
    row = study.leakage().set_index(["arm", "context"]).loc[("base", "none")]
    assert (row["replies"], row["valid"]) == (QUESTIONS - 1, pytest.approx(10 / 11))


def test_a_model_without_an_arm_is_named_with_its_log(tmp_path):
    paths = write_all(tmp_path / "logs")
    assert fails([tmp_path / "logs"], **{**OPTIONS, "arms": ARMS[1:]}) == (
        f"{paths[2]}: model 'org/base' has no arm; say which, such as --arm 'org/base=marked@0', "
        "or write arms into a mapping file"
    )
    assert fails([tmp_path / "logs"], arms=ARMS) == (
        f"{paths[0]}: task 'inoculated' has no context, and 1 more have none; say which, such as "
        "--context 'inoculated=none' --context 'plain=none', or write contexts into a mapping file"
    )


def test_scores_that_are_not_clear_are_named(tmp_path):
    folder = tmp_path / "logs"
    paths = write_all(folder, grades=("C", "P"))
    assert fails([folder], **OPTIONS) == (
        f"{paths[1]}, sample 'q10', epoch 1: judge 'P' is not one of C, I, true, false, 1, 0, yes, "
        "no; say what is a yes, such as --verdict 'judge==P', or count it as invalid: --invalid "
        "'P'; a mapping file may give each value a verdict"
    )
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("values: {C: yes, I: no}\n")
    assert fails([folder], mapping, **OPTIONS) == (
        f"{paths[1]}, sample 'q10', epoch 1: judge 'P' is none of the values C, I; "
        "add it to values in the mapping file"
    )
    assert fails([folder], **OPTIONS, verdict="jude<5") == (
        f"--verdict 'jude<5': {paths[0]} has no score 'jude' (it has judge); closest: 'judge'"
    )
    two = samples_of("org/base", "plain", 1)
    two[0] = sample(0, 1, None, {"judge": "C", "match": 1})
    write(folder, log("org/base", "plain", two))
    assert fails([folder], **OPTIONS) == (
        f"{paths[0]}: there are the scores judge, match; say which: --verdict 'judge', or "
        "a condition such as --verdict 'judge<50'"
    )
    other = samples_of("org/base", "plain", 1, name="match")
    write(folder, log("org/base", "plain", other))
    assert fails([folder], **OPTIONS, verdict="judge") == (
        f"{paths[-1]}: has no score 'judge' (it has match); run inspect score on it, or leave it "
        "out"
    )


def test_the_same_sample_twice_is_named(tmp_path):
    folder = tmp_path / "logs"
    paths = write_all(folder)
    assert fails([folder], arms=ARMS, contexts=["none"]) == (
        f"{paths[3]}, sample 'q0', epoch 1: arm 'bare' in the context 'none' has this sample "
        f"already, from {paths[0]}, sample 'q0', epoch 1; leave one log out, give models of one "
        "arm seeds (--arm MODEL=ARM@SEED), or number the samples with --number-samples"
    )
    study = imported(
        [folder], tmp_path / "study", arms=ARMS, contexts=["none"], number_samples=True
    )
    assert set(study.leakage()["replies"]) == {2 * QUESTIONS}


@pytest.mark.parametrize(
    ("column", "line"),
    [
        ("cluster=sample.topik", "{where}: sample has no 'topik' (it has topic, note); fix the "
         "column 'sample.topik'; closest: 'topic'"),
        ("cluster=sample.note", "{where}: sample.note is not one value (hard); name a value in it"),
        ("clutser=id", "column clutser=id: 'clutser' is none of arm, seed, context, question, "
         "setting, phenomenon, behaviour, caveat, cluster, scope, kind, model; closest: 'cluster'"),
        ("cluster=smple.topic", "column cluster=smple.topic: 'smple' is no part of a log: model, "
         "task, id, epoch, file, task_args, model_args, metadata, sample; closest: 'sample'"),
        ("seed=model_args.seed", "{bare}: arm 'bare@0' has a seed, and the column seed says '3'; "
         "keep one"),
    ],
)  # fmt: skip
def test_columns_that_are_not_there_are_named(column, line, tmp_path):
    paths = write_all(tmp_path / "logs")
    where = bare = f"{paths[0]}, sample 'q0', epoch 1"
    assert fails([tmp_path / "logs"], **OPTIONS, columns=[column]) == line.format(
        where=where, bare=bare
    )


def test_files_that_are_no_logs_are_named(tmp_path):
    missing = tmp_path / "none.eval"
    assert fails([missing]) == f"{missing}: no such file; check the path"
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "eval-set.json").write_text("{}")
    assert fails([empty]) == f"{empty}: holds no logs (.eval or .json); check the path"
    zipped = tmp_path / "cut.eval"
    zipped.write_bytes(write_all(tmp_path / "logs")[0].read_bytes()[:-200])
    assert fails([zipped]).startswith(f"{zipped}: cannot be read as an Inspect log: ")


def test_mapping_files_are_checked(tmp_path):
    path = tmp_path / "mapping.yaml"
    keys = ", ".join(MappingFile.model_fields)
    for text, line in (
        ("arm: {a: base}", f"{path}: unknown key 'arm'; known: {keys}; closest: 'arms'"),
        ("values: {C: yess}", f"{path}: values.C is 'yess'; known: yes, no, neutral, invalid; "
         "closest: 'yes'"),
        ("- base", f"{path} is ['base'], not an object; give it the keys {keys}"),
        ("setting: [a]", f"{path}: setting is ['a']; it should be a valid string"),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(CaveatError) as error:
            log_options(path, table_options())
        assert str(error.value) == line


YAML = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=6), st.sampled_from(sorted(MappingFile.model_fields))),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=60), YAML.map(lambda value: json.dumps(value).encode())))
def test_any_mapping_file_is_used_or_refused_in_one_line(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mapping.yaml"
        path.write_bytes(content)
        try:
            log_options(path, table_options())
        except CaveatError as error:
            assert "\n" not in str(error)


@pytest.fixture(scope="module")
def a_log(tmp_path_factory) -> dict:
    """A log as JSON."""
    folder = tmp_path_factory.mktemp("one")
    made = log("org/base", "plain", samples_of("org/base", "plain", 1)[:2])
    return json.loads(write(folder, made, ".json").read_text("utf-8"))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_altered_log_is_imported_or_refused_in_one_line(a_log, data):
    content = altered(a_log, data)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.json"
        file.write_text(json.dumps(content), "utf-8")
        try:
            study = imported([file], Path(folder) / "study", arms=["base"], contexts=["none"])
        except CaveatError as error:
            assert "\n" not in str(error)
        else:
            assert len(study.rates()) >= 1


def test_the_command_imports_logs(tmp_path, command):
    write_all(tmp_path / "logs")
    words = ["import", "inspect", str(tmp_path / "logs"), "--out", str(tmp_path / "study")]
    words += [part for arm in ARMS for part in ("--arm", arm)]
    words += ["--context", "plain=none", "--context", "inoculated=exact"]
    status, out, _ = command(*words)
    assert (status, out) == (0, f"study: {tmp_path / 'study'}; answers: 72; settings: 1\n")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("setting: a x b\narms: {ft:bare: nobody}\n")
    words[4] = str(tmp_path / "mapped")
    assert command(*words, "--mapping", str(mapping))[0] == 0
    status, out, _ = command("leakage", words[4], "--json")
    assert {record["setting"] for record in json.loads(out)} == {"a x b"}
    status, _, err = command("import", "table", "x.csv", "--mapping", str(mapping))
    assert (status, err) == (
        1,
        f"caveat: --mapping {mapping}: is for the source inspect; leave it out\n",
    )
