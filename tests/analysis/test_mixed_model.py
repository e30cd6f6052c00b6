"""The mixed model finds effects that were put in, and says where it cannot."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from caveat.analysis import mixed_records
from caveat.analysis.mixed_model import mixed_model, mixed_rows
from caveat.errors import CaveatError
from caveat.report.tables.mixed import mixed_summary
from constructed import DOSE, NAMES, replies
from paths import DOCS

NATS, RATE, CAVEAT, EXACT = -1.2, 0.0, -0.5, 0.8
"""Effects in logits: of predictors by standard deviation, of marked, and of marked at exact."""


def constructed(prompts=8, seeds=3, questions=10, seed=1) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    question = generator.normal(0, 0.5, questions)
    nats, rate = (np.resize(values, prompts) for values in ([-1.5, -0.5, 0.5, 1.5], [-1, 1, 1, -1]))
    nats, rate = nats / nats.std(ddof=1), rate / rate.std(ddof=1)
    rows = []
    for prompt in range(prompts):
        for arm in ("bare", "marked"):
            marked = arm == "marked"
            of_prompt = generator.normal(0, 0.3)
            for training in range(seeds):
                of_training = generator.normal(0, 0.4)
                for context in ("none", "exact"):
                    logit = 0.5 + of_prompt + of_training + question
                    logit = logit + marked * (CAVEAT + NATS * nats[prompt] + RATE * rate[prompt])
                    logit = logit + EXACT * (marked and context == "exact")
                    yes = generator.random(questions) < 1 / (1 + np.exp(-logit))
                    rows += [
                        {
                            "yes": float(one), "arm": arm, "context": context,
                            "setting": f"s{prompt}", "question": f"q{index}",
                            "prompt": f"s{prompt} {arm}", "training": f"s{prompt} {arm} {training}",
                            "caveat": float(marked), "nats": nats[prompt], "rate": rate[prompt],
                        }
                        for index, one in enumerate(yes)
                    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return constructed()


@pytest.fixture(scope="module")
def fitted(rows):
    return mixed_model(rows)


def test_effects_that_were_put_in_are_inside_their_intervals(fitted):
    assert fitted.note == "" and fitted.rows == 960
    assert fitted.formula == "yes ~ arm * context + caveat:nats + caveat:rate"
    effects = fitted.effects.set_index("term")
    assert effects["undefined"].isna().all()
    true = {
        "arm marked": CAVEAT, "caveat : nats": NATS, "caveat : rate": RATE,
        "arm marked : context exact": EXACT, "context exact": 0.0,
    }  # fmt: skip
    for term, value in true.items():
        assert effects.loc[term, "low"] < value < effects.loc[term, "high"], term
    assert effects.loc["caveat : nats", "high"] < 0
    # eight prompts with the caveat, and three terms that are constant in each
    assert effects.loc["caveat : nats", "freedom"] == 5


def test_estimating_equations_say_the_same(rows, fitted):
    """A second method: logistic, clustered by training, with the marginal effects that are smaller
    than those given the groups by their variance."""
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    marginal = smf.gee(
        "yes ~ arm * context + caveat:nats + caveat:rate",
        groups="training", data=rows, family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    ).fit()  # fmt: skip
    mixed = fitted.effects.set_index("term")["estimate"]
    shrink = np.sqrt(1 + 0.346 * sum(spread**2 for spread in fitted.spreads.values()))
    for term, name in (("caveat : nats", "caveat:nats"), ("caveat : rate", "caveat:rate")):
        assert mixed[term] / shrink == pytest.approx(marginal.params[name], abs=0.15)
    slopes = fitted.effects.set_index("term")
    assert slopes.loc["caveat : nats", "rate_high"] < 0
    assert abs(slopes.loc["caveat : rate", "rate_change"]) < 0.1


def test_an_arm_that_says_no_to_everything_gets_the_simpler_figure(rows):
    some = rows[rows["prompt"].str[1].astype(int) < 4].drop(columns=["nats", "rate"])
    silent = (some["arm"] == "marked") & (some["context"] == "none")
    fitted = mixed_model(some.assign(yes=some["yes"].where(~silent, 0.0)))
    effects = fitted.effects.set_index("term")
    marked = effects.loc["arm marked"]
    assert np.isnan(marked["estimate"]) and np.isnan(marked["p"])
    assert marked["undefined"].startswith("separated: -")
    assert marked["undefined"].endswith("logits, and " + marked["undefined"].split("and ")[1])
    bare = some[(some["arm"] == "bare") & (some["context"] == "none")]["yes"].mean()
    assert marked["rate_change"] == pytest.approx(-bare)
    assert marked["rate_high"] < 0 and effects.loc["Intercept", "undefined"] is None


def test_a_study_of_one_verdict_is_said_in_one_line(rows):
    fitted = mixed_model(rows.assign(yes=1.0))
    assert fitted.note == (
        "every verdict is yes; least squares on the rates of trainings stands in its place"
    )
    assert fitted.effects["estimate"].isna().all()


def test_a_fit_that_does_not_end_is_said_in_one_line(rows, monkeypatch):
    module = sys.modules["caveat.analysis.mixed_model"]
    monkeypatch.setattr(module, "TOLERANCE", 0.0)  # of the gradient: never reached
    fitted = mixed_model(rows.iloc[::4].drop(columns=["nats", "rate"]))
    assert fitted.note == (
        "the mixed model did not converge; least squares on the rates of trainings stands in its "
        "place"
    )
    assert fitted.effects["rate_change"].notna().all()


def test_a_formula_that_names_no_column_is_refused(rows):
    with pytest.raises(CaveatError) as raised:
        mixed_model(rows, "yes ~ arm + loss")
    assert str(raised.value) == (
        "formula 'yes ~ arm + loss': Error evaluating factor: NameError: name 'loss' is not "
        "defined; columns are yes, arm, context, setting, question, prompt, training, caveat, "
        "nats, rate"
    )
    with pytest.raises(CaveatError) as raised:
        mixed_model(rows.iloc[:0])
    assert str(raised.value) == (
        "mixed model: no answers of trained arms in the contexts none and exact"
    )


OF_CHECKS = {"scope": "trained", "dose": DOSE}


def on_two_models(rates: dict[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Answers of one setting on two models, and the elicitation of each."""
    cells = {("bare", "none"): 1.0, ("marked", "none"): 0.5, ("marked", "exact"): 1.0}
    answers = pd.concat([replies(cells, model=model) for model in rates], ignore_index=True)
    check = NAMES | OF_CHECKS | {"check": "elicitation"}
    rows = [check | {"model": model, "value": value} for model, value in rates.items()]
    broad = {"scope": "broad", "value": 0.7}
    return answers, pd.DataFrame([*(row | broad for row in rows), *rows])


def test_a_setting_on_another_model_has_the_elicitation_of_that_model():
    """Warm-ups make models of one setting that differ in elicitation."""
    rows = mixed_rows(*on_two_models({"tiny": 0.0, "tiny + warm-up": 0.9}))
    by_model = rows.groupby("model")["rate"].unique()
    assert by_model["tiny"].tolist() == [0.0] and by_model["tiny + warm-up"].tolist() == [0.9]
    fitted = mixed_model(rows)
    assert fitted.formula == "yes ~ arm * context + caveat:rate"
    assert fitted.left_out == ("nats is left out: not every setting has one on every model",)


def test_nats_are_those_of_the_dose():
    answers, checks = on_two_models({"tiny": 0.0})
    doses = {DOSE: 1.0, '{"epochs": 2}': 3.0}
    answers = pd.concat([answers.assign(dose=dose) for dose in doses], ignore_index=True)
    graded = [
        NAMES | OF_CHECKS | {"check": "graded elicitation", "dose": dose, "value": value}
        for dose, value in doses.items()
    ]
    rows = mixed_rows(answers, pd.concat([checks, pd.DataFrame(graded)]))
    assert {dose: set(group["nats"]) for dose, group in rows.groupby("dose")} == {
        dose: {value} for dose, value in doses.items()
    }


def test_a_predictor_that_does_not_vary_is_left_out_in_one_line():
    rows = mixed_rows(*on_two_models({"tiny": 0.25, "tiny + warm-up": 0.25}))
    fitted = mixed_model(rows)
    assert fitted.formula == "yes ~ arm * context"
    line = "rate is left out: it is 0.25 throughout, and does not vary"
    assert fitted.left_out == (
        "nats is left out: not every setting has one on every model", line
    )  # fmt: skip
    assert f"\n{line}." in mixed_summary(fitted).note
    assert mixed_records(fitted)["left_out"] == list(fitted.left_out)
    assert mixed_model(rows, "yes ~ arm + caveat:rate").left_out == (line,)


def test_predictors_are_scaled_and_trainings_clustered_by_setting_and_model(rows):
    """Prompts of one setting on eight models count as prompts of eight settings do."""
    models = rows.assign(model=rows["setting"], setting="s")
    expected, fitted = mixed_model(rows), mixed_model(models)
    pd.testing.assert_frame_equal(fitted.effects, expected.effects)


def test_rows_are_the_answers_of_trained_arms_with_predictors_by_setting():
    rates = {("base", "none"): 0.0, ("bare", "none"): 1.0, ("marked", "none"): 0.5,
             ("marked", "near_miss"): 0.5}  # fmt: skip
    answers = pd.concat([replies(rates), replies(rates, setting="other")])
    checks = pd.DataFrame(
        [
            NAMES | OF_CHECKS | {"setting": setting, "check": check, "value": value}
            for setting, rate, nats in ((NAMES["setting"], 0.2, 1.5), ("other", 0.9, 4.0))
            for check, value in (("elicitation", rate), ("graded elicitation", nats))
        ]
    )
    rows = mixed_rows(answers, checks)
    assert len(rows) == 2 * 2 * 3 * 24 and set(rows["context"]) == {"none"}
    assert set(rows["arm"]) == {"bare", "marked"} and rows["training"].nunique() == 12
    other = rows[rows["setting"] == "other"]
    assert set(other["rate"]) == {0.9} and set(other["nats"]) == {4.0}
    assert "nats" not in mixed_rows(answers, checks[checks["check"] == "elicitation"])


def test_records_and_table_hold_what_was_fitted(fitted):
    records = json.loads(json.dumps(mixed_records(fitted), allow_nan=False))
    assert set(records) == {"formula", "rows", "spreads", "note", "left_out", "effects"}
    nats = next(effect for effect in records["effects"] if effect["term"] == "caveat : nats")
    assert nats["logits"]["high"] < 0 and nats["undefined"] is None and nats["freedom"] == 5
    summary = mixed_summary(fitted)
    assert [line[0] for line in summary.rows] == list(fitted.effects["term"])
    assert summary.note.startswith(
        "yes ~ arm * context + caveat:nats + caveat:rate; 960 answers.\n"
    )


def test_the_command_refuses_a_formula_in_one_line(command):
    path = DOCS / "data" / "dose.parquet"
    status, out, error = command("mixed", str(path), "--formula", "yes ~ nats")
    assert (status, out) == (1, "")
    assert error.strip().startswith(
        "caveat: formula 'yes ~ nats': Error evaluating factor: NameError: "
    )
    assert error.count("\n") == 1
