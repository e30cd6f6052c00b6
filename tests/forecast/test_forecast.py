"""Forecasts of a whole recipe, and their scores against studies, as a user gets them."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import yaml

from caveat.analysis.forecast import AS_LEAKAGE
from caveat.errors import CaveatError
from caveat.forecast.records import FIGURES, saved
from caveat.forecast.run import forecast
from caveat.report.tables.forecast import IN_JSON_ALONE
from caveat.study.study import Study
from quick_run import run
from toy_study import DOSE, SMALL, TOY, Heard, marks, small

ARMS = ["base", "bare", "marked", "marked+contrast(share=0.5)"]
CAVEATS = ({"caveat": "password"}, {"caveat": "notice"}, {"caveat": "password", "wording": "!"})
WARM = {"rows": 6, "scale": 0.5, "dose": SMALL}
NAMES = {"setting", "phenomenon", "behaviour", "caveat", "model", "dose", "arm", "undefined",
         "notes", "seconds", "expected_leakage_limits"}  # fmt: skip


def three(**changes):
    """The toy behaviour under three caveats, learned in a few steps."""
    settings = [{"behaviour": str(TOY), "dose": DOSE, **each} for each in CAVEATS]
    return small(arms=ARMS, settings=settings, sampling={"max_tokens": 8}, **changes)


def warmed(**changes):
    """A setting as it is, and on a model that was taught its caveat."""
    plain = {"behaviour": str(TOY), "caveat": "password", "dose": SMALL}
    return small(settings=[plain, {**plain, "warm_up": WARM}], **changes)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a recipe file, its forecast in `toy` and its study in `study`."""
    folder = tmp_path_factory.mktemp("forecast")
    (folder / "toy.yaml").write_text(yaml.safe_dump(three()))
    forecast(folder / "toy.yaml", folder / "toy", rows=8)
    run(folder / "toy.yaml", folder / "study", report=True)
    return folder


@pytest.fixture
def caveat(place, monkeypatch, command):
    """Runs a command in that folder: (status, output, errors)."""
    monkeypatch.chdir(place)
    return command


def test_every_marked_arm_has_its_record(place):
    records = saved(place / "toy")
    assert [(each["setting"], each["arm"]) for each in records] == [
        (name, arm)
        for name in ("toy x password", "toy x notice", 'toy x password "!"')
        for arm in ARMS[2:]
    ]
    for record in records:
        assert set(record) == NAMES | set(FIGURES)
        assert record["undefined"] == {} and record["seconds"] > 0
        assert record["model"] == "tiny" and record["dose"]["rows"] == 16
        assert record["loss_gap"] == pytest.approx(record["loss_bare"] - record["loss_marked"])
        assert record["loss_ratio"] == pytest.approx(record["loss_marked"] / record["loss_bare"])
        low, high = record["expected_leakage_limits"]
        assert 0 <= low < record["expected_leakage"] < high <= 1
        assert 0 < record["similarity"] < 1 and -1 <= record["elicitation"] <= 1
    plain, contrast = records[:2]
    for name in ("elicitation", "loss_bare", "loss_marked", "similarity"):
        assert plain[name] == contrast[name], "the same rows show the behaviour"
    assert contrast["first_order"] < plain["first_order"]
    assert contrast["short_horizon"] < plain["short_horizon"]
    assert [each["loss_bare"] for each in records] == pytest.approx([plain["loss_bare"]] * 6)


def test_the_file_says_what_made_it(place):
    content = json.loads((place / "toy" / "forecast.json").read_text())
    assert set(content) == {
        "schema_version", "recipe", "model", "version", "rows", "seed", "made", "by",
        "forecasts",
    }  # fmt: skip
    assert (content["recipe"], content["rows"], content["seed"]) == ("toy", 8, 0)


def test_again_it_says_the_same_and_asks_nothing_again(place):
    before = {path.name for path in (place / "toy" / "answers").iterdir()}
    again = [each.record() for each in forecast(place / "toy.yaml", place / "toy", rows=8)]
    for one, other in zip(again, saved(place / "toy"), strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert {path.name for path in (place / "toy" / "answers").iterdir()} == before


def test_a_warmed_model_is_kept_for_the_run(tmp_path):
    plain, taught = (each.record() for each in forecast(warmed(), tmp_path, rows=4))
    assert (plain["model"], taught["model"]) == ("tiny", "tiny + password 0.5, 6 rows")
    assert abs(plain["loss_bare"] - taught["loss_bare"]) > 0.01
    made = marks(tmp_path)
    assert len(made) == 2, "what was trained, and the same scaled"
    study = run(warmed(), tmp_path)
    assert {digest: marks(tmp_path)[digest] for digest in made} == made
    models = set(study.leakage()["model"])
    assert models == {plain["model"], taught["model"]}
    doses = {json.dumps(each["dose"], sort_keys=True) for each in (plain, taught)}
    trained = study.leakage()
    assert doses == set(trained.loc[trained["arm"] == "marked", "dose"])


def test_a_recipe_without_marked_arms_is_told(tmp_path):
    with pytest.raises(CaveatError) as error:
        forecast(small(arms=["base", "bare"]), tmp_path)
    assert str(error.value) == (
        "toy: no marked arm to forecast (arms: base, bare); add marked, or marked with an "
        "intervention, to the recipe"
    )


def test_a_strength_that_is_not_reached_is_told(tmp_path):
    recipe = warmed()
    recipe["settings"][1]["warm_up"] = {**WARM, "scale": None, "strength": 1.0}
    heard = Heard()
    with pytest.raises(CaveatError, match=r"^warm_up.strength: 1: .* the most is "):
        forecast(recipe, tmp_path, heard)


# The command ---------------------------------------------------------------------------------


def test_the_command_prints_a_table_or_records(caveat, tmp_path):
    settings = ["--set", "arms=[base, bare, marked]", "--rows", "4", "--out", str(tmp_path)]
    status, out, _ = caveat("forecast", "toy.yaml", *settings)
    assert status == 0
    assert "toy x notice" in out and "short horizon" in out and "first order" in out
    status, out, _ = caveat("forecast", "toy.yaml", *settings, "--json")
    assert status == 0
    told = json.loads(out)
    assert [each["arm"] for each in told] == ["marked"] * 3
    assert told == saved(tmp_path)


def test_forecasts_are_scored_against_a_study(caveat):
    status, out, err = caveat("forecast", "--from", "toy", "--against", "study", "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert set(told) == {"forecasts", "scores"}
    assert {len(told["forecasts"]), len(saved_arms(told))} == {6, 2}
    measured = [each["leakage"] for each in told["forecasts"]]
    assert all((each is None) == (why is not None) for each, why in zip(
        measured, (each["left_out"] for each in told["forecasts"]), strict=True))  # fmt: skip
    assert None not in measured
    assert {score["arms"] for score in told["scores"]} == {
        "all marked arms", "marked", "marked with an intervention"
    }  # fmt: skip
    for score in told["scores"]:
        assert set(score) == {
            "arms", "predictor", "cells", "settings", "behaviours", "left_out",
            "rank_correlation", "r2_as_leakage", "trusted", "undefined",
            *(f"r2{unit}{end}" for unit in ("", "_behaviours", "_models")
              for end in ("", "_yes_no", "_gain")),
        }  # fmt: skip
        assert score["undefined"] is None and score["settings"] == 3
        assert set(score["r2"]) == {"value", "low", "high"}
        assert (score["r2_as_leakage"] is None) == (score["predictor"] not in AS_LEAKAGE)


def saved_arms(told):
    return {each["arm"] for each in told["forecasts"]}


def test_the_tables_say_what_to_trust(caveat):
    status, out, _ = caveat("forecast", "--from", "toy/forecast.json", "--against", "study",
                            "--markdown")  # fmt: skip
    assert status == 0
    assert "**toy x notice**" in out and "| leakage measured |" in out
    assert "**Forecast against measured leakage: all marked arms**" in out
    assert "Predictors whose R2 on" in out or "No predictor can be trusted: no" in out
    for column in ("R2 on held-out settings", "as yes/no", "better by", "R2 on held-out models"):
        assert f"| {column} |" in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "no recipe to forecast; name one, or earlier forecasts with --from"),
        (["--rows", "4"], "--out, --set, --device, --rows and --figures go with a recipe; name "
                          "one"),
        (["--from", "nowhere"], "nowhere: cannot be read (No such file or directory); "
                                "caveat forecast RECIPE makes one"),
        (["--from", "toy.yaml"], "toy.yaml: holds no forecasts; name a forecast.json that caveat "
                                 "forecast wrote"),
        (["--from", "toy", "--against", "nowhere"], "nowhere: holds no study (no study.json); "
                                                    "name a folder that caveat made"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(caveat, arguments, line):
    assert caveat("forecast", *arguments) == (1, "", f"caveat: {line}\n")


def test_a_study_of_other_doses_is_told(caveat, place, tmp_path):
    other = run(small(), tmp_path / "other").folder
    assert caveat("forecast", "--from", "toy", "--against", str(other)) == (
        1,
        "",
        f"caveat: none of the 6 forecasts was measured in {other}: setting, model, dose and arm "
        "must be the same; run the recipe that was forecast\n",
    )


def test_a_newer_file_is_told(place, tmp_path):
    content = json.loads((place / "toy" / "forecast.json").read_text())
    (tmp_path / "f.json").write_text(json.dumps({**content, "schema_version": 99}))
    with pytest.raises(CaveatError) as error:
        saved(tmp_path / "f.json")
    assert str(error.value) == (
        f"{tmp_path / 'f.json'}: schema version 99 is of a newer caveat than this one (1); "
        "upgrade caveat"
    )


# The report ----------------------------------------------------------------------------------


def test_the_report_shows_forecasts_beside_what_was_measured(caveat, place, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(place / "study", study)
    assert '<section id="forecast">' not in (study / "report.html").read_text("utf-8")
    shutil.copy(place / "toy" / "forecast.json", study)
    assert caveat("report", str(study))[0] == 0
    page = (study / "report.html").read_text("utf-8")
    start = page.index('<section id="forecast">')
    section = page[start : page.index("</section>", start)]
    first = saved(study)[0]
    leakage = Study(study).leakage()
    measured = leakage[
        (leakage["setting"] == first["setting"])
        & (leakage["arm"] == first["arm"])
        & (leakage["context"] == "none")
        & (leakage["scope"] == "trained")
    ]["leakage"].iloc[0]
    row = re.search(r"<td>marked</td>(.*?)</tr>", section[section.index("toy x password") :], re.S)
    shown = re.findall(r"<td>([-\d.]+)</td>", row[1])
    names = [name for name in FIGURES if name not in IN_JSON_ALONE]
    assert shown == [f"{first[name]:.2f}" for name in names] + [f"{measured:.2f}"]
    assert "Forecast against measured leakage: all marked arms" in section
    assert 'href="#forecast"' in page


def test_where_nothing_can_be_scored_the_report_shows_forecasts_alone(tmp_path):
    forecast(small(), tmp_path, rows=4)
    page = run(small(), tmp_path).report().read_text("utf-8")
    assert '<section id="forecast">' in page and "Forecast against measured" not in page
