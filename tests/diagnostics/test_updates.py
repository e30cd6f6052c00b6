"""The table of updates of a real study, against full matrices of its adapters."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from caveat.diagnostics.updates import update_summary, updates


def matrices(folder) -> dict[str, np.ndarray]:
    """By module, the update of a PEFT folder, read without our own code."""
    config = json.loads((folder / "adapter_config.json").read_text())
    tensors = load_file(folder / "adapter_model.safetensors")
    scale = config["lora_alpha"] / config["r"]
    names = [name.removesuffix(".lora_A.weight") for name in tensors if ".lora_A." in name]
    return {
        name: scale
        * tensors[f"{name}.lora_B.weight"].astype(float)
        @ tensors[f"{name}.lora_A.weight"].astype(float)
        for name in names
    }


@pytest.fixture(scope="module")
def frame(setting):
    return updates(setting)


def test_pairs_are_those_of_full_matrices_and_of_the_last_training_alone(setting, frame):
    sealed, bare = setting.of("marked+seal")[0], setting.of("bare")[1]
    assert len(sealed.adapters) == 2 and sealed.own == sealed.adapters[1]
    one, other = matrices(sealed.own), matrices(bare.own)
    rows = frame[(frame["arm"] == "marked+seal") & (frame["seed"] == 0)]
    rows = rows[(rows["reference"] == "bare") & (rows["reference_seed"] == 1)]
    choices = {
        ("all", ""): list(one),
        ("layer", "1"): [name for name in one if ".layers.1." in name],
        ("module", "q_proj"): [name for name in one if name.endswith("q_proj")],
    }
    for place, names in choices.items():
        (row,) = rows[(rows["by"] == place[0]) & (rows["part"] == place[1])].to_dict("records")
        first, second = (
            np.concatenate([some[name].ravel() for name in names]) for some in (one, other)
        )
        norms = np.linalg.norm(first), np.linalg.norm(second)
        assert row["norm"] == pytest.approx(norms[0]), place
        assert row["reference_norm"] == pytest.approx(norms[1])
        assert row["cosine"] == pytest.approx(first @ second / norms[0] / norms[1], abs=1e-6)
        kept = [
            np.linalg.norm(one[name] @ np.linalg.pinv(other[name], rcond=1e-6) @ other[name]) ** 2
            for name in names
        ]
        assert row["input_share"] == pytest.approx(sum(kept) / norms[0] ** 2, rel=1e-4)


def test_every_model_is_compared_with_bare_clean_and_its_own_other_seeds(setting, frame):
    whole = frame[frame["by"] == "all"]
    models = len(setting.models)
    assert models == 4 * 3
    # bare and clean: the two references, themselves left out; two arms: both and themselves
    assert len(whole) == 2 * 3 * (3 + 2) + 2 * 3 * (3 + 3 + 2)
    parts = frame.groupby("by")["part"].nunique()
    assert parts["all"] == 1 and parts["layer"] == 2 and parts["module"] == 7
    for name in ("output_share", "input_share", "both_share"):
        assert frame[name].between(0, 1 + 1e-9).all()
    assert (frame["both_share"] <= frame[["output_share", "input_share"]].min(axis=1) + 1e-9).all()


def test_arms_of_one_seed_share_their_inputs_and_those_of_others_do_not(frame):
    table = update_summary(frame).set_index(["by", "arm", "reference", "seeds_compared"])
    same = table.loc[("all", "clean", "bare", "same seed")]
    other = table.loc[("all", "clean", "bare", "other seeds")]
    assert same["input_share"] > 0.9 > 3 * other["input_share"]
    assert other["input_share"] == pytest.approx(other["input_chance"], abs=0.1)
    assert np.isnan(same["corrected"]) and same["cosine_low"] < same["cosine"]
    own = table.loc[("all", "bare", "bare", "other seeds")]
    assert own["pairs"] == 6 and own["corrected"] == pytest.approx(1.0)
    assert ("all", "bare", "bare", "same seed") not in table.index
