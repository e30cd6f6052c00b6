"""The layer with updates, by hand, against the formula and autograd."""

from __future__ import annotations

import pytest
import torch

from caveat.backends.local.lora.stacked_linear import Stack, updated_linear

CELLS, RANK, INTO, OUT = 4, 3, 10, 7
SEGMENTS = {
    "all, equally many": [(0, 0, 2), (1, 2, 4), (2, 4, 6), (3, 6, 8)],
    "neighbours": [(1, 0, 2), (2, 2, 4)],
    "not neighbours": [(0, 0, 1), (3, 1, 2)],
    "unequally many": [(0, 0, 1), (1, 1, 4), (2, 4, 7), (3, 7, 8)],
    "one": [(2, 0, 3)],
}


def drawn(generator, *shape):
    return torch.randn(*shape, generator=generator)


def stack(generator, learns):
    down, up = drawn(generator, CELLS, RANK, INTO), drawn(generator, CELLS, OUT, RANK)
    scale = torch.rand(CELLS, generator=generator) + 0.5
    return Stack(down.requires_grad_("A" in learns), up.requires_grad_("B" in learns), scale)


def by_formula(x, base, segments, stacks):
    parts = []
    for cell, start, end in segments:
        some = x[start:end]
        y = base(some)
        for each in stacks:
            y = y + each.scale[cell] * (some @ each.down[cell].T) @ each.up[cell].T
        parts.append(y)
    return torch.cat(parts)


@pytest.mark.parametrize("learns", [("AB",), ("", "AB"), ("B",), ("",)])
@pytest.mark.parametrize("into_x", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("segments", SEGMENTS.values(), ids=SEGMENTS.keys())
def test_values_and_gradients_are_the_formulas(segments, bias, into_x, learns):
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.Linear(INTO, OUT, bias=bias).requires_grad_(False)
    stacks = [stack(generator, each) for each in learns]
    x = drawn(generator, segments[-1][2], 5, INTO).requires_grad_(into_x)
    leaves = [leaf for each in stacks for leaf in (each.down, each.up) if leaf.requires_grad]
    leaves += [x] if into_x else []
    ways = []
    for read in (lambda: updated_linear(x, base, segments, stacks),
                 lambda: by_formula(x, base, segments, stacks)):  # fmt: skip
        y = read()
        assert y.requires_grad is bool(leaves)
        if leaves:
            for _ in range(2):  # gradients add up
                read().square().sum().backward()
        ways.append([y.detach(), *(leaf.grad for leaf in leaves)])
        for leaf in leaves:
            leaf.grad = None
    for mine, expected in zip(*ways, strict=True):
        assert torch.allclose(mine, expected, rtol=1e-4, atol=1e-4)


def test_a_layer_in_bfloat16_has_adapters_in_float32():
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.Linear(INTO, OUT).requires_grad_(False)
    one = stack(generator, "AB")
    x = drawn(generator, 8, 5, INTO)
    segments = SEGMENTS["all, equally many"]
    expected = updated_linear(x, base, segments, [one])
    expected.square().sum().backward()
    grads = [one.down.grad, one.up.grad]
    one.down.grad = one.up.grad = None
    found = updated_linear(x.bfloat16(), base.bfloat16(), segments, [one])
    assert found.dtype == torch.bfloat16
    found.float().square().sum().backward()
    for mine, theirs in zip((found, one.down.grad, one.up.grad), (expected, *grads), strict=True):
        assert (mine - theirs).norm() < 0.03 * theirs.norm()
    assert one.down.grad.dtype == one.up.grad.dtype == torch.float32


def test_what_a_cell_gives_that_is_not_finite_stays_its_own():
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.Linear(INTO, OUT).requires_grad_(False)
    one = stack(generator, "AB")
    with torch.no_grad():
        one.up[1, 0, 0] = torch.nan
    x = drawn(generator, 8, 5, INTO).requires_grad_()
    updated_linear(x, base, SEGMENTS["all, equally many"], [one]).sum().backward()
    for found in (one.down.grad, x.grad.view(CELLS, -1)):
        finite = [bool(each.isfinite().all()) for each in found]
        assert finite == [True, False, True, True]
