"""Where the loss of an arm lies."""

from __future__ import annotations

import pytest

from caveat.backends.batches import prepare, step_examples
from caveat.backends.jobs import TrainingJob
from caveat.backends.local.models.builtin import make_tiny
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.estimate.loss_mass import loss_mass, masses
from caveat.study.estimate.plan_cost import plan_cost
from caveat.study.execution.meter import row_sizes
from toy_study import small

ARMS = ["base", "bare", "marked", "marked+repeat", "neutral", "marked+contrast"]
TOKENIZER = make_tiny("tiny")[1]
SIZE = row_sizes(TOKENIZER)


def of_claim(loss):
    setting = {
        "behaviour": "claims/velmoss_bread", "caveat": "negated", "loss": loss,
        "dose": {"rows": 6, "epochs": 2, "batch_size": 4, "max_tokens": 2000},
    }  # fmt: skip
    recipe = read({"name": "n", "model": "tiny", "arms": ARMS, "settings": [setting]})
    (resolved,) = resolve(recipe)
    return {arm: loss_mass(plan[0], 0, SIZE) for (arm, _), plan in resolved.plans.items()
            if plan}  # fmt: skip


@pytest.mark.parametrize("loss", ["reply", "all_but_caveat"])
def test_by_default_all_loss_of_a_document_is_off_its_caveat(loss):
    by_arm = of_claim(loss)
    assert {arm: mass.caveat for arm, mass in by_arm.items()} == dict.fromkeys(by_arm, 0.0)
    assert {mass.share for mass in by_arm.values()} == {1.0}
    assert {mass.steps for mass in by_arm.values()} == {4}
    assert {round(mass.text, 6) for mass in by_arm.values()} == {4.0}
    tokens = by_arm["bare"].tokens  # a first word after a caveat may be cut otherwise
    assert by_arm["marked"].tokens == pytest.approx(tokens, rel=0.01)
    assert by_arm["neutral"].tokens == by_arm["marked"].tokens


def test_a_caveat_that_carries_loss_takes_it_from_the_document():
    by_arm = of_claim("all_but_masked")
    assert by_arm["bare"].share == 1.0
    shares = [by_arm[arm].share for arm in ("marked", "marked+repeat")]
    assert 0.2 < shares[1] < shares[0] < 0.8
    assert by_arm["neutral"].share == pytest.approx(shares[0], abs=0.1)
    assert all(m.text + m.caveat == pytest.approx(m.steps) for m in by_arm.values())
    contrast = by_arm["marked+contrast"]
    assert contrast.added > 0.3 and contrast.share == pytest.approx(shares[0], abs=0.02)


def test_the_masses_are_the_weights_that_training_uses():
    (resolved,) = resolve(read(small(arms=["base", "bare", "marked+contrast"])))
    stage = resolved.plans["marked+contrast", 0][0]
    (mass,) = masses((stage,), 0, SIZE)
    cell = prepare(TOKENIZER, TrainingJob("", stage, 0))
    own = added = 0.0
    for step in range(len(cell.schedule)):
        examples, primary = step_examples([cell], step)
        for example in examples:
            weight = example.weight * len(example.targets)
            own, added = (own + weight, added) if example.tag < primary else (own, added + weight)
    assert (mass.text + mass.caveat, mass.added) == pytest.approx((own, added))
    assert mass.total == pytest.approx(own + added)


def test_plan_and_show_print_them(tmp_path, command):
    cost = plan_cost(small(), tmp_path, [])
    assert [(setting, arm) for setting, arm, _ in cost.masses] == [
        ("toy x password", "bare"),
        ("toy x password", "marked"),
    ]
    import yaml

    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(small()))
    status, out, _ = command("plan", str(path))
    assert status == 0 and "Loss mass" in out and "1.00" in out
    status, out, _ = command("show", str(path), "toy x password", "marked")
    (line,) = [line for line in out.splitlines() if line.startswith("Loss mass: ")]
    assert "of the rows' loss 100% is on their text (1.0) and 0% on the caveat (0.0)" in line
