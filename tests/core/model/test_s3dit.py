"""The transformer: published numbers, and the ways of calling it that must agree."""

import pytest
import torch

import tiny
from zimage_core.checkpoints import DIT_DIFFUSERS, load_dit
from zimage_core.config import OMNI_DIT, TURBO_DIT
from zimage_core.model import S3DiT
from zimage_core.model.embed import sinusoid

# Raw outputs (picture − noise) of the published implementation on the tiny model, from the specification, section 10.1.
CASES = (
    ([(17, 8, 12)], [-0.685964, 0.573510, -0.475093, -1.006884], -0.168538, 1.006814, 3.928198),
    ([(32, 8, 16)], [0.851317, 0.638009, 1.373692, 0.097763], -0.012552, 0.990164, 3.780722),
    (
        [(5, 8, 8), (40, 12, 20), (64, 16, 16)],
        [0.618822, 0.198172, -0.162181, 0.334136],
        -0.135358,
        0.988766,
        3.758770,
    ),
)


def published_model():
    """The specification's weights: drawn in the diffusers layout, loaded through our own door."""
    template = DIT_DIFFUSERS.to_file(tiny.dit().state_dict())
    generator = torch.Generator().manual_seed(1234)
    return load_dit({key: tiny.random_value(key, template[key].shape, generator) for key in sorted(template)})


def inputs(generator, items):
    latents = [torch.randn(16, 1, h, w, generator=generator)[:, 0] for _, h, w in items]
    captions = [torch.randn(n, 48, generator=generator) for n, _, _ in items]
    return latents, torch.rand(len(items), generator=generator), captions


def test_outputs_are_those_of_the_published_implementation():
    model, generator = published_model(), torch.Generator().manual_seed(7)
    for items, first, mean, std, largest in CASES:
        latents, time, captions = inputs(generator, items)
        raw = [-velocity for velocity in model(latents, 1 - time, captions)]
        values = torch.cat([output.flatten() for output in raw])
        torch.testing.assert_close(raw[0].flatten()[:4], torch.tensor(first), atol=1e-5, rtol=0)
        assert [round(x, 5) for x in (values.mean().item(), values.std().item(), values.abs().max().item())] == (
            pytest.approx([mean, std, largest], abs=2e-5)
        )


def test_the_time_sinusoid_is_the_published_one():
    e = sinusoid(torch.tensor([0.0, 0.25, 1.0]))
    assert torch.equal(e[0], torch.cat((torch.ones(128), torch.zeros(128))))
    quarter = torch.tensor([0.240988, 0.986394, -0.961381, 0.999639, -0.970528, 0.164399, 0.275221, 0.026862])
    torch.testing.assert_close(e[1, [0, 1, 2, 127, 128, 129, 130, 255]], quarter, atol=2e-6, rtol=0)
    whole = torch.tensor([0.562379, 0.789627, 0.826880, 0.613588])
    torch.testing.assert_close(e[2, [0, 1, 128, 129]], whole, atol=2e-5, rtol=0)


def test_a_prepared_run_gives_the_plain_forwards_numbers_bit_for_bit(generator):
    model = tiny.dit()
    latent, caption = torch.randn(1, 16, 8, 12, generator=generator), torch.randn(17, 48, generator=generator)
    sigmas = [1.0, 0.7, 0.25]
    velocity = model.flow(model.prepare([caption], (8, 12)), sigmas)
    for sigma in sigmas:
        assert torch.equal(velocity(latent, sigma), model(latent, torch.tensor([sigma]), [caption]))


def test_a_sigma_outside_the_prepared_schedule_is_computed_when_asked(generator):
    model = tiny.dit()
    latent, condition = torch.randn(1, 16, 8, 8, generator=generator), model.prepare([torch.ones(3, 48)], (8, 8))
    assert torch.equal(model.flow(condition, [1.0])(latent, 0.5), model.flow(condition, [0.5])(latent, 0.5))


def test_items_in_a_mixed_batch_are_what_they_are_alone(generator):
    model = tiny.dit()
    items = [(5, 8, 8), (40, 12, 20), (7, 8, 8), (32, 8, 8), (64, 16, 16)]
    latents, sigma, captions = inputs(generator, items)
    together = model(latents, sigma, captions)
    for index, velocity in enumerate(together):
        alone = model([latents[index]], sigma[index : index + 1], [captions[index]])[0]
        torch.testing.assert_close(velocity, alone, atol=1e-5, rtol=1e-5)  # batched products round differently


def test_velocity_comes_back_in_the_form_the_latents_had(generator):
    model = tiny.dit()
    latents, captions = torch.randn(2, 16, 8, 8, generator=generator), [torch.ones(3, 48), torch.ones(40, 48)]
    as_tensor = model(latents, torch.tensor([0.3, 0.4]), captions)
    as_list = model(list(latents), torch.tensor([0.3, 0.4]), captions)
    assert isinstance(as_list, list)
    assert torch.equal(as_tensor, torch.stack(as_list))


def test_pads_are_attended_so_a_longer_caption_bucket_moves_the_picture(generator):
    model = tiny.dit()
    latent, caption = torch.randn(1, 16, 8, 8, generator=generator), torch.randn(32, 48, generator=generator)
    plain = model(latent, torch.tensor([0.5]), [caption])
    with torch.no_grad():
        model.cap_pad_token += 1
    assert torch.equal(model(latent, torch.tensor([0.5]), [caption]), plain)  # 32 tokens: no pads
    longer = torch.cat((caption, caption[:1]))
    with_pads = model(latent, torch.tensor([0.5]), [longer])
    with torch.no_grad():
        model.cap_pad_token -= 1
    assert not torch.allclose(model(latent, torch.tensor([0.5]), [longer]), with_pads)


def test_half_precision_overflow_is_clamped_to_finite_numbers():
    block = tiny.dit().half().layers[0]
    block.feed_forward.w1.weight.data.fill_(300)
    block.feed_forward.w3.weight.data.fill_(300)
    assert block.feed_forward(torch.ones(1, 4, 64, dtype=torch.float16)).isfinite().all()


@pytest.mark.parametrize(
    ("config", "single_file", "diffusers", "parameters"),
    [(TURBO_DIT, 453, 521, 6_154_908_736), (OMNI_DIT, 479, 551, 6_513_266_880)],
    ids=["Turbo and base", "Omni"],
)
def test_the_family_has_the_published_tensors_and_parameters(config, single_file, diffusers, parameters):
    """In a single file every block has two tensors fewer: one matrix makes queries, keys and values."""
    state = S3DiT(config, device="meta").state_dict()
    assert len(state) == single_file
    assert len(DIT_DIFFUSERS.to_file(state)) == diffusers
    assert sum(tensor.numel() for tensor in state.values()) == parameters


def test_a_model_that_can_look_loads_from_either_layout():
    dit = tiny.omni()
    for state in (dit.state_dict(), DIT_DIFFUSERS.to_file(dit.state_dict())):
        loaded = load_dit(state)
        assert loaded.config == tiny.OMNI_DIT
        assert all(torch.equal(tensor, dit.state_dict()[key]) for key, tensor in loaded.state_dict().items())
