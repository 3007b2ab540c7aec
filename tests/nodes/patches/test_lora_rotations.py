"""OFT, BOFT and GLoRA files on a MODEL: the picture of the stock LoRA loader, at every strength."""

import importlib

import pytest
import torch
from safetensors.torch import save_file


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + 7 * shape[0] + shape[-1])) * 0.2


TO_K, W1 = "diffusion_model.layers.0.attention.to_k", "diffusion_model.layers.1.feed_forward.w1"
A1, A2, B1, B2 = random(256, 4), random(4, 256), random(768, 4, seed=1), random(4, 256, seed=2)
NONE = torch.tensor(0.0)  # the stock loader applies a BOFT only with an alpha
FILES = {
    "OFT": ({f"{TO_K}.oft_blocks": random(32, 8, 8), f"{W1}.oft_blocks": random(12, 64, 64)}, "OFT"),
    "OFT, constraint": ({f"{TO_K}.oft_blocks": random(32, 8, 8), f"{TO_K}.alpha": torch.tensor(0.5)}, "OFT"),
    "OFT, rescale": (
        {f"{TO_K}.oft_blocks": random(32, 8, 8), f"{TO_K}.rescale": 1 + random(256, 1)},
        "OFT (without its rescale, as in ComfyUI)",
    ),
    "BOFT": ({f"{TO_K}.oft_blocks": random(4, 32, 8, 8), f"{TO_K}.alpha": NONE}, "BOFT"),
    "BOFT, rescale": (
        {
            f"{W1}.oft_blocks": random(2, 48, 16, 16),
            f"{W1}.rescale": 1 + random(768, 1),
            f"{W1}.alpha": torch.tensor(0.5),
        },
        "BOFT",
    ),
    "GLoRA": (
        {f"{W1}.{name}.weight": each for name, each in {"a1": A1, "a2": A2, "b1": B1, "b2": B2}.items()}
        | {f"{W1}.alpha": torch.tensor(2.0)},
        "GLoRA",
    ),
    "GLoRA, first order": (
        {f"{TO_K}.{name}.weight": each for name, each in {"a1": A2, "a2": A1, "b1": B2, "b2": B1[:256]}.items()},
        "GLoRA",
    ),
}


@pytest.mark.parametrize("strength", [1.0, 0.5, -0.7])
@pytest.mark.parametrize("name", FILES)
def test_the_picture_is_the_stock_loaders(native, use, draw, lora_folder, name, strength):
    state, kind = FILES[name]
    model = native.model()
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, lora_folder / "rotation.safetensors")
    stock = importlib.import_module("nodes").LoraLoaderModelOnly()
    (expected,) = stock.load_lora_model_only(model, "rotation.safetensors", strength)
    expected, before = draw(expected), draw(model)
    found, report = use(model, ("rotation.safetensors", strength))
    torch.testing.assert_close(draw(found), expected, atol=1e-4, rtol=0)
    assert (expected - before).abs().max() > 1e-2
    assert torch.equal(draw(model), before)
    assert report.splitlines()[0].startswith(f"rotation.safetensors: {kind}, ")
