"""Against diffusers 0.42.1 on the same tiny random weights, float32, CPU."""

import pytest
import torch

import tiny
from zimage_core.sampling import Guidance, denoise, shifted_schedule

diffusers = pytest.importorskip("diffusers")
reference_networks = pytest.importorskip("bench.systems.diffusers_networks")


@pytest.fixture(scope="module")
def transformer():
    return reference_networks.build_transformer(tiny.DIT, tiny.dit().state_dict())


@pytest.fixture(scope="module")
def autoencoder():
    return reference_networks.build_autoencoder(tiny.VAE, tiny.vae().state_dict())


BATCHES = {
    "one": [(17, 8, 12)],
    "equal": [(20, 8, 8), (20, 8, 8)],
    "mixed": [(1, 2, 2), (32, 8, 16), (33, 12, 20), (64, 16, 16), (7, 30, 6)],
    "long caption": [(512, 8, 8), (3, 8, 8)],
}


@pytest.mark.parametrize("items", BATCHES.values(), ids=BATCHES)
@torch.no_grad()
def test_the_transformer_gives_the_references_output_in_every_batch(transformer, items, generator):
    latents = [torch.randn(16, h, w, generator=generator) for _, h, w in items]
    captions = [torch.randn(n, 48, generator=generator) for n, _, _ in items]
    sigma = torch.rand(len(items), generator=generator)
    reference = transformer([latent[:, None] for latent in latents], 1 - sigma, captions)[0]
    for expected, found in zip(reference, tiny.dit()(latents, sigma, captions), strict=True):
        torch.testing.assert_close(found, -expected[:, 0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_autoencoder_gives_the_references_latents_and_pictures(autoencoder, generator):
    picture = torch.rand(2, 3, 48, 64, generator=generator) * 2 - 1
    posterior = autoencoder.encode(picture).latent_dist
    ours = tiny.vae().posterior(picture)
    torch.testing.assert_close(ours.mean, posterior.mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.logvar, posterior.logvar, atol=1e-5, rtol=0)
    raw = torch.randn(2, 16, 6, 8, generator=generator)
    torch.testing.assert_close(tiny.vae().decoder(raw), autoencoder.decode(raw).sample, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shift", [3.0, 6.0])
@pytest.mark.parametrize("steps", [1, 8, 9, 28, 50])
def test_the_schedule_is_the_references(shift, steps):
    """The pipeline hands its scheduler linspace(1, 1/N, N) and lets it shift."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=shift)
    scheduler.set_timesteps(sigmas=torch.linspace(1, 1 / steps, steps, dtype=torch.float64).numpy())
    torch.testing.assert_close(shifted_schedule(steps, shift), scheduler.sigmas, atol=1e-6, rtol=0)


SETTINGS = {
    "turbo": {"cfg": 1.0},
    "guided": {"cfg": 4.0},
    "normalised": {"cfg": 6.0, "normalization": 1.0},
    "truncated": {"cfg": 4.0, "truncation": 0.4},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@torch.no_grad()
def test_the_whole_pipeline_draws_the_references_picture(transformer, autoencoder, settings, generator):
    """From prompt features and noise to pixels: guidance, its cap, its end, the schedule, Euler, the decoder."""
    guidance, steps = Guidance(**settings), 6
    captions = [torch.randn(n, 48, generator=generator) for n in (17, 40)]  # the negative prompt is of another length
    noise = torch.randn(1, 16, 8, 12, generator=generator)
    pipeline = diffusers.ZImagePipeline(
        transformer=transformer,
        vae=autoencoder,
        text_encoder=None,
        tokenizer=None,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0),
    )
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(
        prompt_embeds=captions[:1],
        negative_prompt_embeds=captions[1:],
        latents=noise.clone(),
        height=64,
        width=96,
        num_inference_steps=steps,
        guidance_scale=guidance.cfg - 1,
        cfg_normalization=guidance.normalization,
        cfg_truncation=guidance.truncation,
        output_type="pt",
    ).images

    dit = tiny.dit()
    positive, negative = (dit.flow(dit.prepare([caption], (8, 12))) for caption in captions)
    *_, last = denoise(positive, noise, shifted_schedule(steps, 3.0), negative=negative, guidance=guidance)
    found = (tiny.vae().decode(last.x) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    n_guided = sum(guidance.is_active(sigma) for sigma in shifted_schedule(steps, 3.0)[:-1].tolist())
    assert last.nfe == steps + n_guided
    assert (
        n_guided
        == {"turbo": 0, "guided": 6, "normalised": 6, "truncated": 4}[
            next(k for k, v in SETTINGS.items() if v is settings)
        ]
    )
