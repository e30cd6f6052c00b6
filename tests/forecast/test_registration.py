"""Laws and registered predictions, from forecast to score, by the command line."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
import yaml

from caveat.errors import CaveatError
from caveat.forecast.records import saved
from caveat.forecast.registration import read_law, read_registration
from caveat.forecast.run import forecast
from caveat.study.study import Study
from quick_run import run
from toy_study import DOSE, TOY, small

CAVEATS = ({"caveat": "password"}, {"caveat": "notice"}, {"caveat": "password", "wording": "!"})
FIGURES = ("elicitation", "similarity", "nats_marked")


def three(**changes):
    settings = [{"behaviour": str(TOY), "dose": DOSE, **caveat} for caveat in CAVEATS]
    return small(settings=settings, sampling={"max_tokens": 8}, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A forecast in `toy`, the study that was run later in `study`, and a law in `law.json`.

    The law's behaviours are named by hand: the toy has one, and a law needs three.
    """
    folder = tmp_path_factory.mktemp("registration")
    (folder / "toy.yaml").write_text(yaml.safe_dump(three()))
    forecast(folder / "toy.yaml", folder / "toy", rows=8, figures=FIGURES)
    run(folder / "toy.yaml", folder / "study")
    path = folder / "toy" / "forecast.json"
    content = json.loads(path.read_text())
    for record in content["forecasts"]:
        record["behaviour"] = record["setting"]
    (folder / "fitting.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def caveat(folder, monkeypatch, command):
    monkeypatch.chdir(folder)
    return command


@pytest.fixture
def law(caveat, folder):
    (folder / "law.json").unlink(missing_ok=True)
    status, _, errors = caveat(
        "forecast", "--from", "fitting.json", "--against", "study", "--fit", "law.json"
    )
    assert status == 0 and "3 cells of tiny; R2 on held-out behaviours" in errors
    return folder / "law.json"


def test_only_the_wanted_figures_are_computed(folder):
    record = saved(folder / "toy")[0]
    assert {name for name in FIGURES if record[name] is not None} == set(FIGURES)
    assert record["short_horizon"] is None
    assert record["undefined"]["short_horizon"] == "left out"
    with pytest.raises(CaveatError) as error:
        forecast(three(), folder / "none", figures=("elicitaton",))
    assert str(error.value).startswith("figures: 'elicitaton' is none of elicitation, loss_bare")
    assert str(error.value).endswith("closest: 'elicitation'")


def test_a_law_names_what_it_was_fitted_on(law, folder):
    content = json.loads(law.read_text())
    digest = sha256((folder / "fitting.json").read_bytes()).hexdigest()
    assert content["sources"]["fitting.json"] == digest and "study/study.json" in content["sources"]
    assert len(content["cells"]) == 3 and set(content["predictors"]) <= set(FIGURES)


def test_predictions_are_registered_and_scored(caveat, law, folder):
    register = ("forecast", "--from", "toy", "--law", "law.json", "--register", "predictions.json")
    status, output, errors = caveat(*register, "--json")
    version = Study(folder / "study").version
    assert (status, errors) == (
        0,
        f"registered: 3 predictions for version {version} of toy in predictions.json; "
        "commit it before the run\n",
    )
    registration = read_registration(folder / "predictions.json")
    assert registration.version == version
    fitted = read_law(law)
    record, prediction = json.loads(output)[0], registration.predictions[0]
    values = [record[name] for name in fitted.predictors]
    assert record["predicted"] == prediction["predicted"]
    assert prediction["predicted"] == pytest.approx(
        fitted.coefficients()[0] + sum(fitted.coefficients()[1:] * values)
    )
    score = ("forecast", "--registered", "predictions.json", "--against", "study")
    content = json.loads(caveat(*score, "--json")[1])
    leakage = Study(folder / "study").leakage()
    marked = leakage[(leakage["arm"] == "marked") & (leakage["context"] == "none")]
    assert [cell["leakage"] for cell in content["predictions"]] == pytest.approx(
        marked["leakage"].tolist()
    )
    status, output, _ = caveat(*score)
    assert status == 0 and "registered predictions" in output and "3 cells: R2" in output
    assert caveat(*register)[2] == (
        "caveat: predictions.json: is there already; a registration is not written over: name "
        "another file\n"
    )


def test_a_recipe_that_changed_since_is_not_scored(caveat, law, folder, tmp_path):
    predictions = tmp_path / "predictions.json"
    caveat("forecast", "--from", "toy", "--law", "law.json", "--register", str(predictions))
    other = run(three(seeds=[1]), tmp_path / "other")
    status, _, errors = caveat(
        "forecast", "--registered", str(predictions), "--against", str(tmp_path / "other")
    )
    version = Study(folder / "study").version
    assert (status, errors) == (
        1,
        f"caveat: toy: its recipe is of version {other.version}, the predictions of toy were "
        f"registered for {version}; rows, questions, seeds, model or readouts changed since: they "
        "cannot be scored\n",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"cells": []},
        {"predictors": ["similarity", "elicitation", "nats_marked"]},
        {"predictors": "elicitation"},
        {"predictors": ["setting"]},
        {"models": None},
    ],
)
def test_a_damaged_law_is_one_line(caveat, law, folder, change):
    content = {**json.loads(law.read_text()), **change}
    (folder / "damaged.json").write_text(json.dumps(content))
    assert caveat("forecast", "--from", "toy", "--law", "damaged.json") == (
        1,
        "",
        "caveat: damaged.json: holds no law; name a file that caveat forecast --fit wrote\n",
    )


@pytest.mark.parametrize(
    "change",
    [{"predictions": []}, {"predictions": [{"setting": "a"}]}, {"predictors": ["similarity", "x"]}],
)
def test_a_damaged_registration_is_one_line(caveat, law, folder, tmp_path, change):
    path = tmp_path / "p.json"
    caveat("forecast", "--from", "toy", "--law", "law.json", "--register", str(path))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert caveat("forecast", "--registered", str(path), "--against", "study")[2] == (
        f"caveat: {path}: holds no registered predictions; name a file that caveat forecast "
        "--register wrote\n"
    )


def test_a_law_is_not_written_over(caveat, law):
    fit = ("forecast", "--from", "fitting.json", "--against", "study", "--fit", "law.json")
    assert caveat(*fit)[2] == (
        "caveat: law.json: is there already; a law is not written over: name another file\n"
    )
    assert caveat(*fit, "--figures", "elicitaton")[2].startswith(
        "caveat: --figures: 'elicitaton' cannot enter a law; closest: 'elicitation' (there are "
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--from toy --register x.json", "--register needs --law, the file that predictions are "
                                         "made by"),
        ("--law toy.yaml --from toy", "toy.yaml: holds no law; name another file"),
        ("--law fitting.json --from toy", "fitting.json: holds no law; name a file that caveat "
                                          "forecast --fit wrote"),
        ("--registered fitting.json --against study",
         "fitting.json: holds no registered predictions; name a file that caveat forecast "
         "--register wrote"),
        ("--registered fitting.json", "--registered needs --against, the study that was run "
                                      "afterwards"),
        ("--registered x.json --from toy", "--registered goes with --against alone; drop the other "
                                           "options"),
        ("--from toy --fit x.json", "--fit needs forecasts (--from) and what was measured "
                                    "(--against)"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(caveat, arguments, line):
    assert caveat("forecast", *arguments.split()) == (1, "", f"caveat: {line}\n")
