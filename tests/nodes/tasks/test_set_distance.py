"""The distance of two sets of pictures is the unbiased MMD of the cubed cosine kernel, written out pair by pair."""

import importlib
from itertools import permutations, product

import pytest
import torch


class Eye:
    """Sees a picture's mean colour and one thing more."""

    def encode_image(self, image):
        mean = image.mean((1, 2))[:, :3]
        return {"image_embeds": torch.cat([mean, mean.prod(1, keepdim=True)], 1)}


@pytest.fixture
def module(pack):
    return importlib.import_module("zimage_pack.nodes.bridge.tasks.set_distance")


def pictures(count, seed, shade=1.0):
    colours = torch.rand(count, 1, 1, 3, generator=torch.Generator().manual_seed(seed)) * shade
    return (colours * 255).floor().expand(count, 8, 8, 3) / 255


def test_it_is_the_mmd_pair_by_pair_and_grows_with_the_difference(module):
    one, other = pictures(5, 1), pictures(4, 2, shade=torch.tensor([1.0, 0.2, 0.2]))
    seen = [
        [torch.nn.functional.normalize(Eye().encode_image(x[None])["image_embeds"][0], dim=0) for x in s]
        for s in (one, other)
    ]

    def kernel(pairs):
        values = [(float(x @ y) + 1) ** 3 for x, y in pairs]
        return sum(values) / len(values)

    wanted = sum(kernel(permutations(each, 2)) for each in seen) - 2 * kernel(product(*seen))
    found = module.distance_of_sets(one, other, Eye())
    assert found.value == pytest.approx(wanted, rel=1e-4) and found.counts == (5, 4)
    assert found.interval[0] < found.value < found.interval[1]
    assert module.distance_of_sets(one, pictures(5, 3), Eye()).value < found.value
    assert module.distance_of_sets(one[:3], other, Eye()).interval is None


def test_a_set_that_is_missing_or_too_small_is_said(module):
    with pytest.raises(ValueError, match="connect the other set"):
        module.distance_of_sets(pictures(2, 1), None, Eye())
    with pytest.raises(ValueError, match="here are 2 and 1"):
        module.distance_of_sets(pictures(2, 1), pictures(1, 1), Eye())
