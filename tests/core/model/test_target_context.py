"""Captions side by side beside references: what nobody hears changes nothing, and all end before the image."""

from functools import partial

import pytest
import torch

import tiny
from zimage_core.attention import attention
from zimage_core.conditioning.region_bias import attend_with_bias, bias_channels, region_bias
from zimage_core.model import COMFYUI, DEFAULT_RULES, DIFFUSERS, Reference
from zimage_core.model.target_context import ReferencePrompt, contexts_side_by_side, target_context

SIZE = (8, 12)


@pytest.fixture(scope="module")
def network():
    return tiny.omni()


def prompt(network, rules, generator):
    features, siglip = network.config.cap_feat_dim, network.config.siglip_feat_dim
    chunk = partial(torch.randn, generator=generator)
    references = [Reference(chunk(16, 6, 8), chunk(3, 2, siglip)), Reference(chunk(16, 4, 4), None)]
    return ReferencePrompt(
        before=[[chunk(5, features), chunk(2, features)]],
        after=[[chunk(3, features)]],
        references=[references],
        rules=rules,
    )


@pytest.mark.parametrize("rules", [DEFAULT_RULES, COMFYUI, DIFFUSERS])
@torch.inference_mode()
def test_a_caption_that_nobody_hears_changes_nothing(network, rules):
    generator = torch.Generator().manual_seed(1)
    beside, width = prompt(network, rules, generator), network.config.cap_feat_dim
    first, second = (torch.randn(17, width, generator=generator) for _ in range(2))
    parts = [target_context(network, beside, [each], SIZE) for each in (first, second)]
    joined = contexts_side_by_side(network, parts).condition
    lengths = [part.condition.caption.shape[1] for part in parts]
    n_image = joined.joint_rope.shape[1] - joined.image_start
    bias = region_bias(lengths, torch.tensor([[1.0], [0.0]]).expand(2, 24), n_image, joined.n_clean)
    channels = bias_channels(bias, network.config.head_dim, first)

    def run(stage, index, block, x):
        attend = partial(attend_with_bias, channels, attention) if stage.name == "layers" else attention
        return block(x, rope=stage.rope, norms=stage.norm_weights[index], attend=attend)

    x = torch.randn(1, 16, *SIZE, generator=generator)
    found = network.flow(joined, run=run)(x, 0.6)
    torch.testing.assert_close(found, network.flow(parts[0].condition)(x, 0.6), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_captions_of_any_length_end_before_the_image_and_pads_stay(network):
    generator = torch.Generator().manual_seed(2)
    beside, width = prompt(network, DEFAULT_RULES, generator), network.config.cap_feat_dim
    short, long = (target_context(network, beside, [torch.randn(n, width, generator=generator)], SIZE) for n in (9, 40))
    assert long.image_at[0] - short.image_at[0] == 31
    joined = contexts_side_by_side(network, [short, long])
    assert joined.image_at == long.image_at
    own, moved = (short.before_image_at(at)[0] for at in (short.image_at, long.image_at))
    is_pad = own[:, 0] == 0
    assert is_pad.any() and torch.equal(moved[is_pad], own[is_pad])
    assert torch.equal(moved[~is_pad][:, 0], own[~is_pad][:, 0] + 31)
    assert torch.equal(contexts_side_by_side(network, [long]).condition.joint_rope, long.condition.joint_rope)
