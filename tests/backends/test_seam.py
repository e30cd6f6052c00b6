"""Nothing above the seam touches tensors, and what a backend cannot do is refused beforehand."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import caveat
from caveat.backends.base import Feature
from caveat.backends.local.backend import LocalBackend
from caveat.errors import CaveatError
from caveat.forecast.run import forecast
from caveat.study.config.schema import read
from caveat.study.tuning import tune
from quick_run import run
from toy_study import marks, rl_recipe, small

SOURCE = Path(caveat.__file__).parent
TENSORS = ("torch", "transformers", "peft", "safetensors", "trl", "accelerate")
LOCAL = "caveat.backends.local"


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(outside: str) -> Iterator[tuple[str, Path]]:
    """The modules of the package that are not in a folder."""
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE)
        if not place.as_posix().startswith(outside):
            parts = ("caveat", *place.with_suffix("").parts)
            yield ".".join(part for part in parts if part != "__init__"), path


def test_nothing_outside_the_local_backend_imports_what_computes_with_tensors():
    found = {
        f"{module}: {name}"
        for module, path in modules("backends/local/")
        for name in imports(path)
        if name.partition(".")[0] in TENSORS
    }
    assert found == set()


def test_nothing_outside_the_backends_imports_the_local_one():
    found = {
        f"{module}: {name}"
        for module, path in modules("backends/")
        for name in imports(path)
        if name == LOCAL or name.startswith(f"{LOCAL}.")
    }
    assert found == set()
    inside = [name for module, path in modules("\0") for name in imports(path)]
    assert "torch" in inside and f"{LOCAL}.backend" in inside, "the scan sees imports"


def test_importing_every_module_leaves_torch_out():
    names = [name for name, _ in modules("backends/local/") if name != "caveat.__main__"]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        f"loaded = set(sys.modules) & {set(TENSORS)!r}\n"
        "assert not loaded, loaded\n"
        "assert 'caveat.study.run' in sys.modules\n"
    )
    assert len(names) > 100
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


class Fewer(LocalBackend):
    """The local backend without some of what it can do."""

    def __init__(self, *missing: Feature) -> None:
        loaded = LocalBackend.load("tiny")
        super().__init__(loaded.language_model)
        self.supports = frozenset(Feature) - set(missing)


UPPER = {"rows": 8, "learning_rate": 1e-2, "rank": 2, "layers": [0.5, 1.0]}


def upper() -> dict:
    """The small recipe, trained in the upper half."""
    recipe = small()
    return {**recipe, "settings": [{**recipe["settings"][0], "dose": UPPER}]}


@pytest.mark.parametrize(
    ("feature", "recipe", "what"),
    [
        (Feature.LAYER_RANGE, upper(), "toy x password / bare: needs training a part of the "
         "layers (dose.layers [0.5, 1])"),
        (Feature.FROZEN_ADAPTERS, small(arms=["base", "bare", "marked+seal"]),
         "toy x password / marked+seal: needs frozen adapters under the one that is trained "
         "(Attach)"),
        (Feature.KL_TO_BASE, small(arms=["base", "bare", "marked+kl_to_base"]),
         "toy x password / marked+kl_to_base: needs a KL penalty towards the model before "
         "training ('marked+kl_to_base')"),
        (Feature.SCALE_ADAPTER,
         small(arms=["base", "bare", "marked+frozen_adapter(knows=random)"]),
         "toy x password / marked+frozen_adapter(knows=random): needs adapters that are scaled "
         "or randomised (Randomise)"),
        (Feature.SAMPLING, small(), "toy x password: question 'red-hat' (readout capitals) needs "
         "sampled replies"),
        (Feature.LIKELIHOOD, small(), "toy x password: question 'plain-red' (readout "
         "log_likelihood) needs log-likelihoods of given text"),
    ],
)  # fmt: skip
def test_an_arm_that_the_backend_cannot_do_is_refused_in_one_line(tmp_path, feature, recipe, what):
    with pytest.raises(CaveatError) as error:
        run(recipe, tmp_path / "study", backend=Fewer(feature))
    thing = "question" if "question" in what else "arm"
    assert str(error.value) == (
        f"{what}, which this backend of tiny does not have; leave the {thing} out, or use another "
        "backend"
    )
    assert marks(tmp_path / "study") == {}


def test_rl_is_refused_by_a_backend_without_it(tmp_path):
    with pytest.raises(CaveatError) as error:
        run(rl_recipe(), tmp_path, backend=Fewer(Feature.RL))
    assert str(error.value).startswith("vowels x permission / bare: needs RL training ('bare'")
    assert "\n" not in str(error.value) and marks(tmp_path) == {}


def test_what_a_backend_lacks_and_a_recipe_does_not_need_is_no_matter(tmp_path):
    missing = (Feature.LAYER_RANGE, Feature.RL, Feature.GRADIENTS, Feature.KL_TO_BASE,
               Feature.FROZEN_ADAPTERS, Feature.SCALE_ADAPTER)  # fmt: skip
    study = run(small(), tmp_path, backend=Fewer(*missing))
    assert study.failures().empty and len(marks(tmp_path)) == 2


def test_forecasts_without_gradients_have_the_others(tmp_path):
    found = forecast(small(), tmp_path, backend=Fewer(Feature.GRADIENTS))
    (figures,) = (one.figures for one in found)
    assert figures["first_order"] == "the backend of tiny gives no gradients"
    assert isinstance(figures["loss_bare"], float)
    with pytest.raises(CaveatError) as error:
        forecast(small(), tmp_path, backend=Fewer(Feature.LIKELIHOOD))
    assert str(error.value) == (
        "forecast: needs log-likelihoods of given text, which this backend of tiny does not have; "
        "use another backend"
    )


def test_a_backend_object_does_not_go_to_ray(tmp_path):
    with pytest.raises(CaveatError) as error:
        run(small(), tmp_path, executor="ray", backend=Fewer())
    assert str(error.value) == (
        "executor 'ray': a backend object stays in its process; leave out backend=, or use the "
        "executor local"
    )


def test_handles_are_forgotten_and_folders_read(tmp_path):
    backend = LocalBackend.load("tiny")
    study = run(small(), tmp_path, backend=backend)
    assert study.failures().empty and backend._new == {}
    folder = next((tmp_path / "artifacts").iterdir())
    doubled = backend.scale(folder, 2.0)
    backend.save(doubled, tmp_path / "doubled")
    backend.discard([doubled])
    assert backend._new == {} and (tmp_path / "doubled" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize(
    ("command", "name"), [(forecast, "caveat forecast"), (tune, "caveat tune")]
)
def test_what_needs_weights_here_says_so(tmp_path, command, name):
    with pytest.raises(CaveatError) as error:
        command(small(backend="tinker", seeds=[0]), tmp_path)
    assert str(error.value) == (
        f"{name}: needs the backend local, and this recipe has 'tinker'; use --set backend=local "
        "with a model that runs here"
    )


def test_a_backend_that_computes_elsewhere_leaves_ray_no_work():
    with pytest.raises(CaveatError) as error:
        read(small(backend="tinker", executor="ray"))
    assert str(error.value) == (
        "recipe: executor: 'ray' shares out work of this machine, and the backend tinker leaves "
        "none to it; set executor: local"
    )
