"""What ComfyUI's own network offers to anyone who looks at it, ours offers too, with the same values."""

import pytest
import torch
from torch import nn

from native_pictures import draw, extra, same

PLAIN = (bool, int, float, str, list, tuple, torch.dtype, type(None))
# Steps of native's forward, which ours does not take: whoever replaces one must be told, not be idle in silence.
INNER_STEPS = {"rope_embedder", "unpatchify", "embed_cap", "embed_all", "patchify_and_embed"}
PATCHES = ("double_block", "noise_refiner")


def offered(module):
    return {name for name in dir(module) if not name.startswith("_")} - set(dir(nn.Module()))


def check(theirs, ours, exempt=frozenset()):
    for name in sorted(offered(theirs) - exempt):
        assert hasattr(ours, name), f"{type(theirs).__name__}.{name}"
        value = getattr(theirs, name)
        if isinstance(value, PLAIN):
            assert getattr(ours, name) == value, name


@pytest.mark.parametrize("width", ["CONFIG", "OMNI"])
def test_networks_and_blocks_have_natives_attributes(pack, native, tmp_path, width):
    config = getattr(native, width)
    theirs = native.network(config)
    ours = native.ours(pack, tmp_path, config).model.diffusion_model
    check(theirs, ours, INNER_STEPS)
    for stack in ("noise_refiner", "context_refiner", "layers", *(["siglip_refiner"] if width == "OMNI" else [])):
        for their_block, our_block in zip(getattr(theirs, stack), getattr(ours, stack), strict=True):
            check(their_block, our_block)
            check(their_block.attention, our_block.attention)
            check(their_block.feed_forward, our_block.feed_forward)


@pytest.mark.parametrize("kind", ["ours", "attached"])
def test_patches_get_the_arguments_that_native_gives_them(native, models, kind):
    def arguments_of(model):
        seen = {name: [] for name in PATCHES}
        clone = model.clone()
        for name in PATCHES:
            clone.set_model_patch(lambda given, name=name: seen[name].append(described(given)) or given, name)
        draw(native, clone, steps=1)
        return seen

    def described(given):
        return {
            key: tuple(value.shape) if torch.is_tensor(value) and key != "pe" else type(value)
            for key, value in given.items()
        }

    found, expected = arguments_of(getattr(models, kind)), arguments_of(models.native)
    assert found == expected
    assert all(expected.values())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "attached"])
@pytest.mark.parametrize("cfg_trunc", [100.0, 0.5])
def test_renorm_cfg_gives_natives_picture(native, models, kind, cfg_trunc):
    def run(model):
        node = extra("nodes_lumina2", "RenormCFG")
        return draw(native, node(model=model, cfg_trunc=cfg_trunc, renorm_cfg=0.5)[0], cfg=4.0, steps=4)

    expected = run(models.native)
    same(run(getattr(models, kind)), expected)
    assert (expected - draw(native, models.native, cfg=4.0, steps=4)).abs().max() > 0.02


@pytest.mark.parametrize("kind", ["ours", "attached"])
def test_a_latent_of_several_frames_is_refused_in_one_sentence(pack, native, models, kind):
    latent = {"samples": torch.ones(1, 16, 3, 8, 8)}
    with pytest.raises(ValueError, match="as a video's frames have"):
        draw(native, getattr(models, kind), steps=1, latent=latent)
    with pytest.raises(ValueError, match="as a video's frames have"):
        pack.bridge_sampling.starting_latent(getattr(models, kind), latent)
