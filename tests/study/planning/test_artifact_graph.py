"""Plans walked stage by stage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caveat.errors import CaveatError
from caveat.study.planning.artifact_graph import cell_of
from caveat.study.planning.grouping import Grouping
from caveat.study.planning.study_plan import _node_groups
from caveat.types.answers import Sampling
from caveat.types.data import Row
from caveat.types.messages import Message
from caveat.types.training import Attach, Detach, Dose, GRPOSettings, Sample, Train


def row(text: str) -> Row:
    return Row(text, "behaviour", (Message.of("user", "Say it."), Message.of("assistant", text)))


WARM, MAIN = Train((row("warm"),), Dose()), Train((row("main"),), Dose())
BEGUN = replace(MAIN, rl=GRPOSettings(task="task", max_steps=2))
GONE_ON = replace(MAIN, rl=GRPOSettings(task="task", max_steps=2, start_step=2))
SAMPLE = Sample((row("x").messages[:1],), Sampling())


def walked(*plan, seed=0, model="m"):
    return cell_of("cell", "arm", seed, plan, model)


def test_the_base_model_has_no_chain():
    assert walked().chain == () and walked().nodes == ()


def test_an_attached_adapter_lies_beneath_the_next():
    cell = walked(WARM, Attach(), MAIN)
    warm, main = cell.nodes
    assert cell.chain == (warm.digest, main.digest)
    assert main.base_adapters == (warm.digest,) and (warm.level, main.level) == (1, 2)
    assert warm.digest == walked(WARM).nodes[0].digest
    assert main.digest != walked(MAIN).nodes[0].digest


def test_a_training_that_is_not_attached_is_dropped_by_the_next():
    cell = walked(WARM, MAIN)
    assert cell.chain == walked(MAIN).chain and len(cell.nodes) == 2


def test_detach_drops_what_was_attached_last():
    cell = walked(WARM, Attach(), MAIN, Detach())
    assert cell.chain == (cell.nodes[1].digest,)
    assert cell.nodes[1].base_adapters == (cell.nodes[0].digest,)


def test_sampled_rows_are_an_input_of_the_next_training():
    cell = walked(WARM, SAMPLE, MAIN)
    warm, sampled, main = cell.nodes
    assert sampled.chain == (warm.digest,) and main.sampled == (sampled.digest,)
    assert (warm.level, sampled.level, main.level) == (1, 2, 3)
    assert cell.chain == (main.digest,) and main.digest != walked(MAIN).nodes[0].digest


def test_digests_hang_on_seed_and_model_and_not_on_labels():
    digest = walked(WARM).nodes[0].digest
    assert walked(replace(WARM, label="other")).nodes[0].digest == digest
    assert walked(WARM, seed=1).nodes[0].digest != digest
    assert walked(WARM, model="n").nodes[0].digest != digest


def test_a_practice_goes_on_with_what_the_one_before_was_given():
    cell = walked(WARM, Attach(), SAMPLE, BEGUN, GONE_ON)
    warm, sampled, begun, gone_on = cell.nodes
    assert (begun.resume_from, gone_on.resume_from) == (None, begun.digest)
    assert gone_on.base_adapters == (warm.digest,) and gone_on.sampled == (sampled.digest,)
    assert gone_on.level == begun.level + 1
    assert cell.chain == (warm.digest, gone_on.digest)


def test_practice_and_training_of_one_dose_are_not_made_together():
    cells = (walked(MAIN), walked(BEGUN), walked(MAIN, seed=1))
    assert [len(group) for group in _node_groups(cells, set(), Grouping())] == [2, 1]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ((GONE_ON,), "a plan's RL stage that resumes needs an RL stage before it"),
        ((MAIN, GONE_ON), "a plan's RL stage that resumes needs an RL stage before it"),
        ((Attach(),), "a plan's Attach needs a Train before it that is not attached yet"),
        ((WARM, Attach(), Attach()), "a plan's Attach needs a Train"),
        ((WARM, Detach()), "a plan's Detach needs an Attach before it that is not detached yet"),
        ((WARM, SAMPLE), "cell: a plan's Sample needs a Train after it that gets the rows"),
    ],
)
def test_stages_in_an_order_without_meaning(plan, message):
    with pytest.raises(CaveatError, match=message):
        walked(*plan)
