"""Pictures drawn with a Fun ControlNet."""

import importlib

import torch

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
    (out,) = (
        importlib.import_module("nodes")
        .KSampler()
        .sample(
            model=model,
            seed=7,
            steps=steps,
            cfg=cfg,
            sampler_name="euler",
            scheduler="simple",
            positive=native.conditioning(captions[0], 1),
            negative=native.conditioning(captions[1], 2),
            latent_image={"samples": torch.zeros(batch, 16, *size)},
        )
    )
    return out["samples"]


def same(found, expected, tolerance=1e-4):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
