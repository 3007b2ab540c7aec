"""NaN in what nodes are given and in what they draw: a sentence where a black picture came in silence."""

import logging

import pytest
import torch

import native_pictures

NAN = float("nan")


@pytest.fixture(scope="module")
def model(native):
    return native.model()


@pytest.fixture(scope="module")
def attached(pack, model):
    return pack.bridge_attach.attach(model)


def broken(features):
    features = features.clone()
    features.flatten()[77] = NAN
    return features


def turbo(pack, native, model, positive=None, n=1):
    return pack.groups[3].ZImageTurboSampler.execute(
        model, positive or native.conditioning(17, 1), {"samples": torch.zeros(n, 16, 8, 8)}, 3, 2, "euler", 3.0, 1.0
    ).result[0]["samples"]  # fmt: skip


def overflowing(model, *which):
    """A MODEL whose network's result is NaN for these pictures of a batch."""
    clone = model.clone()

    def wrapper(apply_model, call):
        velocity = apply_model(call["input"], call["timestep"], **call["c"]).clone()
        velocity[list(which)] = NAN
        return velocity

    clone.set_model_unet_function_wrapper(wrapper)
    return clone


@pytest.mark.parametrize("sampler", ["ours", "stock"])
def test_a_prompt_that_is_nan_is_a_sentence_in_every_sampler(pack, native, attached, sampler):
    [[features, values]] = native.conditioning(17, 1)
    prompt = [[broken(features), values]]
    with pytest.raises(ValueError, match=r"^A prompt's conditioning holds .* \(NaN\) .*: the text encoder's numbers"):
        if sampler == "ours":
            turbo(pack, native, attached, prompt)
        else:
            native_pictures.draw(native, attached, steps=2, positive=prompt)


def test_a_reference_picture_that_is_nan_is_a_sentence(native, attached):
    [[features, values]] = native.conditioning(17, 1)
    prompt = [[features, {**values, "reference_latents": [broken(torch.zeros(1, 16, 8, 8))]}]]
    with pytest.raises(ValueError, match=r"^A reference picture of the conditioning holds .* \(NaN\)"):
        native_pictures.draw(native, attached, steps=2, positive=prompt)


def test_a_latent_that_is_nan_is_a_sentence(pack, attached):
    with pytest.raises(ValueError, match=r"^The latent connected here holds values that are no numbers"):
        pack.bridge_sampling.starting_latent(attached, {"samples": broken(torch.zeros(1, 16, 8, 8))})


def test_a_model_that_overflows_says_so_in_our_sampler(pack, native, attached):
    with pytest.raises(ValueError, match=r"^The picture came out as NaN .*: the model's .* bfloat16 in Z-Image Load"):
        turbo(pack, native, overflowing(attached, 0))
    with pytest.raises(ValueError, match=r"^Every picture came out as NaN"):
        turbo(pack, native, overflowing(attached, 0, 1), n=2)


def test_one_broken_picture_of_a_batch_is_told_in_the_log_and_the_others_are_kept(pack, native, attached, caplog):
    expected = turbo(pack, native, attached, n=2)
    with caplog.at_level(logging.WARNING, "zimage"):
        found = turbo(pack, native, overflowing(attached, 1), n=2)
    assert torch.equal(found[0], expected[0])
    assert "of 2 pictures number 2 came out as NaN and is black: the model's numbers overflowed" in caplog.text


@pytest.mark.parametrize("tile", [0, 256])
def test_decoding_tells_a_broken_latent_from_an_autoencoder_that_overflows(pack, vae, tile, monkeypatch):
    decode, latent = pack.bridge_images.decode, torch.zeros(1, 16, 4, 4)
    assert decode(vae, {"samples": latent}, tile).isfinite().all()
    with pytest.raises(ValueError, match=r"^The picture came out as NaN .*: the model's numbers overflowed"):
        decode(vae, {"samples": broken(latent)}, tile)
    monkeypatch.setattr(vae, "decode_tiled" if tile else "decode", lambda *_, **__: torch.full((1, 32, 32, 3), NAN))
    with pytest.raises(ValueError, match=r"^The picture came out as NaN .*: the autoencoder's .* --bf16-vae or --fp32"):
        decode(vae, {"samples": latent}, tile)
