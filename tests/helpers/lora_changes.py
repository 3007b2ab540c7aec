"""LoRA files of the tiny transformer and the weight changes they make."""

import torch

import loras
import tiny
from zimage_core.adapters import parameter_shapes

SHAPES = parameter_shapes(tiny.dit())


DRAWN = loras.pairs(tiny.DIT)


BLOCKS = loras.pairs(tiny.DIT, only=loras.in_blocks)


HALF = torch.arange(12.0).reshape(3, 4)


def changes(lora):
    """ΔW of every parameter, for a weight of zeros."""
    found = {}
    for target, delta in lora.fitted(SHAPES).deltas.items():
        whole = found.setdefault(target.parameter, torch.zeros(SHAPES[target.parameter]))
        rows = slice(*target.rows(len(whole)))
        whole[rows] += delta.change(whole[rows])
    return found


def same(found, expected, tolerance=1e-6):
    assert found.keys() == expected.keys()
    for key, change in expected.items():
        torch.testing.assert_close(found[key], change, atol=tolerance, rtol=0)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + 7 * shape[0] + shape[-1])) * 0.3
