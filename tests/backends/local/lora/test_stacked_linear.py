"""A layer with stacked updates against the formula: values, gradients, what is not finite."""

from __future__ import annotations

import pytest
import torch

from caveat.backends.local.lora.stacked import Route, Stack, StackedLinear

CELLS, RANK, INTO, OUT = 4, 3, 10, 7
ROWS = {
    "all, equally many": [0, 0, 1, 1, 2, 2, 3, 3],
    "neighbours": [1, 1, 2, 2],
    "not neighbours": [0, 3],
    "unequally many": [0, 1, 1, 1, 2, 2, 2, 3],
    "one": [2, 2, 2],
}


def stack(generator: torch.Generator, learns: str = "AB") -> Stack:
    """Random updates, of which A, B or both are trained."""
    down = torch.randn(CELLS, RANK, INTO, generator=generator)
    up = torch.randn(CELLS, OUT, RANK, generator=generator)
    scale = torch.rand(CELLS, generator=generator) + 0.5
    return Stack(down.requires_grad_("A" in learns), up.requires_grad_("B" in learns), scale)


def layer(base: torch.nn.Linear, cells: list[int], stacks: list[Stack]) -> StackedLinear:
    """The layer, routed to one cell a row."""
    route = Route()
    route.set(cells)
    return StackedLinear(base, route, stacks)


def by_formula(x, base, cells, stacks):
    rows = []
    for row, cell in zip(x, cells, strict=True):
        y = base(row)
        for one in stacks:
            y = y + one.scale[cell] * (row @ one.down[cell].T) @ one.up[cell].T
        rows.append(y)
    return torch.stack(rows)


@pytest.mark.parametrize("learns", [("AB",), ("", "AB"), ("B",)])
@pytest.mark.parametrize("into_x", [True, False])
@pytest.mark.parametrize("cells", ROWS.values(), ids=ROWS.keys())
def test_values_and_gradients_are_the_formulas(cells, into_x, learns):
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.Linear(INTO, OUT).requires_grad_(False)
    stacks = [stack(generator, parts) for parts in learns]
    x = torch.randn(len(cells), 5, INTO, generator=generator).requires_grad_(into_x)
    leaves = [leaf for one in stacks for leaf in (one.down, one.up) if leaf.requires_grad]
    leaves += [x] if into_x else []
    ways = []
    for y in (layer(base, cells, stacks)(x), by_formula(x, base, cells, stacks)):
        ways.append([y.detach(), *torch.autograd.grad(y.square().sum(), leaves)])
    for found, expected in zip(*ways, strict=True):
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_what_is_being_trained_can_be_left_out():
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.Linear(INTO, OUT).requires_grad_(False)
    frozen, trained = stack(generator, ""), stack(generator)
    cells = ROWS["unequally many"]
    x = torch.randn(len(cells), 5, INTO, generator=generator)
    both = layer(base, cells, [frozen, trained])
    with both.route.as_before():
        assert torch.equal(both(x), layer(base, cells, [frozen])(x))
    assert not torch.equal(both(x), layer(base, cells, [frozen])(x))


def test_a_layer_in_bfloat16_has_adapters_in_float32():
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.Linear(INTO, OUT).requires_grad_(False)
    one = stack(generator)
    cells = ROWS["all, equally many"]
    x = torch.randn(len(cells), 5, INTO, generator=generator)
    expected = layer(base, cells, [one])(x)
    grads = torch.autograd.grad(expected.square().sum(), (one.down, one.up))
    found = layer(base.bfloat16(), cells, [one])(x.bfloat16())
    assert found.dtype == torch.bfloat16
    found.float().square().sum().backward()
    for mine, theirs in zip((found, one.down.grad, one.up.grad), (expected, *grads), strict=True):
        assert (mine - theirs).norm() < 0.03 * theirs.norm()
    assert one.down.grad.dtype == one.up.grad.dtype == torch.float32


@pytest.mark.parametrize("cells", [ROWS["all, equally many"], ROWS["unequally many"]])
def test_what_a_cell_gives_that_is_not_finite_stays_its_own(cells):
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.Linear(INTO, OUT).requires_grad_(False)
    one = stack(generator)
    with torch.no_grad():
        one.up[1, 0, 0] = torch.nan
    x = torch.randn(len(cells), 5, INTO, generator=generator).requires_grad_()
    layer(base, cells, [one])(x).sum().backward()
    finite = [bool(row.isfinite().all()) for row in one.down.grad]
    assert finite == [True, False, True, True]
    assert [bool(row.isfinite().all()) for row in x.grad] == [cell != 1 for cell in cells]
