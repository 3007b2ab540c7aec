"""Sampling of ComfyUI's model and ours with stock nodes."""

import importlib

import torch


def stock_node(module, name):
    """A ComfyUI node class as a function, called as by the executor."""
    node = getattr(importlib.import_module(module), name)

    def call(**inputs):
        if hasattr(node, "FUNCTION"):
            return getattr(node(), node.FUNCTION)(**inputs)
        return node.execute(**inputs).result

    return call


def extra(module, name):
    return stock_node(f"comfy_extras.{module}", name)


def draw(native, model, *, steps=6, cfg=1.0, latent=None, denoise=1.0, captions=(17, 40), positive=None):
    """Latents from the stock KSampler."""
    (out,) = stock_node("nodes", "KSampler")(
        model=model,
        seed=7,
        steps=steps,
        cfg=cfg,
        sampler_name="euler",
        scheduler="simple",
        positive=positive or native.conditioning(captions[0], 1),
        negative=native.conditioning(captions[1], 2),
        latent_image=latent or {"samples": torch.zeros(1, 16, 8, 8)},
        denoise=denoise,
    )
    return out["samples"]


def same(found, expected, tolerance=1e-3):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def lora(model):
    """The model with a LoRA in mixed ComfyUI and diffusers naming, applied by the stock loader's code."""
    import comfy.sd

    generator = torch.Generator().manual_seed(11)
    weights = {}
    rows = {
        "diffusion_model.layers.0.attention.qkv": 768,
        "transformer.layers.1.attention.to_k": 256,
        "diffusion_model.layers.1.feed_forward.w1": 768,
    }
    for key, out in rows.items():
        weights[f"{key}.lora_A.weight"] = torch.randn(4, 256, generator=generator) * 0.2
        weights[f"{key}.lora_B.weight"] = torch.randn(out, 4, generator=generator) * 0.2
    return comfy.sd.load_lora_for_models(model, None, weights, 1.0, 0.0)[0]
