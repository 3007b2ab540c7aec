"""Pictures drawn with a Fun ControlNet."""

import torch

import native_pictures

RELEASES = {
    "1.0": {"n_control_layers": 6},
    "2.0": {"n_control_layers": 15, "additional_in_dim": 17, "refiner_control": True, "broken": True},
    "2.1": {"n_control_layers": 15, "additional_in_dim": 17, "refiner_control": True},
    "2.1 lite": {"n_control_layers": 3, "additional_in_dim": 17, "refiner_control": True},
}


def picture(seed, count=1, size=64):
    return torch.rand(count, size, size, 3, generator=torch.Generator().manual_seed(seed))


MASK = torch.zeros(1, 64, 64)
MASK[:, 16:40, 8:48] = 1


PICTURES = {
    "control": {"image": picture(2)},
    "repaint": {"inpaint_image": picture(3), "mask": MASK},
    "both": {"image": picture(2), "inpaint_image": picture(3), "mask": MASK},
}


def draw(native, model, *, steps=1, cfg=1.0, size=(8, 8), batch=1, captions=(17, 40)):
    """Latents from the stock KSampler."""
    latent = {"samples": torch.zeros(batch, 16, *size)}
    return native_pictures.draw(native, model, steps=steps, cfg=cfg, latent=latent, captions=captions)


def same(found, expected, tolerance=1e-4):
    native_pictures.same(found, expected, tolerance)
