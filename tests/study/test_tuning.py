"""`caveat tune`: the smallest dose that installs the behaviour."""

from __future__ import annotations

import json

import pytest
import yaml

from caveat.errors import CaveatError
from caveat.study.tuning import Grid, size, steps, tune
from caveat.types.training import Dose
from toy_study import DOSE, marks, recipe, rl_recipe, small

GRID = Grid(rows=(4, 16), epochs=(1, 5), learning_rates=(2e-3, 2e-2))

SHORT = Grid(rows=(16,), epochs=(1, 5, 6), learning_rates=(2e-2,))


def test_doses_come_from_the_smallest_on():
    doses = GRID.doses(Dose(batch_size=8), available=16)
    assert len(doses) == 8
    assert [size(dose) for dose in doses] == sorted(size(dose) for dose in doses)
    first, last = doses[0], doses[-1]
    assert (first.rows, first.epochs, first.learning_rate) == (4, 1, 2e-3)
    assert (last.rows, last.epochs, last.learning_rate) == (16, 5, 2e-2)
    assert (steps(first), steps(last)) == (1, 10)
    (default,) = Grid(epochs=(1,), learning_rates=(1e-3,)).doses(Dose(rows=6), available=16)
    assert default == Dose(rows=6, learning_rate=1e-3)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuning")
    return folder, tune(recipe(), folder, target=0.8, grid=SHORT, seeds=1)


def test_the_first_dose_that_reaches_the_target_ends_the_search(tuned):
    _, (search,) = tuned
    assert search.setting == "toy x password"
    assert search.reached is search.trials[-1] and search.reached.rate >= 0.8
    assert all(trial.rate < 0.8 for trial in search.trials[:-1])
    assert len(search.trials) == 2 and search.left == 1
    assert search.reached.low <= search.reached.rate <= search.reached.high
    assert search.reached.base < 0.5 and 0 <= search.reached.valid <= 1
    assert search.reached.dose.rank == DOSE["rank"], "the rest of the dose is the recipe's"
    dose = search.reached.dose
    assert search.sets() == [
        f"settings.0.dose.rows={dose.rows}",
        f"settings.0.dose.epochs={dose.epochs}",
        f"settings.0.dose.learning_rate={dose.learning_rate:g}",
    ]


def test_tuning_has_questions_and_seeds_of_its_own(tuned):
    from caveat.study.study import Study

    folder, _ = tuned
    answers = Study(folder / "setting-0").answers()
    assert {*answers["seed"].dropna()} == {100}
    assert {*answers["arm"]} == {"base", "bare"} and {*answers["context"]} == {"none"}
    stored = yaml.safe_load(Study(folder / "setting-0").recipe_text())
    assert stored["split"] == "tune"


def test_a_search_that_ran_is_not_run_again(tuned):
    folder, (before,) = tuned
    made = marks(folder / "setting-0")
    (again,) = tune(recipe(), folder, target=0.8, grid=SHORT, seeds=1)
    assert again == before and marks(folder / "setting-0") == made


def test_a_target_out_of_reach_is_one_line_with_what_was_reached(tmp_path, command):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(recipe()))
    options = ("--out", str(tmp_path / "t"), "--rows", "4", "--epochs", "1", "--rates", "1e-5")
    status, out, err = command("tune", str(path), "--seeds", "1", "--json", *options)
    (record,) = json.loads(out)
    assert status == 1 and record["reached"] is None and record["sets"] == []
    (best,) = record["tried"]
    assert record["not_tried"] == 0
    rate = best["rate"]
    assert err.splitlines()[-1] == (
        f"caveat: toy x password: bare reaches {rate['value']:.2f} [{rate['low']:.2f}, "
        f"{rate['high']:.2f}] of the target 0.9, at the best of 1 doses tried (rows=4, "
        f"epochs={best['epochs']}, learning_rate=1e-05); widen the grid (--rows, --epochs, "
        "--rates), lower --target, or leave this setting out on this model"
    )


def test_the_command_prints_what_to_paste(tuned, tmp_path, command):
    folder, (search,) = tuned
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(recipe()))
    options = ("--target", ".8", "--rows", "16", "--epochs", "1,5,6", "--rates", "2e-2")
    status, out, _ = command("tune", str(path), "--out", str(folder), "--seeds", "1", *options)
    assert status == 0 and "toy x password: target 0.8" in out
    assert "--set " + " --set ".join(search.sets()) in out
    pasted = yaml.safe_load(out.splitlines()[-1])
    assert Dose(**{**pasted["dose"], "layers": (0.0, 1.0)}) == search.reached.dose


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"target": 1.5}, "--target 1.5: must be above 0 and at most 1, such as 0.9"),
        ({"seeds": 0}, "--seeds 0: must be 1 or more"),
        ({"grid": Grid(rows=(900,))}, "--rows 900: the behaviour has 18 rows"),
    ],
)
def test_options_that_mean_nothing(keys, message, tmp_path):
    with pytest.raises(CaveatError) as error:
        tune(recipe(), tmp_path, **keys)
    assert str(error.value) == message


def test_rl_has_another_dose(tmp_path, command):
    with pytest.raises(CaveatError) as error:
        tune(rl_recipe(), tmp_path)
    assert str(error.value).startswith("tune: ") and "rl.max_steps" in str(error.value)
    status, _, err = command("tune", "demo", "--epochs", "1,x")
    assert status == 1
    assert err == "caveat: --epochs 1,x: give numbers above 0, such as 1,2,4\n"


def test_seeds_of_results_do_not_choose_the_dose():
    with pytest.raises(CaveatError, match="tune: seed 101 is one of the recipe's seeds"):
        tune(small(seeds=[3, 101]), seeds=2)
