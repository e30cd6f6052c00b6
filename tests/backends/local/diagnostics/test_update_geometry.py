"""Geometry of updates from low-rank factors, against full matrices, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caveat.backends.local.backend import LocalBackend
from caveat.backends.local.diagnostics.update_geometry import compared, layers_of
from caveat.backends.local.lora.adapter import Adapter
from caveat.errors import CaveatError

MODULES = ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj")


def adapter(tiny, seed: int, rank: int, modules=MODULES, alpha: float = 8.0) -> Adapter:
    """A random adapter."""
    generator = torch.Generator().manual_seed(seed)
    sizes = {name: tiny.model.get_submodule(name).weight.shape for name in modules}
    weights = {
        name: (
            torch.randn(rank, size[1], generator=generator),
            torch.randn(size[0], rank, generator=generator),
        )
        for name, size in sizes.items()
    }
    return Adapter(rank, alpha, weights)


def full(one: Adapter, module: str, shape) -> np.ndarray:
    """Its update as a matrix."""
    if module not in one.weights:
        return np.zeros(shape)
    down, up = one.weights[module]
    return one.scale * (up.double() @ down.double()).numpy()


def projectors(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Onto what a matrix reaches, and what it reads: by numpy's pseudo-inverse."""
    inverse = np.linalg.pinv(matrix, rcond=1e-9)
    return matrix @ inverse, inverse @ matrix


@pytest.fixture(scope="module")
def adapters(tiny) -> list[Adapter]:
    one = adapter(tiny, 0, 3)
    down, up = one.weights[MODULES[0]]
    doubled = {**one.weights, MODULES[0]: (torch.cat([down, down]), torch.cat([up, 2 * up], 1))}
    lower = Adapter(6, 6.0, doubled)  # six factors, and a rank of three
    return [one, adapter(tiny, 1, 2), adapter(tiny, 2, 4, MODULES[:1]), lower]


def test_every_figure_is_that_of_full_matrices(tiny, adapters):
    results = compared(tiny.model, "tiny", adapters)
    assert [(result.module, result.layer) for result in results] == [
        (MODULES[0], 0),
        (MODULES[1], 1),
    ]
    for result in results:
        matrices = [full(one, result.module, result.size) for one in adapters]
        projected = [projectors(matrix) for matrix in matrices]
        assert result.size == tiny.model.get_submodule(result.module).weight.shape
        assert result.ranks == tuple(np.linalg.matrix_rank(matrix) for matrix in matrices)
        for i, matrix in enumerate(matrices):
            for j, (outputs, inputs) in enumerate(projected):
                expected = {
                    "products": (matrix * matrices[j]).sum(),
                    "output_norms": np.linalg.norm(outputs @ matrix) ** 2,
                    "input_norms": np.linalg.norm(matrix @ inputs) ** 2,
                    "both_norms": np.linalg.norm(outputs @ matrix @ inputs) ** 2,
                }
                for name, value in expected.items():
                    scale = np.linalg.norm(matrix) * (np.linalg.norm(matrices[j]) or 1)
                    assert getattr(result, name)[i, j] == pytest.approx(value, abs=1e-9 * scale)


def test_other_factors_of_the_same_update_change_nothing(tiny, adapters):
    mixing = torch.randn(3, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    same = {
        name: (mixing @ down.double(), up.double() @ mixing.inverse())
        for name, (down, up) in adapters[0].weights.items()
    }
    for one, other in zip(
        compared(tiny.model, "tiny", adapters),
        compared(tiny.model, "tiny", [Adapter(3, 8.0, same), *adapters[1:]]),
        strict=True,
    ):
        for name in ("products", "output_norms", "input_norms", "both_norms"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-8)
        assert one.ranks == other.ranks


def test_a_scaled_adapter_points_the_same_way(tiny, adapters):
    (one, *_) = compared(tiny.model, "tiny", [adapters[0], adapters[0].scaled(-3.0)])
    norms = np.sqrt(np.diag(one.products))
    assert norms[1] == pytest.approx(3 * norms[0])
    assert one.products[0, 1] == pytest.approx(-norms[0] * norms[1])
    np.testing.assert_allclose(one.both_norms, np.diag(one.products)[:, None] * [1, 1])


def test_layers_and_foreign_modules(tiny):
    layers = layers_of(tiny.model)
    assert layers["model.layers.1.mlp.up_proj"] == 1 and "lm_head" not in layers
    foreign = Adapter(1, 1.0, {"model.layers.7.mlp.up_proj": (torch.ones(1, 2), torch.ones(2, 1))})
    with pytest.raises(CaveatError) as error:
        compared(tiny.model, "tiny", [foreign])
    assert str(error.value) == (
        "an adapter changes the module 'model.layers.7.mlp.up_proj', which tiny does not have; its "
        "adapters belong to another model"
    )


def test_the_backend_reads_folders(tiny, adapters, tmp_path):
    adapters[1].save(tmp_path)
    backend = LocalBackend(tiny)
    (_, module) = backend.updates([tmp_path, tmp_path])
    expected = full(adapters[1], module.module, module.size)
    np.testing.assert_allclose(module.products, (expected**2).sum(), rtol=1e-6)
