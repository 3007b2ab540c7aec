"""Inpainting in the samplers: latents outside the mask, and the reference's inpaint loop."""

import importlib

import pytest
import torch

from inpaint_nodes import inpaint, stitched

NANO = "nano (built in)"


@pytest.fixture(scope="module")
def nano(pack):
    """The built-in model, its VAE and a prompt."""
    loaders = pack.groups[0]
    model, clip, vae = (
        getattr(loaders, f"ZImage{name}").execute(*settings).result[0]
        for name, settings in (
            ("ModelLoader", (NANO, "automatic")),
            ("TextEncoderLoader", (NANO,)),
            ("VAELoader", (NANO,)),
        )
    )
    prompt = pack.groups[1].ZImageTextEncode.execute(clip, "a red circle on white", "keep every token").result[0]
    return model, vae, prompt


def stock_sampler(model, prompt, latent, denoise):
    sampler = importlib.import_module("nodes").KSampler()
    return sampler.sample(model, 7, 3, 1.0, "euler", "simple", prompt, prompt, latent, denoise)[0]["samples"]


def custom_sampler(model, prompt, latent, strength):
    """The stock SamplerCustomAdvanced with our schedule."""
    custom = importlib.import_module("comfy_extras.nodes_custom_sampler")
    sigmas = importlib.import_module("zimage_pack.nodes.sampling").shifted_schedule(3, 3.0, strength)
    noise = custom.RandomNoise.execute(7).result[0]
    guider = custom.BasicGuider.execute(model, prompt).result[0]
    euler = custom.KSamplerSelect.execute("euler").result[0]
    return custom.SamplerCustomAdvanced.execute(noise, guider, euler, sigmas, latent).result[0]["samples"]


def our_sampler(pack, model, prompt, latent, strength, solver="euler"):
    sampler = pack.groups[3].ZImageTurboSampler
    return sampler.execute(model, prompt, latent, 7, 3, solver, 3.0, strength).result[0]["samples"]


@pytest.mark.slow
@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize("which", ["stock", "custom", "euler", "heun", "res_multistep"])
def test_latents_outside_the_mask_come_back_as_encoded(pack, nodes, nano, which, strength, generator):
    model, vae, prompt = nano
    image, mask = torch.rand(2, 64, 64, 3, generator=generator), torch.zeros(1, 64, 64)
    mask[:, :24, 40:] = 1
    latent, stitch, _ = inpaint(nodes, image, mask, vae, context=4.0)
    if which == "stock":
        found = stock_sampler(model, prompt, latent, strength)
    elif which == "custom":
        found = custom_sampler(model, prompt, latent, strength)
    else:
        found = our_sampler(pack, model, prompt, latent, strength, which)
    repainted = latent["noise_mask"].expand_as(found) > 0
    torch.testing.assert_close(found[~repainted], latent["samples"][~repainted], atol=1e-5, rtol=1e-5)
    assert (found[repainted] - latent["samples"][repainted]).abs().mean() > 0.1
    decoded = pack.bridge_images.decode(vae, {"samples": found}, 0)
    result = stitched(nodes, decoded, stitch)
    kept = (mask[0] == 0).clone()
    kept[:30, 34:] = False  # two pixels grown, three of feather, and one
    assert torch.equal(result[:, kept], image[:, kept])


@pytest.mark.parametrize("strength", [1.0, 0.5])
@torch.inference_mode()
def test_our_sampler_repaints_as_the_references_inpaint_loop_does(pack, nodes, nano, strength, generator):
    """After each step everything outside the mask is put back at its new noise level, always with the same noise."""
    import comfy.sample

    model, vae, prompt = nano
    mask = torch.zeros(1, 64, 64)
    mask[:, 30:50, 10:40] = 1
    latent, _, _ = inpaint(nodes, torch.rand(1, 64, 64, 3, generator=generator), mask, vae, context=4.0)
    found = our_sampler(pack, model, prompt, latent, strength)

    noise = comfy.sample.prepare_noise(latent["samples"], 7)
    picture, m = model.model.process_latent_in(latent["samples"]), latent["noise_mask"]
    sigmas = pack.groups[3].shifted_schedule(3, 3.0, strength).tolist()
    caption = prompt[0][0]
    network, dtype = model.model.diffusion_model, model.model.get_dtype()
    x = sigmas[0] * noise + (1 - sigmas[0]) * picture
    for sigma, sigma_next in zip(sigmas, sigmas[1:], strict=False):
        v = network(x.to(dtype), torch.tensor([sigma]), caption.to(dtype), caption.shape[1], transformer_options={})
        x = x + (sigma_next - sigma) * v.float()
        keep = sigma_next * noise + (1 - sigma_next) * picture
        x = (1 - m) * keep + m * x
    torch.testing.assert_close(found, model.model.process_latent_out(x), atol=1e-4, rtol=0)  # 3e-5 found
