"""Prompt graphs in ComfyUI's API format, built from the nodes that most tests need."""

from typing import Any

NANO = "nano (built in)"


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def loaders(dit: str = NANO, text: str = NANO, vae: str = NANO) -> dict[str, Any]:
    return {
        "model": node("ZImageModelLoader", model_name=dit, precision="automatic"),
        "clip": node("ZImageTextEncoderLoader", text_encoder_name=text),
        "vae": node("ZImageVAELoader", vae_name=vae),
    }


def encode(prompt: str, **changes: Any) -> dict[str, Any]:
    return node(
        "ZImageTextEncode", **{"clip": ["clip", 0], "prompt": prompt, "long_prompts": "keep every token", **changes}
    )


def turbo(**changes: Any) -> dict[str, Any]:
    inputs = {
        "model": ["model", 0],
        "positive": ["positive", 0],
        "latent": ["latent", 0],
        "seed": 1,
        "steps": 4,
        "solver": "euler",
        "shift": 3.0,
        "strength": 1.0,
    }
    return node("ZImageTurboSampler", **{**inputs, **changes})


def ksampler(model: str = "model", **changes: Any) -> dict[str, Any]:
    """The stock KSampler."""
    inputs = {
        "model": [model, 0],
        "positive": ["positive", 0],
        "negative": ["negative", 0],
        "latent_image": ["latent", 0],
        "seed": 5,
        "steps": 4,
        "cfg": 2.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        "denoise": 1.0,
    }
    return node("KSampler", **{**inputs, **changes})


def custom_sampler(latent: str = "latent") -> dict[str, Any]:
    """The stock custom sampler, between nodes with the names of its sockets and a `select`."""
    return node(
        "SamplerCustomAdvanced",
        noise=["noise", 0],
        guider=["guider", 0],
        sampler=["select", 0],
        sigmas=["sigmas", 0],
        latent_image=[latent, 0],
    )


def text_to_image(prompt: str = "a large red circle in the middle on white", **sampler: Any) -> dict[str, Any]:
    """The built-in model from a prompt to a saved picture."""
    return {
        **loaders(),
        "positive": encode(prompt),
        "latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1),
        "sampler": turbo(**sampler),
        "decode": node("ZImageVAEDecode", latent=["sampler", 0], vae=["vae", 0], tile_size=0),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="test"),
    }
