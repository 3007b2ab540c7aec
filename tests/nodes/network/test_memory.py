"""Five prompts in a row leave no tensor behind: what lives afterwards is what lived after the first."""

import gc
import importlib
from dataclasses import replace

import pytest
import torch

from memory import LiveBytesMode


@pytest.fixture(scope="module")
def parts(pack):
    """The built-in networks, loaded once."""
    from zimage_core.checkpoints import DIT, TEXT_ENCODER, VAE

    files = pack.bridge_files
    paths = {part: files.path_of(part, files.BUILT_IN) for part in (DIT, TEXT_ENCODER, VAE)}
    return (
        pack.bridge_model.load_model(paths[DIT]),
        pack.bridge_text.load_text_encoder(paths[TEXT_ENCODER], files.BUILT_IN_TOKENIZER),
        pack.bridge_vae.load_vae(paths[VAE]),
    )


def draw(pack, parts, prompt, side=8):
    """Encode, sample with guidance, decode, as the nodes do; only the image's mean is returned."""
    model, clip, vae = parts
    sampling = pack.bridge_sampling
    positive, _ = pack.bridge_prompts.encode(clip, prompt, is_cut=True, remember="off")
    negative, _ = pack.bridge_prompts.encode(clip, "", is_cut=True, remember="off")
    latent = {"samples": torch.zeros(1, 16, side, side)}
    sigmas = pack.groups[3].shifted_schedule(4, 3.0, 1.0)
    settings = {"sigmas": sigmas, "seed": 1, "solver": "euler", "guidance": sampling.Guidance(cfg=3.0)}
    drawn, *_ = sampling.sample(model, positive, negative, latent, **settings)
    return vae.decode(drawn["samples"]).mean().item()


def alive():
    """Bytes of all tensors in this process, each storage once."""
    gc.collect()
    storages = {}
    for thing in gc.get_objects():
        if type(thing) in (torch.Tensor, torch.nn.Parameter):
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


@pytest.mark.slow
def test_memory_is_back_where_it_was_after_every_prompt(pack, parts):
    """Both sizes are drawn before: kernels keep constants of the last sixteen lengths they met, a few kilobytes."""
    first = draw(pack, parts, "a red heart")
    draw(pack, parts, "a red heart", side=12)
    after_first = alive()
    pictures = [draw(pack, parts, f"a large {colour} circle") for colour in ("blue", "green", "yellow", "pink")]
    assert len({first, *pictures}) == 5
    assert alive() == after_first
    draw(pack, parts, "a red heart", side=12)
    assert alive() == after_first
    assert draw(pack, parts, "a red heart") == first


WIDE = {"dim": 768, "n_heads": 6, "ffn_dim": 2048}


@pytest.mark.slow
@pytest.mark.parametrize("references", [0, 1])
@pytest.mark.parametrize("shape", [(1, 16, 48, 48), (2, 16, 32, 64)])
def test_the_reserve_covers_what_a_step_keeps_alive(pack, comfy, native, monkeypatch, tmp_path, shape, references):
    """As on a GPU: PyTorch's attention keeps no scores; the one ComfyUI chooses for CPUs does."""
    attention = comfy.ldm.modules.attention.attention_pytorch
    monkeypatch.setattr(pack.bridge_blocks, "optimized_attention", attention)
    monkeypatch.setattr(comfy.model_management, "pytorch_attention_flash_attention", lambda: True)
    monkeypatch.setattr(pack.bridge_step_memory, "LIBRARY_WORKSPACE", 0)
    config = replace(native.OMNI if references else native.CONFIG, **WIDE)
    base = native.ours(pack, tmp_path, config).model
    latent, timestep = torch.randn(shape), torch.full(shape[:1], 0.7)
    caption = torch.randn(shape[0], 512, config.cap_feat_dim)
    seen = {"ref_latents": [torch.randn(shape[0], 16, 32, 32)]} if references else {}
    with LiveBytesMode() as counter:
        base.diffusion_model(latent, timestep, caption, **seen)
    shapes = {"ref_latents": [[1, 16, 32 * 32]] * references}
    required = base.memory_required(list(shape), cond_shapes=shapes)
    assert counter.peak < required < 1.25 * counter.peak
    native_estimate = comfy.model_base.Lumina2.memory_required(base, list(shape), cond_shapes=shapes)
    assert required <= native_estimate


@pytest.mark.slow
@pytest.mark.parametrize("n_regions", [1, 4])
def test_the_reserve_covers_regions(pack, comfy, native, monkeypatch, tmp_path, n_regions):
    """Their captions are tokens of the joint sequence, and their bias is channels of every head."""
    conditions = importlib.import_module("zimage_pack.nodes.bridge.network.regional_conditions")
    area = importlib.import_module("zimage_pack.zimage_core.conditioning.region_area")
    attention = comfy.ldm.modules.attention.attention_pytorch
    monkeypatch.setattr(pack.bridge_blocks, "optimized_attention", attention)
    monkeypatch.setattr(comfy.model_management, "pytorch_attention_flash_attention", lambda: True)
    monkeypatch.setattr(pack.bridge_step_memory, "LIBRARY_WORKSPACE", 0)
    config = replace(native.CONFIG, **WIDE)
    base = native.ours(pack, tmp_path, config).model
    latent, timestep = torch.randn(1, 16, 48, 48), torch.full((1,), 0.7)
    texts = torch.randn(1 + n_regions, 1, 512, config.cap_feat_dim)
    box = area.Box(x=0.0, y=0.0, width=0.5, height=1.0)
    regions = tuple(conditions.Region(caption=text, area=box, global_weight=0.3) for text in texts[1:])
    with LiveBytesMode() as counter:
        base.diffusion_model(latent, timestep, texts[0], regions=(regions,))
    shapes = base.extra_conds_shapes(zimage_regions=regions)
    assert shapes == {"zimage_regions": [1, n_regions, 512 * n_regions]}
    required = base.memory_required([1, 16, 48, 48], cond_shapes={key: [each] for key, each in shapes.items()})
    assert counter.peak < required < 1.5 * counter.peak


def test_less_is_reserved_for_a_released_model_than_comfyui_estimates(pack):
    """1024x1024 and 2048x2048 in bfloat16; the estimate is 2.8 % of a mebibyte for every latent cell and byte."""
    from zimage_core.config import TURBO_DIT

    for side, share in ((128, 0.70), (256, 0.58)):
        counted = pack.bridge_step_memory.step_memory(TURBO_DIT, torch.bfloat16, False, (1, 16, side, side)).reserved
        estimate = side * side * 2 * 0.01 * 2.8 * 2**20
        assert counted / estimate == pytest.approx(share, abs=0.02)
