"""What a trained adapter of every kind computed is what ComfyUI's own weight adapters make of its file."""

import importlib

import pytest
import torch

from zimage_core.checkpoints import comfyui_state
from zimage_core.model import S3DiT
from zimage_core.training.trainables import KINDS, LoraTrainable


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_comfyui_changes_the_weights_as_the_branches_did(native, kind):
    adapters = importlib.import_module("comfy.lora")
    weights, stock = native.weights(), native.model().model
    dit = S3DiT(native.CONFIG)
    dit.load_state_dict(weights)
    generator = torch.Generator().manual_seed(1)
    trained = LoraTrainable(dit, rank=4, alpha=6.0, generator=generator, kind=kind)
    for parameter in trained.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)

    state = comfyui_state(trained.lora("new"))
    loaded = adapters.load_lora(state, adapters.model_lora_keys_unet(stock, {}), log_missing=True)
    patches: dict[str, list[tuple]] = {}
    for key, patch in loaded.items():
        name, offset = (key, None) if isinstance(key, str) else key[:2]
        patches.setdefault(name, []).append((1.0, patch, 1.0, offset, None))
    assert {name.removeprefix("diffusion_model.") for name in patches} == {f"{name}.weight" for name in trained.names}
    with trained.attached():
        for name in trained.names:
            layer, key = dit.get_submodule(name), f"{name}.weight"
            found = layer(torch.eye(layer.in_features)).T
            theirs = adapters.calculate_weight(patches[f"diffusion_model.{key}"], weights[key].clone(), key)
            if kind == "dora":  # whose rows ComfyUI gives other lengths (docs/formats.md), but the same directions
                found, theirs = (each / each.norm(dim=1, keepdim=True) for each in (found, theirs))
            torch.testing.assert_close(found, theirs, atol=1e-5, rtol=1e-4)
            assert (found - weights[key]).abs().max() > 0.01
